"""Folk tunes in ABC notation: normalised texts from a collection, and a check of their bars."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from fractions import Fraction
from pathlib import Path

from ictus.music.melody import split_tunes

HEADER = re.compile(r"M:(\d+)/(\d+)\nK:([A-G][b#]?m?(?:in|or|ix)?)\n")
#: A note or rest with its duration, a tuplet, or something without a duration.
TOKEN = re.compile(
    r"(?P<tuplet>\([2-9])"
    r"|(?P<note>[_=^]*(?:[A-Ga-g][,']*|z))(?P<times>\d+)?(?P<over>/\d*)?"
    r"|(?P<bar>:\|:|::|\|:|:\||\|\]|\|\||\|)(?P<ending>[12])?"
    r"|(?P<other>-|>)"
)
#: Bars may be short beside these and at both ends: an upbeat, and the bar that makes room for it.
DOUBLE = {"::", "|:", ":|", ":|:", "||", "|]"}
TUPLETS = {2: Fraction(3, 2), 3: Fraction(2, 3), 4: Fraction(3, 4), 6: Fraction(1, 3)}


def read_tunes(archive: Path) -> list[str]:
    """Return the tunes of a collection as texts: metre, key, and the melody in one line.

    Titles, remarks, chord symbols, spaces and line breaks are left away, of several notes at once
    the last is kept. Left out are tunes that change metre, key or unit, those with other signs than
    ours, or with one that fewer than three tunes have, and repeated ones.
    """
    tunes: dict[str, None] = {}
    with tarfile.open(archive) as files:
        for member in sorted(files.getmembers(), key=lambda m: m.name):
            if member.name.endswith(".abc"):
                stream = files.extractfile(member)
                assert stream is not None
                for part in split_tunes(stream.read().decode("utf8", "replace")):
                    text = normalised(part)
                    if text is not None:
                        tunes[text] = None
    uses = Counter(sign for text in tunes for sign in set(text))
    return [text for text in tunes if all(uses[sign] > 2 for sign in text)]


def normalised(part: str) -> str | None:
    """One tune as a text, or None where it does not fit."""
    lines = [line.split("%")[0].strip() for line in part.splitlines()[1:]]
    fields: dict[str, list[str]] = {"M": [], "K": [], "L": []}
    body = ""
    for line in lines:
        if re.match(r"[A-Za-z]:", line):
            fields.setdefault(line[0], []).append(line[2:].strip())
        else:
            body += line.rstrip("\\")
    if any(len(fields[name]) > 1 for name in "MKL") or not (fields["M"] and fields["K"]):
        return None
    metre, key = fields["M"][0], fields["K"][0]
    unit = "1/8" if metre.endswith("/8") else "1/4"
    if fields["L"] != [unit] and not (unit == "1/8" and not fields["L"]):
        return None
    body = re.sub(r'"[^"]*"|\{[^}]*\}|![^!]*!|[\s~]', "", body)
    body = re.sub(r"\[([12])", r"|\1", body).replace("||1", "|1").replace(":|" + "|2", ":|2")
    body = re.sub(r"\[[^\]]*?([_=^]*[A-Ga-gz][,']*[\d/]*)\]", r"\1", body)
    text = f"M:{metre}\nK:{key}\n{body}"
    return text if HEADER.match(text) and signs(body) is not None and len(body) > 40 else None


def signs(body: str) -> list[re.Match[str]] | None:
    """The tokens of a melody, or None where something else is in it."""
    found, place = [], 0
    while place < len(body):
        match = TOKEN.match(body, place)
        if match is None:
            return None
        found.append(match)
        place = match.end()
    return found


def bars(body: str) -> list[tuple[str, Fraction, str]] | None:
    """Of each bar the line before it, its length in units, and the line after it."""
    tokens = signs(body)
    if tokens is None:
        return None
    result, before, length = [], "", Fraction(0)
    factor, left = Fraction(1), 0
    for token in tokens:
        if token["tuplet"]:
            count = int(token["tuplet"][1])
            if count not in TUPLETS or left:
                return None
            factor, left = TUPLETS[count], count
        elif token["note"]:
            over = token["over"]
            divisor = 1 if over is None else 2 if over == "/" else int(over[1:])
            if divisor == 0:
                return None
            length += factor * Fraction(int(token["times"] or 1), divisor)
            left = max(left - 1, 0)
            factor = factor if left else Fraction(1)
        elif token["bar"]:
            if length:
                result.append((before, length, token["bar"]))
            before, length = token["bar"], Fraction(0)
    if length:
        result.append((before, length, ""))
    return result


def check(text: str) -> tuple[bool, float]:
    """Return whether a text is a tune with balanced bars, and the share of bars that are.

    A bar is balanced if its notes fill the metre; beside a double bar, a repeat or an end it may be
    shorter. A tune must have a header, at least four bars, and no other signs.
    """
    header = HEADER.match(text)
    measured = bars(text[header.end() :]) if header else None
    if not header or not measured or int(header[2]) == 0:
        return False, 0.0
    full = Fraction(int(header[1]), int(header[2])) / Fraction(1, 8 if header[2] == "8" else 4)
    ends = (0, len(measured) - 1)
    good = [
        length == full or (length < full and (number in ends or bool({before, after} & DOUBLE)))
        for number, (before, length, after) in enumerate(measured)
    ]
    return all(good) and len(good) >= 4, sum(good) / len(good)
