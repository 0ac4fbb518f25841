"""Which instruments of General MIDI play which role in which family of styles."""

from __future__ import annotations

import numpy as np

ELECTRIC_BASS = (33, 34, 35, 36, 33, 34)
SYNTH_BASS = (38, 39, 87, 38, 39)
GUITARS = (24, 25, 26, 27, 28, 29, 30)
PIANOS = (0, 1, 2, 3, 4, 5)
ORGANS = (16, 17, 18, 19)
STRINGS = (48, 49, 50, 51, 44)
PADS = (88, 89, 90, 91, 92, 94, 95)
LEADS = (80, 81, 82, 83, 84, 85, 86, 87)
BRASS = (56, 57, 58, 59, 60, 61, 62, 63)
REEDS = (64, 65, 66, 67, 68, 69, 70, 71)
FLUTES = (72, 73, 74, 75, 79)
MALLETS = (9, 10, 11, 12, 13, 108, 114)
BOWED = (40, 41, 42, 110)
VOICES = (52, 53, 54)
SQUEEZED = (21, 22, 23)

#: Programs to choose from, by family and role.
PROGRAMS: dict[str, dict[str, tuple[int, ...]]] = {
    "band": {
        "bass": ELECTRIC_BASS,
        "chords": (*GUITARS, *GUITARS, *PIANOS, *ORGANS),
        "pad": (*STRINGS, *PADS, *ORGANS, *VOICES),
        "melody": (*GUITARS, *LEADS, *REEDS, *BRASS, *PIANOS, *VOICES, 22, 73),
    },
    "electronic": {
        "bass": (*SYNTH_BASS, 33, 35),
        "chords": (*LEADS, *PADS, *PIANOS, 16, 50, 51, 62, 63),
        "pad": (*PADS, *STRINGS, *VOICES),
        "melody": (*LEADS, *LEADS, *MALLETS, *PIANOS, 54, 73, 46, 62),
    },
    "jazz": {
        "bass": (32, 32, 32, 33, 35),
        "chords": (0, 1, 4, 26, 26, 11, 16, 27),
        "pad": (48, 49, 11, 61, 17),
        "melody": (*REEDS, 56, 57, 59, 59, 11, 0, 26, 73, 22),
    },
    "latin": {
        "bass": (32, 33, 35),
        "chords": (0, 1, 24, 24, 25, 21, 4, 12),
        "pad": (48, 61, 49, 52),
        "melody": (56, 57, 61, 73, 24, 64, 65, 66, 0, 21, 12, 40),
    },
    "acoustic": {
        "bass": (32, 32, 33, 35, 58),
        "chords": (24, 25, 25, 21, 23, 0, 105, 15, 46),
        "pad": (48, 49, 21, 19, 52),
        "melody": (40, 110, 73, 72, 74, 22, 105, 21, 109, 24, 25, 71, 79, 68, 15, 75),
    },
    "classical": {
        "bass": (42, 43, 48, 0, 58, 70, 19, 6),
        "chords": (0, 0, 48, 49, 46, 6, 19, 24, 45, 21, 60, 44),
        "pad": (48, 49, 52, 60, 19),
        "melody": (*BOWED[:3], *FLUTES, 68, 71, 70, 60, 56, 0, 48, 52, 6, 11, 9),
    },
}

KITS: dict[str, tuple[int, ...]] = {
    "band": (0, 0, 0, 8, 16, 16),
    "electronic": (24, 25, 25, 0, 8, 16),
    "jazz": (32, 40, 0, 32),
    "latin": (0, 0, 8, 32),
    "acoustic": (0, 40, 0, 32),
    "classical": (48, 0, 48),
}


#: Share of the parts that are played by instruments of another family of styles: who hears that a
#: style always has the same sounds learns to know its beat by them.
STRANGERS = 0.3

#: Whose instruments may be chosen: a test set can have ones that no training piece has. What
#: "training" has is parted into "core" and "validation", for choices that should not depend on
#: instruments that are known.
INSTRUMENTS = ("all", "training", "core", "validation", "test")
HELD_OUT_KITS = (8, 24)
VALIDATION_KITS = (16,)


def is_held_out(role: str, program: int) -> bool:
    """Return whether an instrument is kept for test sets."""
    return program in HELD_OUT_KITS if role == "drums" else program % 5 == 3


def is_among(instruments: str, role: str, program: int) -> bool:
    """Return whether an instrument is one of a set of :data:`INSTRUMENTS`."""
    if instruments in ("all", "training", "test"):
        return instruments == "all" or is_held_out(role, program) == (instruments == "test")
    validation = program in VALIDATION_KITS if role == "drums" else program % 5 == 4
    return not is_held_out(role, program) and validation == (instruments == "validation")


def choose_program(
    family: str, role: str, generator: np.random.Generator, instruments: str = "all"
) -> int:
    """Return a program for a role; sometimes one that the family would not expect.

    Parameters
    ----------
    family, role : str
    generator : numpy.random.Generator
    instruments : {"all", "training", "core", "validation", "test"}
        "test": only instruments that "training" never chooses; those of "core" and "validation"
        differ, and are together those of "training".
    """
    if generator.random() < STRANGERS:
        family = str(generator.choice(list(PROGRAMS)))
    known = PROGRAMS[family] | {"drums": KITS[family]}
    programs = known.get(role, known["melody"])
    if instruments != "all":
        everywhere = KITS if role == "drums" else {k: v["melody"] for k, v in PROGRAMS.items()}
        chosen = [p for p in programs if is_among(instruments, role, p)]
        if not chosen:
            chosen = [p for ps in everywhere.values() for p in ps if is_among(instruments, role, p)]
        programs = tuple(chosen)
    return int(generator.choice(programs))
