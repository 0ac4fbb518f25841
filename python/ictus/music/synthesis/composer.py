"""Pieces by rule: a style, a form of returning sections, a groove and chords for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.accompaniment import (
    Material,
    bass_bar,
    chord_bar,
    make_material,
    melody_bar,
    pad_bar,
)
from ictus.music.synthesis.clarity import clarify, mark_bars
from ictus.music.synthesis.drum_writing import (
    Groove,
    count_in,
    crash,
    fill,
    make_groove,
    play_groove,
)
from ictus.music.synthesis.harmony import random_key
from ictus.music.synthesis.orchestra import INSTRUMENTS, choose_program
from ictus.music.synthesis.score import Part, Score, tempo_curve
from ictus.music.synthesis.style import Style
from ictus.music.synthesis.styles import STYLES

Array = NDArray[Any]

#: Orders of sections; letters return with the same material.
FORMS = (
    "iABABCB",
    "iAABAABo",
    "ABABCBo",
    "iABCABo",
    "AABBAABB",
    "iAAAABo",
    "ABACABA",
    "iABDBCBo",
    "AABA",
    "iABABDAB",
)
NAMES = {"i": "intro", "o": "outro", "A": "verse", "B": "chorus", "C": "bridge", "D": "break"}
#: Beats a minute that a piece may have.
TEMPO_RANGE = (58.0, 206.0)
ROLES = ("bass", "chords", "pad", "melody", "second melody", "voice")


@dataclass
class Section:
    """Material of one letter of the form, and who plays."""

    material: Material
    groove: Groove
    playing: set[str]
    bars: int


def compose(
    seed: int | np.random.SeedSequence,
    *,
    seconds: float = 75.0,
    style: str | None = None,
    instruments: str = "all",
    tempo: tuple[float, float] | None = None,
) -> Score:
    """Return a piece of about this length.

    Parameters
    ----------
    seed : int
        The same seed gives the same piece.
    seconds : float
        The piece ends with the bar in which this is reached.
    style : str, optional
        A name of :data:`ictus.music.synthesis.styles.STYLES`; by chance, if not given.
    instruments : {"all", "training", "core", "validation", "test"}
        "test": only instruments of General MIDI that "training" never has; "core" and "validation"
        part those of "training".
    tempo : (float, float), optional
        Slowest and fastest tempo in beats a minute; a style by chance is one that has such tempi.

    Raises
    ------
    ValueError
        `seconds` is not positive, the style or the instruments are unknown, or the style has none
        of these tempi.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds!r}")
    generator = np.random.Generator(np.random.PCG64(seed))
    style = checked_style(style, instruments, generator, tempo)
    return PieceWriter(STYLES[style], style, seconds, instruments, generator, tempo).write()


