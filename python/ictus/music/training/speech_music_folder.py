"""A user's folder of recordings for speech/music detection, in one of two forms.

Either recordings with annotations of labelled segments beside them, or the folders ``speech`` and
``music`` (and ``other``) of recordings that have one of them only, which are mixed at many levels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ictus.io.annotations import Events
from ictus.io.audio import read_audio
from ictus.music.speech_music import CLASSES, speech_music_features
from ictus.music.training.folder import AUDIO_ENDINGS, find_examples
from ictus.music.training.programmes import Mixing, Sources
from ictus.music.training.speech_music import Annotated, programmes

MIXED_MINUTES = 60
SHARE_HELD_OUT = 0.15


def segment_targets(events: Events, frames: int, fps: float) -> np.ndarray:
    """Return where segments labelled "speech" and "music" are, bool, shape (frames, 2).

    A label may name both ("speech+music", "music and speech"); others count as neither.

    Raises
    ------
    ValueError
        Segments without labels or ends, or none of whose labels is known.
    """
    active = np.zeros((frames, len(CLASSES)), bool)
    if not len(events):
        return active
    if events.labels is None or events.ends is None:
        raise ValueError("segments must have begin, end and label")
    known = False
    rows = zip(events.times, events.ends, events.labels, strict=True)
    for begin, end, label in rows:
        words = set(re.findall(r"[a-z]+", str(label).lower()))
        for i, name in enumerate(CLASSES):
            if name in words:
                known = True
                active[max(0, round(begin * fps)) : max(0, round(end * fps)), i] = True
    if not known:
        raise ValueError(f"labels must be speech or music, got {events.labels[0]!r}")
    return active


def has_classes(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the folders ``speech`` and ``music``.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{folder} must be a folder of recordings")
    return all((place / name).is_dir() for name in CLASSES)


def annotated_recordings(
    folder: str | os.PathLike[str], *, annotations: str | os.PathLike[str] | None = None
) -> dict[str, Annotated]:
    """Return the recordings with annotated segments, by name; see :func:`find_examples`."""
    features = speech_music_features()
    found = {}
    for example in find_examples(folder, "segments", annotations=annotations):
        signal = read_audio(example.audio, features.sample_rate)
        spectrum = features(signal)
        try:
            active = segment_targets(example.events, len(spectrum), features.fps)
        except ValueError as error:
            raise ValueError(f"{example.annotation}: {error}") from None
        found[str(example.audio)] = Annotated(spectrum, active)
    return found


def recordings_by_class(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Return the audio files below the folders ``speech``, ``music`` and ``other``.

    Raises
    ------
    ValueError
        There are none of speech or none of music.
    """
    found = {}
    for name in (*CLASSES, "other"):
        place = Path(folder) / name
        paths = sorted(p for p in place.rglob("*") if p.suffix.lower() in AUDIO_ENDINGS)
        if not paths and name in CLASSES:
            raise ValueError(f"{place} has no recordings ({', '.join(AUDIO_ENDINGS)})")
        found[name] = paths
    return found


def mixed_recordings(
    paths: dict[str, Sequence[Path]],
    *,
    minutes: float = MIXED_MINUTES,
    seed: int = 0,
    mixing: Mixing | None = None,
) -> list[Annotated]:
    """Return programmes mixed from the recordings of each class, a minute each."""
    rate = speech_music_features().sample_rate
    signals = {name: [read_audio(path, rate) for path in each] for name, each in paths.items()}
    kept = {name: [x for x in each if len(x) >= rate // 10] for name, each in signals.items()}
    sources = Sources(kept["speech"], kept["music"], kept.get("other", []), rate)
    return programmes(sources, max(1, round(minutes)), seed, mixing=mixing)


def held_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the recordings that train, and of those that only validate.

    About one in seven validates; one at least where there are four or more, else none.
    """
    order = np.random.Generator(np.random.PCG64([seed, 3])).permutation(count)
    kept = max(1, round(SHARE_HELD_OUT * count)) if count >= 4 else 0
    return np.sort(order[kept:]), np.sort(order[:kept])
