"""Candidates that codes found, in the order of their full features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ictus.kernels import Nearest

if TYPE_CHECKING:
    from ictus.music.retrieval.hamming_index import HammingIndex

METRICS = ("euclidean", "cosine")


def feature_distances(
    query: npt.NDArray[np.floating], rows: npt.NDArray[np.floating], metric: str
) -> npt.NDArray[np.float32]:
    """Distances of one row of features to others: Euclidean, or 1 minus the cosine.

    Raises
    ------
    ValueError
        Another metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if metric == "euclidean":
        result: npt.NDArray[np.float32] = np.linalg.norm(rows - query, axis=1).astype(np.float32)
        return result
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosine = np.divide(rows @ query, norms, out=np.zeros(len(rows), rows.dtype), where=norms > 0)
    result = (1 - cosine).astype(np.float32)
    return result


def rerank(
    index: HammingIndex,
    found: Nearest,
    query_features: Any,
    k: int,
    metric: str,
    scale: Any = None,
) -> Nearest:
    """The k of the found codes whose full features, times scale, are nearest to the queries'.

    Raises
    ------
    ValueError
        The index keeps no features, or the queries' have another shape.
    """
    if not index.features:
        raise ValueError("query_features must be None: the index keeps no features")
    features = np.asarray(query_features, np.float32)
    shape = (len(found.numbers), index.features)
    if features.shape != shape:
        raise ValueError(f"query_features must have shape {shape}, got {features.shape}")
    factor = np.ones(index.features, np.float32) if scale is None else np.asarray(scale, np.float32)
    if factor.shape != shape[1:]:
        raise ValueError(f"feature_scale must have shape {shape[1:]}, got {factor.shape}")
    distances = np.full((len(features), k), np.inf, np.float32)
    numbers = np.full((len(features), k), -1, np.int64)
    for i, row in enumerate(found.numbers):
        known = row[row >= 0]
        d = feature_distances(features[i] * factor, index.feature_rows(known) * factor, metric)
        order = np.lexsort((known, d))[:k]
        distances[i, : len(order)] = d[order]
        numbers[i, : len(order)] = known[order]
    return Nearest(distances, numbers)  # type: ignore[arg-type]
