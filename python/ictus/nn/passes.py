"""Passes through a part of a chain of layers: codes from inputs, outputs from codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ictus.kernels._device import as_given, empty, to_device
from ictus.nn.layer import Array
from ictus.nn.shapes import size_of

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
        Of the network's dtype, contiguous rows; images as rows. The outputs lie where it does.
    first, last : int
        Counted from 0 in ``network.layers``; `last` is not below `first`. What they take and give
        has a fixed size.
    batch_size : int
        Rows in work at once: bounds the memory.

    Raises
    ------
    ValueError
        Another number of columns than that layer takes.
    """
    passes, shape = network._passes, tuple(n or 0 for n in network.input_shape)
    size = size_of(passes.output_shape(shape, first))
    if x.ndim != 2 or x.shape[1] != size:
        raise ValueError(f"x must have shape (rows, {size}), got {x.shape}")
    given, x = x, to_device(network.device, x)
    out = empty(x, (len(x), size_of(passes.output_shape(shape, last + 1))), network.dtype)
    part = slice(first, last + 1)
    for begin in range(0, len(x), batch_size):
        h = x[begin : begin + batch_size]
        caches = passes.of(len(h), shape)
        for layer, views, cache in zip(
            network.layers[part], network._views[part], caches[part], strict=True
        ):
            h = layer.forward(h, views, cache, None)
        out[begin : begin + batch_size] = h
    return as_given(given, out)  # type: ignore[no-any-return]
