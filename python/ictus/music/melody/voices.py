"""Chorales as categories: each voice's pitch as the state of a softmax group; their fragments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.score import REST, Melody, ScoreError, SymbolicScore

Array = NDArray[Any]

#: Semitones by which models leave room beyond the pitches of their training chorales.
MARGIN = 3


@dataclass(frozen=True)
class VoiceStates:
    """State 0 of a voice is a rest, state 1 its lowest pitch.

    Attributes
    ----------
    lowest : tuple of int
        The lowest pitch of each voice.
    count : int
        States of a voice.
    """

    lowest: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, chorales: Sequence[Any], margin: int = 0) -> VoiceStates:
        """Return states that hold all pitches of chorales, arrays (steps, voices)."""
        grid = np.concatenate(
            [checked_chorale(c, f"chorales[{i}]") for i, c in enumerate(chorales)]
        )
        silent = grid < 0
        if silent.all(0).any():
            raise ScoreError(f"voice {int(np.argmax(silent.all(0)))} has no notes")
        low = np.where(silent, 999, grid).min(0) - margin
        high = grid.max(0) + margin
        return cls(tuple(low.tolist()), int((high - low).max()) + 2)

    @property
    def voices(self) -> int:
        """Number of voices."""
        return len(self.lowest)

    def fits(self, grid: Array) -> bool:
        """Whether all pitches have a state."""
        states = self.states(grid)
        return bool(states.min() >= 0 and states.max() < self.count and
                    ((states > 0) | (grid < 0)).all())  # fmt: skip

    def checked(self, grid: Array, name: str = "chorale") -> Array:
        """Return the states of pitches; ValueError where one has no state."""
        if not self.fits(grid):
            raise ValueError(f"{name} has pitches outside of the ranges of the voices")
        return self.states(grid)

    def states(self, grid: Array, voices: slice = slice(None)) -> Array:
        """Return the state of each pitch, (steps, voices)."""
        return np.where(grid < 0, 0, grid - np.array(self.lowest)[voices] + 1)

    def pitches(self, states: Array, voices: slice = slice(None)) -> Array:
        """Return the pitch of each state."""
        return np.where(states == 0, REST, states - 1 + np.array(self.lowest)[voices])

    def one_hot(self, states: Array) -> Array:
        """Return states as those of softmax groups, (steps, voices * count)."""
        return np.eye(self.count, dtype=np.float32)[states].reshape(len(states), -1)

    def checked_soprano(self, soprano: Any) -> Array:
        """Return the states of a soprano, (steps,).

        Raises
        ------
        ValueError
            It is no vector of integers, or a pitch is outside of the range.
        """
        line = np.asarray(soprano)
        if line.ndim != 1 or not len(line) or line.dtype.kind not in "iu":
            raise ValueError(
                f"soprano must be a vector of MIDI pitches, one a step, got shape {line.shape}, "
                f"{line.dtype}"
            )
        states = self.states(line[:, None], slice(0, 1))[:, 0]
        wrong = ((states < 1) & (line >= 0)) | (states >= self.count)
        if wrong.any():
            raise ValueError(
                f"soprano must be within {self.lowest[0]} and {self.lowest[0] + self.count - 2}, "
                f"got {int(line[np.argmax(wrong)])}; transpose it"
            )
        return np.asarray(states)


def checked_chorale(chorale: Any, name: str = "chorale", voices: int | None = None) -> Array:
    """Return a chorale as an array of integers (steps, voices); ValueError where it is none."""
    grid = np.asarray(chorale)
    if grid.ndim != 2 or grid.dtype.kind not in "iu" or not grid.size:
        raise ValueError(
            f"{name} must be integers of shape (steps, voices), got {grid.dtype}, {grid.shape}"
        )
    if voices is not None and grid.shape[1] != voices:
        raise ValueError(f"{name} must have {voices} voices, got {grid.shape[1]}")
    return grid.astype(np.int64)


def transposed_chorales(
    chorales: Sequence[Any], semitones: Iterable[int], states: VoiceStates
) -> list[Array]:
    """Return chorales in all transpositions in which they stay within the states."""
    steps = list(semitones)
    grids = [np.asarray(chorale) for chorale in chorales]
    moved = [np.where(grid < 0, REST, grid + step) for grid in grids for step in steps]
    return [grid for grid in moved if states.fits(grid)]


def soprano_of(music: Melody | SymbolicScore, length: float = 1.0) -> Array:
    """Return the highest voice as pitches at every so many quarter notes.

    Parameters
    ----------
    music : Melody or SymbolicScore
    length : float
        Of a step, in quarter notes.
    """
    score = music.score() if isinstance(music, Melody) else music
    line = score.steps(length, [0])[:, 0]
    if not (line >= 0).any():
        raise ScoreError(f"{score.title or 'the score'}: its highest voice has no notes")
    return line
