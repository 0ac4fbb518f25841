"""What each beat model is fed with, and how its outputs become beats."""

from __future__ import annotations

import os
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.io.audio import audio_blocks
from ictus.music import time_stretch
from ictus.music.decoding import decode_beats, decode_downbeats
from ictus.music.features import (
    Features,
    beat_features,
    difference_frames,
    downbeat_features,
    live_beat_features,
)
from ictus.music.online import OnlineBeatDecoder
from ictus.music.training.cache import AS_IT_IS, FeatureCache
from ictus.music.training.changes import Change
from ictus.music.training.segments import FeatureAugmentation

Array = NDArray[Any]

FEATURES = {
    "beats": beat_features,
    "online": live_beat_features,
    "downbeats": downbeat_features,
}


@lru_cache(maxsize=4)
def features_of(model: str) -> Features:
    """Return the features of a beat model."""
    return FEATURES[model]()


def frame_rate(model: str) -> float:
    """Return the frames a second of a model's features."""
    return features_of(model).fps


def extract(path: str, change: Change = AS_IT_IS, *, model: str) -> Array:
    """Return the features of a recording, played at a tempo and pitch.

    Errors and warnings as of :class:`ictus.io.audio.AudioFile`.
    """
    features = features_of(model)
    if change == AS_IT_IS:
        return np.concatenate(list(features.blocks(audio_blocks(path, features.sample_rate))))
    signal = np.concatenate(list(audio_blocks(path, features.sample_rate)))
    played = time_stretch.change(
        signal, features.sample_rate, tempo=change.tempo, pitch=change.pitch
    )
    return features(played)


def feature_cache(
    folder: str | os.PathLike[str], model: str, *, jobs: int = 1, comm: Any = None
) -> FeatureCache:
    """Return the cache of a model's features in a folder; see :class:`FeatureCache`."""
    features = features_of(model)
    shape = "-".join(str(r.window_size) for r in features.resolutions)
    name = f"{model} {features.width} {shape} {features.fps} {features.reach}"
    return FeatureCache(folder, partial(extract, model=model), name, jobs=jobs, comm=comm)


def augmentation(model: str, *, noise: float = 0.0) -> FeatureAugmentation:
    """Return the changes of loudness, timbre and noise that fit a model's features."""
    features = features_of(model)
    ratio = features.difference_ratio
    assert ratio is not None
    bands = tuple(r.filterbank.bands for r in features.resolutions)
    lags = tuple(
        difference_frames(r.window_size, ratio, features.hop) for r in features.resolutions
    )
    return FeatureAugmentation(bands, lags, noise=noise)


def decode(activations: Array, model: str, **options: Any) -> Events:
    """Return the beats of a network's outputs, shape (frames, outputs).

    Parameters
    ----------
    activations : array
        Outputs of a network of :class:`ictus.music.training.BeatTraining`.
    model : {"beats", "online", "downbeats"}
    options
        Of :func:`ictus.music.decode_beats`, :class:`ictus.music.OnlineBeatDecoder` or
        :func:`ictus.music.decode_downbeats`.
    """
    if model == "downbeats":
        beats = decode_downbeats(activations[:, 1:], **options)
        return Events(beats[:, 0], [str(int(number)) for number in beats[:, 1]])
    if model == "online":
        return Events(OnlineBeatDecoder(**options).push(activations[:, 0]))
    return Events(decode_beats(activations[:, 0], **options))