def tempo_range(style: Style, tempo: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the tempi of a style, of those between two if given; from high to low if none."""
    low, high = np.clip([style.tempo[0] * 0.97, style.tempo[1] * 1.03], *TEMPO_RANGE)
    slowest, fastest = tempo or TEMPO_RANGE
    return max(float(low), slowest), min(float(high), fastest)


def checked_style(
    style: str | None,
    instruments: str,
    generator: np.random.Generator,
    tempo: tuple[float, float] | None = None,
) -> str:
    """Return the style, or one by chance; check it, the set of instruments and the tempi."""
    if style is not None and style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(sorted(STYLES))}, got {style!r}")
    if instruments not in INSTRUMENTS:
        raise ValueError(
            f"instruments must be one of {', '.join(INSTRUMENTS)}, got {instruments!r}"
        )
    able = {name: low <= high for name, (low, high) in _tempo_ranges(tempo).items()}
    if not (able[style] if style is not None else any(able.values())):
        raise ValueError(f"tempo must be within that of {style or 'some style'}, got {tempo!r}")
    if style is not None:
        return style
    weights = np.array([s.weight * able[name] for name, s in STYLES.items()])
    return str(generator.choice(list(STYLES), p=weights / weights.sum()))


def _tempo_ranges(tempo: tuple[float, float] | None) -> dict[str, tuple[float, float]]:
    return {name: tempo_range(style, tempo) for name, style in STYLES.items()}


class PieceWriter:
    """Writes one piece."""

    def __init__(
        self,
        style: Style,
        name: str,
        seconds: float,
        instruments: str,
        generator: np.random.Generator,
        tempo: tuple[float, float] | None = None,
    ) -> None:
        self.style, self.name, self.generator = style, name, generator
        self.instruments = instruments
        # The logarithm of the tempo is drawn evenly, within what a beat tracker follows.
        self.tempo = float(np.exp(generator.uniform(*np.log(tempo_range(style, tempo)))))
        bar_seconds = 60.0 / self.tempo * style.beats
        self.bars = max(int(np.ceil(seconds / bar_seconds)), 2)
        self.key = random_key(generator)
        self.has_drums = bool(style.kick) and generator.random() < 0.93
        if not style.kick and style.extra:
            self.has_drums = generator.random() < 0.6
        self.sections: dict[str, Section] = {}
        self.notes: dict[str, list[Array]] = {role: [] for role in ("drums", *ROLES)}
        self.ensemble = self._ensemble()

    def _ensemble(self) -> set[str]:
        """Who takes part in the piece at all."""
        random = self.generator.random
        chances = {"bass": 0.9, "chords": 0.88, "pad": 0.3, "melody": 0.6, "second melody": 0.2}
        if self.style.family in ("band", "electronic", "jazz", "latin", "acoustic"):
            chances["voice"] = 0.4
        chosen = {role for role, chance in chances.items() if random() < chance}
        silent = any("x" not in pattern.lower() for pattern in self.style.kick)
        if not self.has_drums or silent:
            # Without drums, chords and bass together tell where the beats are.
            chosen |= {"chords", "bass"} if random() < 0.85 else {"chords", "melody"}
        elif random() < 0.06:
            chosen = set()  # drums alone
        return chosen

    def _section(self, letter: str) -> Section:
        if letter in self.sections:
            return self.sections[letter]
        generator = self.generator
        bars = int(generator.choice([4, 8, 8, 8, 16] if letter in "ABC" else [2, 4, 4, 8]))
        if self.tempo / self.style.beats > 45 and letter in "ABC":
            bars *= 2
        material = make_material(self.style, self.key, bars, generator)
        groove = make_groove(self.style, generator)
        first = next(iter(self.sections.values()), None)
        if first is not None and generator.random() < 0.6:
            groove = Groove(dict(first.groove.bars), first.groove.keys, groove.variation)
            if generator.random() < 0.5 and groove.bars:
                other = make_groove(self.style, generator)
                groove.bars |= {k: v for k, v in other.bars.items() if k not in ("kick",)}
        playing = set(self.ensemble) | ({"drums"} if self.has_drums else set())
        if letter == "i" and playing - {"drums"}:
            choice = generator.random()
            if choice < 0.45:
                playing.discard("drums")
            elif choice < 0.6 and sum(np.count_nonzero(b) for b in groove.bars.values()) > 4:
                playing = {"drums"}
            playing -= {"voice", "melody"} if generator.random() < 0.6 else set()
        if letter == "D":
            playing -= {"drums"} if generator.random() < 0.6 else {"bass", "chords"}
        if letter == "A" and generator.random() < 0.3:
            playing.discard(str(generator.choice(ROLES)))
        if not playing & {"drums", "bass", "chords"}:
            playing |= self.ensemble | ({"drums"} if self.has_drums else {"chords"})
        clarify(material, groove, playing, self.tempo, generator)
        mark_bars(material, groove, playing, generator)
        self.sections[letter] = Section(material, groove, playing, bars)
        return self.sections[letter]

    def write(self) -> Score:
        generator, beats = self.generator, self.style.beats
        form = str(generator.choice(FORMS))
        outline: list[tuple[int, str]] = []
        bar = turn = 0
        while bar < self.bars:
            letter = form[turn % len(form)]
            if letter in "io" and turn > 0 and turn < len(form) - 1:
                letter = "A"
            turn += 1
            section = self._section(letter)
            length = min(section.bars, self.bars - bar)
            outline.append((bar, NAMES[letter]))
            self._play(section, bar, length, letter)
            bar += length
        if self.has_drums and generator.random() < 0.06:
            self.notes["drums"].append(count_in(0.0, beats, generator))
        curve = str(generator.choice(self.style.curves))
        per_bar = np.full(self.bars, beats)
        swing = float(generator.uniform(*self.style.swing))
        return Score(
            parts=self._parts(curve),
            beats_per_bar=per_bar,
            beat_seconds=tempo_curve(curve, per_bar, self.tempo, generator),
            sections=outline,
            swing=swing,
            swing_level=self.style.swing_level,
            lead_in=float(generator.choice([0.05, generator.uniform(0.05, 1.5)])),
            style=self.name,
        )

    def _play(self, section: Section, bar: int, length: int, letter: str) -> None:
        style, generator, groove = self.style, self.generator, section.groove
        drums = self.notes["drums"]
        kick = groove.bars.get("kick")
        plays_drums = "drums" in section.playing
        filled = plays_drums and bool(style.kick) and generator.random() < 0.65
        if plays_drums and style.kick and generator.random() < 0.5:
            drums.append(crash(bar * style.beats, groove.keys, generator))
        for i in range(length):
            first = float((bar + i) * style.beats)
            if plays_drums:
                played = play_groove(groove, i, first, style, generator)
                last = i == length - 1 or (i % 4 == 3 and generator.random() < 0.2)
                if last and filled:
                    run = float(min(generator.choice([0.5, 1, 1, 2, 4]), style.beats))
                    from_beat = first + style.beats - run
                    played = [p[p["start"] < from_beat - 1e-9] for p in played]
                    played.append(fill(from_beat, run, style.steps, groove.keys, generator))
                elif last and generator.random() < 0.08:
                    played = []  # the drums hold their breath for a bar
                drums.extend(played)
            material = section.material
            for role in ROLES:
                if role in section.playing:
                    made = self._bar(role, material, i, kick)
                    made["start"] += first
                    self.notes[role].append(made)

    def _bar(self, role: str, material: Material, i: int, kick: Array | None) -> Array:
        if role == "bass":
            return bass_bar(material, i, kick, self.generator)
        if role == "chords":
            return chord_bar(material, i, kick, self.generator)
        if role == "pad":
            return pad_bar(material, i)
        return melody_bar(material, i, role)

    def _parts(self, curve: str) -> list[Part]:
        written = ((role, np.concatenate(bars)) for role, bars in self.notes.items() if bars)
        return self._played(
            curve, ((role, made[made["start"] > -1e-9]) for role, made in written if len(made))
        )

    def _played(self, curve: str, written: Iterable[tuple[str, Array]]) -> list[Part]:
        """Give roles and their notes to players: instruments, levels, and how exact they are."""
        generator, family = self.generator, self.style.family
        machine = curve == "constant" and generator.random() < 0.6
        tight = 0.0 if machine else generator.uniform(0.002, 0.012)
        parts = []
        for role, made in written:
            looser = {"melody": 1.6, "second melody": 1.6, "voice": 3.0}.get(role, 1.0)
            plain = {"second melody": "melody"}.get(role, role)
            parts.append(
                Part(
                    role=plain,
                    notes=made,
                    program=choose_program(family, plain, generator, self.instruments),
                    delay=0.0 if machine else float(generator.normal(0.0, 0.006)),
                    jitter=float(tight * looser + (0.012 if role == "voice" else 0.0)),
                    gain=float(np.clip(generator.normal(0.0, 2.5), -4.0, 4.0)),
                    tuning=float(generator.normal(0.0, 1.5)) if role == "drums" else 0.0,
                )
            )
        return parts
