"""Drum parts: grooves of a style, fills, breaks, crashes, and percussion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.rhythm import metrical_weight, parse, varied
from ictus.music.synthesis.score import notes
from ictus.music.synthesis.style import HATS, VOICES, Style

Array = NDArray[Any]

HAT_VOICES = ("hat", "hat", "hat", "ride", "open", "shaker", "low tom", "tambourine", "bell")
JAZZ_RIDE = "x...x.x.x...x.x."


@dataclass
class Groove:
    """The drum patterns of a section: strength of each step of a bar, by voice.

    Attributes
    ----------
    bars : dict of voice to array
    keys : dict of voice to int
        The note of General MIDI that plays the voice.
    variation : float
        Chance of a change in a bar.
    """

    bars: dict[str, Array]
    keys: dict[str, int]
    variation: float = 0.15
    open_hat: int = field(default=-1)


def random_pattern(beats: int, steps: int, generator: np.random.Generator) -> Array:
    """Return a kick pattern that no table has."""
    weight = metrical_weight(beats, steps)
    chance = weight**1.3 * generator.uniform(0.5, 1.0)
    bar = np.where(generator.random(len(weight)) < chance, 0.85, 0.0)
    bar[0] = 1.0
    return bar


def make_groove(style: Style, generator: np.random.Generator, *, dense: bool = True) -> Groove:
    """Return a groove of a style; the same style gives many."""
    count = style.beats * style.steps
    bars: dict[str, Array] = {}
    if style.kick:
        bars["kick"] = parse(str(generator.choice(style.kick)), count, generator)
        if generator.random() < 0.12:
            bars["kick"] = random_pattern(style.beats, style.steps, generator)
    if style.snare:
        voice = "snare"
        if generator.random() < 0.15:
            voice = str(generator.choice(["clap", "stick", "snare"]))
        bars[voice] = parse(str(generator.choice(style.snare)), count, generator)
    name = str(generator.choice(style.hat)) if style.hat else "none"
    if name != "none":
        pattern = JAZZ_RIDE if name == "jazz ride" else HATS.get(name, name)
        voice = "ride" if name == "jazz ride" else str(generator.choice(HAT_VOICES))
        if voice == "low tom" and name == "off-beats":
            voice = "open"  # low strokes between the beats would be taken for the beats
        bars[voice] = parse(pattern, count, generator) * generator.uniform(0.55, 1.0)
    chance = 0.35 if style.family != "latin" else 0.65
    for voice, pattern in style.extra:
        if dense and generator.random() < chance:
            extra = parse(pattern, count, generator) * generator.uniform(0.6, 1.0)
            bars[voice] = np.maximum(bars.get(voice, np.zeros(count)), extra)
    keys = {voice: int(generator.choice(numbers)) for voice, numbers in VOICES.items()}
    open_hat = -1
    if "hat" in bars and generator.random() < 0.4:
        sounding = np.flatnonzero(bars["hat"])
        if len(sounding):
            open_hat = int(generator.choice(sounding))
    return Groove(bars, keys, float(generator.choice([0.0, 0.1, 0.25])), open_hat)


def play_groove(
    groove: Groove, bar: int, first_beat: float, style: Style, generator: np.random.Generator
) -> list[Array]:
    """Return the notes of one bar of a groove, starting at `first_beat`."""
    made = []
    for voice, pattern in groove.bars.items():
        strength = pattern
        if voice in ("kick", "snare") and groove.variation:
            strength = varied(pattern, groove.variation, generator)
        at = np.flatnonzero(strength)
        keys = np.full(len(at), groove.keys[voice])
        if voice == "hat" and groove.open_hat >= 0 and bar % 2 == 1:
            keys[at == groove.open_hat] = groove.keys["open"]
        loud = 35 + 85 * strength[at] * np.exp(generator.normal(0, 0.07, len(at)))
        made.append(
            notes(first_beat + at / style.steps, 0.2, keys, np.clip(loud, 8, 127).astype(int))
        )
    return made


def fill(
    first_beat: float,
    beats: float,
    steps: int,
    keys: dict[str, int],
    generator: np.random.Generator,
) -> Array:
    """Return a drum fill: a run over snare and toms that grows louder."""
    grid = steps if generator.random() < 0.75 else max(steps // 2, 1)
    count = max(int(beats * grid), 1)
    playing = generator.random(count) < generator.uniform(0.55, 1.0)
    playing[0] = True
    order = ["snare", "high tom", "middle tom", "low tom"]
    if generator.random() < 0.3:
        order = ["snare"]
    place = np.minimum((np.arange(count) * len(order)) // count, len(order) - 1)
    if generator.random() < 0.3:
        place = generator.integers(0, len(order), count)
    at = np.flatnonzero(playing)
    pitch = np.array([keys[order[place[i]]] for i in at])
    loud = np.linspace(65, generator.uniform(85, 120), count)[at] * generator.uniform(
        0.8, 1, len(at)
    )
    return notes(first_beat + at / grid, 0.2, pitch, np.clip(loud, 10, 127).astype(int))


def crash(beat: float, keys: dict[str, int], generator: np.random.Generator) -> Array:
    """Return a crash with a kick below it."""
    pitch = [keys["crash"], keys["kick"]]
    return notes(beat, 1.0, np.array(pitch), int(generator.integers(85, 125)))


def count_in(first_beat: float, beats: int, generator: np.random.Generator) -> Array:
    """Return a bar of clicks before the music."""
    key = int(generator.choice([31, 37, 42, 44, 76]))
    return notes(first_beat + np.arange(beats), 0.2, key, int(generator.integers(60, 110)))
