"""What bass, chords, pad, melody and voice play in a section: made once, played bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.harmony import (
    Key,
    bass_pitches,
    chord_degrees,
    melody_degrees,
    progression,
    voiced,
)
from ictus.music.synthesis.rhythm import lengths, melody_rhythm, rhythm, varied
from ictus.music.synthesis.score import notes
from ictus.music.synthesis.style import Style

Array = NDArray[Any]


@dataclass
class Material:
    """The musical content of a section.

    Attributes
    ----------
    chords : list of arrays
        Degrees of the chord of each bar.
    bass, comping : (name, pattern)
        Rhythm of a bar.
    gate : float
        Share of its time that a chord sounds.
    centre : float
        Pitch around which chords lie.
    melodies : dict of role to list of note arrays, one a bar
    """

    style: Style
    key: Key
    chords: list[Array]
    bass: tuple[str, Array]
    comping: tuple[str, Array]
    gate: float
    centre: float
    loudness: float
    melodies: dict[str, list[Array]]


def make_material(style: Style, key: Key, bars: int, generator: np.random.Generator) -> Material:
    """Return chords, rhythms and melodies for a section of so many bars."""
    richness = {"jazz": 0.8, "latin": 0.5, "electronic": 0.35}.get(style.family, 0.15)
    degrees = progression(bars, generator)
    known = {int(d): chord_degrees(int(d), richness, generator) for d in np.unique(degrees)}
    chords = [known[int(d)] for d in degrees]
    bass_name = str(generator.choice(style.bass))
    chord_name = str(generator.choice(style.chords))
    grid = (style.beats, style.steps)
    melodies = {
        role: _melody(style, key, chords, role, generator)
        for role in ("melody", "second melody", "voice")
    }
    return Material(
        style,
        key,
        chords,
        (bass_name, rhythm(bass_name, *grid, generator)),
        (chord_name, rhythm(chord_name, *grid, generator)),
        float(generator.choice([0.3, 0.6, 0.95])),
        float(generator.uniform(52, 70)),
        float(generator.uniform(0.65, 1.0)),
        melodies,
    )


def _melody(
    style: Style, key: Key, chords: list[Array], role: str, generator: np.random.Generator
) -> list[Array]:
    """A melody in motifs of one or two bars that come back: a a' a b."""
    density = generator.uniform(0.5, 2.2) if role != "voice" else generator.uniform(0.8, 2.0)
    density = min(density, 0.8 * style.steps)
    syncopation = generator.uniform(0.0, 0.8)
    centre = {"melody": 12, "second melody": 0, "voice": 0}[role] + generator.integers(-5, 6)
    motifs = [
        melody_rhythm(style.beats, style.steps, density, syncopation, generator) for _ in range(3)
    ]
    order = [0, 1, 0, 2] if generator.random() < 0.7 else [0, 0, 1, 2]
    gate = generator.uniform(0.6, 1.0)
    degree = 0
    made = []
    for bar, chord in enumerate(chords):
        if generator.random() < 0.12:
            made.append(notes(np.zeros(0)))
            continue
        strength = motifs[order[bar % 4]]
        if generator.random() < 0.3:
            strength = varied(strength, 0.5, generator)
        at, duration = lengths(strength, style.steps, gate)
        if not len(at):
            made.append(notes(np.zeros(0)))
            continue
        degrees = melody_degrees(at % style.steps == 0, chord, degree, generator)
        degree = int(degrees[-1])
        loud = 45 + 70 * strength[at] * np.exp(generator.normal(0, 0.06, len(at)))
        made.append(
            notes(
                at / style.steps,
                duration,
                key.pitch(degrees) + centre,
                np.clip(loud, 20, 127).astype(int),
            )
        )
    return made


def bass_bar(
    material: Material, bar: int, kick: Array | None, generator: np.random.Generator
) -> Array:
    """Return the bass of one bar."""
    name, pattern = material.bass
    style = material.style
    strength = pattern
    if name == "kick" and kick is not None and kick.any():
        strength = kick
    elif name in ("walking", "syncopated", "mixed") and bar % 4 == 3:
        strength = varied(pattern, 0.5, generator)
    at, duration = lengths(strength, style.steps, 0.9)
    root = int(material.chords[bar % len(material.chords)][0])
    pitches = bass_pitches(material.key, root, name, len(at), generator)
    loud = np.clip(50 + 60 * strength[at], 1, 127).astype(int)
    return notes(at / style.steps, duration, pitches, loud)


ARPEGGIOS = ("arpeggio", "alberti", "triplets", "sixteenths")


def chord_bar(
    material: Material, bar: int, kick: Array | None, generator: np.random.Generator
) -> Array:
    """Return the chords of one bar: struck together, strummed, or broken."""
    name, pattern = material.comping
    style = material.style
    strength = kick if name == "kick" and kick is not None and kick.any() else pattern
    pitches = voiced(
        material.key.pitch(material.chords[bar % len(material.chords)]), material.centre
    )
    at, duration = lengths(strength, style.steps, material.gate)
    if not len(at):
        return notes(np.zeros(0))
    loud = np.clip((35 + 65 * strength[at]) * material.loudness, 1, 127).astype(int)
    start = at / style.steps
    if name in ARPEGGIOS:
        wide = np.concatenate([pitches, pitches[:1] + 12])
        order = np.array([0, 2, 1, 2]) if name == "alberti" else np.append(*_up_and_down(len(wide)))
        chosen = wide[np.minimum(np.resize(order, len(at)), len(wide) - 1)]
        return notes(start, np.maximum(duration, 0.3), chosen, loud)
    spread = 0.0
    if name == "strum":
        spread = generator.uniform(0.0, 0.02)
    roll = spread * np.arange(len(pitches))
    return notes(
        (start[:, None] + roll[None, :]),
        np.repeat(duration[:, None], len(pitches), 1),
        np.repeat(pitches[None, :], len(start), 0),
        np.repeat(loud[:, None], len(pitches), 1),
    )


def _up_and_down(count: int) -> tuple[Array, Array]:
    return np.arange(count), np.arange(count - 2, 0, -1)


def pad_bar(material: Material, bar: int) -> Array:
    """Return a held chord."""
    pitches = voiced(
        material.key.pitch(material.chords[bar % len(material.chords)]), material.centre + 5
    )
    return notes(np.zeros(len(pitches)), float(material.style.beats), pitches, 62)


def melody_bar(material: Material, bar: int, role: str) -> Array:
    """Return a copy of the melody's bar."""
    return material.melodies[role][bar % len(material.melodies[role])].copy()
