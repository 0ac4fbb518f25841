"""A folder of recordings with annotations beside them, and its division into folds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events, read_annotation

Array = NDArray[Any]

#: Endings of audio files that are looked for.
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".w64", ".opus")
#: Endings of annotations, the first that exists is read.
ANNOTATION_ENDINGS = {
    "beats": (".beats", ".beats.txt", ".jams", ".txt", ".csv", ".json", ".mid"),
    "onsets": (".onsets", ".onsets.txt", ".jams", ".txt", ".csv", ".json", ".mid"),
    "segments": (".segments", ".segments.txt", ".lab", ".jams", ".txt", ".csv", ".json"),
}


@dataclass(frozen=True)
class Example:
    """A recording and its annotation.

    Attributes
    ----------
    audio, annotation : Path
    events : Events
        What the annotation says.
    """

    audio: Path
    annotation: Path
    events: Events

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.audio.stem


def find_examples(
    folder: str | os.PathLike[str],
    kind: str = "beats",
    *,
    annotations: str | os.PathLike[str] | None = None,
) -> list[Example]:
    """Return the recordings below a folder that have an annotation, sorted by path.

    Parameters
    ----------
    folder : path
        Searched with all folders in it.
    kind : {"beats", "onsets", "segments"}
        Annotations are files with the name of the recording and an ending of
        :data:`ANNOTATION_ENDINGS`.
    annotations : path, optional
        Folder of the annotations, where they do not lie beside the recordings.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    ValueError
        No recording in it has an annotation.
    AnnotationError
        An annotation is damaged.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{folder} must be a folder of recordings and annotations")
    if kind not in ANNOTATION_ENDINGS:
        raise ValueError(f"kind must be one of {', '.join(ANNOTATION_ENDINGS)}, got {kind!r}")
    examples, lonely = [], 0
    for audio in sorted(place.rglob("*")):
        if audio.suffix.lower() not in AUDIO_ENDINGS or not audio.is_file():
            continue
        beside = audio.parent if annotations is None else Path(annotations)
        candidates = [beside / (audio.stem + ending) for ending in ANNOTATION_ENDINGS[kind]]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            lonely += 1
            continue
        examples.append(Example(audio, found, read_annotation(found, kind=kind)))
    if not examples:
        raise ValueError(
            f"{folder} has {lonely} recordings, none with an annotation beside it "
            f"({', '.join('NAME' + ending for ending in ANNOTATION_ENDINGS[kind])})"
        )
    return examples


def folds(count: int, parts: int, seed: int = 0) -> list[tuple[Array, Array]]:
    """Return, for each of `parts` folds, the numbers of the training and of the test examples.

    Parameters
    ----------
    count : int
        Of examples.
    parts : int
    seed : int
        Of their order.

    Raises
    ------
    ValueError
        `parts` is not between 2 and `count`.
    """
    if not 2 <= parts <= count:
        raise ValueError(f"folds must be between 2 and the {count} examples, got {parts}")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    pieces = np.array_split(order, parts)
    return [
        (np.sort(np.concatenate(pieces[:i] + pieces[i + 1 :])), np.sort(pieces[i]))
        for i in range(parts)
    ]
