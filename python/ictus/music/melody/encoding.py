"""Melodies as categories: windows of pitch and duration for softmax units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.score import REST, Key, Melody, ScoreError

Array = NDArray[Any]

#: Codes of pitch (and of duration) before the first note and behind the last one; and of a rest.
BOUNDARY, REST_CODE, FIRST_PITCH = 0, 1, 2


@dataclass(frozen=True)
class MelodyEncoding:
    """Pitch and duration of a note as two categories.

    Pitch: 0 is the boundary of a melody, 1 a rest, then pitches from the lowest up. Duration: 0 is
    the boundary, then the known durations from the shortest up; others count as the nearest one
    (by ratio).

    Attributes
    ----------
    lowest, highest : int
        MIDI pitches.
    durations : tuple of float
        Ascending, in quarter notes.
    """

    lowest: int
    highest: int
    durations: tuple[float, ...]

    @classmethod
    def of(
        cls, melodies: Sequence[Melody], margin: int = 0, share: float = 0.999
    ) -> MelodyEncoding:
        """Return the encoding of melodies.

        Parameters
        ----------
        melodies : sequence of Melody
        margin : int
            Semitones beyond their lowest and highest pitch, for transpositions.
        share : float
            The most frequent durations that make up this share of all notes are kept.
        """
        pitches = [m.pitches[m.sounding] for m in melodies]
        if not any(len(p) for p in pitches):
            raise ScoreError("the melodies have no notes")
        every = np.concatenate(pitches)
        counts = Counter(d for m in melodies for d in np.round(m.durations, 4).tolist())
        kept: list[float] = []
        total = 0
        for duration, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            if kept and total >= share * counts.total():
                break
            kept.append(duration)
            total += count
        low = max(int(every.min()) - margin, 0)
        return cls(low, min(int(every.max()) + margin, 127), tuple(sorted(kept)))

    @property
    def pitch_count(self) -> int:
        """Categories of pitch."""
        return self.highest - self.lowest + 1 + FIRST_PITCH

    @property
    def duration_count(self) -> int:
        """Categories of duration."""
        return len(self.durations) + 1

    @property
    def group_size(self) -> int:
        """Units of a softmax group: groups of a machine are of one size."""
        return max(self.pitch_count, self.duration_count)

    def codes(self, melody: Melody) -> Array:
        """Return codes of pitch and duration, shape (notes, 2).

        Raises
        ------
        ScoreError
            There are no notes, or a pitch outside of the range.
        """
        if not melody.sounding.any():
            raise ScoreError(f"{melody.title or 'the melody'} has no notes")
        pitches = melody.pitches[melody.sounding]
        if pitches.min() < self.lowest or pitches.max() > self.highest:
            raise ScoreError(
                f"{melody.title or 'the melody'}: pitches must be within {self.lowest} and "
                f"{self.highest}, got {pitches.min()} to {pitches.max()}; transpose it"
            )
        pitch = np.where(melody.sounding, melody.pitches - self.lowest + FIRST_PITCH, REST_CODE)
        distance = np.abs(np.log(melody.durations)[:, None] - np.log(self.durations)[None])
        return np.column_stack([pitch, distance.argmin(1) + 1])

    def fits(self, melody: Melody) -> bool:
        """Whether the pitches of a melody are within the range."""
        pitches = melody.pitches[melody.sounding]
        return bool(pitches.min() >= self.lowest and pitches.max() <= self.highest)

    def melody(self, codes: Any, key: Key | None = None, title: str = "") -> Melody:
        """Return the melody of codes, shape (notes, 2); boundaries are left out."""
        codes = np.asarray(codes, np.int64)
        codes = codes[(codes != BOUNDARY).all(1)]
        pitch = np.where(codes[:, 0] == REST_CODE, REST, codes[:, 0] - FIRST_PITCH + self.lowest)
        return Melody(pitch, np.array(self.durations)[codes[:, 1] - 1], key, title=title)

    def windows(self, codes: Array, size: int) -> Array:
        """Return all windows of codes with the boundaries, shape (notes + 1, size, 2).

        Before the first note lie ``size - 1`` boundaries, behind the last one lies one: the last
        element of window i is note i, what is before it its context.
        """
        padded = np.concatenate([np.zeros((size - 1, 2), np.int64), codes, [[BOUNDARY, BOUNDARY]]])
        view = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)
        return np.ascontiguousarray(view.transpose(0, 2, 1))

    def one_hot(self, windows: Array, dtype: Any = np.float32) -> Array:
        """Return windows as states of softmax groups, (windows, 2 * size * group_size)."""
        flat = windows.reshape(len(windows), -1)
        states = np.zeros((*flat.shape, self.group_size), dtype)
        np.put_along_axis(states, flat[..., None], 1, axis=2)
        return states.reshape(len(windows), -1)

    def sparse(self, windows: Array) -> Any:
        """Return what :meth:`one_hot` does, as a sparse matrix of SciPy."""
        from scipy import sparse

        flat = windows.reshape(len(windows), -1)
        columns = flat + np.arange(flat.shape[1]) * self.group_size
        rows = np.arange(0, flat.size + 1, flat.shape[1])
        shape = (len(flat), flat.shape[1] * self.group_size)
        return sparse.csr_matrix((np.ones(flat.size, np.float32), columns.ravel(), rows), shape)


def transpositions(
    melodies: Iterable[Melody], semitones: Iterable[int] = range(-5, 7)
) -> list[Melody]:
    """Return each melody in each transposition.

    Parameters
    ----------
    melodies : iterable of Melody
    semitones : iterable of int
        How far each is moved, up or down.
    """
    steps = list(semitones)
    return [melody.transposed(step) for melody in melodies for step in steps]
