"""Layers that treat a channel as a whole: batch normalization, dropout of whole maps."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ictus.kernels._device import empty, native_module, zeros
from ictus.kernels.activation import activation_number
from ictus.nn.affine import ChannelLayer
from ictus.nn.layer import Array, Cache, Draws, Layer, Shape, Sizes, Views


class _Channels:
    """What a pass keeps: what it normalised by, whether with the batch's numbers, and its input."""

    __slots__ = ("mean", "reciprocal", "training", "x")

    def __init__(self, channels: int, like: Array) -> None:
        self.mean, self.reciprocal = empty(like, (channels,)), zeros(like, (channels,)) + 1
        self.training = False
        self.x: Array | None = None


class BatchNorm(ChannelLayer):
    """Normalises each channel over the minibatch, then scales and shifts it (Ioffe & Szegedy 2015).

    ``y = f(scale * (x - mean) / sqrt(variance + epsilon) + shift)``; channels are the last axis of
    vectors, sequences or images. In training mean and variance are the minibatch's, else running
    means of them, which are part of the network's state. A layer before it needs no bias.

    Parameters
    ----------
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
        Function f.
    momentum : float in [0, 1]
        Share of the minibatch in the running mean and variance.
    epsilon : float
        Added to the variance.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name.
    """

    kind = "batch_norm"

    def __init__(
        self, activation: str = "identity", *, momentum: float = 0.1, epsilon: float = 1e-5
    ) -> None:
        self.activation = activation
        self._activation = activation_number("BatchNorm", activation)
        if not isinstance(momentum, Real) or not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum must be in [0, 1], got {momentum!r}")
        if not isinstance(epsilon, Real) or not 0 < epsilon < np.inf:
            raise ValueError(f"BatchNorm: epsilon must be a positive number, got {epsilon!r}")
        self.momentum: float = float(momentum)
        self.epsilon: float = float(epsilon)

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.channels,), (self.channels,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.channels,), (self.channels,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        scale, shift, mean, variance = views
        scale[...] = variance[...] = 1
        shift[...] = mean[...] = 0

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        kept: _Channels = cache.kept or _Channels(self.channels, x)
        cache.kept = kept
        kept.x, kept.training = self.rows(x), draws is not None
        native_module(kept.x).batch_normalization(
            kept.x,
            views[0],
            views[1],
            views[2],
            views[3],
            kept.mean,
            kept.reciprocal,
            self.rows(cache.y),
            self._activation,
            self.epsilon,
            self.momentum,
            kept.training,
        )
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
        kept: _Channels = cache.kept
        assert kept.x is not None, "backward needs a forward pass before it"
        self._times_derivative(grad, cache)
        rows = self.rows(grad)
        native_module(rows).batch_normalization_backward(
            rows,
            kept.x,
            kept.mean,
            kept.reciprocal,
            views[0],
            gradient_views[0],
            gradient_views[1],
            rows if propagate else None,
            1.0 if accumulate else 0.0,
            kept.training,
        )
        return grad if propagate else None

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        kept: _Channels = cache.kept
        assert kept.x is not None, "jvp needs a forward pass before it"
        native_module(kept.x).batch_normalization_tangent(
            kept.x,
            None if x_dot is None else self.rows(x_dot),
            kept.mean,
            kept.reciprocal,
            views[0],
            direction_views[0],
            direction_views[1],
            self.rows(cache.tangent),
            kept.training,
        )
        self._times_derivative(cache.tangent, cache)
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "activation": self.activation,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


class SpatialDropout(Layer):
    """Dropout of whole channels: in training a map is zero everywhere, or divided by 1 - rate.

    Neighbours in an image are alike, so that a dropped pixel is known from them; a dropped map is
    not (Tompson et al. 2015, section 3.2).

    Parameters
    ----------
    rate : float in [0, 1)
    """

    kind = "spatial_dropout"
    channels: int = 0

    def __init__(self, rate: float) -> None:
        if not isinstance(rate, Real) or not 0.0 <= rate < 1.0:
            raise ValueError(f"SpatialDropout: rate must be in [0, 1), got {rate!r}")
        self.rate: float = float(rate)

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = self.channels = input_size
        return input_size

    def connect_shape(self, shape: Shape) -> Shape:
        self.connect(int(shape[-1] or 0))
        return shape

    def output_shape(self, shape: Sizes) -> Sizes:
        return shape

    def _times_mask(self, values: Array, out: Array, cache: Cache) -> Array:
        maps = (len(values), -1, self.channels)
        native_module(values).multiply_channels(values.reshape(maps), cache.kept, out.reshape(maps))
        return out

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.draws = draws if self.rate else None
        if cache.draws is None:
            return x
        if cache.kept is None or len(cache.kept) != len(x):
            cache.kept = empty(x, (len(x), self.channels))
        cache.kept.fill(1)
        draw = cache.draws
        native_module(cache.kept).dropout(
            cache.kept, cache.kept, self.rate, draw.seed, draw.stream, draw.first_row
        )
        return self._times_mask(x, cache.y, cache)

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        if not propagate or cache.draws is None:
            return grad if propagate else None
        return self._times_mask(grad, cache.input_gradient, cache)

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None or cache.draws is None:
            return x_dot
        return self._times_mask(x_dot, cache.tangent, cache)

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "rate": self.rate}
