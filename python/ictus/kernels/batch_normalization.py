"""Batch normalization of the columns of a matrix, and its derivatives (Ioffe & Szegedy 2015).

``y = f(scale * (x - mean) * r + shift)`` with ``r = 1 / sqrt(variance + epsilon)``, for each
channel. Rows are examples, or all pixels of all images. In training mean and variance are those of
the rows; else the running ones, which training moves.
"""

from __future__ import annotations

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.activation import activation_number


@takes_arrays
def batch_normalization(
    x: FloatArray,
    scale: Array,
    shift: Array,
    running_mean: Array,
    running_variance: Array,
    out: FloatArray | None = None,
    *,
    training: bool,
    activation: str = "identity",
    epsilon: float = 1e-5,
    momentum: float = 0.1,
) -> tuple[FloatArray, Array, Array]:
    """Return ``y``, and the mean and r that x was normalised by.

    Parameters
    ----------
    x : array, shape (rows, channels)
        C-contiguous float32 or float64, a row at least.
    scale, shift : array, shape (channels,)
    running_mean, running_variance : array, shape (channels,)
        With `training` they move: ``running += momentum * (new - running)``, the new variance
        divided by rows - 1.
    out : array like x, optional
        May be x.
    training : bool
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
        The function f.
    epsilon, momentum : float

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, overlap, or a number outside its range.
    """
    number = activation_number("batch_normalization", activation)
    out = (empty(x, x.shape) if is_array(x) else x) if out is None else out
    mean, r = (empty(scale, scale.shape) if is_array(scale) else scale for _ in range(2))
    native_module(x).batch_normalization(
        x, scale, shift, running_mean, running_variance, mean, r, out, number, epsilon, momentum,
        training,
    )  # fmt: skip
    return out, mean, r


@takes_arrays
def batch_normalization_backward(
    y_gradient: FloatArray,
    x: FloatArray,
    mean: Array,
    r: Array,
    scale: Array,
    scale_gradient: Array,
    shift_gradient: Array,
    out: FloatArray | None = None,
    *,
    training: bool,
    beta: float = 0.0,
) -> None:
    """Write the gradients with respect to scale and shift, and to x if there is `out`.

    Parameters
    ----------
    y_gradient : array, shape (rows, channels)
        With respect to what f is of.
    x, mean, r, scale, training
        As of the forward pass, and what it returned.
    scale_gradient, shift_gradient : array, shape (channels,)
        Get the gradients, `beta` times what is there added.
    out : array like x, optional
        Gets the gradient with respect to x; may be `y_gradient`.
    """
    native_module(y_gradient).batch_normalization_backward(
        y_gradient, x, mean, r, scale, scale_gradient, shift_gradient, out, beta, training
    )


@takes_arrays
def batch_normalization_tangent(
    x: FloatArray,
    x_dot: FloatArray | None,
    mean: Array,
    r: Array,
    scale: Array,
    scale_dot: Array,
    shift_dot: Array,
    out: FloatArray | None = None,
    *,
    training: bool,
) -> FloatArray:
    """Return the derivative of what f is of, along x_dot (None: zero), scale_dot and shift_dot.

    Parameters
    ----------
    x, mean, r, scale, training
        As of the forward pass, and what it returned.
    x_dot : array like x, optional
    scale_dot, shift_dot : array, shape (channels,)
    out : array like x, optional
    """
    out = (empty(x, x.shape) if is_array(x) else x) if out is None else out
    native_module(x).batch_normalization_tangent(
        x, x_dot, mean, r, scale, scale_dot, shift_dot, out, training
    )
    return out


@takes_arrays
def multiply_channels(x: FloatArray, factors: FloatArray, out: FloatArray) -> FloatArray:
    """Write ``x[n, pixel, c] * factors[n, c]`` to `out`, which is not x, and return it."""
    native_module(x).multiply_channels(x, factors, out)
    return out
