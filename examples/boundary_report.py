"""Scores and pictures of the boundary models; see ``boundary_models.py``."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ictus.io.annotations import Events
from ictus.io.audio import audio_blocks, read_audio
from ictus.music.boundaries import FPS, frame_times, network_input
from ictus.music.evaluation import evaluate
from ictus.music.segmenter import Description, Segmenter, Segments, describe
from ictus.music.training import Example
from ictus.music.training.boundaries import hit_f, inner_boundaries

MEASURES = ("F 0.5s", "F 3s", "precision 0.5s", "recall 0.5s", "inner F 0.5s", "inner F 3s")
LABELS = ("pairwise F", "entropy F")
#: Mean length of librosa's sections that is tried, in seconds.
LENGTHS = (8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 24.0)
NOVELTY_THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12)


def descriptions(examples: Sequence[Example], folder: Path) -> list[Description]:
    """What sections are found from, of recordings, kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for example in examples:
        place = folder / f"{example.audio.parent.name} {example.name}.npz"
        if not place.exists():
            made = describe(audio_blocks(example.audio, 44_100))
            np.savez(place, s=made.spectrogram, h=made.harmony, d=made.duration)
        with np.load(place) as kept:
            found.append(Description(kept["s"], kept["h"], float(kept["d"])))
    return found


def scores(example: Example, events: Events) -> dict[str, float]:
    """mir_eval's measures, and F of the boundaries without beginning and end."""
    measures = evaluate(example.events, events, "segments")
    wanted = inner_boundaries(example.events)
    inner = events.times[1:]
    for tolerance in (0.5, 3.0):
        measures[f"inner F {tolerance:g}s"] = hit_f(wanted, inner, tolerance)
    return measures


def mean_scores(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each measure."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def measured(
    segmenter: Segmenter, examples: Sequence[Example], known: Sequence[Description]
) -> list[dict[str, float]]:
    """Scores of a segmenter, a row a song."""
    rows = []
    for example, description in zip(examples, known, strict=True):
        found = segmenter.decode(description)
        rows.append(scores(example, Events(found.times, found.labels, found.ends)))
    return rows


def best_novelty(examples: Sequence[Example], known: Sequence[Description]) -> float:
    """The threshold with which novelty does best on these songs."""
    means = [
        mean_scores(measured(Segmenter(threshold=threshold), examples, known))["inner F 0.5s"]
        for threshold in NOVELTY_THRESHOLDS
    ]
    return NOVELTY_THRESHOLDS[int(np.argmax(means))]


def librosa_sections(examples: Sequence[Example], kept: Path) -> list[dict[str, list[float]]]:
    """Boundaries by librosa.segment.agglomerative for each mean length, and the true number.

    Features are 20 MFCC and chroma, each with mean 0 and deviation 1: what did best in a trial.
    """
    if kept.exists():
        return json.loads(kept.read_text())
    import librosa

    found = []
    for example in examples:
        signal = read_audio(example.audio, 22_050)
        mfcc = librosa.feature.mfcc(y=signal, sr=22_050, hop_length=2048)
        chroma = librosa.feature.chroma_stft(y=signal, sr=22_050, hop_length=2048, tuning=0.0)
        features = np.vstack([mfcc, chroma])
        features -= features.mean(axis=1, keepdims=True)
        features /= features.std(axis=1, keepdims=True) + 1e-6
        duration = len(signal) / 22_050
        counts = {str(length): max(round(duration / length), 1) for length in LENGTHS}
        counts["true number"] = len(inner_boundaries(example.events)) + 1
        row = {"duration": [duration]}
        for name, count in counts.items():
            frames = librosa.segment.agglomerative(features, count)
            times = librosa.frames_to_time(frames, sr=22_050, hop_length=2048)
            row[name] = [float(t) for t in times]
        found.append(row)
    kept.write_text(json.dumps(found))
    return found


def librosa_rows(
    examples: Sequence[Example], found: Sequence[dict[str, list[float]]], name: str
) -> list[dict[str, float]]:
    """Scores of librosa's boundaries (it gives no labels)."""
    rows = []
    for example, row in zip(examples, found, strict=True):
        times = np.unique(np.concatenate([[0.0], row[name]]))
        ends = np.append(times[1:], row["duration"][0])
        made = scores(example, Events(times, ["A"] * len(times), ends))
        rows.append({k: v for k, v in made.items() if k in MEASURES})
    return rows


def picture(
    path: Path,
    items: Sequence[tuple[str, Description, Segments, Example | None]],
) -> None:
    """Spectrogram, activation, sections that were found and, where known, the true ones."""
    from matplotlib.figure import Figure
    from PIL import Image

    colours = [f"C{i}" for i in range(10)]
    figure = Figure(figsize=(10, 2.4 * len(items)), layout="constrained")
    for axes, (title, description, found, example) in zip(
        figure.subplots(len(items), 1, squeeze=False)[:, 0], items, strict=True
    ):
        x = network_input(description.spectrogram)[:, :, 0]
        before = (len(x) - len(description.spectrogram)) // 2
        x = x[before : before + len(description.spectrogram)]
        seconds = description.duration
        axes.imshow(
            x.T,
            origin="lower",
            aspect="auto",
            cmap="Greys",
            vmin=-2,
            vmax=3.5,
            extent=(0, len(x) / FPS, 0, 1),
            interpolation="bilinear",
        )
        times = frame_times(np.arange(len(found.activations)))
        highest = max(float(found.activations.max()), 1e-6) if len(times) else 1.0
        axes.plot(times, 1.05 + 0.5 * found.activations / max(highest, 0.5), color="C0", lw=0.9)
        rows: list[tuple[float, Any, Any, list[str], str]] = [
            (1.6, found.times, found.ends, found.labels, "found")
        ]
        if example is not None:
            events = example.events
            labels = events.labels or [""] * len(events)
            rows.append((1.85, events.times, events.ends, labels, "true"))
        for height, begins, ends, labels, name in rows:
            letters = sorted(set(labels), key=labels.index)
            for begin, end, label in zip(begins, ends, labels, strict=True):
                colour = colours[letters.index(label) % 10]
                axes.barh(
                    height,
                    end - begin,
                    0.2,
                    begin,
                    color=colour,
                    alpha=0.55,
                    align="edge",
                    edgecolor="white",
                )
                axes.text(begin + 0.3, height + 0.1, label, fontsize=6, va="center", clip_on=True)
            axes.text(seconds * 1.005, height + 0.1, name, fontsize=6, va="center")
        for time in found.times[1:]:
            axes.axvline(time, 0, 1.6 / 2.1, color="C3", lw=0.7)
        axes.set(xlim=(0, seconds), ylim=(0, 2.1), yticks=[])
        axes.set_title(title, fontsize=8, loc="left")
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.axes[-1].set_xlabel("seconds")
    with io.BytesIO() as file:
        figure.savefig(file, dpi=72, format="png")
        # Few colours make a small file.
        Image.open(file).convert("RGB").quantize(48).save(path, optimize=True)


def table(rows: dict[str, dict[str, float]], names: Sequence[str]) -> list[str]:
    """A table of means, a line a method."""
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for method, means in rows.items():
        cells = [f"{means[name]:.3f}" if name in means else "" for name in names]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return [*lines, ""]
