"""Spoken digits by a recurrent network, beside scikit-learn's classifiers.

The 1,000 recordings of the Free Spoken Digit Dataset in $ICTUS_DATA/fsdd (four speakers, CC BY-SA
4.0), as mel-frequency cepstra computed with scipy. Two splits: the data set's own (recordings 0 to
4 of each digit and speaker are the test), and one speaker held out at a time. Writes
docs/results/spoken_digits.md and .json; splits that are in the latter are not measured again.

    python examples/spoken_digits.py
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.io import wavfile
from scipy.signal import get_window
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import ictus
from ictus import datasets

Array = NDArray[Any]
ARCHIVE = "fsdd/fsdd_george_jackson_nicolas_theo_00-24.tar.gz"
RATE, WINDOW, HOP = 8000, 200, 80  # 25 ms, every 10 ms
BANDS, CEPSTRA = 26, 13
#: Training recordings are heard with longer and shorter vocal tracts, too (Jaitly & Hinton 2013).
STRETCHES = (0.88, 1.0, 1.12)


def mel_filters(stretch: float) -> Array:
    """Triangles of equal width in mel (Stevens et al. 1937), (frequency bins, bands).

    Their frequencies are multiplied by `stretch`.
    """
    edges = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    hertz = stretch * 700 * (10 ** (edges / 2595) - 1)
    bins = np.fft.rfftfreq(256, 1 / RATE)[:, None]
    left, middle, right = hertz[:-2], hertz[1:-1], hertz[2:]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling))


def cepstra(samples: Array, stretch: float) -> Array:
    """Mel-frequency cepstra (Davis & Mermelstein 1980) and their slopes, (frames, 26)."""
    signal = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    signal = np.pad(signal, (0, max(0, WINDOW - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * get_window("hamming", WINDOW), 256)) ** 2
    values = dct(np.log(power @ mel_filters(stretch) + 1e-6), norm="ortho")[:, :CEPSTRA]
    # Each recording's own mean goes: it holds microphone and loudness.
    values = values - values.mean(axis=0)
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    slopes = (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10
    return np.concatenate([values, slopes], axis=1)


def load(archive: Path) -> tuple[list[list[Array]], Array, Array, Array]:
    """Return features (one list a stretch), digits, speakers, and numbers of the recordings."""
    features, facts = [], []
    with tarfile.open(archive) as files:
        for member in sorted(files.getmembers(), key=lambda m: m.name):
            match = re.search(r"(\d)_(\w+)_(\d+)\.wav$", member.name)
            if match is None:
                continue
            stream = files.extractfile(member)
            assert stream is not None
            rate, samples = wavfile.read(io.BytesIO(stream.read()))
            if rate != RATE or samples.ndim != 1:
                raise ValueError(f"{member.name} must be mono at {RATE} Hz, got {rate}")
            features.append([cepstra(samples / 32768, one) for one in STRETCHES])
            facts.append(match.groups())
    digits, speakers, numbers = np.array(facts).T
    by_stretch = [list(column) for column in zip(*features, strict=True)]
    return by_stretch, digits.astype(int), speakers, numbers.astype(int)


def standardized(train: list[Array], test: list[Array]) -> tuple[list[Array], list[Array]]:
    joined = np.concatenate(train)
    mean, deviation = joined.mean(axis=0), joined.std(axis=0)
    return [(x - mean) / deviation for x in train], [(x - mean) / deviation for x in test]


def summary(x: Array) -> Array:
    """What a classifier of vectors sees: mean and deviation of each third of the recording."""
    parts = np.array_split(x, 3)
    return np.concatenate([f(part, axis=0) for part in parts for f in (np.mean, np.std)])


def classifier(options: argparse.Namespace, seed: int) -> ictus.SequenceClassifier:
    return ictus.SequenceClassifier(
        (options.units, options.units),
        "lstm",
        bidirectional=True,
        dropout=options.dropout,
        learning_rate=options.learning_rate,
        batch_size=16,
        max_epochs=options.epochs,
        random_state=seed,
        progress=None,
    )


def splits(speakers: Array, numbers: Array) -> Iterator[tuple[str, Array]]:
    """Names of splits, and which recordings are the test."""
    yield "recordings 0-4", numbers < 5
    for one in np.unique(speakers):
        yield f"speaker {one}", speakers == one


def measure(
    options: argparse.Namespace, features: list[list[Array]], digits: Array, test: Array
) -> dict[str, Any]:
    """Errors of the network, over seeds, and of the baseline on one split."""
    train_rows, test_rows = np.flatnonzero(~test), np.flatnonzero(test)
    x_train, x_test = standardized(
        [stretched[i] for stretched in features for i in train_rows],
        [features[STRETCHES.index(1.0)][i] for i in test_rows],
    )
    y_train = np.tile(digits[~test], len(STRETCHES))
    started = time.perf_counter()
    errors = []
    for seed in range(options.seeds):
        model = classifier(options, seed).fit(x_train, y_train)
        errors.append(1 - model.score(x_test, digits[test]))
    seconds = (time.perf_counter() - started) / options.seeds
    baseline = GridSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": [1, 10, 100], "svc__gamma": [0.0003, 0.001, 0.003, 0.01]},
        cv=GroupKFold(5),
    )
    # The three versions of a recording are in one part of the cross-validation.
    groups = np.tile(train_rows, len(STRETCHES))
    baseline.fit([summary(x) for x in x_train], y_train, groups=groups)
    return {
        "test": int(test.sum()),
        "errors": errors,
        "seconds": round(seconds, 1),
        "parameters": model.network_.parameter_count,
        "baseline": 1 - baseline.score([summary(x) for x in x_test], digits[test]),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--units", type=int, default=50)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    output = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=output)
    return parser.parse_args()


def main() -> None:
    options = parse()
    features, digits, speakers, numbers = load(options.data / ARCHIVE)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "spoken_digits.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name, test in splits(speakers, numbers):
        if name in results:
            continue  # of an earlier run: delete the file to begin anew
        results[name] = measure(options, features, digits, test)
        print(name, results[name], flush=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1) + "\n")
        os.replace(part, path)
    write(options, results)


def write(options: argparse.Namespace, results: dict[str, Any]) -> None:
    def row(name: str, parts: list[dict[str, Any]]) -> str:
        own = np.mean([part["errors"] for part in parts])
        low, high = (f(np.mean([p["errors"] for p in parts], axis=0)) for f in (np.min, np.max))
        baseline = np.mean([part["baseline"] for part in parts])
        count = sum(part["test"] for part in parts)
        return f"| {name} | {count} | **{own:.1%}** | {low:.1%}-{high:.1%} | {baseline:.1%} |"

    held_out = [part for name, part in results.items() if name.startswith("speaker")]
    table = [
        row("recordings 0-4", [results["recordings 0-4"]]),
        *([row("an unknown speaker", held_out)] if len(held_out) == 4 else []),
        *(row(f"- {name}", [part]) for name, part in results.items() if name.startswith("speaker")),
    ]
    first = results["recordings 0-4"]
    (options.output / "spoken_digits.md").write_text(
        f"""# Spoken digits

