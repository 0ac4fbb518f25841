"""Retrieval by binary codes: features of tracks, encoders, and indexes by Hamming distance."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.io.append_store import StoreError
    from ictus.music.retrieval.hamming_index import HammingIndex
    from ictus.music.retrieval.music_index import MusicIndex
    from ictus.music.retrieval.sharded_index import ShardedIndex, split
    from ictus.music.retrieval.track_encoder import train_encoder
    from ictus.music.retrieval.track_features import TrackFeatures

# Where each name lives; modules are loaded when a name is first used.
_LAZY = {
    "HammingIndex": "ictus.music.retrieval.hamming_index",
    "MusicIndex": "ictus.music.retrieval.music_index",
    "ShardedIndex": "ictus.music.retrieval.sharded_index",
    "StoreError": "ictus.io.append_store",
    "TrackFeatures": "ictus.music.retrieval.track_features",
    "split": "ictus.music.retrieval.sharded_index",
    "train_encoder": "ictus.music.retrieval.track_encoder",
}

__all__ = [
    "HammingIndex",
    "MusicIndex",
    "ShardedIndex",
    "StoreError",
    "TrackFeatures",
    "split",
    "train_encoder",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus.music.retrieval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
