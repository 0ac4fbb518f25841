"""ABC notation: tunes as texts, read into scores (abcnotation.com, standard 2.1, the melody part).

Read are notes with accidentals, octaves and lengths, rests, ties, tuplets, broken rhythm, bars,
repeats with first and second endings, and the fields M, L, K, T, also within a tune. Notes in
brackets sound together. Grace notes, decorations, chord symbols, slurs and words are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ictus.music.melody.score import SCORE_NOTE, Key, ScoreError, SymbolicScore

TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Semitones from the tonic of a mode up to that of the major key with its signature.
MODES = {
    "maj": 0,
    "ion": 0,
    "min": 3,
    "m": 3,
    "aeo": 3,
    "mix": 5,
    "dor": 10,
    "phr": 8,
    "lyd": 7,
    "loc": 1,
}
#: Modes with a minor third are called minor keys.
MINOR = {"min", "m", "aeo", "dor", "phr", "loc"}
SHARPS, ACCIDENTALS = "FCGDAEB", {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
PASSED_OVER = re.compile(r'"[^"]*"|\{[^}]*\}|![^!]*!|\+[^+]*\+')
TOKEN = re.compile(
    r"(?P<field>\[[A-Za-z]:[^\]]*\])"
    r"|(?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?)"
    r"|(?P<chord>\[(?=[_=^A-Ga-gz]))|(?P<chord_end>\])(?P<chord_times>\d+)?(?P<chord_over>/+\d*)?"
    r"|(?P<accidental>[_^]{1,2}|=)?(?P<note>[A-Ga-g])(?P<octave>[,']*)(?P<times>\d+)?(?P<over>/+\d*)?"
    r"|(?P<rest>[zxyZ])(?P<rest_times>\d+)?(?P<rest_over>/+\d*)?"
    r"|(?P<bar>:*\|[\]|:]*|::|\[\|)(?P<ending>\s*\[?[12](?![0-9]))?|(?P<bare_ending>\[[12])"
    r"|(?P<tie>-)|(?P<broken><{1,3}|>{1,3})|(?P<none>[()\s.~uvHLMOPSTJRk`\\&*$])"
)
TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}


def split_tunes(text: str) -> list[str]:
    """Return the tunes of a collection: the texts behind each ``X:``.

    Parameters
    ----------
    text : str
        In ABC notation.
    """
    return re.split(r"^X:", text.replace("\r\n", "\n"), flags=re.MULTILINE)[1:]


def parse_key(text: str) -> tuple[Key, int, bool]:
    """Return key, sharps of the signature, and whether a key is named, of a field K.

    Raises
    ------
    ScoreError
        It names no key.
    """
    match = re.match(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)", text)
    if match is None:
        if text.strip().lower() in ("", "none", "hp"):
            return Key(0), 0, False
        raise ScoreError(f"K:{text}: it names no key")
    tonic = (TONICS[match[1]] + {"#": 1, "b": -1, "": 0}[match[2]]) % 12
    word = match[3].lower()
    mode = "m" if word == "m" else word[:3] if word[:3] in MODES else "maj"
    major = (tonic + MODES[mode]) % 12
    fifths = Key(major).fifths
    if match[2] == "#" and fifths < 0:
        fifths += 12
    return Key(tonic, "minor" if mode in MINOR else "major"), fifths, True


def read_abc(text: str, name: str = "ABC", *, repeats: bool = True) -> list[SymbolicScore]:
    """Return the scores of all tunes in a text.

    Parameters
    ----------
    text : str
    name : str
        What messages call it.
    repeats : bool
        Whether repeated parts stand twice, as they are played.

    Raises
    ------
    ScoreError
        There is no tune, a tune has no notes, or something cannot be read; the message names the
        tune and the place.
    """
    tunes = split_tunes(text)
    if not tunes:
        raise ScoreError(f"{name}: it has no tune (a line that begins with X:)")
    names = [f"{name}, tune {(tune.splitlines() or ['?'])[0].strip()}" for tune in tunes]
    return [parse_tune(*each, repeats=repeats) for each in zip(tunes, names, strict=True)]


@dataclass
class _Bar:
    """What happens in a bar: (offset, duration, pitch) and how its end and begin are marked."""

    notes: list[list[Fraction | int]] = field(default_factory=list)
    length: Fraction = Fraction(0)
    opens: bool = False
    closes: bool = False
    double: bool = False
    ending: int = 0
    tied: set[int] = field(default_factory=set)


class _Reader:
    """Reads the body of a tune into bars."""

    def __init__(self, name: str) -> None:
        self.name, self.unit = name, Fraction(0)
        self.metre, self.fifths = (4, 4), 0
        self.key: Key | None = None
        self.title = ""
        self.bars = [_Bar()]
        self.altered: dict[str, int] = {}
        self.factor, self.left = Fraction(1), 0
        self.broken = Fraction(1)
        self.chord: Fraction | None = None
        self.last: list[list[Fraction | int]] = []
        self.waiting: set[int] = set()
        self.ties: set[int] = set()

    def header(self, kind: str, value: str) -> None:
        if kind == "T" and not self.title:
            self.title = value
        elif kind == "M":
            common = {"C": (4, 4), "C|": (2, 2)}.get(value)
            match = re.match(r"(\d+)/(\d+)", value)
            if common or (match and self.number(match[1]) and self.number(match[2])):
                self.metre = common or (int(match[1]), int(match[2]))  # type: ignore[index]
        elif kind == "L":
            match = re.match(r"(\d+)(?:/(\d+))?", value)
            if match is None or not self.number(match[1]) or not self.number(match[2] or 1):
                raise ScoreError(f"{self.name}: L:{value} is no length")
            self.unit = Fraction(int(match[1]), int(match[2] or 1)) * 4
        elif kind == "K":
            key, self.fifths, named = parse_key(value)
            if named and self.key is None:
                self.key = key

    def quarter_unit(self) -> Fraction:
        """The unit note length in quarter notes: a sixteenth where the metre is below 3/4."""
        short = Fraction(*self.metre) < Fraction(3, 4)
        return self.unit or (Fraction(1, 4) if short else Fraction(1, 2))

    def number(self, text: str | int) -> int:
        """A number of a length or a metre; music has no use for more than four digits."""
        if len(str(text)) > 4:
            raise ScoreError(f"{self.name}: a length or metre of {str(text)[:20]}")
        return int(text)

    def duration(self, times: str | None, over: str | None) -> Fraction:
        length = Fraction(self.number(times or 1))
        if over:
            digits = over.lstrip("/")
            divisor = self.number(digits) if digits else 2 ** min(len(over), 99)
            if not divisor or divisor > 2**16:
                raise ScoreError(f"{self.name}: a length is divided by {divisor}")
            length /= divisor
        return length * self.quarter_unit()

    def pitch(self, accidental: str | None, letter: str, octave: str) -> int:
        name = letter.upper()
        place = 60 + TONICS[name] + (12 if letter.islower() else 0)
        place += 12 * (octave.count("'") - octave.count(","))
        spot = f"{letter}{octave}"
        if accidental:
            self.altered[spot] = ACCIDENTALS[accidental]
        sharp = name in SHARPS[: max(self.fifths, 0)]
        flat = self.fifths < 0 and name in SHARPS[self.fifths :]
        return place + self.altered.get(spot, int(sharp) - int(flat))

    def advance(self, duration: Fraction, pitches: list[int]) -> None:
        """Put notes (or a rest) of the duration into the bar."""
        bar = self.bars[-1]
        duration = duration * self.broken
        self.broken = Fraction(1)
        if self.left:
            duration *= self.factor
            self.left -= 1
        self.last = []
        for pitch in pitches:
            note: list[Fraction | int] = [bar.length, duration, pitch]
            if pitch in self.waiting:
                bar.tied.add(len(bar.notes))
            bar.notes.append(note)
            self.last.append(note)
        self.waiting = set()
        bar.length += duration

    def dot(self, signs: str) -> None:
        """Broken rhythm: the note before is lengthened or shortened, the next one the other way."""
        short = Fraction(1, 2 ** len(signs))
        before, after = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        for note in self.last:
            change = note[1] * before - note[1]
            note[1] += change
        if self.last:
            self.bars[-1].length += change
        self.broken = after

    def bar(self, signs: str, ending: str | None) -> None:
        bar = self.bars[-1]
        self.altered = {}
        closes = signs.startswith(":") or signs == "::"
        opens = signs.endswith(":") and signs != ":"
        number = int(ending.strip(" [")) if ending else 0
        if bar.notes or bar.length:
            bar.closes |= closes
            bar.double |= signs in ("||", "|]")
            self.bars.append(_Bar(opens=opens, ending=number))
        else:
            if closes and len(self.bars) > 1:
                self.bars[-2].closes = True
            bar.opens |= opens
            bar.ending = number or bar.ending


def parse_tune(text: str, name: str = "the tune", *, repeats: bool = True) -> SymbolicScore:
    """Return the score of one tune, with or without its repeats; see :func:`read_abc`."""
    reader = _Reader(name)
    in_body = False
    for line in text.splitlines()[1:]:
        line = line.split("%")[0].rstrip()
        match = re.match(r"([A-Za-z]):(?![|:])(.*)", line)
        if match:
            reader.header(match[1], match[2].strip())
            in_body |= match[1] == "K"
        elif in_body and line.strip():
            _read_line(reader, line)
    notes, upbeat = _played(reader, repeats)
    if not notes:
        raise ScoreError(f"{name}: it has no notes")
    made = np.array(notes, SCORE_NOTE)
    return SymbolicScore(
        made, reader.key, reader.metre, upbeat, reader.title, ("Melody",), reader.key is not None
    )


def _read_line(reader: _Reader, line: str) -> None:
    line = PASSED_OVER.sub("", line)
    place = 0
    inside: list[int] | None = None
    length = Fraction(0)
    while place < len(line):
        match = TOKEN.match(line, place)
        if match is None:
            raise ScoreError(f"{reader.name}: {line[place : place + 10]!r} cannot be read")
        place = match.end()
        if match["field"]:
            reader.header(match["field"][1], match["field"][3:-1].strip())
        elif match["tuplet"]:
            _tuplet(reader, match)
        elif match["chord"]:
            inside, length = [], Fraction(0)
        elif match["chord_end"]:
            if inside:
                factor = reader.duration(match["chord_times"], match["chord_over"])
                reader.advance(length * factor / reader.quarter_unit(), inside)
            inside = None
        elif match["note"]:
            pitch = reader.pitch(match["accidental"], match["note"], match["octave"])
            duration = reader.duration(match["times"], match["over"])
            if inside is None:
                reader.advance(duration, [pitch])
            else:
                length = length or duration
                inside.append(pitch)
        elif match["rest"]:
            if match["rest"] != "y":
                reader.advance(reader.duration(match["rest_times"], match["rest_over"]), [])
        elif match["bar"] or match["bare_ending"]:
            reader.bar(match["bar"] or "", match["ending"] or match["bare_ending"])
        elif match["tie"]:
            reader.waiting = {int(note[2]) for note in reader.last}
        elif match["broken"]:
            reader.dot(match["broken"])


def _tuplet(reader: _Reader, match: re.Match[str]) -> None:
    count = int(match["p"])
    inside = reader.number(match["q"] or 0) or TUPLETS[count]
    if not match["q"] and count in (5, 7, 9) and reader.metre[0] % 3 == 0:
        inside = 3
    reader.factor, reader.left = Fraction(inside, count), reader.number(match["r"] or count)


def _played(reader: _Reader, repeats: bool) -> tuple[list[tuple[float, float, int, int]], float]:
    """The notes in the order in which they are played, and the length of the upbeat."""
    bars = [bar for bar in reader.bars if bar.length]
    notes: list[tuple[float, float, int, int]] = []
    now = Fraction(0)
    sounding: dict[int, int] = {}
    order = _order(bars) if repeats else range(len(bars))
    for bar in (bars[number] for number in order):
        for number, (offset, duration, pitch) in enumerate(bar.notes):
            start, pitch = now + offset, int(pitch)
            before = sounding.get(pitch)
            if number in bar.tied and before is not None:
                begins, lasts, *rest = notes[before]
                notes[before] = (begins, lasts + float(duration), *rest)  # type: ignore[assignment]
            else:
                sounding[pitch] = len(notes)
                notes.append((float(start), float(duration), pitch, 0))
        now += bar.length
    full = Fraction(4 * reader.metre[0], reader.metre[1])
    upbeat = float(bars[0].length) if bars and bars[0].length < full else 0.0
    return notes, upbeat


def _order(bars: list[_Bar]) -> list[int]:
    """Numbers of the bars as they are played, with repeats and their endings."""
    order: list[int] = []
    begin = place = 0
    again = second = False  # the repeat is being played; within a second ending
    while place < len(bars):
        bar = bars[place]
        if bar.opens and place != begin:
            begin, again, second = place, False, False
        if bar.ending == 1 and again:
            behind = [n for n in range(place, len(bars)) if bars[n].ending == 2]
            if behind:
                place = behind[0]
                continue
        second |= bar.ending == 2
        order.append(place)
        if bar.closes and not (again or second):
            place, again = begin, True
            continue
        if bar.closes or (second and bar.double):
            begin, again, second = place + 1, False, False
        place += 1
    return order
