"""Convolution, maximum over windows side by side, and activation in one pass; and its gradient.

``y = f(max_pooling(convolution(x, w) + b))``: a stage of a convolutional network (LeCun et al.
1998). Activation functions do not decrease, so the maximum is taken before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._arrays import FloatArray
from ictus.kernels._device import empty, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.convolution import Padding, Pair, _shape, padded, pair
from ictus.kernels.gemm import ACTIVATIONS
from ictus.kernels.pooling import element_dtype

Elements = NDArray[np.int32] | NDArray[np.int64]


@takes_arrays
def pooled_convolution(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray | None = None,
    *,
    pool: int | Sequence[int],
    activation: str = "identity",
    stride: int | Sequence[int] = 1,
    padding: Padding = "valid",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[FloatArray, Elements]:
    """Return the maxima of each pooling window after the activation, and which elements they are.

    Parameters
    ----------
    x : array, shape (batch, height, width, channels)
        C-contiguous float32 or float64.
    weights : array, shape (window height, window width, channels / groups, outputs)
    bias : array, shape (outputs,), optional
    pool : int or (int, int)
        Height and width of the windows over which the maximum is taken; they lie side by side, and
        places of the convolution that fill none are left out.
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    stride, padding, dilation, groups
        Of the convolution; see :func:`ictus.kernels.convolution`. Its `algorithm` is "auto".

    Returns
    -------
    y : array, shape (batch, places down // pool[0], places across // pool[1], outputs)
    argmax : integer array of the same shape
        ``a * pool[1] + b`` of the maximum's element (a, b), the first of equal ones.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, a window larger than the padded image, groups that do not
        divide.
    """
    (_, *size, _), (*window, _, outputs) = _shape("x", x), _shape("weights", weights)
    steps, wide, pooling = pair("stride", stride), pair("dilation", dilation), pair("pool", pool)
    before, places = padded(padding, (size[0], size[1]), (window[0], window[1]), steps, wide)
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(
            f"pooled_convolution: activation must be one of {known}, got {activation!r}"
        )
    shape = (len(x), places[0] // pooling[0], places[1] // pooling[1], outputs)
    y = empty(x, shape)
    argmax = empty(x, shape, element_dtype(x.dtype))
    geometry = (*steps, *wide, *before, int(groups), *pooling)
    number = ACTIVATIONS[activation]
    native_module(x).pooled_convolution(x, weights, bias, number, y, argmax, geometry)
    return y, argmax


@takes_arrays
def pooled_convolution_backward(
    x: FloatArray,
    weights: FloatArray,
    y: FloatArray,
    y_gradient: FloatArray,
    argmax: Elements | None,
    weights_gradient: FloatArray,
    bias_gradient: FloatArray,
    x_gradient: FloatArray | None = None,
    *,
    pool: int | Sequence[int],
    activation: str = "identity",
    stride: int | Sequence[int] = 1,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    beta: float = 0.0,
) -> None:
    """Write the gradients with respect to weights, bias and, if wanted, x.

    Parameters
    ----------
    x, weights
        As of :func:`pooled_convolution`.
    y, argmax
        What it returned; with windows of one place `argmax` may be None.
    y_gradient : array, shape of y
        With respect to y.
    weights_gradient, bias_gradient : array, shapes of weights and bias
        `beta` times what is there is added.
    x_gradient : array, shape of x, optional
        The first layer of a network needs none.
    padding : (int, int)
        Zeros before the image, down and across.
    pool, activation, stride, dilation, groups
        As of :func:`pooled_convolution`.
    """
    steps = *pair("stride", stride), *pair("dilation", dilation)
    geometry = (*steps, *padding, int(groups), *pair("pool", pool))
    native_module(x).pooled_convolution_backward(
        x,
        weights,
        y,
        y_gradient,
        argmax,
        ACTIVATIONS[activation],
        beta,
        weights_gradient,
        bias_gradient,
        x_gradient,
        geometry,
    )
