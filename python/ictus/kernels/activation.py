"""Elementwise functions, the derivatives of activation functions, and dropout.

All take float32 and float64 arrays of any shape; matrices with padded rows are used as they lie,
other strided arrays are copied first. ``out`` may be exactly the array of an input. Results are
within 2 units in the last place of the real function over the whole range (softplus at the
baseline level: 2.1), NaN and infinities included.
"""

from __future__ import annotations

from ictus.kernels._arrays import FloatArray, input_rows, output_rows
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.gemm import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "activation",
    "activation_backward",
    "activation_number",
    "add_contraction",
    "dropout",
    "exp",
    "log",
    "sigmoid",
    "softplus",
    "squared_slopes",
    "tanh",
]


def activation_number(function: str, name: str) -> int:
    """The native number of the activation function `name`; ValueError naming `function`."""
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):
        names = ", ".join(ACTIVATIONS)
        raise ValueError(f"{function}: activation must be one of {names}, got {name!r}") from None


def _elementwise(function: str, number: int, x: FloatArray, out: FloatArray | None) -> FloatArray:
    if out is None:
        out = empty(x, x.shape) if is_array(x) else x
    shape = x.shape if is_array(x) else ()
    out_rows = output_rows(function, out, shape)
    native_module(x).elementwise(function, input_rows(x), out_rows, number)
    return out


@takes_arrays
def activation(x: FloatArray, name: str, out: FloatArray | None = None) -> FloatArray:
    """Apply an activation function to each element.

    Parameters
    ----------
    x : array of float32 or float64, any shape
    name : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    out : array like x, optional
        Where to write; may be x.

    Returns
    -------
    array
        ``out``, or a new array.

    Raises
    ------
    TypeError
        Where x or out is not an array, or has another dtype.
    ValueError
        For an unknown name, another shape of out, or partly overlapping arrays.
    """
    return _elementwise("activation", activation_number("activation", name), x, out)


@takes_arrays
def exp(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute e to the power of each element; parameters and errors as in `activation`."""
    return _elementwise("exp", 5, x, out)


@takes_arrays
def log(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute natural logarithms: -inf at 0, NaN below; parameters as in `activation`."""
    return _elementwise("log", 6, x, out)


@takes_arrays
def tanh(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute the hyperbolic tangent; parameters and errors as in `activation`."""
    return _elementwise("tanh", 2, x, out)


@takes_arrays
def sigmoid(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute 1 / (1 + e^-x); parameters and errors as in `activation`."""
    return _elementwise("sigmoid", 1, x, out)


@takes_arrays
def softplus(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Compute log(1 + e^x) without overflow; parameters and errors as in `activation`."""
    return _elementwise("softplus", 4, x, out)


@takes_arrays
def activation_backward(
    grad: FloatArray,
    y: FloatArray,
    name: str,
    out: FloatArray | None = None,
    *,
    dropout_rate: float = 0.0,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> FloatArray:
    """Multiply a gradient by the derivative of an activation function and by its dropout mask.

    For a layer ``y = mask * f(z)`` and the gradient with respect to y, the gradient with respect
    to z: ``grad * mask * f'(z)``. f' is computed from y: ``f (1 - f)`` for the sigmoid,
    ``1 - f^2`` for tanh, ``f > 0`` for ReLU, ``1 - e^-f`` for softplus, with ``f = y (1 - rate)``.
    The mask is drawn again from the same numbers as in the forward pass.

    Parameters
    ----------
    grad, y : arrays of the same shape; all axes but the last are rows
    name : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    out : array like grad, optional
        Where to write; may be grad or y.
    dropout_rate : float in [0, 1)
    seed, stream, first_row : int
        As in the forward pass.

    Returns
    -------
    array
        ``out``, or a new array.

    Raises
    ------
    TypeError, ValueError
        As in `activation`, and for a rate outside [0, 1) or a negative first row.
    """
    number = activation_number("activation_backward", name)
    if out is None:
        out = empty(grad, grad.shape) if is_array(grad) else grad
    shape = grad.shape if is_array(grad) else ()
    _check_shape("activation_backward", "y", y, shape)
    out_rows = output_rows("activation_backward", out, shape)
    native_module(grad).activation_backward(
        input_rows(grad), input_rows(y), out_rows, number, dropout_rate, seed, stream, first_row
    )
    return out


@takes_arrays
def dropout(
    x: FloatArray,
    rate: float,
    out: FloatArray | None = None,
    *,
    seed: int,
    stream: int,
    first_row: int = 0,
) -> FloatArray:
    """Inverted dropout: keep each element with probability ``1 - rate`` and divide it by that.

    The same linear map serves the forward pass, the backward pass and a directional derivative
    (Srivastava et al., "Dropout", JMLR 2014). Element (row, column) is kept depending on
    (seed, stream, first_row + row, column) alone; all axes of x but the last are rows. A dropped
    element is 0 even where x is NaN.

    Parameters
    ----------
    x : array of float32 or float64, any shape
    rate : float in [0, 1)
    out : array like x, optional
        Where to write; may be x.
    seed, stream : int
        0 .. 2^64 - 1.
    first_row : int
        The number of the first row, for a batch that is computed in parts.

    Returns
    -------
    array
        ``out``, or a new array.

    Raises
    ------
    TypeError, ValueError
        As in `activation`, and for a rate outside [0, 1) or a negative first row.
    """
    if out is None:
        out = empty(x, x.shape) if is_array(x) else x
    shape = x.shape if is_array(x) else ()
    out_rows = output_rows("dropout", out, shape)
    native_module(x).dropout(input_rows(x), out_rows, rate, seed, stream, first_row)
    return out


def _check_shape(function: str, name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    if is_array(array) and array.shape != shape:
        raise ValueError(f"{function}: {name} must have shape {shape}, got {array.shape}")


@takes_arrays
def squared_slopes(y: FloatArray, name: str, out: FloatArray | None = None) -> FloatArray:
    """Return the sum over the rows of the squared derivative of an activation function.

    ``sum_i f'(z_ij)^2`` for ``y = f(z)``, with f' computed from y; the rows are added in order.

    Parameters
    ----------
    y : array of float32 or float64, shape (rows, columns)
    name : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    out : array like y, shape (columns,), optional

    Raises
    ------
    TypeError, ValueError
        As in `activation`.
    """
    number = activation_number("squared_slopes", name)
    if out is None:
        out = empty(y, y.shape[-1:]) if is_array(y) else y
    native_module(y).squared_slopes(y, out, number)
    return out


@takes_arrays
def add_contraction(y: FloatArray, factors: FloatArray, grad: FloatArray, name: str) -> FloatArray:
    """Add the gradient of a contractive penalty to a gradient with respect to units' inputs.

    ``grad_ij += 2 factor_j f'(z_ij) f''(z_ij)``, for ``y = f(z)``: the derivative of
    ``sum_ij factor_j f'(z_ij)^2``, with factor_j the weight of the penalty times the squared
    length of unit j's weights (Rifai, Vincent, Muller, Glorot & Bengio, "Contractive
    auto-encoders", ICML 2011).

    Parameters
    ----------
    y, grad : arrays of float32 or float64, shape (rows, columns)
        grad is changed.
    factors : array, shape (columns,)
    name : {"identity", "sigmoid", "tanh", "relu", "softplus"}

    Returns
    -------
    array
        grad.

    Raises
    ------
    TypeError, ValueError
        As in `activation`.
    """
    number = activation_number("add_contraction", name)
    native_module(y).add_contraction(y, factors, grad, number)
    return grad
