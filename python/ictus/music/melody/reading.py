"""Score files of all formats: MusicXML, kern and MEI by partitura, MIDI and ABC by readers of ours.

Partitura (Cancino-Chacon et al., MEC 2022; ``pip install 'ictus[music]'``) is loaded when a file
needs it.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import AnnotationError
from ictus.io.midi_file import read_midi
from ictus.music.melody.abc_notation import read_abc
from ictus.music.melody.score import SCORE_NOTE, Key, Melody, ScoreError, SymbolicScore

Array = NDArray[Any]

PARTITURA_FORMATS = (".musicxml", ".xml", ".mxl", ".krn", ".kern", ".mei")
MIDI_FORMATS = (".mid", ".midi")
ABC_FORMATS = (".abc",)
FORMATS = (*PARTITURA_FORMATS, *MIDI_FORMATS, *ABC_FORMATS)
PERCUSSION = 9


def partitura() -> Any:
    """Return the package partitura.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import partitura
    except ImportError as error:
        raise ImportError(
            "MusicXML, kern and MEI need partitura: pip install 'ictus[music]'"
        ) from error
    return partitura


def read_scores(path: str | os.PathLike[str]) -> list[SymbolicScore]:
    """Return the scores in a file: one, but each tune of a file in ABC notation.

    Parameters
    ----------
    path : path
        MIDI, MusicXML, kern, MEI or ABC, by its ending.

    Raises
    ------
    ScoreError
        The ending names no known format, the file is damaged, or a score has no notes.
    OSError
        It cannot be read.
    ImportError
        Its format needs partitura, which is not there.
    """
    place = Path(path)
    ending = place.suffix.lower()
    if ending not in FORMATS:
        raise ScoreError(f"{place}: the ending must be one of {', '.join(FORMATS)}")
    data = place.read_bytes()
    if ending in ABC_FORMATS:
        try:
            return read_abc(data.decode("utf-8-sig"), os.fspath(place))
        except UnicodeDecodeError:
            return read_abc(data.decode("latin-1"), os.fspath(place))
    score = _from_midi(place) if ending in MIDI_FORMATS else _from_partitura(place)
    if not len(score.notes):
        raise ScoreError(f"{place}: it has no notes")
    return [score]


def read_score(path: str | os.PathLike[str]) -> SymbolicScore:
    """Return the score in a file, of several the first; see :func:`read_scores`.

    Parameters
    ----------
    path : path
    """
    return read_scores(path)[0]


def read_melody(path: str | os.PathLike[str], voice: int | None = None) -> Melody:
    """Return the melody in a file.

    Parameters
    ----------
    path : path
    voice : int, optional
        Which voice (0 is the highest); where not given, the score must be one melody.

    Raises
    ------
    ScoreError
        As of :func:`read_scores`, and where notes sound together; the message says where.
    """
    score = read_score(path)
    if voice is not None and not 0 <= voice < len(score.voices):
        raise ScoreError(f"{os.fspath(path)}: voice must be below {len(score.voices)}, got {voice}")
    try:
        return score.melody(voice)
    except ScoreError as error:
        raise ScoreError(f"{os.fspath(path)}: {error}") from None


def read_melodies(path: str | os.PathLike[str], voice: int | None = None) -> list[Melody]:
    """Return the melodies of all scores in a file, those that are not one melody left out.

    Raises
    ------
    ScoreError
        As of :func:`read_scores`, and where no score is one melody.
    """
    found = []
    refused: ScoreError | None = None
    for score in read_scores(path):
        try:
            found.append(score.melody(voice))
        except ScoreError as error:
            refused = error
    if not found:
        raise ScoreError(f"{os.fspath(path)}: {refused}")
    return found


# --- MIDI ----------------------------------------------------------------------------------------


def _from_midi(path: Path) -> SymbolicScore:
    try:
        midi = read_midi(path)
    except AnnotationError as error:
        raise ScoreError(str(error)) from None
    notes = midi.notes[midi.notes["channel"] != PERCUSSION]
    made = np.zeros(len(notes), SCORE_NOTE)
    for name in ("start", "duration", "pitch"):
        made[name] = notes[name]
    tracks = np.unique(notes["track"] * 16 + notes["channel"])
    made["voice"] = np.searchsorted(tracks, notes["track"] * 16 + notes["channel"])
    made = made[made["duration"] > 0]
    names = _by_height(made, [f"Voice {n + 1}" for n in range(len(tracks))])
    key = Key.from_fifths(*midi.keys[0][1:]) if midi.keys else None
    metre = midi.metres[0]
    upbeat = 0.0
    if len(midi.metres) > 1 and midi.metres[1][0] < 4 * metre[1] / metre[2] + 1e-6:
        metre = midi.metres[1]
        upbeat = metre[0]
    return SymbolicScore(made, key, (metre[1], metre[2]), upbeat, path.stem, names, bool(midi.keys))


def _by_height(notes: Array, names: list[str]) -> tuple[str, ...]:
    """Number the voices from the highest mean pitch down; return the names in that order."""
    count = len(names)
    mean = [
        notes["pitch"][notes["voice"] == n].mean() if (notes["voice"] == n).any() else -1.0
        for n in range(count)
    ]
    order = np.argsort(-np.array(mean), kind="stable") if count else np.zeros(0, int)
    place = np.empty(count, int)
    place[order] = np.arange(count)
    notes["voice"] = place[notes["voice"]] if count else 0
    return tuple(names[n] for n in order)


# --- partitura -----------------------------------------------------------------------------------


def _from_partitura(path: Path) -> SymbolicScore:
    package = partitura()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = package.load_score(os.fspath(path), quiet=True)
            parts = list(package.score.iter_parts(read.parts))
            arrays = [_notes_of(part) for part in parts]
    except Exception as error:  # it raises whatever its parsers meet: KeyError, lxml's errors, ...
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ScoreError(f"{path}: it cannot be read as {path.suffix[1:]}: {reason}") from error
    rows: list[Array] = []
    names: list[str] = []
    for number, (part, array) in enumerate(zip(parts, arrays, strict=True)):
        for voice in np.unique(array["voice"]) if len(array) else []:
            own = array[array["voice"] == voice].copy()
            own["voice"] = len(names)
            rows.append(own)
            names.append(part.part_name or f"Voice {number + 1}")
    notes = np.concatenate(rows) if rows else np.zeros(0, SCORE_NOTE)
    begin = min((float(a["start"].min()) for a in rows), default=0.0)
    notes["start"] -= min(begin, 0.0)
    ordered = _by_height(notes, names)
    key, given = _key_of(parts)
    metres = [t for part in parts[:1] for t in part.time_sigs]
    metre = (int(metres[0].beats), int(metres[0].beat_type)) if metres else (4, 4)
    # Partitura counts from the first downbeat, so that an upbeat lies before 0.
    upbeat = max(0.0, -begin)
    return SymbolicScore(notes, key, metre, upbeat, path.stem, ordered, given)


def _notes_of(part: Any) -> Array:
    """The notes of a part, grace notes left out."""
    array = part.note_array()
    array = array[array["duration_quarter"] > 0]
    made = np.zeros(len(array), SCORE_NOTE)
    made["start"], made["duration"] = array["onset_quarter"], array["duration_quarter"]
    made["pitch"], made["voice"] = array["pitch"], array["voice"]
    return made


def _key_of(parts: list[Any]) -> tuple[Key | None, bool]:
    """The first key signature; whether its mode is written."""
    for part in parts:
        for signature in part.key_sigs:
            mode = signature.mode
            return Key.from_fifths(signature.fifths, mode), mode in ("major", "minor")
    return None, False
