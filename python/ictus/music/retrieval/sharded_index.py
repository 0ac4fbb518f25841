"""One search in many indexes, which joblib spreads over processes or a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.io.append_store import StoreError
from ictus.kernels import Nearest, Within
from ictus.music.retrieval.hamming_index import HammingIndex
from ictus.music.retrieval.merging import merge_nearest, merge_within

Array = npt.NDArray[Any]
Path_ = str | os.PathLike[str]
State = tuple[str, int, int]  # folder, codes, removed


class ShardedIndex:
    """The indexes of several folders as one; the answers are those of one index with all codes.

    A code's number is its number in its own index, plus the codes of all indexes before it. Each
    index is searched by a task of joblib, so it runs where joblib's backend says::

        with joblib.parallel_config("dask"):  # after client = dask.distributed.Client(...)
            found = ShardedIndex(folders).nearest(queries, 10)

    A worker opens an index once and keeps it, with its tables. All workers must see the folders
    under the same paths.

    Parameters
    ----------
    folders : sequence of str or path
    search : {"auto", "scan", "tables"}
        As of :class:`HammingIndex`.
    jobs : int, optional
        Tasks at once; by default as joblib is configured.

    Attributes
    ----------
    bits : int

    Raises
    ------
    ValueError
        No folders, or indexes of different code lengths.
    FileNotFoundError, StoreError
        As :meth:`HammingIndex.open`.
    """

    def __init__(
        self, folders: Sequence[Path_], *, search: str = "auto", jobs: int | None = None
    ) -> None:
        self.search = search
        self.jobs = jobs
        self._states: list[State] = []
        self.bits = 0
        for folder in folders:
            with HammingIndex.open(folder) as index:
                if self._states and index.bits != self.bits:
                    raise ValueError(
                        f"{folder}: codes of {index.bits} bits, those of {folders[0]} have "
                        f"{self.bits}"
                    )
                self.bits = index.bits
                path = str(Path(folder).resolve())
                self._states.append((path, index.count, index.removed_count))
        if not self._states:
            raise ValueError("folders must not be empty")
        counts = [count for _, count, _ in self._states]
        self._first = np.concatenate([[0], np.cumsum(counts)]).tolist()

    def __len__(self) -> int:
        return sum(count - removed for _, count, removed in self._states)

    @property
    def count(self) -> int:
        """All codes that were ever added."""
        return int(self._first[-1])

    def nearest(self, queries: Array, k: int = 10, *, radius: int | None = None) -> Nearest:
        """Find the k nearest codes of each query; as :meth:`HammingIndex.nearest`."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        parts = self._everywhere(_nearest, queries, k, radius)
        return merge_nearest(parts, min(k, len(self)))

    def within(self, queries: Array, radius: int) -> Within:
        """Find all codes within a distance of each query; as :meth:`HammingIndex.within`."""
        return merge_within(self._everywhere(_within, queries, radius))

    def _everywhere(self, task: Any, *arguments: Any) -> list[Any]:
        from joblib import Parallel, delayed

        return list(
            Parallel(n_jobs=self.jobs)(
                delayed(task)(state, self.search, first, *arguments)
                for state, first in zip(self._states, self._first, strict=False)
            )
        )

    def names(self, numbers: npt.ArrayLike) -> list[str]:
        """Return the names of codes."""
        wanted = np.atleast_1d(np.asarray(numbers, np.int64))
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < self.count):
            raise ValueError(
                f"numbers must be in 0 .. {self.count - 1}, got {wanted.min()} .. {wanted.max()}"
            )
        shards = np.searchsorted(self._first, wanted, side="right") - 1
        return [
            _opened(self._states[shard], self.search).names(number - self._first[shard])[0]
            for shard, number in zip(shards.tolist(), wanted.tolist(), strict=True)
        ]


def split(index: HammingIndex, folder: Path_, shards: int) -> list[Path]:
    """Copy an index into `shards` indexes of nearly equal size; return their folders, in order.

    Together, as :class:`ShardedIndex`, they have the same codes with the same numbers.

    Parameters
    ----------
    index : HammingIndex
    folder : str or path
        Gets a folder for each shard.
    shards : int
        At least 1.
    """
    if shards < 1:
        raise ValueError(f"shards must be at least 1, got {shards}")
    width = len(str(shards - 1))
    paths = []
    gone = index.removed()
    for shard in range(shards):
        begin, end = (index.count * s // shards for s in (shard, shard + 1))
        numbers = np.arange(begin, end)
        path = Path(folder) / f"{shard:0{width}d}"
        with HammingIndex.create(
            path, index.bits, features=index.features, settings=index.settings
        ) as part:
            part.add(
                index.codes[begin:end],
                index.names(numbers) if begin < index.named else None,
                index.feature_rows(numbers) if index.features else None,
            )
            here = gone[(gone >= begin) & (gone < end)] - begin
            if len(here):
                part.remove(here)
        paths.append(path)
    return paths


@lru_cache(maxsize=64)
def _opened(state: State, search: str) -> HammingIndex:
    folder, count, removed = state
    index = HammingIndex.open(folder, search=search)
    if (index.count, index.removed_count) != (count, removed):
        raise StoreError(f"{folder}: changed since the sharded index was made; make it anew")
    return index


def _nearest(
    state: State, search: str, first: int, queries: Array, k: int, radius: int | None
) -> Nearest:
    found = _opened(state, search).nearest(queries, k, radius=radius)
    return Nearest(found.distances, np.where(found.numbers >= 0, found.numbers + first, -1))


def _within(state: State, search: str, first: int, queries: Array, radius: int) -> Within:
    found = _opened(state, search).within(queries, radius)
    return Within(found.offsets, found.distances, found.numbers + first)
