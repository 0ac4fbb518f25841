"""Rhythms of one bar on a grid of steps: of patterns, of accompaniments by name, of melodies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEVELS = {"X": 1.0, "x": 0.8, "o": 0.45, ".": 0.0}


def parse(pattern: str, steps: int, generator: np.random.Generator) -> Array:
    """Return the strength of each step of a pattern; it is repeated or cut to `steps`."""
    strength = np.array([LEVELS.get(mark, 0.7) for mark in pattern])
    chance = np.array([mark == "?" for mark in pattern])
    strength[chance & (generator.random(len(pattern)) < 0.5)] = 0.0
    return np.resize(strength, steps)


def metrical_weight(beats: int, steps: int) -> Array:
    """Return how strong each step of a bar is: 1 the downbeat, 1/2 the beats, less between."""
    weight = np.full(beats * steps, 0.12)
    weight[:: max(steps // 2, 1)] = 0.25 if steps % 2 == 0 else 0.2
    weight[::steps] = 0.5
    if beats % 2 == 0 and beats > 2:
        weight[beats // 2 * steps] = 0.7
    weight[0] = 1.0
    return weight


def rhythm(
    name: str,
    beats: int,
    steps: int,
    generator: np.random.Generator,
    kick: Array | None = None,
) -> Array:
    """Return the strength of each step of a bar for an accompaniment.

    Parameters
    ----------
    name : str
        "whole", "half", "quarters", "eighths", "sixteenths", "off-beats", ...: the rhythms that
        :data:`ictus.music.synthesis.styles.STYLES` names.
    beats, steps : int
        Of a bar, and of a beat.
    generator : numpy.random.Generator
    kick : array, optional
        The kick drum's bar, for rhythms that go with it.
    """
    count = beats * steps
    bar = np.zeros(count)
    half = steps // 2 if steps % 2 == 0 else steps - 1
    on_beats = np.arange(0, count, steps)
    off_beats = on_beats + half
    if name in ("whole", "roots"):
        bar[0] = 1.0
    elif name in ("half", "root halves"):
        bar[0] = 1.0
        bar[(beats // 2) * steps if beats > 1 else 0] = 0.8
    elif name in ("quarters", "root quarters", "root fifth", "walking"):
        bar[on_beats] = 0.85
        bar[0] = 1.0
        if name == "root fifth" and beats == 4 and generator.random() < 0.5:
            bar[on_beats[1::2]] = 0.0
        if name == "walking":
            bar[off_beats[generator.random(beats) < 0.12]] = 0.6
    elif name in ("eighths", "root eighths", "octaves", "alberti"):
        bar[on_beats] = 0.9
        bar[off_beats] = 0.7
        bar[0] = 1.0
    elif name in ("sixteenths", "triplets"):
        bar[:] = 0.6
        bar[off_beats] = 0.7
        bar[on_beats] = 0.9
    elif name in ("off-beats", "skank"):
        bar[off_beats] = 0.9
        if name == "skank" and steps == 4:
            bar[off_beats + 1] = np.where(generator.random(beats) < 0.6, 0.5, 0.0)
    elif name == "backbeat":
        bar[on_beats[1::2]] = 0.9
    elif name == "after-beats":
        bar[on_beats[1:]] = 0.75
    elif name == "kick" and kick is not None and kick.any():
        bar[:] = kick
    elif name in ("arpeggio",):
        every = generator.choice([1, half if steps % 2 == 0 else 1])
        bar[::every] = 0.7
        bar[on_beats] = 0.85
    elif name == "strum":
        bar[on_beats] = 0.9
        bar[off_beats] = np.where(generator.random(beats) < 0.7, 0.6, 0.0)
        if steps == 4:
            late = generator.random(beats) < 0.3
            bar[off_beats[late] + 1] = 0.5
    elif name in FIXED:
        bar[:] = parse(FIXED[name], count, generator)
    else:
        bar[:] = syncopated(beats, steps, generator)
    return bar


#: Rhythms of four beats of four steps that have a name of their own.
FIXED = {
    "charleston": "X.....x.........",
    "bossa": "X.....xxX.....xx",
    "tumbao": "......x.....x...",
    "habanera": "X..x..x.X..x..x.",
}


def syncopated(beats: int, steps: int, generator: np.random.Generator) -> Array:
    """Return a random bar: metrically strong steps are likelier, more or less so by chance."""
    weight = metrical_weight(beats, steps)
    flat = generator.uniform(0.2, 0.8)
    chance = np.clip((weight**flat) * generator.uniform(0.35, 0.9), 0.0, 1.0)
    if steps == 4 and generator.random() < 0.5:
        chance[1::2] *= 0.3
    bar = np.where(generator.random(len(weight)) < chance, 0.55 + 0.4 * weight, 0.0)
    if not bar.any():
        bar[0] = 0.9
    return bar


def melody_rhythm(
    beats: int, steps: int, density: float, syncopation: float, generator: np.random.Generator
) -> Array:
    """Return a bar of a melody.

    Parameters
    ----------
    density : float
        Notes a beat, about.
    syncopation : float in [0, 1]
        0: notes lie on strong steps; 1: anywhere.
    """
    weight = metrical_weight(beats, steps)
    likely = (1.0 - syncopation) * weight + syncopation * weight.mean()
    likely = likely * (density * beats / likely.sum())
    return np.where(generator.random(len(weight)) < likely, 0.6 + 0.35 * weight, 0.0)


def varied(bar: Array, chance: float, generator: np.random.Generator) -> Array:
    """Return the bar with some weak strokes left out and some soft ones put in."""
    changed = bar.copy()
    sounding = np.flatnonzero(bar)
    if len(sounding) > 1 and generator.random() < chance:
        changed[generator.choice(sounding[1:])] = 0.0
    silent = np.flatnonzero(bar == 0)
    if len(silent) and generator.random() < chance:
        changed[generator.choice(silent)] = 0.4
    return changed


def lengths(bar: Array, steps: int, gate: float) -> tuple[Array, Array]:
    """Return the steps that sound, and `gate` times the beats to the next (or the bar's end)."""
    at = np.flatnonzero(bar)
    following = np.append(at[1:], len(bar)) if len(at) else at
    return at, (following - at) / steps * gate
