"""Scores as numbers: notes in quarter notes with their voices, keys, metres; melodies of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A note: start and duration in quarter notes, MIDI pitch, number of its voice (0 is the highest).
SCORE_NOTE = np.dtype(
    [("start", "f8"), ("duration", "f8"), ("pitch", "i4"), ("voice", "i4")], align=True
)
#: The pitch of a rest in a melody.
REST = -1
#: Positions are compared to a tick of this many parts of a quarter note.
GRID = 96


class ScoreError(ValueError):
    """A file holds no score that can be read, or not the kind of score that is asked for."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: pitch class of the tonic (0 is C) and mode, "major" or "minor".

    Attributes
    ----------
    tonic : int
    mode : str
    """

    tonic: int
    mode: str = "major"

    def __post_init__(self) -> None:
        if not 0 <= self.tonic < 12:
            raise ValueError(f"tonic must be a pitch class from 0 to 11, got {self.tonic!r}")
        if self.mode not in ("major", "minor"):
            raise ValueError(f"mode must be major or minor, got {self.mode!r}")

    @property
    def fifths(self) -> int:
        """Sharps (flats are negative) of the key signature, -6 to 6."""
        place = (7 * (self.tonic + (3 if self.mode == "minor" else 0))) % 12
        return place - 12 if place > 6 else place

    @property
    def number(self) -> int:
        """0 to 11: major keys from C up; 12 to 23: minor ones."""
        return self.tonic + (12 if self.mode == "minor" else 0)

    @classmethod
    def from_number(cls, number: int) -> Key:
        """Return the key of a number, see :attr:`number`."""
        return cls(int(number) % 12, "minor" if number >= 12 else "major")

    @classmethod
    def from_fifths(cls, fifths: int, mode: str | None = "major") -> Key:
        """Return the key of a key signature."""
        minor = mode == "minor"
        return cls((7 * int(fifths) + (9 if minor else 0)) % 12, "minor" if minor else "major")

    def transposed(self, semitones: int) -> Key:
        """Return the key so many semitones higher."""
        return Key((self.tonic + semitones) % 12, self.mode)

    def __str__(self) -> str:
        sharp = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
        flat = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
        return f"{(flat if self.fifths < 0 else sharp)[self.tonic]} {self.mode}"


@dataclass
class Melody:
    """Notes one after another, rests among them.

    Attributes
    ----------
    pitches : array of int, shape (notes,)
        MIDI numbers; ``REST`` (-1) is a rest.
    durations : array, shape (notes,)
        In quarter notes.
    key : Key, optional
        As the score says.
    metre : (int, int)
        Numerator and denominator.
    upbeat : float
        Quarter notes before the first bar line; 0 where the melody begins with a bar.
    title : str
    """

    pitches: Array
    durations: Array
    key: Key | None = None
    metre: tuple[int, int] = (4, 4)
    upbeat: float = 0.0
    title: str = ""

    def __post_init__(self) -> None:
        self.pitches = np.asarray(self.pitches, np.int64)
        self.durations = np.asarray(self.durations, np.float64)
        if self.pitches.ndim != 1 or self.pitches.shape != self.durations.shape:
            raise ValueError(
                f"pitches and durations must be vectors of one length, got {self.pitches.shape} "
                f"and {self.durations.shape}"
            )
        if len(self.pitches) and not (self.pitches.min() >= REST and self.pitches.max() < 128):
            raise ValueError("pitches must be MIDI numbers 0 to 127, or -1 for a rest")
        if not (np.isfinite(self.durations) & (self.durations > 0)).all():
            raise ValueError("durations must be positive and finite")

    def __len__(self) -> int:
        return len(self.pitches)

    @property
    def onsets(self) -> Array:
        """Where each note begins, in quarter notes from the start."""
        return np.asarray(np.concatenate([[0.0], np.cumsum(self.durations)])[: len(self)])

    @property
    def sounding(self) -> Array:
        """Which of the notes are not rests, of bool."""
        return np.asarray(self.pitches != REST)

    def transposed(self, semitones: int) -> Melody:
        """Return the melody so many semitones higher."""
        return Melody(
            np.where(self.sounding, self.pitches + semitones, REST),
            self.durations,
            None if self.key is None else self.key.transposed(semitones),
            self.metre,
            self.upbeat,
            self.title,
        )

    def score(self) -> SymbolicScore:
        """Return the melody as a score of one voice."""
        keep = self.sounding
        notes = make_notes(self.onsets[keep], self.durations[keep], self.pitches[keep])
        return SymbolicScore(
            notes, self.key, self.metre, self.upbeat, self.title, ("Melody",), self.key is not None
        )


def make_notes(start: Any, duration: Any, pitch: Any, voice: Any = 0) -> Array:
    """Return an array of SCORE_NOTE; the arguments are broadcast against each other."""
    columns = np.broadcast_arrays(np.atleast_1d(start), duration, pitch, voice)
    made = np.zeros(columns[0].size, SCORE_NOTE)
    for name, column in zip(("start", "duration", "pitch", "voice"), columns, strict=True):
        made[name] = column.ravel()
    return made


@dataclass
class SymbolicScore:
    """The notes of a score.

    Attributes
    ----------
    notes : array of SCORE_NOTE
        Sorted by start, then from the highest pitch down.
    key : Key, optional
    metre : (int, int)
        That of the beginning.
    upbeat : float
        Quarter notes before the first bar line.
    title : str
    voices : tuple of str
        Their names.
    key_is_given : bool
        Whether the file names the mode; a key signature alone stands for major and minor.
    """

    notes: Array
    key: Key | None = None
    metre: tuple[int, int] = (4, 4)
    upbeat: float = 0.0
    title: str = ""
    voices: tuple[str, ...] = field(default=("",))
    key_is_given: bool = False

    def __post_init__(self) -> None:
        order = np.lexsort((-self.notes["pitch"], self.notes["start"]))
        self.notes = self.notes[order]

    def voice(self, number: int) -> Array:
        """Return the notes of a voice."""
        return np.asarray(self.notes[self.notes["voice"] == number])

    def melody(self, voice: int | None = None) -> Melody:
        """Return the score, or one voice of it, as a melody; gaps become rests.

        Raises
        ------
        ScoreError
            There are no notes, or notes that sound together.
        """
        notes = self.notes if voice is None else self.voice(voice)
        name = f"{self.title or 'the score'}{'' if voice is None else f', voice {voice}'}"
        if not len(notes):
            raise ScoreError(f"{name} has no notes")
        start = np.round(notes["start"] * GRID).astype(np.int64)
        end = np.round((notes["start"] + notes["duration"]) * GRID).astype(np.int64)
        late = np.flatnonzero(start[1:] < end[:-1])
        if len(late):
            raise ScoreError(
                f"{name} is not one melody: at quarter {start[late[0] + 1] / GRID:g} several "
                "notes sound; choose one voice"
            )
        pitches: list[int] = []
        ticks: list[int] = []
        now = int(start[0])
        for note, begins, ends in zip(notes, start.tolist(), end.tolist(), strict=True):
            if begins > now:
                pitches.append(REST)
                ticks.append(begins - now)
            pitches.append(int(note["pitch"]))
            ticks.append(max(ends - begins, 1))
            now = begins + ticks[-1]
        upbeat = max(self.upbeat - start[0] / GRID, 0.0)
        return Melody(
            np.array(pitches), np.array(ticks) / GRID, self.key, self.metre, upbeat, self.title
        )

    def steps(self, length: float = 1.0, voices: Sequence[int] | None = None) -> Array:
        """Return what sounds in each voice at every so many quarter notes: (steps, voices).

        Where several notes of a voice sound, the highest counts; a rest is -1.
        """
        if not length > 0:
            raise ValueError(f"length must be positive, got {length!r}")
        chosen = list(range(len(self.voices))) if voices is None else list(voices)
        if not len(self.notes):
            return np.full((0, len(chosen)), REST)
        last = float((self.notes["start"] + self.notes["duration"]).max())
        count = int(np.ceil(last / length - 1e-9))
        grid = np.full((count, len(chosen)), REST)
        for column, number in enumerate(chosen):
            for note in self.voice(number)[::-1]:
                first = int(np.ceil(note["start"] / length - 1e-6))
                behind = int(np.ceil((note["start"] + note["duration"]) / length - 1e-6))
                span = grid[first:behind, column]
                span[...] = np.maximum(span, note["pitch"])
        return grid


def from_steps(
    steps: Any,
    length: float = 1.0,
    *,
    key: Key | None = None,
    metre: tuple[int, int] = (4, 4),
    upbeat: float = 0.0,
    title: str = "",
    voices: Sequence[str] = ("Soprano", "Alto", "Tenor", "Bass"),
    held: bool = False,
) -> SymbolicScore:
    """Return the score of a grid of pitches, (steps, voices), as of :meth:`SymbolicScore.steps`.

    Parameters
    ----------
    steps : array of int
    length : float
        Of a step, in quarter notes.
    key, metre, upbeat, title, voices
        Of the score.
    held : bool
        Whether a pitch that stays is one long note; else it is struck at each step.
    """
    grid = np.asarray(steps)
    found: list[tuple[float, float, int, int]] = []
    for voice in range(grid.shape[1]):
        step = 0
        while step < len(grid):
            pitch, end = int(grid[step, voice]), step + 1
            while held and end < len(grid) and grid[end, voice] == pitch:
                end += 1
            if pitch >= 0:
                found.append((step * length, (end - step) * length, pitch, voice))
            step = end
    notes = np.array(found, SCORE_NOTE) if found else np.zeros(0, SCORE_NOTE)
    return SymbolicScore(notes, key, metre, upbeat, title, tuple(voices), key is not None)
