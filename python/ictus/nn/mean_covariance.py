"""The hidden units of a mean-covariance RBM as a layer: what fine-tunes one by backpropagation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels._device import empty, native_module
from ictus.kernels.activation import activation_number
from ictus.nn.activated import sum_bias_gradient
from ictus.nn.initialization import initialize_weights
from ictus.nn.layer import Array, Cache, Draws, Layer, Views

SIGMOID = activation_number("MeanCovariance", "sigmoid")


class MeanCovariance(Layer):
    """Probabilities of covariance units, then of mean units, given real, whitened inputs.

    With C the filters, W the mean units' weights, c and b the biases, and D inputs::

        y = sigmoid([c - u**2 / 2, x W + b]),   u = x C / n(x),   n(x) = sqrt(|x|**2 / D + s)

    as in a mean-covariance RBM with a covariance unit for each filter (P = -1 times the identity)
    [Ranzato & Hinton, "Modeling pixel means and covariances using factorized third-order Boltzmann
    machines", CVPR 2010]; see :mod:`ictus.kernels.mean_covariance`.

    Parameters
    ----------
    factors : int
        Filters, and covariance units.
    mean_units : int
        0: none.
    offset : float
        s > 0.

    Raises
    ------
    ValueError
        A value outside its range.
    """

    kind = "mean_covariance"

    def __init__(self, factors: int, mean_units: int = 0, *, offset: float = 0.5) -> None:
        for name, value, lowest in (("factors", factors, 1), ("mean_units", mean_units, 0)):
            if int(value) != value or value < lowest:
                raise ValueError(
                    f"MeanCovariance: {name} must be an integer of at least {lowest}, got {value!r}"
                )
        if not 0 < offset < np.inf:
            raise ValueError(f"MeanCovariance: offset must be positive, got {offset!r}")
        self.factors, self.mean_units, self.offset = int(factors), int(mean_units), float(offset)
        self.output_size = self.factors + self.mean_units

    def connect(self, input_size: int) -> int:
        self.input_size = input_size
        return self.output_size

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        size = self.input_size
        return (size, self.factors), (size, self.mean_units), (self.output_size,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        """Filters in random directions with length 1, covariance units on; as in the machine."""
        filters, weights, biases = views
        drawn = generator.standard_normal(filters.shape)
        filters[...] = drawn / np.sqrt(np.square(drawn).sum(axis=0))
        if self.mean_units:
            weights[...] = initialize_weights("glorot", generator, self.input_size, self.mean_units)
        biases[...] = 0.0
        biases[: self.factors] = 2.0

    def _product(self, x: Array, weights: Array, out: Array, beta: float = 0.0) -> None:
        if out.size:
            native_module(x).gemm(x, weights, out, 1.0, beta, None, 0, 0.0, 0, 0, 0, 0)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        filters, weights, biases = views
        y, factors = cache.y, self.factors
        square = np.einsum("ij,ij->i", x, x) / x.dtype.type(self.input_size)
        length = np.sqrt(square + x.dtype.type(self.offset))[:, None]
        direction = x / length
        outputs = empty(x, (len(x), factors))
        self._product(direction, filters, outputs)
        np.multiply(outputs, outputs, out=y[:, :factors])
        y[:, :factors] *= -0.5
        self._product(x, weights, y[:, factors:])
        y += biases
        native_module(y).elementwise("MeanCovariance", y, y, SIGMOID)
        cache.x, cache.kept = x, (direction, length, outputs)
        return y

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
        filters, weights, _ = views
        direction, length, outputs = cache.kept
        native_module(grad).activation_backward(grad, cache.y, grad, SIGMOID, 0.0, 0, 0, 0)
        sum_bias_gradient(grad, gradient_views[2], accumulate)
        beta = 1.0 if accumulate else 0.0
        of_outputs = grad[:, : self.factors] * -outputs
        of_means = grad[:, self.factors :]
        self._product(direction.T, of_outputs, gradient_views[0], beta)
        self._product(cache.x.T, of_means, gradient_views[1], beta)
        if not propagate:
            return None
        out = cache.input_gradient
        self._product(of_outputs, filters.T, out)
        self._across(out, direction, length)
        if self.mean_units:
            self._product(of_means, weights.T, out, 1.0)
        return out

    def _across(self, x: Array, direction: Array, length: Array) -> None:
        """Multiply by the Jacobian of ``x / n(x)``, which is symmetric, in place."""
        along = np.einsum("ij,ij->i", x, direction)[:, None] / x.dtype.type(self.input_size)
        x -= direction * along
        x /= length

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        direction, length, outputs = cache.kept
        out, factors = cache.tangent, self.factors
        moved = out[:, :factors]
        self._product(direction, direction_views[0], moved)
        self._product(cache.x, direction_views[1], out[:, factors:])
        if x_dot is not None:
            turned = x_dot.copy()
            self._across(turned, direction, length)
            self._product(turned, views[0], moved, 1.0)
            self._product(x_dot, views[1], out[:, factors:], 1.0)
        moved *= -outputs
        out += direction_views[2]
        native_module(out).activation_backward(out, cache.y, out, SIGMOID, 0.0, 0, 0, 0)
        return out

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "factors": self.factors,
            "mean_units": self.mean_units,
            "offset": self.offset,
        }
