"""A corpus on disk: audio files with annotation files beside them, by seed, in parallel."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import format_beats, format_sections, format_times
from ictus.music.synthesis.clarity import is_heard
from ictus.music.synthesis.ensembles import compose_for
from ictus.music.synthesis.mix import Recording, render
from ictus.music.synthesis.songs import compose_song
from ictus.train.files import write_atomically

Array = NDArray[Any]

#: Formats of the audio files, as libsndfile names them.
FORMATS = {"flac": ("FLAC", "PCM_16"), "wav": ("WAV", "PCM_16"), "ogg": ("OGG", "VORBIS")}


#: So many pieces of one style are recorded until the beat of one is heard.
TAKES = 8


def make_piece(
    number: int, seed: int, *, songs: bool = False, clear: bool = False, **options: Any
) -> Recording:
    """Return piece `number` of the corpus of this seed.

    Parameters
    ----------
    number, seed : int
        Together they determine the piece; no piece depends on another.
    songs : bool
        Whether it is a song (:func:`ictus.music.synthesis.songs.compose_song`).
    clear : bool
        Whether a piece whose beat is not heard (:func:`ictus.music.synthesis.clarity.is_heard`) is
        replaced by another one of its style.
    options
        Without `songs`, ``ensemble`` (:func:`ictus.music.synthesis.ensembles.compose_for`) and
        ``tempo``; ``seconds``, ``style`` and ``instruments`` of
        :func:`ictus.music.synthesis.composer.compose` or ``compose_song``, the others of
        :func:`ictus.music.synthesis.mix.render`.
    """
    names = ("seconds", "style", "instruments", "tempo")
    composing = {name: options.pop(name) for name in names if name in options}
    ensemble = options.pop("ensemble", "band")
    for take in range(TAKES if clear else 1):
        key = (number, 1 + take) if take else (number,)
        written, played = np.random.SeedSequence(seed, spawn_key=key).spawn(2)
        if songs:
            score = compose_song(written, **composing)
        else:
            score = compose_for(ensemble, written, **composing)
        made = render(score, played, **options)
        if not clear or is_heard(made.audio, made.sample_rate, made.beats[:, 0]):
            break
        composing["style"] = score.style
    return made


def pieces(count: int, seed: int = 0, *, first: int = 0, **options: Any) -> Iterator[Recording]:
    """Yield pieces `first` to ``first + count - 1`` one after another; nothing is written.

    Parameters
    ----------
    count : int
    seed : int
        Same seed, same pieces.
    first : int
        The number of the first.
    **options
        As of :func:`write_corpus`.
    """
    for number in range(first, first + count):
        yield make_piece(number, seed, **options)


def write_piece(folder: str | os.PathLike[str], name: str, piece: Recording, format: str) -> None:
    """Write audio and annotations of a piece; the audio comes last, so it marks a complete piece.

    ``NAME.beats`` has time and number in the bar, ``NAME.onsets`` a time a line, ``NAME.drums``
    time and note of General MIDI's percussion map, ``NAME.segments`` begin, end and label,
    ``NAME.json`` the description.

    Parameters
    ----------
    folder : path
    name : str
        Of the files, without their endings.
    piece : Recording
    format : {"flac", "wav", "ogg"}
        Of the audio.
    """
    import soundfile

    place = Path(folder)
    drums = [str(int(key)) for key in piece.drum_onsets[:, 1]]
    texts = {
        "beats": format_beats(piece.beats),
        "onsets": format_times(piece.onsets),
        "drums": format_times(piece.drum_onsets[:, 0], drums),
        "segments": format_sections(piece.sections),
        "json": json.dumps(piece.description) + "\n",
    }
    for ending, text in texts.items():
        write_atomically(place / f"{name}.{ending}", text.encode())
    kind, subtype = FORMATS[format]
    with io.BytesIO() as file:
        with soundfile.SoundFile(
            file, "w", piece.sample_rate, 1, format=kind, subtype=subtype
        ) as audio:
            for begin in range(0, len(piece.audio), piece.sample_rate):
                audio.write(piece.audio[begin : begin + piece.sample_rate])
        write_atomically(place / f"{name}.{format}", file.getvalue())


def write_corpus(
    folder: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    first: int = 0,
    format: str = "flac",
    jobs: int = 1,
    **options: Any,
) -> list[Path]:
    """Write a corpus to a folder; pieces that are there already are kept.

    Parameters
    ----------
    folder : path
        It is made if it does not exist.
    count : int
        Number of pieces.
    seed : int
        The same seed gives the same corpus, whatever `jobs`.
    first : int
        Number of the first piece: a corpus can grow.
    format : {"flac", "wav", "ogg"}
    jobs : int
        Processes, by joblib; -1: one a processor.
    options
        See :func:`make_piece`.

    Returns
    -------
    list of Path
        The audio files.

    Raises
    ------
    ValueError
        An unknown format, or a count that is not positive.
    """
    from joblib import Parallel, delayed

    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if count < 1:
        raise ValueError(f"count must be positive, got {count!r}")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    names = {number: f"piece{number:05d}" for number in range(first, first + count)}
    missing = [n for n, name in names.items() if not (place / f"{name}.{format}").exists()]
    Parallel(n_jobs=jobs)(
        delayed(_write_one)(str(place), names[number], number, seed, format, options)
        for number in missing
    )
    return [place / f"{name}.{format}" for name in names.values()]


def _write_one(
    folder: str, name: str, number: int, seed: int, format: str, options: dict[str, Any]
) -> None:
    write_piece(folder, name, make_piece(number, seed, **options), format)
