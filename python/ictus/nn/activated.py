"""What layers of units share: an activation function, dropout, and the rule of initial weights."""

from __future__ import annotations

from ictus.kernels._device import empty, native_module
from ictus.kernels.activation import activation_number
from ictus.nn.initialization import INITIALIZATIONS
from ictus.nn.layer import Array, Cache, Layer

# Rows from which sums of few columns are worth full vectors.
MANY_ROWS = 1024


def _folded(grad: Array) -> Array:
    """A matrix of many rows and few columns with some of its rows side by side."""
    rows, columns = grad.shape
    if rows < MANY_ROWS or not grad.flags.c_contiguous:
        return grad
    fold = 1
    while columns * fold < 128 and rows % (2 * fold) == 0:
        fold *= 2
    return grad.reshape(rows // fold, columns * fold)


def sum_bias_gradient(grad: Array, into: Array, accumulate: bool) -> None:
    """Write the sum of the rows of `grad` to `into`, or add it."""
    folded = _folded(grad)
    if folded.shape != grad.shape:
        sums = empty(grad, folded.shape[1:])
        native_module(folded).column_sums(folded, sums)
        of_column = sums.reshape(-1, grad.shape[1]).sum(axis=0)
        into[...] = into + of_column if accumulate else of_column
    elif accumulate:
        sums = empty(into, into.shape)
        native_module(grad).column_sums(grad, sums)
        into += sums
    else:
        native_module(grad).column_sums(grad, into)


class ActivatedLayer(Layer):
    """A layer ``y = dropout(f(z))`` with z linear in the input and in the parameters.

    Parameters
    ----------
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    dropout : float in [0, 1)
    initialization : str
        A rule of :mod:`ictus.nn.initialization`, or "auto".
    scale, bias : float
        Factor of the initial weights, and the initial bias.
    """

    def __init__(
        self, activation: str, dropout: float, initialization: str, scale: float, bias: float
    ) -> None:
        name = type(self).__name__
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"{name}: dropout must be in [0, 1), got {dropout!r}")
        if initialization != "auto" and initialization not in INITIALIZATIONS:
            known = ", ".join(["auto", *INITIALIZATIONS])
            raise ValueError(
                f"{name}: initialization must be one of {known}, got {initialization!r}"
            )
        self.activation = activation
        self._activation = activation_number(name, activation)
        self.dropout = float(dropout)
        self.initialization = initialization
        self.scale = float(scale)
        self.bias = float(bias)
        # Nothing to multiply the gradient by.
        self._linear = activation == "identity"

    @property
    def initialization_rule(self) -> str:
        """The rule of the initial weights: "auto" is "he" for rectifiers, else "glorot"."""
        if self.initialization != "auto":
            return self.initialization
        return "he" if self.activation in ("relu", "softplus") else "glorot"

    def _times_derivative(self, grad: Array, cache: Cache) -> None:
        """Multiply by the derivative of activation and dropout, in place."""
        draws = cache.draws
        if draws is not None:
            native_module(grad).activation_backward(
                grad,
                cache.y,
                grad,
                self._activation,
                self.dropout,
                draws.seed,
                draws.stream,
                draws.first_row,
            )
        elif not self._linear:
            native_module(grad).activation_backward(
                grad, cache.y, grad, self._activation, 0.0, 0, 0, 0
            )
