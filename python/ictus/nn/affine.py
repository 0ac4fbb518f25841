"""A factor and an offset of each channel: what standardisation and trained gains are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.nn.layer import Array, Cache, Draws, Layer, Shape, Sizes, Views


class ChannelLayer(Layer):
    """A layer over the channels of vectors, sequences or images, which keeps their shape.

    Attributes
    ----------
    channels : int
        The last axis of an example.
    """

    channels: int = 0

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = self.channels = input_size
        return input_size

    def connect_shape(self, shape: Shape) -> Shape:
        self.connect(int(shape[-1] or 0))
        return shape

    def output_shape(self, shape: Sizes) -> Sizes:
        return shape

    def rows(self, values: Array) -> Array:
        """Return a view with a row a pixel."""
        return values.reshape(-1, self.channels)


def scaling_gradients(grad: Array, rows: Array, into: Views, accumulate: bool) -> None:
    """Put the gradients of scale and shift of ``scale * rows + shift`` into their views."""
    for view, sums in zip(into, (np.einsum("ij,ij->j", grad, rows), grad.sum(axis=0)), strict=True):
        view[...] = view + sums if accumulate else sums


class Affine(ChannelLayer):
    """``y = scale * x + shift`` of each channel; both are trained.

    Parameters
    ----------
    scale, shift : float
        Initial values.
    """

    kind = "affine"

    def __init__(self, scale: float = 1.0, shift: float = 0.0) -> None:
        self.scale, self.shift = float(scale), float(shift)

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.channels,), (self.channels,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        views[0][...] = self.scale
        views[1][...] = self.shift

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.x = x
        out = self.rows(cache.y)
        np.multiply(self.rows(x), views[0], out=out)
        out += views[1]
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
        rows = self.rows(grad)
        scaling_gradients(rows, self.rows(cache.x), gradient_views, accumulate)
        if not propagate:
            return None
        rows *= views[0]
        return grad

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        out = self.rows(cache.tangent)
        np.multiply(self.rows(cache.x), direction_views[0], out=out)
        out += direction_views[1]
        if x_dot is not None:
            out += self.rows(x_dot) * views[0]
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "scale": self.scale, "shift": self.shift}
