"""Scores written: MIDI by ictus, MusicXML by partitura."""

from __future__ import annotations

import os
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from ictus.io.midi_file import format_notes
from ictus.music.melody.reading import partitura
from ictus.music.melody.score import GRID, Key, Melody, ScoreError, SymbolicScore
from ictus.train.files import write_atomically

#: Names of the pitch classes of a signature in the order of fifths, from F flat to B sharp.
STEPS = "FCGDAEB"


def spelled(pitch: int, key: Key | None) -> tuple[str, int, int]:
    """Return step, alteration and octave of a MIDI pitch as it is written in a key.

    Of the names of a pitch class the one is taken that lies nearest to the middle of the key's
    scale on the line of fifths (Temperley 2001, chapter 5, without voice leading): for a minor key
    two fifths higher, so that the leading note is a sharp.
    """
    middle = 2 + (0 if key is None else key.fifths + (2 if key.mode == "minor" else 0))
    # On the line of fifths C is 0, G is 1; the pitch class of place p is 7 p mod 12.
    place = 7 * (pitch % 12) % 12
    place += 12 * round((middle - place) / 12)
    step = STEPS[(place + 1) % 7]
    alteration = (place + 1) // 7
    octave = (pitch - alteration) // 12 - 1
    return step, alteration, octave


def write_score(
    path: str | os.PathLike[str], score: SymbolicScore | Melody, **options: Any
) -> None:
    """Write a score as its path's ending says: .mid, .midi, .musicxml or .xml; atomically.

    Parameters
    ----------
    path : path
    score : SymbolicScore or Melody
    options
        ``tempo``, ``program``, ``velocity`` of :func:`ictus.io.midi_file.format_notes`, for MIDI.

    Raises
    ------
    ScoreError
        Another ending, or a score without notes.
    ImportError
        MusicXML without partitura.
    """
    if isinstance(score, Melody):
        score = score.score()
    place = Path(path)
    if not len(score.notes):
        raise ScoreError(f"{place}: there are no notes to write")
    ending = place.suffix.lower()
    if ending in (".mid", ".midi"):
        key = None if score.key is None else (score.key.fifths, score.key.mode)
        voices = [score.voice(n) for n in range(len(score.voices))]
        data = format_notes(
            voices, names=score.voices, metre=score.metre, key=key, upbeat=score.upbeat, **options
        )
    elif ending in (".musicxml", ".xml"):
        data = format_musicxml(score)
    else:
        raise ScoreError(f"{place}: the ending must be .mid, .midi, .musicxml or .xml")
    write_atomically(place, data)


def format_musicxml(score: SymbolicScore) -> bytes:
    """Return a score as MusicXML: a part for each voice, bars, ties, spelling by the key."""
    package = partitura()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        parts = [_part(package.score, score, n) for n in range(len(score.voices))]
        file = Path(folder) / "score.musicxml"
        package.save_musicxml(package.score.Score(parts, title=score.title or None), str(file))
        return file.read_bytes()


def _part(module: Any, score: SymbolicScore, voice: int) -> Any:
    """A part of partitura with the notes of a voice, its bars and ties."""
    part = module.Part(f"P{voice + 1}", score.voices[voice] or "Melody")
    part.set_quarter_duration(0, GRID)
    bar = 4 * score.metre[0] / score.metre[1]
    part.add(module.TimeSignature(*score.metre), 0)
    if score.key is not None:
        part.add(module.KeySignature(score.key.fifths, score.key.mode), 0)
    part.add(module.Clef(1, *_clef(score, voice), 0), 0)
    now = 0
    notes = score.voice(voice)
    end = ticks((score.notes["start"] + score.notes["duration"]).max())
    for number, note in enumerate(notes):
        start, behind = ticks(note["start"]), ticks(note["start"] + note["duration"])
        if start > now:
            part.add(module.Rest(id=f"r{voice}-{number}", voice=1), now, start)
        step, alteration, octave = spelled(int(note["pitch"]), score.key)
        made = module.Note(
            step, octave, alteration or None, id=f"n{voice}-{number}", voice=1, staff=1
        )
        part.add(made, start, max(behind, start + 1))
        now = max(now, behind)
    if end > now:
        part.add(module.Rest(id=f"r{voice}-end", voice=1), now, end)
    begin = ticks(score.upbeat)
    edges = [0, *range(begin or ticks(bar), end, ticks(bar)), end]
    for number, (first, last) in enumerate(pairwise(edges)):
        part.add(module.Measure(number + (0 if begin else 1)), first, last)
    module.tie_notes(part)
    return part


def ticks(quarters: Any) -> int:
    """Return the nearest tick of a position."""
    return round(float(quarters) * GRID)


def _clef(score: SymbolicScore, voice: int) -> tuple[str, int]:
    notes = score.voice(voice)
    low = len(notes) and notes["pitch"].mean() < 58
    return ("F", 4) if low else ("G", 2)
