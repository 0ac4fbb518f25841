"""The fully connected layer: ``y = dropout(f(x W + b))``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.nn.activated import ActivatedLayer, sum_bias_gradient
from ictus.nn.initialization import initialize_weights
from ictus.nn.layer import Array, Cache, Draws, Views
from ictus.nn.penalties import Contraction, Sparsity


class Dense(ActivatedLayer):
    """A fully connected layer with a fused activation and dropout.

    Parameters
    ----------
    units : int
        Number of units: the size of the output.
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
        Function f of the units. A network's last layer is linear: the loss applies the matching
        output function.
    dropout : float in [0, 1)
        In training, each unit's output is set to zero with this probability and divided by
        ``1 - dropout`` otherwise (Hinton et al. 2012; Srivastava et al. 2014).
    initialization : str
        A rule of :mod:`ictus.nn.initialization`. "auto" is "he" for relu and softplus, else
        "glorot".
    scale : float
        Factor of the initial weights.
    bias : float
        Initial bias.
    contraction : float
        Weight of the contractive penalty, the mean squared Frobenius norm of the Jacobian of the
        outputs with respect to the inputs (Rifai et al. 2011); 0: none.
    sparsity_target, sparsity_cost : float
        The mean outputs of sigmoid or tanh units over a minibatch are drawn towards the target;
        cost 0: not. See :class:`ictus.nn.penalties.Sparsity`.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name.
    """

    kind = "dense"
    sums_squares = True

    def __init__(
        self,
        units: int,
        activation: str = "identity",
        *,
        dropout: float = 0.0,
        initialization: str = "auto",
        scale: float = 1.0,
        bias: float = 0.0,
        contraction: float = 0.0,
        sparsity_target: float = 0.05,
        sparsity_cost: float = 0.0,
    ) -> None:
        if int(units) != units or units < 1:
            raise ValueError(f"Dense: units must be a positive integer, got {units!r}")
        super().__init__(activation, dropout, initialization, scale, bias)
        self.output_size = self.units = int(units)
        self.contraction = Contraction.of("Dense", contraction)
        self.sparsity = Sparsity.of("Dense", activation, sparsity_target, sparsity_cost)
        self.penalized = self.contraction is not None or self.sparsity is not None
        if self.penalized and dropout:
            raise ValueError(
                "Dense: dropout must be 0 with contraction or sparsity_cost (a Dropout layer may "
                f"follow), got {dropout!r}"
            )

    def connect(self, input_size: int) -> int:
        self.input_size = input_size
        return self.units

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.input_size, self.units), (self.units,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        weights, biases = views
        weights[...] = initialize_weights(
            self.initialization_rule, generator, self.input_size, self.units, self.scale
        )
        biases[...] = self.bias

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        y = cache.y
        cache.x = x
        cache.penalty_scale = 0.0
        if draws is None or not self.dropout:
            cache.draws = None
            native_module(x).gemm(
                x, views[0], y, 1.0, 0.0, views[1], self._activation, 0.0, 0, 0, 0, 0
            )
        else:
            cache.draws = draws
            native_module(x).gemm(
                x,
                views[0],
                y,
                1.0,
                0.0,
                views[1],
                self._activation,
                self.dropout,
                0,
                draws.seed,
                draws.stream,
                draws.first_row,
            )
        return y

    def penalty(self, views: Views, cache: Cache, scale: float) -> float:
        cache.penalty_scale = scale
        value = 0.0
        if self.contraction is not None:
            value += self.contraction.value(views[0], cache, scale, self._activation)
        if self.sparsity is not None:
            value += self.sparsity.value(cache, scale)
        return value

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
        penalized = self.penalized and cache.penalty_scale != 0.0
        if penalized and self.sparsity is not None:
            self.sparsity.add_gradient(grad, cache)
        self._times_derivative(grad, cache)
        contraction = self.contraction if penalized else None
        if contraction is not None:
            contraction.add_gradient(grad, cache, self._activation)
        weights_gradient, bias_gradient = gradient_views
        beta = 1.0 if accumulate else 0.0
        native_module(cache.x).gemm(
            cache.x.T, grad, weights_gradient, 1.0, beta, None, 0, 0.0, 0, 0, 0, 0
        )
        sum_bias_gradient(grad, bias_gradient, accumulate)
        if contraction is not None:
            contraction.add_weights_gradient(views[0], weights_gradient, cache)
        if not propagate:
            return None
        out = cache.input_gradient
        native_module(grad).gemm(grad, views[0].T, out, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
        return out

    def squared_gradients(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        into: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        assert cache.x is not None, "squared_gradients needs a forward pass before it"
        self._times_derivative(grad, cache)
        # The gradient of a weight for one row is a product of two numbers, and so is its square.
        squares, beta = np.square(grad), 1.0 if accumulate else 0.0
        x_squares = np.square(cache.x)
        native_module(grad).gemm(x_squares.T, squares, into[0], 1.0, beta, None, 0, 0.0, 0, 0, 0, 0)
        sum_bias_gradient(squares, into[1], accumulate)
        if not propagate:
            return None
        out = cache.input_gradient
        native_module(grad).gemm(grad, views[0].T, out, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
        return out

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        out = cache.tangent
        weights_dot, biases_dot = direction_views
        native_module(cache.x).gemm(
            cache.x, weights_dot, out, 1.0, 0.0, biases_dot, 0, 0.0, 0, 0, 0, 0
        )
        if x_dot is not None:
            native_module(x_dot).gemm(x_dot, views[0], out, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
        self._times_derivative(out, cache)
        return out

    def config(self) -> dict[str, Any]:
        config = {
            "kind": self.kind,
            "units": self.units,
            "activation": self.activation,
            "dropout": self.dropout,
            "initialization": self.initialization,
            "scale": self.scale,
            "bias": self.bias,
        }
        if self.contraction is not None:
            config["contraction"] = self.contraction.weight
        return config if self.sparsity is None else config | self.sparsity.config()
