"""Pieces for few: drums alone, one instrument, a voice; taken out of what a band would play."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.composer import compose
from ictus.music.synthesis.orchestra import is_among
from ictus.music.synthesis.score import Part, Score, notes

Array = NDArray[Any]

#: Who plays; "mixed" and "varied": one of the others by chance.
ENSEMBLES = ("band", "drums", "solo", "voice", "bass", "trio", "mixed", "varied")
SHARES = {
    "mixed": {"band": 0.46, "drums": 0.26, "solo": 0.14, "voice": 0.14},
    "varied": {"band": 0.4, "drums": 0.17, "solo": 0.12, "voice": 0.14, "bass": 0.1, "trio": 0.07},
}
#: Roles that can be alone, for each ensemble.
ALONE = {
    "drums": ("drums",),
    "solo": ("melody", "chords", "bass"),
    "voice": ("voice", "melody"),
    "bass": ("bass",),
}
SNARES = (38, 40)
SINGERS = (52, 53, 54, 78, 79)  # of General MIDI: choirs, whistles
TRIO = ("bass", "drums", "chords")
#: Styles of the trio, and of half of the basses.
JAZZ = ("swing", "swing", "quickstep", "shuffle", "slow blues", "bossa nova")
ATTEMPTS = 50


def compose_for(ensemble: str, seed: np.random.SeedSequence, **options: Any) -> Score:
    """Return a piece for an ensemble.

    Parameters
    ----------
    ensemble : {"band", "drums", "solo", "voice", "bass", "trio", "mixed", "varied"}
        "drums": a drum kit with ghost notes and flams, its strokes never quite together; "solo":
        one instrument, melody, chords or bass; "voice": a voice, in some pieces with chords;
        "bass": a bass, often walking and soft; "trio": bass, drums and chords as in jazz; "mixed":
        one of the first four; "varied": one of all, in which soloists are often soft.
    seed : numpy.random.SeedSequence
    options
        Of :func:`ictus.music.synthesis.composer.compose`.

    Raises
    ------
    ValueError
        An unknown ensemble, or a style that never has these instruments.
    """
    if ensemble not in ENSEMBLES:
        raise ValueError(f"ensemble must be one of {', '.join(ENSEMBLES)}, got {ensemble!r}")
    if ensemble == "band":
        return compose(seed, **options)
    generator = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 1)))
    )
    soft = ensemble in ("bass", "trio", "varied")
    if ensemble in SHARES:
        shares = SHARES[ensemble]
        ensemble = str(generator.choice(list(shares), p=list(shares.values())))
    jazzy = ensemble == "trio" or (ensemble == "bass" and generator.random() < 0.5)
    if jazzy and options.get("style") is None:
        options = options | {"style": str(generator.choice(JAZZ))}
    for child in seed.spawn(ATTEMPTS):
        score = compose(child, **options)
        if ensemble == "band":
            return score
        parts = _chosen(score.parts, ensemble, options.get("instruments", "all"), generator)
        if parts:
            if soft:
                parts = [_softly(part, generator) for part in parts]
            return replace(score, parts=[_by_hand(part, score, generator) for part in parts])
    raise ValueError(f"the style {score.style} has nothing for the ensemble {ensemble!r}")


def _chosen(
    parts: list[Part], ensemble: str, instruments: str, generator: np.random.Generator
) -> list[Part]:
    """The parts that stay; none, if the piece has not what is needed."""
    if ensemble == "trio":
        roles = {part.role: part for part in parts}
        return [roles[role] for role in TRIO] if roles.keys() >= set(TRIO) else []
    fitting = [part for part in parts if part.role in ALONE[ensemble]]
    if not fitting:
        return []
    chosen = fitting[generator.integers(len(fitting))]
    if ensemble == "drums":
        return [_played_richly(chosen, generator)]
    if ensemble in ("solo", "bass"):
        return [replace(chosen, jitter=chosen.jitter + 0.004)]
    # A quarter of the singers are the sound font's choirs and whistles.
    singer = replace(chosen, role="voice" if generator.random() < 0.75 else chosen.role)
    if singer.role != "voice":
        able = [program for program in SINGERS if is_among(instruments, "melody", program)]
        singer = replace(singer, program=int(generator.choice(able)))
    others = [part for part in parts if part.role == "chords"]
    return [singer, *others[:1]] if generator.random() < 0.35 else [singer]


def _played_richly(part: Part, generator: np.random.Generator) -> Part:
    """The drums with soft strokes between the others and, here and there, a flam."""
    drums = part.notes
    made = [drums]
    steps = np.arange(np.ceil(drums["start"].max() * 4) + 1) / 4
    if generator.random() < 0.5:
        share = generator.uniform(0.03, 0.25)
        at = steps[generator.random(len(steps)) < share]
        loud = generator.integers(28, 62, len(at))
        made.append(notes(at, 0.1, int(generator.choice(SNARES)), loud))
    snares = drums[np.isin(drums["pitch"], SNARES)]
    if len(snares) and generator.random() < 0.3:
        flams = snares[generator.random(len(snares)) < 0.15].copy()
        flams["start"] = np.maximum(flams["start"] - generator.uniform(0.04, 0.09), 0.0)
        flams["velocity"] = flams["velocity"] * 6 // 10
        made.append(flams)
    return replace(part, notes=np.concatenate(made))


def _softly(part: Part, generator: np.random.Generator) -> Part:
    """The part with its notes as they are, or softer and less even."""
    if generator.random() < 0.4:
        return part
    played = part.notes.copy()
    loud = played["velocity"] * generator.uniform(0.35, 0.95)
    loud = loud * np.exp(generator.normal(0.0, generator.uniform(0.0, 0.25), len(played)))
    played["velocity"] = np.clip(loud, 14, 127).astype(int)
    return replace(part, notes=played)


def _by_hand(part: Part, score: Score, generator: np.random.Generator) -> Part:
    """The part with notes that begin together only nearly."""
    played = part.notes.copy()
    spread = generator.choice([0.0, generator.uniform(0.001, 0.007)])
    beat = float(np.median(score.beat_seconds))
    moved = np.clip(generator.normal(0.0, spread / beat, len(played)), -0.05, 0.05)
    played["start"] = np.maximum(played["start"] + moved, 0.0)
    return replace(part, notes=played)
