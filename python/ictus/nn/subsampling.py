"""The subsampling layer of LeCun et al. 1998: averages with a trained factor and bias a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ictus.kernels._device import native_module, zeros
from ictus.kernels.activation import activation_number
from ictus.kernels.convolution import Padding
from ictus.nn.layer import Array, Cache, Draws, Views
from ictus.nn.pooling import AveragePool
from ictus.nn.window import Extent, Images


@dataclass(slots=True)
class _Means:
    """What a pass keeps: the windows' means, their tangent, and what leaves them as they are."""

    mean: Array
    tangent: Array
    zero: Array
    one: Array


class Subsampling(AveragePool):
    """Trainable subsampling: ``y = f(w * mean of the window + b)``, w and b of each channel.

    LeCun et al. 1998, section II.B, where the sum over the window stands for the mean: their
    coefficient is w divided by the window's size.

    Parameters
    ----------
    window : int or (int, int), optional
    activation : {"tanh", "identity", "sigmoid", "relu", "softplus"}
        Function f.
    stride, padding, dilation
        As of :class:`AveragePool`.
    scale, bias : float
        Initial w and b.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name.
    """

    kind = "subsampling"

    def __init__(
        self,
        window: Extent | None = 2,
        activation: str = "tanh",
        *,
        stride: Extent | None = None,
        padding: Padding = "valid",
        dilation: Extent = 1,
        scale: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        super().__init__(window, stride=stride, padding=padding, dilation=dilation)
        self.activation = activation
        self._activation = activation_number("Subsampling", activation)
        self.scale, self.bias = float(scale), float(bias)

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.channels,), (self.channels,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        views[0][...] = self.scale
        views[1][...] = self.bias

    def _images(self, cache: Cache) -> Images:
        images = super()._images(cache)
        zero = zeros(images.y, (self.channels,))
        room = np.empty_like(images.y)
        images.kept = _Means(room, np.empty_like(room), zero, np.ones_like(zero))
        return images

    def _rows(self, values: Array) -> Array:
        return values.reshape(-1, self.channels)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        kept: _Means = images.kept
        native_module(x).average_pooling(x.reshape(images.shape), kept.mean, self._geometry(images))
        # A factor and a shift of each channel: normalization by mean 0 and variance 1.
        zero, one = kept.zero, kept.one
        y, number = self._rows(images.y), self._activation
        native_module(kept.mean).batch_normalization(
            self._rows(kept.mean), views[0], views[1], zero, one, zero, one, y, number, 0.0, 0.0,
            False,
        )  # fmt: skip
        return cache.y

    def _times_derivative(self, grad: Array, cache: Cache) -> None:
        if self._activation:
            native_module(grad).activation_backward(
                grad, cache.y, grad, self._activation, 0.0, 0, 0, 0
            )

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        images = self.images(cache)
        kept: _Means = images.kept
        self._times_derivative(grad, cache)
        rows = self._rows(grad)
        native_module(rows).batch_normalization_backward(
            rows, self._rows(kept.mean), kept.zero, kept.one, views[0], gradient_views[0],
            gradient_views[1],
            rows if propagate else None, 1.0 if accumulate else 0.0, False,
        )  # fmt: skip
        return super().backward(grad, views, cache, gradient_views, accumulate, propagate)

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        images = self.images(cache)
        kept: _Means = images.kept
        of_mean = None
        if x_dot is not None:
            of_x, geometry = x_dot.reshape(images.shape), self._geometry(images)
            native_module(of_x).average_pooling(of_x, kept.tangent, geometry)
            of_mean = self._rows(kept.tangent)
        native_module(kept.mean).batch_normalization_tangent(
            self._rows(kept.mean), of_mean, kept.zero, kept.one, views[0], direction_views[0],
            direction_views[1],
            self._rows(images.tangent), False,
        )  # fmt: skip
        self._times_derivative(cache.tangent, cache)
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "activation": self.activation,
            "scale": self.scale,
            "bias": self.bias,
        }
