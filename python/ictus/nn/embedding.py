"""Embedding of symbols: a table with a trainable vector for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.nn.layer import Array, Cache, Draws, Layer, Views


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
        np.take(views[0], x, axis=0, out=cache.y, mode="clip")
        return cache.y

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
        if not accumulate:
            table[...] = 0
        np.add.at(table, cache.x, grad)
        return None

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        np.take(direction_views[0], cache.x, axis=0, out=cache.tangent, mode="clip")
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "units": self.units, "scale": self.scale}
