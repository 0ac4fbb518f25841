"""Pooling of images and sequences, channels last, and its derivatives.

``y[n, i, j, c]`` is the largest, or the mean, of the pixels ``x[n, i * s + a * d - p, .., c]`` that
a window sees (LeCun et al. 1998; Ranzato et al. 2007). Pixels outside the image do not count: they
are no candidates for the maximum, and the mean is over those inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.convolution import Padding, Pair, padded, pair


def element_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the numbers of window elements that go with a scalar: as wide."""
    return np.dtype(np.int32 if np.dtype(dtype) == np.float32 else np.int64)


def _places(
    function: str,
    x: Array,
    window: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of the result, and the geometry that the native functions take."""
    if not is_array(x):
        raise TypeError(f"{function}: x must be a NumPy array, got {type(x).__name__}")
    if x.ndim != 4:
        raise ValueError(f"{function}: x must have 4 axes, got shape {x.shape}")
    size = pair("window", window)
    steps = size if stride is None else pair("stride", stride)
    wide = pair("dilation", dilation)
    before, places = padded(padding, (x.shape[1], x.shape[2]), size, steps, wide)
    return (len(x), *places, x.shape[3]), (*size, *steps, *wide, *before)


def _made(
    function: str, name: str, array: Array | None, shape: tuple[int, ...], like: Array
) -> Array:
    if array is None:
        return empty(like, shape)  # type: ignore[no-any-return]
    if not is_array(array) or array.shape != shape:
        raise ValueError(
            f"{function}: {name} must have shape {shape}, got {getattr(array, 'shape', array)!r}"
        )
    return array


@takes_arrays
def max_pooling(
    x: FloatArray,
    window: int | Sequence[int],
    out: FloatArray | None = None,
    argmax: Array | None = None,
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: int | Sequence[int] = 1,
) -> FloatArray:
    """Return the largest pixel that the window sees at each place; NaN is larger than any number.

    Parameters
    ----------
    x : array, shape (batch, height, width, channels)
        C-contiguous float32 or float64.
    window : int or (int, int)
        Its height and width.
    out : array, shape (batch, places down, places across, channels), optional
    argmax : array like out, optional
        Gets the number of the largest pixel in the window, counted row by row; the first of equal
        ones. int32 for float32, int64 for float64.
    stride : int or (int, int), optional
        The window's size if not given: windows side by side.
    padding
        See :func:`ictus.kernels.convolution.padded`.
    dilation : int or (int, int)

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, overlap, a window larger than the padded image, or one that
        sees no pixel.
    """
    shape, geometry = _places("max_pooling", x, window, stride, padding, dilation)
    out = _made("max_pooling", "out", out, shape, x)
    native_module(x).max_pooling(x, out, argmax, geometry)
    return out


@takes_arrays
def average_pooling(
    x: FloatArray,
    window: int | Sequence[int],
    out: FloatArray | None = None,
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: int | Sequence[int] = 1,
) -> FloatArray:
    """Return the mean of the pixels that the window sees at each place; see :func:`max_pooling`.

    Its derivative along x is the average of the derivatives: the same function.
    """
    shape, geometry = _places("average_pooling", x, window, stride, padding, dilation)
    out = _made("average_pooling", "out", out, shape, x)
    native_module(x).average_pooling(x, out, geometry)
    return out


def _geometry(
    window: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Pair,
    dilation: int | Sequence[int],
) -> tuple[int, ...]:
    size = pair("window", window)
    steps = size if stride is None else pair("stride", stride)
    return (*size, *steps, *pair("dilation", dilation), *pair("padding", padding, 0))


@takes_arrays
def max_pooling_backward(
    y_gradient: FloatArray,
    argmax: Array,
    out: FloatArray,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
) -> FloatArray:
    """Write the gradient with respect to x of max pooling, and return it.

    Parameters
    ----------
    y_gradient, argmax : array, shape (batch, places down, places across, channels)
        argmax is what :func:`max_pooling` wrote.
    out : array, shape (batch, height, width, channels)
    padding : (int, int)
        Pixels before the image, down and across: the first of what
        :func:`ictus.kernels.convolution.padded` gives.
    window, stride, dilation
        As of :func:`max_pooling`.
    """
    geometry = _geometry(window, stride, padding, dilation)
    native_module(y_gradient).max_pooling_backward(y_gradient, argmax, out, geometry)
    return out


@takes_arrays
def max_pooling_tangent(
    x_dot: FloatArray,
    argmax: Array,
    out: FloatArray,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
) -> FloatArray:
    """Write the derivative of max pooling along x_dot: x_dot where the maximum was; return it.

    Arguments as of :func:`max_pooling_backward`, with the shapes of x and y exchanged.
    """
    geometry = _geometry(window, stride, padding, dilation)
    native_module(x_dot).max_pooling_tangent(x_dot, argmax, out, geometry)
    return out


@takes_arrays
def average_pooling_backward(
    y_gradient: FloatArray,
    out: FloatArray,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
) -> FloatArray:
    """Write the gradient with respect to x of average pooling; see :func:`max_pooling_backward`."""
    geometry = _geometry(window, stride, padding, dilation)
    native_module(y_gradient).average_pooling_backward(y_gradient, out, geometry)
    return out
