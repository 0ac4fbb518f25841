"""Results from parts of a collection, and of parts of the queries, as one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.kernels import Nearest, Within
from ictus.kernels.hamming import Words

#: Words compared in one call of a kernel: tenths of a second, so that Ctrl-C is answered.
AT_ONCE = 2**27
#: Queries that share a passage over the codes, whatever it takes: one alone waits for memory.
FEWEST = 8


def in_groups(
    queries: Words, codes: int, search: Callable[[Words], Nearest | Within]
) -> list[tuple[npt.NDArray[Any], ...]]:
    """What a search finds for one group of queries after the other, each array's parts together."""
    size = max(AT_ONCE // max(codes * queries.shape[1], 1), FEWEST)
    starts = range(0, max(len(queries), 1), size)
    return list(zip(*[search(queries[start : start + size]) for start in starts], strict=True))


def nearest_in_groups(queries: Words, codes: int, search: Callable[[Words], Nearest]) -> Nearest:
    """The results of a search among so many codes, group by group of queries."""
    distances, numbers = in_groups(queries, codes, search)
    return Nearest(np.concatenate(distances), np.concatenate(numbers))


def within_in_groups(queries: Words, codes: int, search: Callable[[Words], Within]) -> Within:
    """The same, of a search within a radius."""
    offsets, distances, numbers = in_groups(queries, codes, search)
    counts = np.concatenate([np.diff(part) for part in offsets])
    every = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Within(every, np.concatenate(distances), np.concatenate(numbers))


def merge_nearest(parts: Sequence[Nearest], k: int) -> Nearest:
    """The k nearest of what the parts found; equal distances in the order of the numbers.

    Parameters
    ----------
    parts : sequence of Nearest
        With numbers of the whole collection; each has all it knows of the k nearest.
    k : int
    """
    if len(parts) == 1:
        return Nearest(parts[0].distances[:, :k], parts[0].numbers[:, :k])
    distances = np.concatenate([part.distances for part in parts], axis=1)
    numbers = np.concatenate([part.numbers for part in parts], axis=1)
    # What is missing has the largest distance, so it comes last.
    order = np.lexsort((numbers, distances), axis=1)[:, :k]
    return Nearest(
        np.take_along_axis(distances, order, axis=1), np.take_along_axis(numbers, order, axis=1)
    )


def merge_within(parts: Sequence[Within]) -> Within:
    """All that the parts found, for each query in the order (distance, number)."""
    if len(parts) == 1:
        return parts[0]
    counts = np.stack([np.diff(part.offsets) for part in parts])
    query = np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    distances = np.concatenate([part.distances for part in parts])
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.lexsort((numbers, distances, query))
    offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
    return Within(offsets, distances[order], numbers[order])
