"""What a style of music is: metre, tempo, drum patterns, and what the other instruments may play.

A pattern is a bar of steps: X accented, x plain, o soft, ? played in half of the bars, . silent.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Voices of the drum patterns and their notes in General MIDI's percussion map.
VOICES = {
    "kick": (36, 35),
    "snare": (38, 40),
    "stick": (37,),
    "clap": (39,),
    "hat": (42,),
    "pedal": (44,),
    "open": (46,),
    "ride": (51, 59),
    "bell": (53,),
    "crash": (49, 57),
    "low tom": (41, 43),
    "middle tom": (45, 47),
    "high tom": (48, 50),
    "tambourine": (54,),
    "cowbell": (56,),
    "bongo": (60, 61),
    "conga": (62, 63),
    "low conga": (64,),
    "timbale": (65, 66),
    "cabasa": (69,),
    "maracas": (70,),
    "guiro": (73,),
    "claves": (75,),
    "block": (76,),
    "triangle": (81,),
    "shaker": (82,),
}

HATS = {
    "eighths": "x.o.x.o.x.o.x.o.",
    "even eighths": "x.x.x.x.x.x.x.x.",
    "quarters": "x...x...x...x...",
    "sixteenths": "xoxoxoxoxoxoxoxo",
    "off-beats": "..x...x...x...x.",
    "gallop": "x.xxx.xxx.xxx.xx",
}


@dataclass(frozen=True)
class Style:
    """What a piece of a style is made of.

    Attributes
    ----------
    tempo : (float, float)
        Range of beats a minute.
    beats : int
        Of a bar.
    steps : int
        Of a beat in the patterns: 4, or 3 in compound time.
    swing : (float, float)
    swing_level : int
    kick, snare : tuple of str
        Patterns to choose from; none: no drum set.
    hat : tuple of str
    extra : tuple of (voice, pattern)
        Percussion, each used in some pieces.
    bass, chords : tuple of str
        Rhythms by name; see :mod:`ictus.music.synthesis.rhythm`.
    curves : tuple of str
        Tempo curves to choose from.
    family : str
        Chooses instruments: "band", "electronic", "jazz", "latin", "acoustic", "classical".
    weight : float
        How often, beside the others.
    """

    tempo: tuple[float, float]
    beats: int = 4
    steps: int = 4
    swing: tuple[float, float] = (0.5, 0.5)
    swing_level: int = 1
    kick: tuple[str, ...] = ()
    snare: tuple[str, ...] = ()
    hat: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    bass: tuple[str, ...] = ("root eighths", "kick", "roots", "mixed")
    chords: tuple[str, ...] = ("whole", "quarters", "eighths", "syncopated", "arpeggio")
    curves: tuple[str, ...] = ("constant", "constant", "human", "human", "drift")
    family: str = "band"
    weight: float = 1.0


BACKBEAT = "....X.......X..."
FOUR = "X...X...X...X..."
