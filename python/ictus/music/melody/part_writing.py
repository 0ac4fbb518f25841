"""Measures of four-part writing: chords, parallels, crossings, leaps, agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Chords of the style, as semitones above the root: triads and seventh chords.
CHORDS = (
    (0, 4, 7),
    (0, 3, 7),
    (0, 3, 6),
    (0, 4, 8),
    (0, 4, 7, 10),
    (0, 3, 7, 10),
    (0, 4, 7, 11),
    (0, 3, 6, 10),
    (0, 3, 6, 9),
    (0, 4, 10),
    (0, 3, 10),
    (0, 4, 11),
    (0, 4),
    (0, 3),
    (0, 7),
    (0,),
)
KNOWN_CHORDS = frozenset(
    frozenset((note + root) % 12 for note in chord) for chord in CHORDS for root in range(12)
)


def writing_measures(steps: Any) -> dict[str, float]:
    """Return what a teacher of harmony would count, of pitches, shape (steps, voices).

    Voices from the highest down; rests are -1. Of consecutive steps, only those are looked at where
    nobody rests.

    Returns
    -------
    dict
        ``chords``: share of the steps whose pitch classes are a triad or a seventh chord, or part
        of one. ``parallels``: consecutive perfect fifths and octaves (unisons) between two voices
        that both move, in 100 steps. ``crossings``: share of the steps in which a voice is above
        the next higher one. ``leap``: mean size of the moves of the lower voices, in semitones,
        where they move. ``moves``: share of the steps at which the lower voices move.
    """
    grid = np.asarray(steps)
    if grid.ndim != 2 or len(grid) < 2:
        raise ValueError(f"steps must have shape (steps, voices), 2 at least, got {grid.shape}")
    full = np.all(grid >= 0, axis=1)
    chords = [frozenset((row % 12).tolist()) in KNOWN_CHORDS for row in grid[full]]
    pairs = full[:-1] & full[1:]
    before, after = grid[:-1][pairs], grid[1:][pairs]
    parallels = 0
    for upper in range(grid.shape[1]):
        for lower in range(upper + 1, grid.shape[1]):
            first = before[:, upper] - before[:, lower]
            second = after[:, upper] - after[:, lower]
            moves = (before[:, upper] != after[:, upper]) & (before[:, lower] != after[:, lower])
            perfect = np.isin(first % 12, (0, 7)) & (first % 12 == second % 12)
            parallels += int((moves & perfect).sum())
    motion = np.abs(after - before)[:, 1:]
    moved = motion[motion > 0]
    return {
        "chords": float(np.mean(chords)) if chords else 0.0,
        "parallels": 100.0 * parallels / max(len(before), 1),
        "crossings": float(np.any(np.diff(grid[full], axis=1) > 0, axis=1).mean())
        if full.any()
        else 0.0,
        "leap": float(moved.mean()) if len(moved) else 0.0,
        "moves": float((motion > 0).mean()) if motion.size else 0.0,
    }


def agreement(found: Any, true: Any) -> Array:
    """Return the share of steps at which each voice has the same pitch, shape (voices,).

    Parameters
    ----------
    found, true : array, shape (steps, voices)
        MIDI pitches.
    """
    found, true = np.asarray(found), np.asarray(true)
    if found.shape != true.shape:
        raise ValueError(f"found must have shape {true.shape}, got {found.shape}")
    return np.asarray((found == true).mean(0))
