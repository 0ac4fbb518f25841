"""How the parameters of a chain of layers lie in one flat vector: layer after layer, in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ictus.nn.layer import Array, Layer


def _places(layers: Sequence[Layer]) -> Iterator[tuple[int, tuple[int, ...], int, int]]:
    """Number of the layer, shape, begin and end of each parameter."""
    begin = 0
    for number, layer in enumerate(layers):
        for shape in layer.parameter_shapes:
            end = begin + math.prod(shape)
            yield number, shape, begin, end
            begin = end


def parameter_count(layers: Sequence[Layer]) -> int:
    """Return how many numbers the connected layers have."""
    return sum(end - begin for _, _, begin, end in _places(layers))


def parameter_views(layers: Sequence[Layer], flat: Array) -> list[list[Array]]:
    """Return, for each layer, views of a flat vector in the shapes of its parameters."""
    views: list[list[Array]] = [[] for _ in layers]
    for number, shape, begin, end in _places(layers):
        views[number].append(flat[begin:end].reshape(shape))
    return views


def weight_segments(layers: Sequence[Layer]) -> Array:
    """Return begin and end of each weight matrix, not of biases, int64, shape (n, 2)."""
    segments = [(begin, end) for _, shape, begin, end in _places(layers) if len(shape) > 1]
    return np.array(segments, np.int64).reshape(-1, 2)
