"""Embedding of symbols: a table with a trainable vector for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels._device import device_of, is_device_array, native_module
from ictus.nn.layer import Array, Cache, Draws, Layer, Views

# Numbers of the matrix that says which row of the table each symbol has, at once.
AT_ONCE = 1 << 24


def _rows(table: Array, symbols: Array, out: Array) -> Array:
    """Write the rows of the table that the symbols name to `out`."""
    if is_device_array(table):
        device_of(table).arrays.take(table, symbols, axis=0, out=out)
    else:
        np.take(table, symbols, axis=0, out=out, mode="clip")
    return out


def _sum_rows(symbols: Array, rows: Array, into: Array, accumulate: bool) -> None:
    """Add each row to the row of the table that its symbol names, on a GPU.

    As a product with a matrix of zeros and ones: additions by many threads to one number would come
    in another order each time.
    """
    beta = 1.0 if accumulate else 0.0
    arrays, step = device_of(rows).arrays, max(1, AT_ONCE // len(rows))
    for first in range(0, len(into), step):
        part = into[first : first + step]
        numbers = arrays.arange(first, first + len(part))
        chosen = (symbols[:, None] == numbers).astype(rows.dtype)
        native_module(rows).gemm(chosen.T, rows, part, 1.0, beta, None, 0, 0.0, 0, 0, 0, 0)


class Embedding(Layer):
    """The first layer of a network over symbols: each becomes a vector.

    The network's ``input_size`` is the number of symbols.

    Parameters
    ----------
    units : int
        Length of the vectors.
    scale : float
        Standard deviation of the initial vectors.
    """

    kind = "embedding"

    def __init__(self, units: int, *, scale: float = 1.0) -> None:
        if int(units) != units or units < 1:
            raise ValueError(f"Embedding: units must be a positive integer, got {units!r}")
        self.output_size = self.units = int(units)
        self.scale = float(scale)

    def connect(self, input_size: int) -> int:
        self.input_size = input_size
        return self.units

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.input_size, self.units),)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        views[0][...] = generator.normal(0.0, self.scale, views[0].shape)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.x = x
        return _rows(views[0], x, cache.y)

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        assert cache.x is not None, "backward needs a forward pass before it"
        table = gradient_views[0]
        if is_device_array(table):
            _sum_rows(cache.x, grad, table, accumulate)
            return None
        if not accumulate:
            table[...] = 0
        np.add.at(table, cache.x, grad)
        return None

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        return _rows(direction_views[0], cache.x, cache.tangent)

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "units": self.units, "scale": self.scale}
