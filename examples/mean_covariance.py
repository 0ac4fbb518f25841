"""The mean-covariance RBM on pictures and on sound.

    python examples/mean_covariance.py --data FOLDER

Patches: 12 x 12 grey patches of the two photographs that scikit-learn contains, whitened.
Covariance units see one filter each, or 3 x 3 neighbours on a sheet (Ranzato & Hinton 2010). A
table says how much of the patch a filter covers, beside a Gaussian RBM on the same data.

Sound: is a tenth of a second speech or music? Blocks of log-mel spectra (after Schlueter &
Sonnleitner, "Unsupervised feature learning for speech and music detection in radio broadcasts",
DAFx 2012) from recordings under free licences in FOLDER/librosa_audio and FOLDER/fsdd. Logistic
regression sees the blocks, the units of a Gaussian RBM, or those of a mean-covariance RBM;
it is tested on recordings and speakers that no part of the training saw. All sound is resampled to
8 kHz, and each band's mean over a recording is taken away, so that level and channel tell nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import tarfile
from collections.abc import Callable
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ictus
from ictus import plot
from ictus.models import RBM, DivergenceTrainer, HybridDivergenceTrainer, MeanCovarianceMachine
from ictus.models.boltzmann.mean_covariance import topographic_pooling

RATE = 8000
FRAME, HOP, BANDS = 256, 80, 40
BLOCK, BLOCK_HOP = 10, 5
PATCH = 12
# The recordings of each fold: part of the file name, or a speaker of fsdd.
FOLDS = (
    {"speech": ("george", "theo"), "music": ("Sugar_Plum",)},
    {"speech": ("jackson", "198-209"), "music": ("Fishin",)},
    {"speech": ("nicolas", "3436"), "music": ("Vibe_Ace", "Hungarian", "trumpet")},
)
PENALTIES = (1e-3, 1e-1)

Features = Callable[[np.ndarray], dict[str, np.ndarray]]


# --- sound ---------------------------------------------------------------------------------------


def resampled(x: np.ndarray, rate: int) -> np.ndarray:
    from scipy.signal import resample_poly

    common = gcd(rate, RATE)
    return np.asarray(resample_poly(x, RATE // common, rate // common))


def read_recordings(folder: Path) -> dict[str, np.ndarray]:
    """Samples at 8 kHz, by file name or speaker; a speaker's digits are laid end to end."""
    import soundfile

    recordings = {}
    for path in sorted((folder / "librosa_audio").glob("*.ogg")):
        x, rate = soundfile.read(path)
        recordings[path.stem] = resampled(x, rate)
    spoken: dict[str, list[np.ndarray]] = {}
    with tarfile.open(next((folder / "fsdd").glob("*.tar.gz"))) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if member.name.endswith(".wav"):
                speaker = Path(member.name).stem.split("_")[1]
                content = archive.extractfile(member)
                assert content is not None
                x, rate = soundfile.read(io.BytesIO(content.read()))
                spoken.setdefault(speaker, []).append(resampled(x, rate))
    return recordings | {speaker: np.concatenate(parts) for speaker, parts in spoken.items()}


def mel_filters() -> np.ndarray:
    """Triangles from 80 Hz to 3.8 kHz, equally wide on the mel scale 1127 log(1 + f / 700)."""
    edges = np.linspace(1127 * np.log1p(80 / 700), 1127 * np.log1p(3800 / 700), BANDS + 2)
    edges = 700 * np.expm1(edges / 1127)
    frequencies = np.fft.rfftfreq(FRAME, 1 / RATE)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling))


def blocks(x: np.ndarray) -> np.ndarray:
    """Log-mel spectra of ten frames in a row, shape (n, 400)."""
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2
    mel = np.log(power @ mel_filters() + 1e-6)
    mel -= mel.mean(axis=0)
    cut = np.lib.stride_tricks.sliding_window_view(mel, BLOCK, axis=0)[::BLOCK_HOP]
    return np.ascontiguousarray(cut.transpose(0, 2, 1)).reshape(len(cut), -1).astype(np.float32)


