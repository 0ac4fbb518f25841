"""An activation function as a layer of its own."""

from __future__ import annotations

from typing import Any

from ictus.kernels._device import native_module
from ictus.kernels.activation import activation_number
from ictus.nn.layer import Array, Cache, Draws, Layer, Views
from ictus.nn.penalties import Sparsity


class Activation(Layer):
    """``y = f(x)``, element by element: where something stands between a product and its f.

    Parameters
    ----------
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    sparsity_target, sparsity_cost : float
        As of :class:`Dense`.

    Raises
    ------
    ValueError
        An unknown name, or a value outside its range.
    """

    kind = "activation"
    elementwise = True

    def __init__(
        self, activation: str, *, sparsity_target: float = 0.05, sparsity_cost: float = 0.0
    ) -> None:
        self.activation = activation
        self._activation = activation_number("Activation", activation)
        self._linear = activation == "identity"
        self.sparsity = Sparsity.of("Activation", activation, sparsity_target, sparsity_cost)
        self.penalized = self.sparsity is not None

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = input_size
        return input_size

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.penalty_scale = 0.0
        if self._linear:
            return x
        native_module(x).elementwise("activation", x, cache.y, self._activation)
        return cache.y

    def penalty(self, views: Views, cache: Cache, scale: float) -> float:
        assert self.sparsity is not None
        cache.penalty_scale = scale
        return self.sparsity.value(cache, scale)

    def _times_derivative(self, grad: Array, out: Array, cache: Cache) -> Array:
        if self._linear:
            return grad
        native_module(grad).activation_backward(grad, cache.y, out, self._activation, 0.0, 0, 0, 0)
        return out

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
        if self.sparsity is not None and cache.penalty_scale:
            self.sparsity.add_gradient(grad, cache)
        return self._times_derivative(grad, grad, cache)

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        return None if x_dot is None else self._times_derivative(x_dot, cache.tangent, cache)

    def config(self) -> dict[str, Any]:
        sparsity = {} if self.sparsity is None else self.sparsity.config()
        return {"kind": self.kind, "activation": self.activation, **sparsity}
