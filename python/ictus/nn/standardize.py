"""Standardisation of the inputs as a layer, so that a network takes data as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ictus.nn.layer import Array, Cache, Draws, Layer, Shape, Sizes, Views


class Standardize(Layer):
    """Subtracts a mean and multiplies by a scale, which training does not change.

    Images (height, width, channels) have a mean for each column and channel, the same in all rows:
    a spectrogram, whose rows are frames, is standardised band by band. Sequences and vectors have
    one for each number of a step. Mean and scale are the layer's state; :meth:`set` fills them.
    """

    kind = "standardize"
    _shape: Sizes = ()

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = input_size
        self._shape = (input_size,)
        return input_size

    def connect_shape(self, shape: Shape) -> Shape:
        own = shape[1:] if len(shape) > 1 else shape
        if None in own:
            raise ValueError(
                f"Standardize: all but the first axis must have a fixed size, got {shape}"
            )
        self.connect(math.prod(n or 0 for n in shape))
        self._shape = tuple(n or 0 for n in own)
        return shape

    def output_shape(self, shape: Sizes) -> Sizes:
        return shape

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return self._shape, self._shape

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        mean, scale = views
        mean[...] = 0
        scale[...] = 1

    def _rows(self, values: Array) -> Array:
        return values.reshape(-1, *self._shape)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        out = self._rows(cache.y)
        np.subtract(self._rows(x), views[0], out=out)
        out *= views[1]
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
        if not propagate:
            return None
        np.multiply(self._rows(grad), views[1], out=self._rows(cache.input_gradient))
        return cache.input_gradient

    def squared_gradients(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        into: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        if not propagate:
            return None
        factor = np.square(views[1])
        np.multiply(self._rows(grad), factor, out=self._rows(cache.input_gradient))
        return cache.input_gradient

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None:
            return None
        np.multiply(self._rows(x_dot), views[1], out=self._rows(cache.tangent))
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind}
