"""Convolution of images and sequences, channels last, and its gradients.

``y[n, i, j, o] = sum x[n, i * s + a * d - p, j * t + b * e - q, c] * w[a, b, c, o]`` over a, b, c,
with strides (s, t), dilations (d, e) and padding (p, q): zeros around the image (a correlation, as
everywhere; LeCun et al. 1998). In groups, outputs and channels are cut into equal parts, and the
outputs of a part see its channels alone. A sequence is an image of one row.

Each pass is one matrix product whose left operand is read through a window, never in memory, or,
for small windows of wide layers, some products of transformed tiles (Winograd's minimal filtering).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.gemm import ACTIVATIONS

Padding = str | int | Sequence[int | Sequence[int]]
Pair = tuple[int, int]
ALGORITHMS = {"auto": 0, "direct": 1, "winograd": 2}


def pair(name: str, value: int | Sequence[int], least: int = 1) -> Pair:
    """Return a number for down and across; ValueError naming it where it is no such thing."""
    values = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(values) != 2 or any(int(v) != v or not least <= v < 2**31 for v in values):
        raise ValueError(
            f"{name} must be an integer of at least {least} (and below 2^31), or two of them "
            f"(down, across), got {value!r}"
        )
    return int(values[0]), int(values[1])


def padded(
    padding: Padding, size: Pair, window: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pair]:
    """Return the zeros before an image (down, across), and the places of the window on it.

    Parameters
    ----------
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        "same": as many places as pixels (at stride 1; divided by the stride, rounded up), half of
        the zeros, rounded down, before. Numbers: zeros before and after, for both axes, for each,
        or (before, after) for each.
    size, window, stride, dilation : (int, int)

    Raises
    ------
    ValueError
        What is no padding, or a window larger than the padded image.
    """
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be valid, same or numbers, got {padding!r}")
        zeros = [(0, 0), (0, 0)]
        if padding == "same":
            for i in range(2):
                total = max(0, (-(-size[i] // stride[i]) - 1) * stride[i] + reach[i] - size[i])
                zeros[i] = (total // 2, total - total // 2)
    elif isinstance(padding, int | np.integer):
        zeros = [(int(padding), int(padding))] * 2
    else:
        zeros = [
            (int(p), int(p)) if isinstance(p, int | np.integer) else pair("padding", p, 0)
            for p in padding
        ]
    if len(zeros) != 2 or any(z < 0 for both in zeros for z in both):
        raise ValueError(f"padding must not be negative, for two axes, got {padding!r}")
    places = []
    for i, axis in enumerate(("height", "width")):
        whole = size[i] + sum(zeros[i])
        if whole < reach[i]:
            raise ValueError(
                f"the window must fit the padded image: its {axis} is {reach[i]} with dilation, "
                f"that of the image {whole} with padding"
            )
        places.append((whole - reach[i]) // stride[i] + 1)
    return (zeros[0][0], zeros[1][0]), (places[0], places[1])


def _geometry(
    stride: int | Sequence[int],
    dilation: int | Sequence[int],
    before: Pair,
    groups: int,
    algorithm: str,
) -> tuple[int, ...]:
    if algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"convolution: algorithm must be one of {known}, got {algorithm!r}")
    steps, wide = pair("stride", stride), pair("dilation", dilation)
    return (*steps, *wide, *before, int(groups), ALGORITHMS[algorithm])


def _shape(name: str, array: Array) -> tuple[int, ...]:
    if not is_array(array):
        raise TypeError(f"convolution: {name} must be a NumPy array, got {type(array).__name__}")
    if array.ndim != 4:
        raise ValueError(f"convolution: {name} must have 4 axes, got shape {array.shape}")
    return array.shape


@takes_arrays
def convolution(
    x: FloatArray,
    weights: FloatArray,
    out: FloatArray | None = None,
    *,
    bias: FloatArray | None = None,
    activation: str = "identity",
    stride: int | Sequence[int] = 1,
    padding: Padding = "valid",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    algorithm: str = "auto",
    beta: float = 0.0,
) -> FloatArray:
    """Return ``activation(convolution(x, weights) + bias)``, with `beta` times `out` added before.

    Parameters
    ----------
    x : array, shape (batch, height, width, channels)
        C-contiguous float32 or float64.
    weights : array, shape (window height, window width, channels / groups, outputs)
    out : array, shape (batch, places down, places across, outputs), optional
        Made if not given; then `beta` must be 0.
    bias : array, shape (outputs,), optional
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    stride, dilation : int or (int, int)
        Down and across.
    padding
        See :func:`padded`.
    groups : int
    algorithm : {"auto", "direct", "winograd"}
        "winograd" is for windows of 3 x 3 and 5 x 5 with stride and dilation 1: tiles of 6 x 6 at
        the points 0, 5/8, -5/8, 3/2, -3/2 and infinity (Lavin & Gray, "Fast algorithms for
        convolutional neural networks", 2016), 4 and 2.8 times fewer multiplications. Its rounding
        errors, relative to the root mean square of the result, are about 1e-6 in float32: for
        results and the data's gradient 1.3 to 1.8 times those of the direct sum, for the weights'
        3 to 6 times. "auto" takes it where it is estimated to be faster. On a GPU all are computed
        directly.
    beta : float

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, overlap, a window larger than the padded image, groups that
        do not divide, a window that "winograd" is not for.
    """
    (_, *size, _), (*window, _, outputs) = _shape("x", x), _shape("weights", weights)
    steps, wide = pair("stride", stride), pair("dilation", dilation)
    before, places = padded(padding, (size[0], size[1]), (window[0], window[1]), steps, wide)
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"convolution: activation must be one of {known}, got {activation!r}")
    shape = (len(x), *places, outputs)
    if out is None:
        if beta != 0.0:
            raise ValueError(f"convolution: beta must be 0 where out is not given, got {beta!r}")
        out = empty(x, shape)
    elif _shape("out", out) != shape:
        raise ValueError(f"convolution: out must have shape {shape}, got {out.shape}")
    native_module(x).convolution(
        x,
        weights,
        out,
        bias,
        ACTIVATIONS[activation],
        beta,
        _geometry(steps, wide, before, groups, algorithm),
    )
    return out


@takes_arrays
def convolution_data_gradient(
    y_gradient: FloatArray,
    weights: FloatArray,
    out: FloatArray,
    *,
    stride: int | Sequence[int] = 1,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    algorithm: str = "auto",
    beta: float = 0.0,
) -> FloatArray:
    """Write the gradient with respect to x, `beta` times what is there added; return it.

    Parameters
    ----------
    y_gradient : array, shape (batch, places down, places across, outputs)
        With respect to the convolution's result, before bias and activation.
    weights : array, shape (window height, window width, channels / groups, outputs)
    out : array, shape (batch, height, width, channels)
    padding : (int, int)
        Zeros before the image, down and across: the first of what :func:`padded` gives.
    stride, dilation, groups, algorithm, beta
        As of :func:`convolution`.
    """
    geometry = _geometry(stride, dilation, padding, groups, algorithm)
    native_module(y_gradient).convolution_data_gradient(y_gradient, weights, out, beta, geometry)
    return out


@takes_arrays
def convolution_weights_gradient(
    x: FloatArray,
    y_gradient: FloatArray,
    out: FloatArray,
    *,
    stride: int | Sequence[int] = 1,
    padding: Pair = (0, 0),
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    algorithm: str = "auto",
    beta: float = 0.0,
) -> FloatArray:
    """Write the gradient with respect to the weights, `beta` times what is there added; return it.

    Parameters
    ----------
    x : array, shape (batch, height, width, channels)
    y_gradient : array, shape (batch, places down, places across, outputs)
    out : array, shape (window height, window width, channels / groups, outputs)
    padding : (int, int)
        Zeros before the image, down and across.
    stride, dilation, groups, algorithm, beta
        As of :func:`convolution`.
    """
    geometry = _geometry(stride, dilation, padding, groups, algorithm)
    native_module(x).convolution_weights_gradient(x, y_gradient, out, beta, geometry)
    return out