The 1,000 recordings of the Free Spoken Digit Dataset that `ICTUS_DATA` holds (four speakers, ten
digits, 25 recordings each, 8 kHz; CC BY-SA 4.0). Each 10 ms: {CEPSTRA} mel-frequency cepstra and
their slopes; training recordings are there three times, with the frequencies of the mel bands
multiplied by {", ".join(map(str, STRETCHES))} (vocal tract length perturbation; Jaitly & Hinton
2013). `SequenceClassifier` reads them frame by frame with two bidirectional LSTM layers of
{options.units} units in each direction ({first["parameters"]:,} parameters), dropout
{options.dropout:g}, Adam {options.learning_rate:g}, {options.epochs} epochs, minibatches of 16:
{first["seconds"]:.0f} seconds a training (on a machine that had other work too). The baseline is
scikit-learn's support vector machine with a radial basis function, C and gamma chosen by
cross-validation on the same training data, on mean and deviation of each third of a recording.

| test | recordings | ictus, error, mean of seeds: {len(first["errors"])} | range | \
support vector machine |
|---|---|---|---|---|
{chr(10).join(table)}

"Recordings 0-4" is the split of the data set: all speakers are known. A speaker who is named is
held out: the network then knows the three other voices.

Made by `python examples/spoken_digits.py --seeds {len(first["errors"])}`.
"""
    )


if __name__ == "__main__":
    main()
