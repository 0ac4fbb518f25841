"""Scores as pictures: a piano roll with bars, voices in colours, marked notes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.score import Melody, ScoreError, SymbolicScore

Array = NDArray[Any]

COLOURS = ("#1f5a99", "#c8553d", "#4f8a5b", "#8a6d3b", "#6b4f8a", "#5f6b7a")
MARKED = "#e0a100"
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def piano_roll(
    music: SymbolicScore | Melody, *, marked: Any = None, title: str = "", width: float = 9.0
) -> Any:
    """Draw a score as a piano roll.

    Parameters
    ----------
    music : SymbolicScore or Melody
    marked : array of bool, shape (notes,), optional
        Notes to be shown in another colour: of a melody all its notes, the rests counted.
    title : str
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ScoreError
        There are no notes.
    ImportError
        Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'ictus[plot]'") from error
    score = music.score() if isinstance(music, Melody) else music
    notes = score.notes
    if not len(notes):
        raise ScoreError("there are no notes to draw")
    shown = np.zeros(len(notes), bool)
    if marked is not None:
        mask = np.asarray(marked, bool)
        shown = mask[music.sounding] if isinstance(music, Melody) else mask
        if shown.shape != (len(notes),):
            raise ValueError(f"marked must name each of {len(notes)} notes, got {mask.shape}")
    low, high = int(notes["pitch"].min()), int(notes["pitch"].max())
    height = 0.9 + 0.075 * (high - low + 3)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for note, mark in zip(notes, shown, strict=True):
        colour = MARKED if mark else COLOURS[int(note["voice"]) % len(COLOURS)]
        axes.broken_barh(
            [(note["start"], note["duration"] - 0.06)],
            (note["pitch"] - 0.42, 0.84),
            facecolors=colour,
            linewidth=0,
        )
    end = float((notes["start"] + notes["duration"]).max())
    bar = 4 * score.metre[0] / score.metre[1]
    for line in np.arange(score.upbeat, end + 1e-6, bar):
        axes.axvline(line, color="#c3cad3", linewidth=0.8, zorder=0)
    names = [p for p in range(low - 1, high + 2) if p % 12 in (0, 4, 7)]
    axes.set(xlim=(0, end), ylim=(low - 1.5, high + 1.5), xlabel="quarter notes")
    axes.set_yticks(names, [f"{NAMES[p % 12]}{p // 12 - 1}" for p in names], fontsize=7)
    axes.grid(axis="y", color="#edf0f3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=10)
    return figure