def load_folds(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Blocks and labels (1: speech) of each fold."""
    recordings = read_recordings(folder)
    folds = []
    for fold in FOLDS:
        x, y = [], []
        for label, names in enumerate((fold["music"], fold["speech"])):
            for name in names:
                (found,) = [each for each in recordings if name in each]
                x.append(blocks(recordings[found]))
                y.append(np.full(len(x[-1]), label))
        folds.append((np.concatenate(x), np.concatenate(y)))
    return folds


# --- machines ------------------------------------------------------------------------------------


def train_gaussian(x: np.ndarray, units: int, epochs: int, seed: int) -> RBM:
    machine = RBM(x.shape[1], units, visible_type="gaussian", seed=seed)
    DivergenceTrainer(machine, learning_rate=0.01, epochs=epochs, seed=seed).fit(x)
    return machine


def train_mean_covariance(
    x: np.ndarray, options: argparse.Namespace, epochs: int, pooling: np.ndarray | None
) -> tuple[MeanCovarianceMachine, HybridDivergenceTrainer]:
    machine = MeanCovarianceMachine(x.shape[1], 256, 100, pooling=pooling, seed=options.seed)

    def report(trainer: HybridDivergenceTrainer, epoch: int) -> None:
        last = {name: round(values[-1], 3) for name, values in trainer.history.items()}
        if epoch % 10 == 0:
            print(epoch, last, flush=True)

    trainer = HybridDivergenceTrainer(
        machine,
        learning_rate=options.learning_rate,
        epochs=epochs,
        keep_zeros=True,
        seed=options.seed,
        callbacks=[report],
    )
    trainer.fit(x)
    return machine, trainer


def error_percent(y: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the error of speech and that of music."""
    return 100 * float(np.mean([(predicted[y == label] != label).mean() for label in (0, 1)]))


def classify(train: list[Any], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Test error; the penalty is the best from one training fold to the other and back."""

    def fitted(x: np.ndarray, y: np.ndarray, penalty: float) -> Any:
        classifier = LogisticRegression(C=penalty, max_iter=500, class_weight="balanced")
        return make_pipeline(StandardScaler(), classifier).fit(x, y)

    def inner(penalty: float) -> float:
        pairs = [(train[0], train[1]), (train[1], train[0])]
        return sum(error_percent(b[1], fitted(*a, penalty).predict(b[0])) for a, b in pairs)

    best = min(PENALTIES, key=inner)
    x, y = (np.concatenate([fold[i] for fold in train]) for i in (0, 1))
    return error_percent(test[1], fitted(x, y, best).predict(test[0]))


def learn_features(seen: np.ndarray, options: argparse.Namespace) -> Features:
    """Train both machines on blocks; return what makes each kind of features of other blocks."""
    whitening = PCA(0.95, whiten=True, random_state=0).fit(seen)
    scaling = StandardScaler().fit(seen)
    white = whitening.transform(seen).astype(np.float32)
    # Whitened data leave little to a model of the mean: this machine sees them standardised.
    gaussian = train_gaussian(scaling.transform(seen), 356, options.epochs, options.seed)
    machine, _ = train_mean_covariance(white, options, options.epochs, None)

    def features(x: np.ndarray) -> dict[str, np.ndarray]:
        w = whitening.transform(x).astype(np.float32)
        covariance, mean = machine.hidden_means(w)
        return {
            "log-mel blocks": x,
            "whitened blocks and their squares": np.hstack([w, w**2]),
            "Gaussian RBM, 356 units": gaussian.mean_hiddens(scaling.transform(x)),
            "mcRBM, 100 mean units": mean,
            "mcRBM, 256 covariance units": covariance,
            "mcRBM, all 356 units": np.hstack([covariance, mean]),
            "whitened blocks and mcRBM": np.hstack([w, covariance, mean]),
        }

    return features


def sound_errors(options: argparse.Namespace) -> dict[str, list[float]]:
    """Test errors of each kind of features, one a fold."""
    folds = load_folds(options.data)
    errors: dict[str, list[float]] = {}
    for number, test in enumerate(folds):
        train = [fold for i, fold in enumerate(folds) if i != number]
        features = learn_features(np.concatenate([x for x, _ in train]), options)
        made = [(features(x), y) for x, y in [*train, test]]
        for name in made[0][0]:
            chosen = [(x[name], y) for x, y in made]
            errors.setdefault(name, []).append(classify(chosen[:-1], chosen[-1]))
            print(f"fold {number + 1}, {name}: {errors[name][-1]:.2f} %", flush=True)
    return errors


# --- patches -------------------------------------------------------------------------------------


def patches(count: int, seed: int) -> np.ndarray:
    """Grey patches of the logarithm of intensity, each without its mean, flat ones left out."""
    generator = np.random.default_rng(seed)
    images = [np.log1p(image.mean(axis=2)) for image in load_sample_images().images]
    rows = []
    while len(rows) < count:
        image = images[generator.integers(len(images))]
        top, left = (generator.integers(size - PATCH) for size in image.shape)
        patch = image[top : top + PATCH, left : left + PATCH].ravel()
        if patch.std() > 0.03:
            rows.append(patch - patch.mean())
    return np.array(rows)


def covered(filters: np.ndarray) -> np.ndarray:
    """Share of a patch that each filter covers: (sum e)^2 / (sum e^2) of its energies e, of all.

    1: equal energy everywhere; a third: white noise.
    """
    energy = np.square(filters)
    return energy.sum(axis=0) ** 2 / np.square(energy).sum(axis=0) / len(filters)


def learn_patches(options: argparse.Namespace) -> dict[str, Any]:
    """Filters of both machines in the space of pixels, drawn and measured."""
    x = patches(15_000, options.seed)
    whitening = PCA(0.99, whiten=True, random_state=0).fit(x)
    white = whitening.transform(x).astype(np.float32)
    deviations = np.sqrt(whitening.explained_variance_)[:, None]

    def as_patches(weights: np.ndarray) -> np.ndarray:
        """What excites a unit: its weights through the inverse of the whitening."""
        return np.asarray((whitening.components_ * deviations).T @ weights)

    def draw(name: str, weights: np.ndarray, count: int, title: str) -> None:
        figure = plot.weight_images(weights, (PATCH, PATCH), count=count, title=title)
        figure.savefig(options.output / f"mean_covariance_{name}.png", dpi=110)

    start = MeanCovarianceMachine(white.shape[1], 256, 100, seed=options.seed).filters
    machine, trainer = train_mean_covariance(white, options, options.patch_epochs, None)
    sheet, _ = train_mean_covariance(white, options, options.sheet_epochs, topographic_pooling(16))
    gaussian = train_gaussian(white, 256, options.patch_epochs, options.seed)
    draw("filters", as_patches(machine.filters), 256, "Covariance filters")
    draw("sheet", as_patches(sheet.filters), 256, "Filters on a sheet, pooled 3 x 3")
    draw("mean", as_patches(machine.weights), 100, "Weights of the mean units")
    share = {
        "covariance filters": machine.filters,
        "the same before training": start,
        "filters on a sheet": sheet.filters,
        "mean units": machine.weights,
        "Gaussian RBM": gaussian.weights,
    }
    return {
        "components": int(white.shape[1]),
        "covered_percent": {
            name: 100 * float(np.median(covered(as_patches(w)))) for name, w in share.items()
        },
        "step_size": trainer.step_size,
        "acceptance": trainer.history["acceptance"][-1],
        "filter_length": trainer.history["filter_length"][-1],
        "seconds": float(np.sum(trainer.history["seconds"])),
    }


# --- results -------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    folder = os.environ.get("ICTUS_DATA", "data")
    parser.add_argument("--data", type=Path, default=Path(folder), help="default: $ICTUS_DATA")
    parser.add_argument("--epochs", type=int, default=40, help="of the machines on sound")
    parser.add_argument("--patch-epochs", type=int, default=60)
    parser.add_argument("--sheet-epochs", type=int, default=20, help="of the sheet of filters")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", choices=("sound", "patches"), help="one part; the other stays as it was"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/results"))
    return parser.parse_args()


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "mean_covariance.json"
    facts = json.loads(path.read_text()) if options.only and path.exists() else {}
    for part, run in (("sound", sound_errors), ("patches", learn_patches)):
        if options.only in (None, part):
            facts[part] = run(options)
    facts |= {
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "machine": platform.machine(),
    }
    path.write_text(json.dumps(facts, indent=1) + "\n")
    if "sound" in facts and "patches" in facts:
        write_page(options, facts["patches"], facts["sound"])


def write_page(
    options: argparse.Namespace, learned: dict[str, Any], errors: dict[str, list[float]]
) -> None:
    names = ("epochs", "patch_epochs", "sheet_epochs", "learning_rate", "seed")
    flags = " ".join(f"--{n.replace('_', '-')} {getattr(options, n)}" for n in names)
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{e:.1f}' for e in each)} | **{np.mean(each):.1f}** |"
        for name, each in errors.items()
    )
    covers = "\n".join(f"| {k} | {v:.0f} % |" for k, v in learned["covered_percent"].items())
    (options.output / "mean_covariance.md").write_text(
        f"""# Mean-covariance RBM

## Speech or music, by a tenth of a second

Error in per cent, mean of that of speech and of music, on recordings and speakers that neither the
features nor the classifier (logistic regression) saw in training; one column a fold.

| features | fold 1 | fold 2 | fold 3 | mean |
|---|---|---|---|---|
{rows}

Each band's mean over a recording is taken away, so the blocks themselves give a linear classifier
little to go by. Six voices and five pieces of music are few: mind how the folds differ.

## Filters of photographs

12 x 12 patches, whitened to {learned["components"]} components; 256 filters, with a covariance unit
for each, or on a sheet where each unit pools 3 x 3 neighbours; 100 mean units, which whitened data
teach little. Pictures show what excites a unit. Share of the patch that the median unit's picture
covers (the script has the measure; small is localised):

| | covers |
|---|---|
{covers}

![covariance filters](mean_covariance_filters.png)

![filters on a sheet](mean_covariance_sheet.png)

![mean units](mean_covariance_mean.png)

Made by `python examples/mean_covariance.py {flags}`.
"""
    )


if __name__ == "__main__":
    main()
