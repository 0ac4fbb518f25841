"""The built-in synthesiser: renders parts of a score without any other program."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.audible import attack_delay
from ictus.music.synthesis.drum_sounds import DrumKit
from ictus.music.synthesis.lines import render_line
from ictus.music.synthesis.score import Part
from ictus.music.synthesis.tones import KINDS, Timbre, render_note

Array = NDArray[Any]

#: Sounds to choose from for each role.
ROLE_KINDS: dict[str, tuple[str, ...]] = {
    "bass": ("bass", "bass", "plucked", "fm", "struck"),
    "chords": ("plucked", "struck", "organ", "fm", "pad", "struck"),
    "pad": ("pad", "organ", "brass", "voice"),
    "melody": ("plucked", "fm", "brass", "organ", "struck", "voice"),
    "voice": ("voice",),
    "other": ("struck", "plucked"),
}
#: Kinds of sound for each role where timbres are drawn from wider ranges.
WIDE_KINDS: dict[str, tuple[str, ...]] = {
    "bass": ("plucked", "plucked", "plucked", "bass", "struck", "fm", "brass"),
    "chords": ("plucked", "plucked", "struck", "organ", "fm", "pad", "bar", "voice"),
    "pad": ("pad", "organ", "brass", "voice", "struck"),
    "melody": ("plucked", "fm", "brass", "organ", "struck", "voice", "bar", "pad"),
    "voice": ("voice",),
    "other": KINDS,
}
#: Share of the lines (render_line) among the melodies then; a voice is always one.
LINES = 0.45


def is_line(part: Part, generator: np.random.Generator) -> bool:
    """Return whether a part becomes a line, where timbres are wide."""
    return part.role == "voice" or (part.role == "melody" and generator.random() < LINES)


def render_part(
    part: Part,
    notes: Array,
    seconds: float,
    rate: int,
    generator: np.random.Generator,
    delays: Array | None = None,
    *,
    wide: bool = False,
    line: bool = False,
) -> Array:
    """Return the sound of one part, shape (samples,), float32.

    Parameters
    ----------
    part : Part
    notes : array of NOTE
        Its notes in seconds; see :func:`ictus.music.synthesis.score.perform`. A note's first sample
        is the one nearest to its time.
    seconds : float
    rate : int
        Samples a second.
    generator : numpy.random.Generator
        Of the timbre.
    delays : array, shape (notes,), optional
        Becomes the seconds until the attack of each note is heard; drums have none.
    wide : bool
        Whether timbres and drums are drawn from wider ranges.
    line : bool
        Whether the part is a line (:mod:`ictus.music.synthesis.lines`).
    """
    if line:
        made, late = render_line(notes, seconds, rate, generator)
        if delays is not None:
            delays[:] = late
        return made
    out = np.zeros(int(np.ceil(seconds * rate)), np.float32)
    starts = np.round(notes["start"] * rate).astype(np.int64)
    loudness = (notes["velocity"] / 127.0).astype(np.float32) ** 1.6
    if part.role == "drums":
        kit = DrumKit(rate, generator, wide=wide)
        takes = generator.integers(0, kit.takes, len(notes))
        for start, key, take, level in zip(
            starts.tolist(), notes["pitch"].tolist(), takes.tolist(), loudness, strict=True
        ):
            _add(out, start, kit.stroke(key, take), level)
        return out
    known = WIDE_KINDS if wide else ROLE_KINDS
    draw = Timbre.draw_widely if wide else Timbre.draw
    timbre = draw(str(generator.choice(known.get(part.role, known["other"]))), generator)
    # A note is rendered once for each pitch and duration; a voice never sings twice the same.
    durations = np.maximum(np.round(notes["duration"] * 20.0), 1.0) / 20.0
    rendered: dict[tuple[int, float], Array] = {}
    attacks: dict[tuple[int, float], float] = {}
    for i, (start, pitch, duration, level) in enumerate(
        zip(starts.tolist(), notes["pitch"].tolist(), durations.tolist(), loudness, strict=True)
    ):
        place = (pitch, min(duration, 6.0))
        if place not in rendered or timbre.kind == "voice":
            rendered[place] = render_note(timbre, pitch, place[1], rate, generator)
            attacks[place] = 0.0 if delays is None else attack_delay(rendered[place], rate)
        if delays is not None:
            delays[i] = attacks[place]
        _add(out, start, rendered[place], level)
    return out


def _add(out: Array, start: int, sound: Array, level: Any) -> None:
    end = min(start + len(sound), len(out))
    if start < end:
        out[start:end] += sound[: end - start] * level
