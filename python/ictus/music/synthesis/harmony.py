"""Harmony and pitch: keys, chord progressions, bass lines, voicings, melodies by simple grammar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}
#: Degrees of the scale on which the chords of a progression stand.
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 3, 4, 3),
    (0, 5, 3, 4),
    (5, 3, 0, 4),
    (0, 3, 0, 4),
    (0, 0, 3, 3),
    (0, 4, 3, 3),
    (1, 4, 0, 0),
    (0, 5, 1, 4),
    (2, 5, 1, 4),
    (0, 6, 3, 0),
    (0, 6, 5, 4),
    (0, 2, 3, 4),
    (0, 4, 0, 4),
    (0, 3, 1, 4),
    (0, 0, 0, 0),
    (3, 4, 2, 5),
    (0, 5, 0, 5),
    (0, 1, 0, 1),
    (0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4),
    (0, 4, 5, 2, 3, 0, 3, 4),
    (0, 3, 6, 2, 5, 1, 4, 0),
)


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class) and a scale."""

    tonic: int
    scale: tuple[int, ...]

    def pitch(self, degree: Any) -> Array:
        """Return the MIDI pitches of degrees of the scale; degree 0 lies in the octave of C4."""
        degree = np.asarray(degree, np.int64)
        size = len(self.scale)
        octave = 12 * (degree // size)
        return np.asarray(60 + self.tonic + octave + np.asarray(self.scale)[degree % size])


def random_key(generator: np.random.Generator) -> Key:
    """Return a key; major and minor are the most frequent."""
    name = generator.choice(list(SCALES), p=[0.45, 0.25, 0.1, 0.12, 0.08])
    return Key(int(generator.integers(-6, 6)), SCALES[str(name)])


def progression(bars: int, generator: np.random.Generator) -> Array:
    """Return the degree of the chord of each bar."""
    chosen = PROGRESSIONS[generator.integers(len(PROGRESSIONS))]
    degrees = np.asarray(chosen)
    if len(degrees) == 4 and generator.random() < 0.3:
        degrees = np.repeat(degrees, 2)
    return np.resize(degrees, bars)


def chord_degrees(root: int, richness: float, generator: np.random.Generator) -> Array:
    """Return a chord as degrees of the scale: a triad, or with a seventh or ninth."""
    chord = [root, root + 2, root + 4]
    if generator.random() < richness:
        chord.append(root + 6)
        if generator.random() < richness * 0.5:
            chord.append(root + 8)
    return np.asarray(chord)


def voiced(pitches: Array, centre: float) -> Array:
    """Return the pitches, each moved by octaves to lie around `centre`."""
    moved = pitches - 12 * np.round((pitches - centre) / 12.0)
    return np.unique(moved.astype(np.int64))


def bass_pitches(
    key: Key, root: int, rhythm_name: str, count: int, generator: np.random.Generator
) -> Array:
    """Return the pitches of the `count` notes of a bar of bass over the chord on `root`."""
    octave = -14
    degrees = np.full(count, root + octave)
    if rhythm_name in ("root fifth", "bossa", "habanera"):
        degrees[1::2] = root + 4 + octave
    elif rhythm_name == "octaves":
        degrees[1::2] = root + 7 + octave
    elif rhythm_name == "tumbao":
        degrees[:] = np.resize([root + 4, root + 7], count) + octave
    elif rhythm_name == "walking":
        walk = np.cumsum(generator.choice([-1, 1, 1, 2, -2], count))
        degrees = root + octave + np.clip(walk - walk[:1], -5, 7) if count else degrees
    elif rhythm_name in ("mixed", "syncopated"):
        steps = generator.choice([0, 0, 0, 2, 4, 7, -1, 6], count)
        steps[:1] = 0
        degrees = root + octave + steps
    pitches = key.pitch(degrees)
    return np.where(pitches < 28, pitches + 12, np.where(pitches > 57, pitches - 12, pitches))


def melody_degrees(
    strong: Array, chord: Array, start: int, generator: np.random.Generator
) -> Array:
    """Return degrees of a melody: small steps, skips that turn back, chord notes on strong steps.

    Parameters
    ----------
    strong : array of bool
        Which notes lie on strong steps.
    chord : array of int
        Degrees of the bar's chord.
    start : int
        The degree from which the melody comes.
    """
    size = 7
    now, last = start, 0
    result = np.empty(len(strong), np.int64)
    for i, on_strong in enumerate(strong):
        move = int(generator.choice([-1, 1, 0, -2, 2, -4, 3, 4], p=MOVES))
        if abs(last) > 2 and np.sign(move) == np.sign(last):
            move = -move
        now, last = now + move, move
        if on_strong and generator.random() < 0.75:
            options = np.concatenate([chord % size + size * k for k in range(-2, 3)])
            now = int(options[np.argmin(np.abs(options - now))])
        if now < -5 or now > 10:
            now = int(np.clip(now, -5, 10))
        result[i] = now
    return result


MOVES = [0.25, 0.25, 0.16, 0.11, 0.11, 0.04, 0.05, 0.03]
