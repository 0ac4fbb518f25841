"""Passes through a part of a chain of layers: codes from inputs, outputs from codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ictus.nn.layer import Array

if TYPE_CHECKING:
    from ictus.nn.network import Network


def part_outputs(
    network: Network, x: Array, first: int, last: int, *, batch_size: int = 1024
) -> Array:
    """Return the outputs of the layer `last` where the layer `first` takes x as its input.

    Parameters
    ----------
    network : Network
    x : array, shape (rows, input size of that layer)
        Of the network's dtype, contiguous rows.
    first, last : int
        Counted from 0 in ``network.layers``; `last` is not below `first`. They take and give
        vectors.
    batch_size : int
        Rows in work at once: bounds the memory.

    Raises
    ------
    ValueError
        Another number of columns than that layer takes.
    """
    size = network.layers[first].input_size
    if x.ndim != 2 or x.shape[1] != size:
        raise ValueError(f"x must have shape (rows, {size}), got {x.shape}")
    out = np.empty((len(x), network.layers[last].output_size), network.dtype)
    part = slice(first, last + 1)
    for begin in range(0, len(x), batch_size):
        h = x[begin : begin + batch_size]
        caches = network._passes.of(len(h), (network.input_size,))
        for layer, views, cache in zip(
            network.layers[part], network._views[part], caches[part], strict=True
        ):
            h = layer.forward(h, views, cache, None)
        out[begin : begin + batch_size] = h
    return out
