"""A fully connected layer with the transposed weights of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.kernels.activation import activation_number
from ictus.nn.activated import sum_bias_gradient
from ictus.nn.dense import Dense
from ictus.nn.layer import Array, Cache, Draws, Layer, Views


class TiedDense(Layer):
    """``y = f(x W^T + b)`` with W the weights of an earlier :class:`Dense` layer.

    The decoder of an autoencoder with tied weights (Vincent et al. 2010, section 2.2). W is in the
    network's flat vector once, where the earlier layer has it; the gradients of both uses add up.

    Parameters
    ----------
    layer : int
        Number of the Dense layer in the network's ``layers``, from 0.
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    bias : float
        Initial bias.

    Raises
    ------
    ValueError
        An unknown activation; in a network, a layer that is not there, is no Dense, or does not
        fit.
    """

    kind = "tied_dense"

    def __init__(self, layer: int, activation: str = "identity", *, bias: float = 0.0) -> None:
        if isinstance(layer, bool) or int(layer) != layer or layer < 0:
            raise ValueError(f"TiedDense: layer must be a non-negative integer, got {layer!r}")
        self.tied_to = int(layer)
        self.activation = activation
        self._activation = activation_number("TiedDense", activation)
        self._linear = activation == "identity"
        self.bias = float(bias)
        self._encoder: Dense | None = None

    def look_below(self, layers: Sequence[Layer]) -> None:
        number = self.tied_to
        assert number is not None
        if number >= len(layers) or not isinstance(layers[number], Dense):
            found = type(layers[number]).__name__ if number < len(layers) else "none"
            raise ValueError(
                f"TiedDense: layer must be the number of a Dense layer below, got {number} "
                f"({found})"
            )
        encoder = layers[number]
        assert isinstance(encoder, Dense)
        self._encoder = encoder

    def connect(self, input_size: int) -> int:
        encoder = self._encoder
        if encoder is None:
            raise ValueError("TiedDense: must be in a network, above the Dense layer it is tied to")
        if input_size != encoder.units:
            raise ValueError(
                f"TiedDense: input must have {encoder.units} features, the units of layer "
                f"{self.tied_to}, got {input_size}"
            )
        self.input_size, self.output_size = input_size, encoder.input_size
        return self.output_size

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.output_size,),)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        views[0][...] = self.bias

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.x = x
        bias, weights = views
        native_module(x).gemm(
            x, weights.T, cache.y, 1.0, 0.0, bias, self._activation, 0.0, 0, 0, 0, 0
        )
        return cache.y

    def _times_derivative(self, grad: Array, cache: Cache) -> None:
        if not self._linear:
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
        assert cache.x is not None, "backward needs a forward pass before it"
        self._times_derivative(grad, cache)
        bias_gradient, weights_gradient = gradient_views
        beta = 1.0 if accumulate else 0.0
        native_module(grad).gemm(
            grad.T, cache.x, weights_gradient, 1.0, beta, None, 0, 0.0, 0, 0, 0, 0
        )
        sum_bias_gradient(grad, bias_gradient, accumulate)
        if not propagate:
            return None
        out = cache.input_gradient
        native_module(grad).gemm(grad, views[1], out, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
        return out

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        out = cache.tangent
        bias_dot, weights_dot = direction_views
        native_module(cache.x).gemm(
            cache.x, weights_dot.T, out, 1.0, 0.0, bias_dot, 0, 0.0, 0, 0, 0, 0
        )
        if x_dot is not None:
            native_module(x_dot).gemm(x_dot, views[1].T, out, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
        self._times_derivative(out, cache)
        return out

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "layer": self.tied_to,
            "activation": self.activation,
            "bias": self.bias,
        }
