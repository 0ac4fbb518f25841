"""Convolutional Boltzmann machines: MNIST, and mel spectrograms of spoken digits.

    python examples/convolutional_rbm.py --data FOLDER

The machine learns filters from images without labels. Its pooling units, and those of a second
machine on its maps, are the features of a softmax regression on few labels, beside the same
regression on the pixels. Spoken digits (Free Spoken Digit Dataset, CC BY-SA 4.0): log mel spectra,
a machine over time alone whose channels are the bands (Lee, Largman, Pham & Ng 2009); who speaks,
from features averaged over time.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import datasets, plot

LABELLED = (500, 1000, 5000)
RATE, FRAME, HOP, BANDS, FRAMES = 8000, 256, 80, 32, 48


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="with folders mnist and fsdd")
    parser.add_argument("--images", type=int, default=3000, help="for the machines, no labels")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("docs/results"))
    return parser.parse_args()


def regression_error(x: Any, y: Any, x_test: Any, y_test: Any, l2: float) -> float:
    """Test error in per cent of a softmax regression."""
    scale = 1 / max(float(x.std()), 1e-6)
    options = {"max_epochs": 80, "batch_size": 20, "l2": l2, "tol": 0.0, "random_state": 0}
    options |= {"learning_rate": 0.003, "learning_rate_decay": 0.95}
    model = ictus.MLPClassifier((), **options).fit((x - x.mean(axis=0)) * scale, y)
    return 100 * (1 - model.score((x_test - x.mean(axis=0)) * scale, y_test))


def best_error(parts: tuple[Any, Any, Any, Any]) -> float:
    """The error with the penalty that a fifth of the training examples chose."""
    x, y, x_test, y_test = parts
    cut = len(x) * 4 // 5
    rates = [1e-3, 1e-2, 1e-1]
    held_out = [regression_error(x[:cut], y[:cut], x[cut:], y[cut:], l2) for l2 in rates]
    return regression_error(x, y, x_test, y_test, rates[int(np.argmin(held_out))])


def pooled(machine: Any, x: Any) -> Any:
    return np.concatenate([machine.transform(x[i : i + 500]) for i in range(0, len(x), 500)])


def digits(options: argparse.Namespace) -> dict[str, Any]:
    """Filters, samples and features of MNIST."""
    data = datasets.load_mnist(options.data / "mnist")
    x = data.x_train[: options.images].reshape(-1, 28, 28)
    first = ictus.ConvolutionalRBM(
        32,
        kernel_size=9,
        flatten=False,
        learning_rate=1.0,
        sparsity_target=0.03,
        sparsity_cost=0.3,
        batch_size=20,
        n_iter=options.epochs,
        random_state=0,
    )
    start = time.perf_counter()
    maps = first.fit_transform(x)
    second = ictus.ConvolutionalRBM(
        40,
        kernel_size=4,
        learning_rate=1.0,
        sparsity_target=0.05,
        sparsity_cost=0.3,
        batch_size=20,
        n_iter=options.epochs,
        random_state=0,
    ).fit(maps)
    seconds = time.perf_counter() - start
    # Chains that go on from update to update see what the machine would make up.
    dreamer = ictus.ConvolutionalRBM(
        32,
        kernel_size=9,
        persistent=True,
        learning_rate=0.3,
        learning_rate_decay=0.8,
        momentum=0.5,
        batch_size=50,
        n_iter=2 * options.epochs,
        random_state=0,
    ).fit(x)
    draw_digits(first, dreamer, data, options.output)
    images = {name: getattr(data, f"x_{name}").reshape(-1, 28, 28) for name in ("train", "test")}
    y, y_test = data.y_train, data.y_test
    errors: dict[str, list[float]] = {"pixels": [], "first machine": [], "both machines": []}
    most = max(LABELLED)
    maps_train, maps_test = (
        pooled(first, images["train"][:most]),
        pooled(first, images["test"]),
    )
    deep_train, deep_test = pooled(second, maps_train), pooled(second, maps_test)
    for count in LABELLED:
        inputs = {
            "pixels": (images["train"][:count], images["test"]),
            "first machine": (maps_train[:count], maps_test),
        }
        rows = {k: tuple(v.reshape(len(v), -1) for v in pair) for k, pair in inputs.items()}
        rows["both machines"] = tuple(
            np.concatenate([a, b], axis=1)
            for a, b in (
                (rows["first machine"][0], deep_train[:count]),
                (rows["first machine"][1], deep_test),
            )
        )
        for name, (train, test) in rows.items():
            errors[name].append(best_error((train, y[:count], test, y_test)))
            print(f"{count} labels, {name}: {errors[name][-1]:.2f} %", flush=True)
    history = first.history_["reconstruction_error"]
    return {"errors": errors, "seconds": seconds, "reconstruction_error": history}


def draw_digits(machine: Any, dreamer: Any, data: Any, folder: Path) -> None:
    filters = machine.components_[..., 0].reshape(len(machine.components_), -1)
    figure = plot.image_rows({"": filters}, (9, 9), columns=16, signed=True, title="Filters")
    figure.savefig(folder / "convolutional_rbm_filters.png", dpi=80)
    given = data.x_test[:10].reshape(-1, 28, 28)
    covered = given.copy()
    covered[:, 14:] = np.nan
    rows = {
        "given": given,
        "reconstructed": machine.reconstruct(given),
        "known": covered,
        "completed": machine.complete(covered, steps=100),
        "samples": dreamer.sample(10, steps=300, start=given, mean=True),
    }
    flat = {name: images.reshape(len(images), -1) for name, images in rows.items()}
    title = "Convolutional Boltzmann machines on MNIST; samples (PCD) after 300 steps"
    figure = plot.image_rows(flat, (28, 28), title=title)
    figure.savefig(folder / "convolutional_rbm_digits.png", dpi=80)


# --- spectrograms ---------------------------------------------------------------------------------


def log_mel(samples: Any) -> Any:
    """Log energies of mel bands each 10 ms, (frames, bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME))))
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / RATE)[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.log(power @ np.clip(np.minimum(rise, fall), 0, None) + 1e-5)


def spoken(archive: Path) -> tuple[Any, Any, Any]:
    """Spectrograms (n, FRAMES, 1, BANDS) cut or repeated to one length, speakers, numbers."""
    from scipy.io import wavfile

    spectra, speakers, numbers = [], [], []
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            if not member.name.endswith(".wav"):
                continue
            _, speaker, number = Path(member.name).stem.split("_")
            file = tar.extractfile(member)
            assert file is not None
            _, samples = wavfile.read(io.BytesIO(file.read()))
            frames = log_mel(samples / 32768)
            spectra.append(np.resize(frames, (FRAMES, BANDS)))
            speakers.append(speaker)
            numbers.append(int(number))
    return (np.array(spectra, np.float32)[:, :, None], np.array(speakers), np.array(numbers))


def speech(options: argparse.Namespace) -> dict[str, Any]:
    """Who speaks, of four: from the mean spectrum, and from the mean of pooling units."""
    from scipy.linalg import eigh

    x, who, number = spoken(options.data / "fsdd/fsdd_george_jackson_nicolas_theo_00-24.tar.gz")
    train, test = number >= 5, number < 5
    flat = x[train].reshape(-1, BANDS).astype(np.float64)
    mean = flat.mean(axis=0)
    values, vectors = eigh(np.cov((flat - mean).T))
    # Whitened, as there, with all components that say anything.
    kept = values > 0.01 * values.max()
    whiten = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    white = np.ascontiguousarray((x - mean.astype(np.float32)) @ whiten)
    machine = ictus.ConvolutionalRBM(
        80,
        kernel_size=(6, 1),
        block=(3, 1),
        visible_type="gaussian",
        flatten=False,
        learning_rate=0.1,
        sparsity_target=0.05,
        sparsity_cost=1.0,
        batch_size=20,
        n_iter=4 * options.epochs,
        random_state=0,
    ).fit(white[train])
    filters = (machine.components_[:32, :, 0] @ np.linalg.pinv(whiten)).transpose(0, 2, 1)
    figure = plot.image_rows(
        {"": filters[:, ::-1].reshape(32, -1)},
        (BANDS, 6),
        columns=16,
        signed=True,
        title="Filters over 6 frames (60 ms) and 32 mel bands, low ones below",
    )
    figure.savefig(options.output / "convolutional_rbm_speech.png", dpi=80)
    kinds = {
        "mean and deviation of the bands": [white.mean(axis=(1, 2)), white.std(axis=(1, 2))],
        "mean of the pooling units": [machine.transform(white).mean(axis=(1, 2))],
    }
    errors: dict[str, Any] = {}
    labels = np.unique(who, return_inverse=True)[1]
    for name, parts in kinds.items():
        features = np.concatenate(parts, axis=1)
        errors[name] = {}
        for each in (1, 5, 20):  # recordings of each digit by each speaker
            few = train & (number < 5 + each)
            errors[name][str(each)] = best_error(
                (features[few], labels[few], features[test], labels[test])
            )
        print(name, errors[name], flush=True)
    return {"errors": errors, "reconstruction_error": machine.history_["reconstruction_error"]}


def page(results: dict[str, Any]) -> str:
    found, speech = results["digits"], results["speech"]
    count, epochs, seconds = results["images"], results["epochs"], found["seconds"]
    head = " | ".join(f"{labels} labels" for labels in LABELLED)
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{e:.2f}" for e in errors) + " |"
        for name, errors in found["errors"].items()
    )
    spoken_rows = "\n".join(
        f"| {name} | " + " | ".join(f"{e:.2f}" for e in errors.values()) + " |"
        for name, errors in speech["errors"].items()
    )
    lines = "|---" * (len(LABELLED) + 1)
    return f"""# Convolutional Boltzmann machines

Made by `python examples/convolutional_rbm.py --data FOLDER`.

## Digits

MNIST, {count} training images without labels: a machine of 32 filters 9 x 9, blocks 2 x 2, and
one of 40 filters 4 x 4 on its pooling maps; {epochs} epochs of CD-1 each, {seconds:.0f} s in all on
a busy machine. Then a softmax regression on few labels; test error in per cent
(a fifth of the labelled examples chose the penalty):

| features | {head} |
{lines}|
{rows}

![filters](convolutional_rbm_filters.png)

![reconstructions, completions, samples](convolutional_rbm_digits.png)

One layer of small filters knows strokes, not digits: completions end a stroke and leave the rest of
the digit white, and samples (of a machine trained by PCD) are strokes in a place.

## Speech

Free Spoken Digit Dataset (CC BY-SA 4.0), 4 speakers, 32 log mel bands each 10 ms, whitened: a
machine of 80 filters over 6 frames, blocks of 3 frames. Who speaks: test error in per cent on
recordings 0 to 4 of each digit by each speaker, trained on 1, 5 or 20 recordings of each.

| features | 1 | 5 | 20 |
|---|---|---|---|
{spoken_rows}

![filters of speech](convolutional_rbm_speech.png)
"""


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"images": options.images, "epochs": options.epochs}
    results["speech"] = speech(options)
    results["digits"] = digits(options)
    path = options.output / "convolutional_rbm.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(page(results))


if __name__ == "__main__":
    main()
