"""Scores from the user's MIDI files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import AnnotationError
from ictus.io.midi_file import MidiFile, read_midi
from ictus.music.synthesis.score import NOTE, Part, Score

Array = NDArray[Any]

#: Ranges of General MIDI's programs that play a role; all others play chords.
ROLES = ((32, 40, "bass"), (52, 55, "melody"), (56, 80, "melody"), (80, 88, "melody"))
PERCUSSION = 9


def read_score(path: str | os.PathLike[str]) -> Score:
    """Return the score of a MIDI file: its notes, bars and tempi.

    A beat is what the denominator of the metre says, but three of them in 6/8, 9/8 and 12/8 (and
    6/16 and so on). The tempo is that of the file.

    Parameters
    ----------
    path : path

    Raises
    ------
    AnnotationError
        The file is damaged or has no notes.
    OSError
        It cannot be read.
    """
    midi = read_midi(path)
    if not len(midi.notes):
        raise AnnotationError(f"{os.fspath(path)}: it has no notes")
    edges, per_bar = _beats(midi)
    seconds = midi.seconds(edges)
    start = midi.seconds(midi.notes["start"])
    end = midi.seconds(midi.notes["start"] + midi.notes["duration"])
    # Positions are taken from the times, so that changes of tempo within a beat are kept.
    grid = np.arange(len(edges), dtype=np.float64)
    begins, ends = np.interp(start, seconds, grid), np.interp(end, seconds, grid)
    parts = []
    percussion = midi.notes["channel"] == PERCUSSION
    keys = np.where(percussion, -1, midi.notes["channel"] * 128 + midi.notes["program"])
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        made = np.zeros(len(rows), NOTE)
        made["start"], made["duration"] = begins[rows], ends[rows] - begins[rows]
        for name in ("pitch", "velocity"):
            made[name] = midi.notes[name][rows]
        program = int(midi.notes["program"][rows[0]])
        parts.append(Part(_role(int(key), program), made, 0 if key < 0 else program))
    return Score(parts, per_bar, np.diff(seconds), sections=[(0, "song")], style="MIDI")


def _role(key: int, program: int) -> str:
    if key < 0:
        return "drums"
    return next((role for low, high, role in ROLES if low <= program < high), "chords")


def _beats(midi: MidiFile) -> tuple[Array, Array]:
    """Edges of the beats in quarter notes, to the end of the last note's bar; beats of each bar."""
    last = float((midi.notes["start"] + midi.notes["duration"]).max())
    edges: list[float] = [0.0]
    per_bar: list[int] = []
    changes = [*midi.metres[1:], (np.inf, 4, 4)]
    current = midi.metres[0]
    while edges[-1] < last:
        while edges[-1] >= changes[0][0] - 1e-6:
            current = changes.pop(0)
        _, numerator, denominator = current
        beat, count = 4.0 / denominator, numerator
        if denominator >= 8 and numerator > 3 and numerator % 3 == 0:
            beat, count = 3 * beat, numerator // 3
        per_bar.append(count)
        edges += [edges[-1] + beat * (i + 1) for i in range(count)]
    return np.asarray(edges), np.asarray(per_bar)
