"""Songs by rule: sections that return, apart in key, sound, groove, texture and loudness.

Pieces of :mod:`ictus.music.synthesis.composer` have one key and one band throughout. Songs are for
finding sections: each letter of the form has contrasts to what was before, transitions are marked
or not, and inside sections there are fills, cymbals and entries that are no boundary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.accompaniment import make_material
from ictus.music.synthesis.composer import ROLES, PieceWriter, Section, checked_style
from ictus.music.synthesis.drum_writing import Groove, crash, fill, make_groove, play_groove
from ictus.music.synthesis.harmony import SCALES, Key
from ictus.music.synthesis.score import Part, Score, notes, tempo_curve
from ictus.music.synthesis.style import Style
from ictus.music.synthesis.styles import STYLES

Array = NDArray[Any]

#: Orders of sections; "test" has none of "training".
FORMS = {
    "training": (
        "iABABCBo",
        "iAPBAPBCB",
        "ABABCB",
        "iABASBo",
        "AABACA",
        "iAPBSPBo",
        "ABACABA",
        "iADABDBo",
        "iABCABo",
        "iAABABBo",
        "ABCABC",
        "iASADAo",
        "iBABCBo",
    ),
    "test": ("iABABSBo", "APBAPBCB", "iABCBABo", "ABCADA", "iAASABo", "BABDBC", "iAPBDPBo"),
}
FORMS["all"] = FORMS["training"] + FORMS["test"]
FORMS["validation"] = ("iABASBo", "ABACABA", "iAABABBo", "iASADAo")
FORMS["core"] = tuple(form for form in FORMS["training"] if form not in FORMS["validation"])
NAMES = {
    "i": "intro",
    "A": "verse",
    "P": "pre-chorus",
    "B": "chorus",
    "C": "bridge",
    "S": "solo",
    "D": "break",
    "o": "outro",
}
#: What may set a section apart, and how often it does.
CONTRASTS = {
    "key": 0.35,
    "players": 0.6,
    "groove": 0.6,
    "texture": 0.6,
    "register": 0.4,
    "loudness": 0.4,
}
PHRASE = 4  # bars
SHORTEST, LONGEST = 5.0, 32.0  # seconds of a section


@dataclass
class SongSection(Section):
    """A section with the players of each role and its loudness."""

    players: dict[str, int] = field(default_factory=dict)
    loudness: float = 1.0
    tempo: float = 1.0


def compose_song(
    seed: int | np.random.SeedSequence,
    *,
    seconds: float | tuple[float, float] = (60.0, 150.0),
    style: str | None = None,
    instruments: str = "all",
) -> Score:
    """Return a song made of sections, some of which return.

    Parameters
    ----------
    seed : int
        The same seed gives the same song.
    seconds : float or (float, float)
        About this length, or one between two.
    style : str, optional
        A name of :data:`ictus.music.synthesis.styles.STYLES`; by chance, if not given.
    instruments : {"all", "training", "core", "validation", "test"}
        "test": instruments of General MIDI and forms that "training" never has; "core" and
        "validation" part those of "training".

    Raises
    ------
    ValueError
        `seconds` is not positive, or the style or the instruments are unknown.
    """
    low, high = (seconds, seconds) if isinstance(seconds, int | float) else seconds
    if not 0 < low <= high:
        raise ValueError(f"seconds must be positive, and a range ascending, got {seconds!r}")
    generator = np.random.Generator(np.random.PCG64(seed))
    style = checked_style(style, instruments, generator)
    length = float(generator.uniform(low, high))
    return SongWriter(STYLES[style], style, length, instruments, generator).write()


class SongWriter(PieceWriter):
    """Writes one song."""

    def __init__(
        self,
        style: Style,
        name: str,
        seconds: float,
        instruments: str,
        generator: np.random.Generator,
    ) -> None:
        super().__init__(style, name, seconds, instruments, generator)
        if not self.ensemble:
            self.ensemble = {"bass", "chords"}  # drums alone make no sections
        if "chords" not in self.ensemble and "pad" not in self.ensemble:
            self.ensemble.add("chords")
        self.bar_seconds = 60.0 / self.tempo * style.beats
        # Notes by role and player.
        self.played: dict[tuple[str, int], list[Array]] = {}

    def write(self) -> Score:
        generator, beats = self.generator, self.style.beats
        form = str(generator.choice(FORMS[self.instruments]))
        body = form.strip("io")
        order: list[tuple[int, int, str, SongSection]] = []
        bar = turn = 0
        ending = self._song_section("o") if form.endswith("o") else None
        while bar < self.bars:
            letter = "i" if form.startswith("i") and not order else body[turn % len(body)]
            turn += letter != "i"
            section = self._song_section(letter)
            room = self.bars - bar - (ending.bars if ending is not None else 0)
            length = min(section.bars, room)
            if order and length < section.bars and length * self.bar_seconds < SHORTEST:
                break
            before = [known for _, _, known, _ in order]
            if letter in before:
                section = self._returned(section, letter, at_once=before[-1] == letter)
            order.append((bar, max(length, 1), letter, section))
            bar += max(length, 1)
        if ending is not None:
            order.append((bar, ending.bars, "o", ending))
            bar += ending.bars
        outline = [(first, NAMES[letter]) for first, _, letter, _ in order]
        self.bars = bar
        factors = np.ones(bar)
        for i, (first, length, _, section) in enumerate(order):
            factors[first : first + length] = section.tempo
            self._play_song(section, first, length, last=i == len(order) - 1)
        curve = str(generator.choice(self.style.curves))
        per_bar = np.full(self.bars, beats)
        seconds = tempo_curve(curve, per_bar, self.tempo, generator)
        return Score(
            parts=self._parts(curve),
            beats_per_bar=per_bar,
            beat_seconds=seconds / np.repeat(factors, beats),
            sections=outline,
            swing=float(generator.uniform(*self.style.swing)),
            swing_level=self.style.swing_level,
            lead_in=float(generator.choice([0.05, generator.uniform(0.05, 1.5)])),
            style=self.name,
        )

    # --- what sections are --------------------------------------------------------------------

    def _length(self, letter: str) -> int:
        """Bars of a section, within what a section may last."""
        generator = self.generator
        bars = int(generator.choice([4, 4, 8, 8] if letter in "iPDo" else [8, 8, 8, 12, 16, 16]))
        if generator.random() < 0.08:
            bars += int(generator.choice([-1, 1, 2]))
        while bars * self.bar_seconds < SHORTEST:
            bars *= 2
        while bars * self.bar_seconds > LONGEST and bars % 2 == 0:
            bars //= 2
        return bars

    def _contrasts(self) -> set[str]:
        """What is new in a section: two things or more."""
        generator = self.generator
        names = list(CONTRASTS)
        chosen = {name for name, chance in CONTRASTS.items() if generator.random() < chance}
        while len(chosen) < 2:
            chosen.add(str(generator.choice(names)))
        return chosen

    def _song_section(self, letter: str) -> SongSection:
        if letter in self.sections:
            known = self.sections[letter]
            assert isinstance(known, SongSection)
            return known
        generator = self.generator
        home = next(iter(self.sections.values()), None)
        assert home is None or isinstance(home, SongSection)
        new = self._contrasts() if home is not None else set(CONTRASTS)
        bars = self._length(letter)
        key = self._other_key() if home is not None and "key" in new else self.key
        material = make_material(self.style, key, bars, generator)
        if home is not None and "register" not in new:
            material.centre, material.loudness = home.material.centre, home.material.loudness
        if home is not None and "texture" not in new:
            material.bass, material.comping = home.material.bass, home.material.comping
            material.gate = home.material.gate
        groove = make_groove(self.style, generator)
        if home is not None and "groove" not in new:
            groove = Groove(dict(home.groove.bars), home.groove.keys, home.groove.variation)
        everyone = set(self.ensemble) | ({"drums"} if self.has_drums else set())
        playing = set(home.playing) if home is not None and "texture" not in new else everyone
        if home is None or "texture" in new:
            playing = self._texture(letter, everyone)
        players = dict(home.players) if home is not None else {}
        if home is not None and "players" in new:
            for role in ("chords", "melody", "second melody", "pad"):
                if generator.random() < 0.75:
                    players[role] = 1 + int(generator.integers(2))
            if generator.random() < 0.25:
                players["bass"] = 1
        loudness = float(generator.uniform(0.7, 1.15)) if "loudness" in new else 1.0
        tempo = float(generator.uniform(0.92, 1.08)) if generator.random() < 0.06 else 1.0
        made = SongSection(material, groove, playing, bars, players, loudness, tempo)
        self.sections[letter] = made
        return made

    def _other_key(self) -> Key:
        """A related key: the other mode, a fifth, a third or a second away."""
        generator = self.generator
        shift = int(generator.choice([-4, -3, -2, -1, 0, 2, 3, 4, 5, 7]))
        scale = self.key.scale
        if shift == 0 or generator.random() < 0.3:
            others = [s for s in SCALES.values() if s != scale]
            scale = others[int(generator.integers(len(others)))]
        return Key((self.key.tonic + shift + 6) % 12 - 6, scale)

    def _texture(self, letter: str, everyone: set[str]) -> set[str]:
        """Who plays in a section of this letter."""
        generator = self.generator
        random = generator.random
        playing = set(everyone)
        extra = [role for role in ROLES if role not in everyone]
        if letter in "BS" and extra and random() < 0.5:
            playing.add(str(generator.choice(extra)))
        if letter in "io":
            if random() < 0.5:
                playing.discard("drums")
            playing -= {"voice"}
            if random() < 0.6:
                playing -= {"melody"}
        if letter == "D":
            playing -= {"drums"} if random() < 0.6 else {"bass", "chords", "pad"}
        if letter == "S":
            playing = (playing - {"voice"}) | {"melody"}
        if letter in "AP" and len(playing) > 2 and random() < 0.6:
            playing.discard(str(generator.choice(sorted(playing))))
        if letter == "C" and len(playing) > 2 and random() < 0.6:
            playing -= {"drums"} if random() < 0.4 else {str(generator.choice(sorted(playing)))}
        if not playing & {"bass", "chords", "pad", "melody"}:
            playing |= {"chords"} if random() < 0.6 or "drums" not in playing else set()
        return playing

    def _returned(self, section: SongSection, letter: str, *, at_once: bool) -> SongSection:
        """A section when it comes again: mostly the same, now and then with more, or higher.

        Where it follows itself at once, somebody enters or leaves.
        """
        generator = self.generator
        playing = set(section.playing)
        if at_once or generator.random() < 0.3:
            role = str(generator.choice(["pad", "second melody", "melody", "chords"]))
            playing ^= {role}
            if not playing & {"bass", "chords", "pad", "melody"}:
                playing |= {"chords"}
        material = section.material
        if letter == "B" and generator.random() < 0.12:
            key = material.key
            up = int(generator.choice([1, 2]))
            melodies = {
                role: [_transposed(bar, up) for bar in bars]
                for role, bars in material.melodies.items()
            }
            material = replace(material, key=Key(key.tonic + up, key.scale), melodies=melodies)
        loudness = section.loudness * float(generator.choice([1.0, 1.0, 1.08]))
        return replace(section, material=material, playing=playing, loudness=loudness)

    # --- what is played -----------------------------------------------------------------------

    def _add(self, role: str, player: int, made: Array, loudness: float) -> None:
        velocity = np.round(made["velocity"] * loudness)
        made["velocity"] = np.clip(velocity, 1, 127).astype(made["velocity"].dtype)
        self.played.setdefault((role, player), []).append(made)

    def _play_song(self, section: SongSection, bar: int, length: int, *, last: bool) -> None:
        style, generator = self.style, self.generator
        beats = style.beats
        drums = self._drums(section, bar, length) if "drums" in section.playing else []
        end = float((bar + length) * beats)
        silence = 0.0
        if not last and generator.random() < 0.12:
            silence = float(generator.choice([0.5, 1.0, 2.0]))  # all stop before the next section
        late = ""
        if length > PHRASE and generator.random() < 0.2:
            entering = sorted(section.playing - {"bass", "chords", "drums"})
            late = str(generator.choice(entering)) if entering else ""
        kick = section.groove.bars.get("kick")
        for i in range(length):
            for role in ROLES:
                if role not in section.playing or (role == late and i < length // 2):
                    continue
                made = self._bar(role, section.material, i, kick)
                made["start"] += float((bar + i) * beats)
                made = _stopped(made, end - silence) if silence else made
                self._add(role, section.players.get(role, 0), made, section.loudness)
        for made in drums:
            kept = made[made["start"] < end - silence - 1e-9] if silence else made
            self._add("drums", 0, kept, 0.5 + 0.5 * section.loudness)

    def _drums(self, section: SongSection, bar: int, length: int) -> list[Array]:
        """The drums of a section: grooves, fills at its end and within, cymbals."""
        style, generator, groove = self.style, self.generator, section.groove
        beats, whole = style.beats, bool(style.kick)
        ending = str(generator.choice(["fill", "build", "thin", "none"], p=[0.5, 0.08, 0.1, 0.32]))
        made = []
        if whole and generator.random() < 0.45:
            made.append(crash(bar * beats, groove.keys, generator))
        for i in range(length):
            first = float((bar + i) * beats)
            played = play_groove(groove, i, first, style, generator)
            final, phrase = i == length - 1, i % PHRASE == PHRASE - 1
            if final and ending == "thin":
                played = []
            elif whole and final and ending == "build":
                played.append(_roll(first, beats, style.steps, groove.keys["snare"]))
            elif whole and ((final and ending == "fill") or (phrase and generator.random() < 0.25)):
                run = float(min(generator.choice([0.5, 1, 1, 2, 4]), beats))
                start = first + beats - run
                played = [p[p["start"] < start - 1e-9] for p in played]
                played.append(fill(start, run, style.steps, groove.keys, generator))
            elif phrase and generator.random() < 0.05:
                played = []  # the drums hold their breath for a bar
            if whole and i and i % PHRASE == 0 and generator.random() < 0.15:
                played.append(crash(first, groove.keys, generator))
            made.extend(played)
        return made

    def _parts(self, curve: str) -> list[Part]:
        written = ((role, np.concatenate(bars)) for (role, _), bars in sorted(self.played.items()))
        return self._played(curve, ((role, made) for role, made in written if len(made)))


def _transposed(bar: Array, up: int) -> Array:
    moved = bar.copy()
    moved["pitch"] += up
    return moved


def _stopped(made: Array, end: float) -> Array:
    """The notes that begin before `end` (beats), cut off there."""
    kept = made[made["start"] < end - 1e-9]
    kept["duration"] = np.minimum(kept["duration"], end - kept["start"])
    return kept


def _roll(first: float, beats: int, steps: int, key: int) -> Array:
    """A bar of strokes that grow louder."""
    count = beats * steps
    return notes(
        first + np.arange(count) / steps, 0.2, key, np.linspace(40, 115, count).astype(int)
    )
