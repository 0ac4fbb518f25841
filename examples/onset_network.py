"""The onset network of Schlüter & Böck 2014 on spectrograms of synthetic music.

    python examples/onset_network.py

Pieces are composed and rendered by ``ictus.music.synthesis``, with exact times of their onsets. The
network sees 15 frames of three mel spectrograms of 80 bands; trained on such patches, it slides
over whole recordings. The layers are those of "Improved musical onset detection with convolutional
neural networks" (ICASSP 2014), section 3; the corpus is small, to show the way in some minutes. An
interrupted run goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import convolve1d, maximum_filter1d

import ictus
from ictus.io.annotations import Events
from ictus.music.evaluation import evaluate
from ictus.music.features import onset_features
from ictus.music.synthesis import Recording, make_piece
from ictus.nn import Conv2D, Dense, Dropout, Flatten, MaxPool, Network
from ictus.optim import SGD
from ictus.train import Linear, Trainer

FRAMES, BANDS, WINDOWS, FPS = 15, 80, 3, 100
THRESHOLD = 0.5


def spectrogram(piece: Recording) -> np.ndarray:
    """Frames of a piece, shape (frames, bands, windows)."""
    features = onset_features()(piece.audio)
    return np.moveaxis(features.reshape(-1, WINDOWS, BANDS), 1, 2)


def patches(frames: np.ndarray) -> np.ndarray:
    """A view of the patch around each frame, shape (frames, FRAMES, bands, windows)."""
    half = FRAMES // 2
    padded = np.pad(frames, ((half, half), (0, 0), (0, 0)), mode="edge")
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, FRAMES, axis=0), -1, 1)


def targets(piece: Recording, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """1 at onsets and beside them, and weights: a quarter beside an onset (section 4 there)."""
    onset = np.zeros(frames, np.float32)
    onset[np.clip(np.rint(piece.onsets * FPS).astype(int), 0, frames - 1)] = 1
    wide = maximum_filter1d(onset, 3)
    return wide, np.where(wide > onset, 0.25, 1).astype(np.float32)


def picked(activation: np.ndarray) -> np.ndarray:
    """Times of the peaks of a smoothed activation, in seconds."""
    window = np.hamming(5)
    smooth = convolve1d(activation, window / window.sum(), mode="nearest")
    peaks = (smooth == maximum_filter1d(smooth, 3)) & (smooth > THRESHOLD)
    return np.flatnonzero(peaks) / FPS


def make_network(seed: int) -> Network:
    return Network(
        (FRAMES, BANDS, WINDOWS),
        [
            Conv2D(10, (7, 3), "relu"),
            MaxPool((1, 3)),
            Conv2D(20, (3, 3), "relu"),
            MaxPool((1, 3)),
            Flatten(),
            Dropout(0.5),
            Dense(256, "sigmoid", dropout=0.5),
            Dense(1),
        ],
        "binary_cross_entropy",
        seed=seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pieces", type=int, default=30)
    parser.add_argument("--test-pieces", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a piece")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--checkpoint", type=Path, default=Path("onset_network.checkpoint"))
    options = parser.parse_args()
    training = [make_piece(i, 1, seconds=options.seconds) for i in range(options.pieces)]
    spectra = [spectrogram(piece) for piece in training]
    every = np.concatenate(spectra)
    mean, deviation = every.mean(axis=0), every.std(axis=0) + 1e-3
    spectra = [(each - mean) / deviation for each in spectra]
    labels = [targets(p, len(s)) for p, s in zip(training, spectra, strict=True)]
    # Patches of all pieces overlap in one array, which the minibatches are read from.
    x = np.concatenate([patches(each) for each in spectra])
    y, weights = (np.concatenate(parts) for parts in zip(*labels, strict=True))
    network = make_network(options.seed)

    def report(trainer: Trainer, epoch: int) -> None:
        print(f"epoch {epoch} loss {trainer.history['loss'][-1]:.4f}", flush=True)

    trainer = Trainer(
        network,
        SGD(0.05, 0.9),
        batch_size=256,
        epochs=options.epochs,
        seed=options.seed,
        learning_rate=Linear(0.05, 0.0, options.epochs),
        checkpoint=options.checkpoint,
        progress=False,
        callbacks=[report],
    )
    trainer.resume()
    history = trainer.fit(x, y, weights=weights)
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    scores: list[list[float]] = []
    facts: dict[str, Any] = {}
    shown: tuple[np.ndarray, ...] = ()
    for number in range(options.test_pieces):
        piece = make_piece(number, 2, seconds=options.seconds)
        frames = (spectrogram(piece) - mean) / deviation
        started = time.perf_counter()
        activation = network.slide(frames, padding="edge")[:, 0]
        facts["slide_seconds"] = time.perf_counter() - started
        if number == 0:
            started = time.perf_counter()
            one_by_one = network.predict(patches(frames))[:, 0]
            facts["patch_by_patch_seconds"] = time.perf_counter() - started
            facts["largest_difference"] = float(np.abs(activation - one_by_one).max())
            shown = frames[:500, :, 1], activation[:500], piece.onsets[piece.onsets < 5]
        measures = evaluate(Events(piece.onsets), Events(picked(activation)), "onsets")
        scores.append([measures[name] for name in ("F", "precision", "recall")])
    write_results(options, history, network, np.array(scores), facts, shown)


def picture(path: Path, bands: np.ndarray, activation: np.ndarray, onsets: np.ndarray) -> None:
    """A mel spectrogram, the network's activation below, and the true onsets."""
    from matplotlib.figure import Figure

    figure = Figure((9, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    seconds = np.arange(len(activation)) / FPS
    above.imshow(bands.T, origin="lower", aspect="auto", extent=(0, len(bands) / FPS, 0, BANDS))
    above.set(title="Five seconds of a test piece", ylabel="mel band")
    below.vlines(onsets, 0, 1, color="0.75", label="onsets")
    below.plot(seconds, activation, label="activation")
    below.set(xlabel="seconds", ylim=(0, 1))
    below.legend(loc="upper right")
    figure.savefig(path, dpi=72)


def write_results(
    options: argparse.Namespace,
    history: ictus.History,
    network: Network,
    scores: np.ndarray,
    facts: dict[str, Any],
    shown: tuple[np.ndarray, ...],
) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    f, precision, recall = scores.mean(axis=0)
    frames = int(options.seconds * FPS)
    facts |= {
        "f_measure": f,
        "precision": precision,
        "recall": recall,
        "f_measure_of_each": scores[:, 0].tolist(),
        "parameters": network.parameter_count,
        "training_seconds": round(float(np.sum(history["seconds"])), 1),
        "loss_by_epoch": history["loss"],
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "seed": options.seed,
    }
    (options.output / "onset_network.json").write_text(json.dumps(facts, indent=1) + "\n")
    picture(options.output / "onset_network.png", *shown)
    (options.output / "onset_network.md").write_text(
        f"""# The onset network on synthetic music

Convolution 10 x (7 frames x 3 bands), pooling over 3 bands, convolution 20 x (3 x 3), pooling over
3 bands, 256 sigmoid units, one output ({network.parameter_count:,} numbers; rectified units in the
convolutions, dropout 0.5; Schlüter & Böck 2014), on patches of 15 frames of three mel spectrograms.
Trained for {history.epochs} epochs on {options.pieces} pieces of {options.seconds:g} s that
`ictus.music.synthesis` composed and rendered, tested on {options.test_pieces} others
({frames:,} frames each), within 25 ms, by mir_eval. Seed {options.seed}, nothing was tuned.

| F | precision | recall |
|---|---|---|
| **{f:.3f}** | {precision:.3f} | {recall:.3f} |

Sliding over a piece takes {1000 * facts["slide_seconds"]:.0f} ms, patch by patch it takes
{1000 * facts["patch_by_patch_seconds"]:.0f} ms; activations differ by at most
{facts["largest_difference"]:.1e}.

![activation](onset_network.png)

Made by `python examples/onset_network.py --seed {options.seed}` (threads: {ictus.num_threads()}).
"""
    )


if __name__ == "__main__":
    main()
