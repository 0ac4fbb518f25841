"""Scores: notes in beats, bars, sections and a tempo curve; and their performance in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A note of a score: start and duration in beats, MIDI pitch and velocity.
NOTE = np.dtype(
    [("start", "f8"), ("duration", "f8"), ("pitch", "i4"), ("velocity", "i4")], align=True
)


def notes(
    start: Any = (), duration: Any = 0.0, pitch: Any = 60, velocity: Any = 80
) -> NDArray[Any]:
    """Return an array of notes; the arguments are broadcast against each other."""
    columns = np.broadcast_arrays(np.atleast_1d(start), duration, pitch, velocity)
    made = np.zeros(columns[0].size, NOTE)
    for name, column in zip(("start", "duration", "pitch", "velocity"), columns, strict=True):
        made[name] = column.ravel()
    return made


@dataclass
class Part:
    """The notes of one instrument.

    Attributes
    ----------
    role : str
        "drums", "bass", "chords", "pad", "melody", "voice" or "other".
    notes : array of NOTE
        In any order; drums have the pitches of General MIDI's percussion map.
    program : int
        Instrument of General MIDI (0 to 127), or drum kit.
    delay, jitter : float
        How late the player is on average, and the standard deviation from note to note, in seconds.
    gain : float
        In decibels.
    tuning : float
        Semitones by which all sounds are higher; with FluidSynth, for drums.
    """

    role: str
    notes: Array
    program: int = 0
    delay: float = 0.0
    jitter: float = 0.0
    gain: float = 0.0
    tuning: float = 0.0


@dataclass
class Score:
    """Notes in beats, with what is needed to play them and to know where the beats are.

    Attributes
    ----------
    parts : list of Part
    beats_per_bar : array of int
        One number a bar; the score begins with a downbeat.
    beat_seconds : array, shape (beats,)
        Duration of each beat.
    sections : list of (bar, label)
        Where each section begins, ascending.
    swing : float
        Where the middle of a beat is played, 0.5 for even eighths, 2/3 for triplets.
    swing_level : int
        1: eighths swing, 2: sixteenths do.
    lead_in : float
        Seconds before the first beat.
    style : str
    """

    parts: list[Part]
    beats_per_bar: Array
    beat_seconds: Array
    sections: list[tuple[int, str]] = field(default_factory=list)
    swing: float = 0.5
    swing_level: int = 1
    lead_in: float = 0.0
    style: str = ""

    def __post_init__(self) -> None:
        self.beats_per_bar = np.asarray(self.beats_per_bar, np.int64)
        self.beat_seconds = np.asarray(self.beat_seconds, np.float64)
        if self.beats_per_bar.sum() != len(self.beat_seconds):
            raise ValueError(
                f"beat_seconds must have one duration for each of {self.beats_per_bar.sum()} "
                f"beats, got {len(self.beat_seconds)}"
            )
        if not (np.isfinite(self.beat_seconds) & (self.beat_seconds > 0)).all():
            raise ValueError("beat_seconds must be positive and finite")

    @property
    def beat_times(self) -> Array:
        """Times of the beats and of the end of the last one, shape (beats + 1,), in seconds."""
        return self.lead_in + np.concatenate([[0.0], np.cumsum(self.beat_seconds)])

    @property
    def beat_numbers(self) -> Array:
        """Place of each beat in its bar; 1 is the downbeat."""
        return np.concatenate([np.arange(1, n + 1) for n in self.beats_per_bar])

    @property
    def seconds(self) -> float:
        """Time of the end of the last beat."""
        return float(self.beat_times[-1])

    def times(self, positions: Any) -> Array:
        """Return the times in seconds of positions in beats; swing is applied between beats."""
        positions = np.asarray(positions, np.float64)
        whole = np.floor(positions)
        positions = whole + swung(positions - whole, self.swing, self.swing_level)
        grid = self.beat_times
        inside = np.interp(positions, np.arange(len(grid)), grid)
        before = np.minimum(positions, 0.0) * self.beat_seconds[0]
        after = np.maximum(positions - (len(grid) - 1), 0.0) * self.beat_seconds[-1]
        return np.asarray(inside + before + after)

    def beats(self) -> Array:
        """Return the annotation: times and numbers in the bar, shape (beats, 2)."""
        return np.column_stack([self.beat_times[:-1], self.beat_numbers])

    def section_times(self) -> list[tuple[float, float, str]]:
        """Return begin, end and label of each section, in seconds."""
        first = np.concatenate([[0], np.cumsum(self.beats_per_bar)])
        grid = self.beat_times
        begins = [float(grid[first[bar]]) for bar, _ in self.sections]
        ends = [*begins[1:], self.seconds] if begins else []
        labels = [label for _, label in self.sections]
        return list(zip(begins, ends, labels, strict=True))


def swung(phase: Array, swing: float, level: int) -> Array:
    """Return where phases within a beat are played: the middle of a (half) beat at `swing`."""
    if swing == 0.5:
        return phase
    scaled = phase * level
    whole = np.floor(scaled)
    inside = np.interp(scaled - whole, [0.0, 0.5, 1.0], [0.0, swing, 1.0])
    return np.asarray((whole + inside) / level)


#: A note in time: start and duration in seconds.
EVENT = NOTE


def perform(score: Score, generator: np.random.Generator) -> list[Array]:
    """Return the notes of each part in seconds, sorted, as a player would place them.

    Parameters
    ----------
    score : Score
    generator : numpy.random.Generator
        Of the deviations from note to note. Notes that begin together in a part stay together, as
        a chord does.
    """
    played = []
    for part in score.parts:
        source = np.sort(part.notes, order=["start", "pitch"])
        events = source.copy()
        start = score.times(source["start"])
        end = score.times(source["start"] + source["duration"])
        if part.jitter and len(source):
            _, group = np.unique(np.round(source["start"] * 96), return_inverse=True)
            deviation = np.clip(generator.normal(0.0, 1.0, group.max() + 1), -2.5, 2.5)
            start = start + part.jitter * deviation[group]
        events["start"] = np.maximum(start + part.delay, 0.0)
        events["duration"] = np.maximum(end - start, 0.02)
        played.append(np.sort(events, order=["start", "pitch"]))
    return played


def tempo_curve(
    kind: str, beats_per_bar: Array, tempo: float, generator: np.random.Generator
) -> Array:
    """Return the duration of each beat in seconds.

    Parameters
    ----------
    kind : {"constant", "human", "drift", "rubato", "steps"}
        "constant": a machine; "human": small correlated deviations; "drift": also slowly faster or
        slower; "rubato": phrases of four bars with an arch of tempo and a ritardando; "steps": new
        tempo at some bars.
    beats_per_bar : array of int
    tempo : float
        Beats a minute.
    generator : numpy.random.Generator
    """
    count = int(np.sum(beats_per_bar))
    tempi = np.full(count, float(tempo))
    if kind == "human":
        tempi *= np.exp(correlated(count, 0.9, generator.uniform(0.002, 0.015), generator))
    elif kind == "drift":
        tempi *= np.exp(correlated(count, 0.97, generator.uniform(0.005, 0.03), generator))
        tempi *= np.linspace(1.0, generator.uniform(0.9, 1.12), count)
    elif kind == "rubato":
        phrase = float(beats_per_bar[0]) * generator.choice([2, 4, 4, 8])
        place = (np.arange(count) % phrase) / phrase
        depth = generator.uniform(0.02, 0.16)
        tempi *= 1.0 + depth * (np.sin(np.pi * place) - 0.5)
        tempi *= 1.0 - generator.uniform(0.0, 0.25) * np.maximum(place - 0.8, 0.0) / 0.2
        tempi *= np.exp(correlated(count, 0.6, generator.uniform(0.005, 0.03), generator))
    elif kind == "steps":
        change = generator.random(count) < 1.0 / 48.0
        level = np.cumsum(change)
        factors = np.exp(generator.normal(0.0, 0.12, level.max() + 1)) if count else np.ones(1)
        tempi *= np.clip(factors[level], 0.75, 1.3)
    elif kind != "constant":
        raise ValueError(f"kind must be constant, human, drift, rubato or steps, got {kind!r}")
    return np.asarray(60.0 / np.clip(tempi, 35.0, 320.0))


def correlated(
    count: int, memory: float, deviation: float, generator: np.random.Generator
) -> Array:
    """Return a first-order autoregressive series of this standard deviation."""
    from scipy.signal import lfilter

    noise = generator.normal(0.0, deviation * np.sqrt(1.0 - memory**2), count)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise))
