"""Results from parts of a collection as one result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictus.kernels import Nearest, Within


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
