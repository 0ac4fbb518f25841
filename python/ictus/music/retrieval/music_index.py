"""Recordings found by what they sound like: full features, an encoder, and an index of codes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ictus.io.append_store import StoreError
from ictus.kernels import Nearest
from ictus.models import Autoencoder
from ictus.music.retrieval.hamming_index import HammingIndex
from ictus.music.retrieval.track_encoder import train_encoder
from ictus.music.retrieval.track_features import TrackFeatures

Array = npt.NDArray[Any]
Path_ = str | os.PathLike[str]

ENCODER = "encoder.ictus"  # beside the columns of the index
EXCERPT_SECONDS, MOST_EXCERPTS = 10.0, 8  # of a recording, for the training of the encoder


class MusicIndex:
    """An index of recordings, or of rows of features, in a folder; with the encoder it was made by.

    Made by :meth:`build` or :meth:`open`.

    Attributes
    ----------
    index : HammingIndex
    encoder : ictus.Autoencoder
        Full features to codes.
    features : TrackFeatures or None
        Recordings to full features; None where the index has rows of features of another origin.
    """

    def __init__(self, folder: Path_, index: HammingIndex) -> None:
        from ictus.io.model_file import load

        path = Path(folder) / ENCODER
        if not path.is_file():
            index.close()
            raise StoreError(f"{path}: the encoder is missing; build the index anew")
        self.index = index
        self.encoder: Autoencoder = load(path)
        kind = index.settings.get("features")
        self.features = TrackFeatures(**kind) if isinstance(kind, dict) else None
        width, bits = self.encoder.n_features_in_, self.encoder.hidden_units[-1]
        if (width, bits) != (index.features, index.bits):
            index.close()
            raise StoreError(
                f"{path}: {bits} bits of {width} features, but the index has {index.bits} bits of "
                f"{index.features}"
            )

    @classmethod
    def open(cls, folder: Path_, *, writable: bool = False, verify: bool = False) -> Self:
        """Open an index; as :meth:`HammingIndex.open`.

        Raises
        ------
        StoreError
            Also: the encoder is missing or another.
        """
        return cls(folder, HammingIndex.open(folder, writable=writable, verify=verify))

    @classmethod
    def create(
        cls,
        folder: Path_,
        encoder: Autoencoder,
        *,
        features: TrackFeatures | None,
    ) -> Self:
        """Make an empty index with an encoder, open for adding."""
        from ictus.io.model_file import save

        kind = None
        if features is not None:
            kind = {
                "coefficients": features.coefficients,
                "bands": features.bands,
                "sample_rate": features.sample_rate,
            }
        index = HammingIndex.create(
            folder,
            int(encoder.hidden_units[-1]),
            features=int(encoder.n_features_in_),
            settings={"features": kind},
        )
        save(Path(folder) / ENCODER, encoder)
        return cls(folder, index)

    def close(self) -> None:
        """Let another process add."""
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, names: Sequence[str], rows: Array) -> npt.NDArray[np.int64]:
        """Add full features; when this returns they are on the disk.

        Parameters
        ----------
        names : sequence of str
        rows : array, shape (n, width)

        Returns
        -------
        array of int64, shape (n,)
            The numbers of the rows in the index.
        """
        x = self._rows(rows)
        return self.index.add(self.encoder.encode_bits(x), names, x)

    def nearest(
        self, rows: Array, k: int = 10, *, rerank: bool = False, candidates: int | None = None
    ) -> Nearest:
        """Find the k nearest to full features by code, or with `rerank` by full features then.

        Full features are compared in units of their deviation over the training examples.
        """
        x = self._rows(rows)
        codes = self.encoder.encode_bits(x)
        if not rerank:
            return self.index.nearest(codes, k)
        scale = 1 / np.where(self.encoder.deviation_ > 0, self.encoder.deviation_, 1)
        return self.index.nearest(
            codes, k, query_features=x, candidates=candidates, feature_scale=scale
        )

    def _rows(self, rows: Array) -> Array:
        x = np.asarray(rows, np.float32)
        if x.ndim != 2 or x.shape[1] != self.index.features:
            raise ValueError(
                f"features must have shape (n, {self.index.features}) as those of the index, got "
                f"{x.shape}"
            )
        return x


def training_rows(path: Path_, features: TrackFeatures) -> tuple[Array, Array]:
    """Return the features of a recording, shape (width,), and of some excerpts, (n, width)."""
    from ictus.io.audio import audio_blocks

    frames = features.frames(audio_blocks(path, features.sample_rate))
    step = max(EXCERPT_SECONDS / 2, len(frames) / features.fps / MOST_EXCERPTS)
    return features.summarize(frames), features.excerpts(frames, EXCERPT_SECONDS, step)


def build(
    folder: Path_,
    names: Sequence[str],
    rows: Array,
    bits: int,
    *,
    features: TrackFeatures | None = None,
    examples: Array | None = None,
    **options: Any,
) -> MusicIndex:
    """Train an encoder on full features, and make an index of them.

    Parameters
    ----------
    folder : str or path
        New or empty.
    names, rows
        As of :meth:`MusicIndex.add`.
    bits : int
        Length of the codes.
    features : TrackFeatures, optional
        What the rows are, where they are of recordings.
    examples : array, shape (n, width), optional
        What the encoder is trained on; by default the rows.
    options
        Of :func:`train_encoder`.
    """
    encoder = train_encoder(rows if examples is None else examples, bits, **options)
    index = MusicIndex.create(folder, encoder, features=features)
    index.add(names, rows)
    return index


def audio_files(paths: Sequence[Path_]) -> Iterator[str]:
    """Yield the files among the paths, and all audio files in the folders among them, sorted.

    Raises
    ------
    FileNotFoundError
        A path that does not exist.
    ValueError
        A folder without audio files.
    """
    from ictus.music.training.folder import AUDIO_ENDINGS

    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        if not path.is_dir():
            yield str(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_ENDINGS)
        if not inside:
            raise ValueError(f"{path}: the folder has no audio files ({', '.join(AUDIO_ENDINGS)})")
        yield from map(str, inside)
