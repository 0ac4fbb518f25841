"""What each model is fed with, and how its outputs become beats or onsets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.io.audio import audio_blocks
from ictus.music import time_stretch
from ictus.music.boundaries import POOLING
from ictus.music.decoding import decode_beats, decode_downbeats
from ictus.music.features import (
    Features,
    beat_features,
    boundary_features,
    difference_frames,
    downbeat_features,
    live_beat_features,
    max_pool,
)
from ictus.music.online import OnlineBeatDecoder
from ictus.music.onsets import ONSET_MODELS, decode_onsets
from ictus.music.training.augmentation import FeatureAugmentation, LogarithmicAugmentation
from ictus.music.training.cache import AS_IT_IS, FeatureCache
from ictus.music.training.changes import Change

Array = NDArray[Any]


@dataclass(frozen=True)
class ModelMaterial:
    """What a model is fed with, and what its annotations are.

    Attributes
    ----------
    kind : {"beats", "onsets", "segments"}
        Of the annotations; see :func:`ictus.music.training.folder.find_examples`.
    features : callable
        Makes the :class:`ictus.music.features.Features`.
    pool : int
        Of so many frames only the maximum goes on (:func:`ictus.music.features.max_pool`).
    """

    kind: str
    features: Callable[[], Features]
    pool: int = 1


#: The models that can be trained, by name.
MODELS = {
    "beats": ModelMaterial("beats", beat_features),
    "online": ModelMaterial("beats", live_beat_features),
    "downbeats": ModelMaterial("beats", downbeat_features),
    "boundaries": ModelMaterial("segments", boundary_features, POOLING),
    **{name: ModelMaterial("onsets", model.features) for name, model in ONSET_MODELS.items()},
}


@lru_cache(maxsize=4)
def features_of(model: str) -> Features:
    """Return the features of a model, before pooling."""
    return MODELS[model].features()


def frame_rate(model: str) -> float:
    """Return the frames a second that a model sees."""
    return features_of(model).fps / MODELS[model].pool


def extract(path: str, change: Change = AS_IT_IS, *, model: str) -> Array:
    """Return the features of a recording, played at a tempo and pitch.

    Errors and warnings as of :class:`ictus.io.audio.AudioFile`.
    """
    features = features_of(model)
    if change == AS_IT_IS:
        blocks = features.blocks(audio_blocks(path, features.sample_rate))
        return max_pool(np.concatenate(list(blocks)), MODELS[model].pool)
    signal = np.concatenate(list(audio_blocks(path, features.sample_rate)))
    played = time_stretch.change(
        signal, features.sample_rate, tempo=change.tempo, pitch=change.pitch
    )
    return max_pool(features(played), MODELS[model].pool)


def feature_cache(
    folder: str | os.PathLike[str], model: str, *, jobs: int = 1, comm: Any = None
) -> FeatureCache:
    """Return the cache of a model's features in a folder; see :class:`FeatureCache`."""
    features = features_of(model)
    shape = "-".join(str(r.window_size) for r in features.resolutions)
    name = f"{model} {features.width} {shape} {frame_rate(model)} {features.reach}"
    return FeatureCache(folder, partial(extract, model=model), name, jobs=jobs, comm=comm)


def augmentation(model: str, *, noise: float = 0.0) -> Any:
    """Return the changes of loudness, timbre and noise that fit a model's features.

    Of features with increases (recurrent networks) a :class:`FeatureAugmentation`, else a
    :class:`LogarithmicAugmentation`.
    """
    features = features_of(model)
    ratio = features.difference_ratio
    bands = tuple(r.filterbank.bands for r in features.resolutions)
    if ratio is None:
        return LogarithmicAugmentation(len(bands), noise=noise)
    lags = tuple(
        difference_frames(r.window_size, ratio, features.hop) for r in features.resolutions
    )
    return FeatureAugmentation(bands, lags, noise=noise)


def decode(activations: Array, model: str, **options: Any) -> Events:
    """Return the beats or onsets of a network's outputs, shape (frames, outputs).

    Parameters
    ----------
    activations : array
        Outputs of a network that was trained as `model`.
    model : str
        One of :data:`MODELS`.
    options
        Of :func:`ictus.music.decode_beats`, :class:`ictus.music.OnlineBeatDecoder`,
        :func:`ictus.music.decode_downbeats` or :func:`ictus.music.onsets.decode_onsets`.
    """
    if MODELS[model].kind == "onsets":
        return Events(decode_onsets(activations, model, **options))
    if model == "downbeats":
        beats = decode_downbeats(activations[:, 1:], **options)
        return Events(beats[:, 0], [str(int(number)) for number in beats[:, 1]])
    if model == "online":
        return Events(OnlineBeatDecoder(**options).push(activations[:, 0]))
    return Events(decode_beats(activations[:, 0], **options))
