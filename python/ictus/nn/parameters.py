"""How layers are chained, and how their parameters lie in one flat vector: layer after layer.

A layer that is tied to one below has no copy of its weights: the view of them follows its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ictus.nn.layer import Array, Layer, Shape


def connect(layers: Sequence[Layer], shape: Shape) -> Shape:
    """Tell each layer the shape of its input, and what lies below it; return the output's."""
    for number, layer in enumerate(layers):
        layer.look_below(layers[:number])
        shape = layer.connect_shape(shape)
    return shape


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
    for number, layer in enumerate(layers):
        if layer.tied_to is not None:
            views[number].append(views[layer.tied_to][0])
    return views


def weight_views(layers: Sequence[Layer], views: Sequence[Sequence[Array]]) -> list[Array]:
    """Return the weights among views of the parameters, each once, as matrices (inputs, units)."""
    return [
        view.reshape(-1, view.shape[-1])
        for layer, own in zip(layers, views, strict=True)
        for view in own[: len(layer.parameter_shapes)]
        if view.ndim > 1
    ]


def shared_below(layers: Sequence[Layer]) -> frozenset[int]:
    """Return the layers whose weights have a gradient already when the backward pass is there.

    They are tied to a layer above, or another layer above is tied to the same one.
    """
    tied = [layer.tied_to for layer in layers]
    shared = {owner for owner in tied if owner is not None}
    for number, owner in enumerate(tied):
        if owner is not None and owner in tied[number + 1 :]:
            shared.add(number)
    return frozenset(shared)


def weight_segments(layers: Sequence[Layer]) -> Array:
    """Return begin and end of each weight matrix, not of biases, int64, shape (n, 2)."""
    segments = [(begin, end) for _, shape, begin, end in _places(layers) if len(shape) > 1]
    return np.array(segments, np.int64).reshape(-1, 2)


def state_count(layers: Sequence[Layer]) -> int:
    """Return how many numbers the connected layers keep from batch to batch."""
    return sum(math.prod(shape) for layer in layers for shape in layer.state_shapes)


def state_views(layers: Sequence[Layer], flat: Array) -> list[list[Array]]:
    """Return, for each layer, views of a flat vector in the shapes of its state."""
    views: list[list[Array]] = []
    begin = 0
    for layer in layers:
        views.append([])
        for shape in layer.state_shapes:
            end = begin + math.prod(shape)
            views[-1].append(flat[begin:end].reshape(shape))
            begin = end
    return views
