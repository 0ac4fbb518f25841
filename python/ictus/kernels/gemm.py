"""Matrix product with a fused epilogue: bias, activation, dropout, sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import empty, is_device_array, native_module
from ictus.kernels._foreign import all_as_numpy, is_foreign

__all__ = ["ACTIVATIONS", "PackedMatrix", "gemm"]

Array = NDArray[Any]

#: The activation functions by name, and the numbers by which the native kernels know them.
ACTIVATIONS = {"identity": 0, "sigmoid": 1, "tanh": 2, "relu": 3, "softplus": 4}
SAMPLINGS = {None: 0, "bernoulli": 1, "gaussian": 2}


class PackedMatrix:
    """A right operand of :func:`gemm`, packed once for many products, where its array lies.

    Parameters
    ----------
    b : array, shape (inner, columns)

    Attributes
    ----------
    shape : tuple of int
    version : int
        How often it has been packed; ``update(b)`` packs another array of the same shape.
    """

    shape: tuple[int, int]
    version: int

    def __new__(cls, b: Array) -> PackedMatrix:  # the native object of the device
        packed: PackedMatrix = native_module(b).PackedMatrix(b)
        return packed

    def update(self, b: Array) -> None:
        """Pack b, of the same shape and dtype, anew."""


def _empty_result(a: Any, b: Any, beta: float) -> Any:
    if beta != 0.0:
        raise ValueError("gemm: beta must be 0 where out is not given, got " + repr(beta))
    if is_device_array(a):
        return empty(a, a.shape[:1] + b.shape[1:])
    seen = all_as_numpy("gemm", {"a": a, "b": b})
    a, b = seen["a"], seen["b"]
    if not hasattr(b, "shape"):
        raise TypeError(f"gemm: b must be an array, got {type(b).__name__}")
    return np.empty(np.shape(a)[:1] + b.shape[1:], getattr(a, "dtype", None))


def gemm(
    a: Array,
    b: Array | PackedMatrix,
    out: Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    bias: Array | None = None,
    activation: str = "identity",
    dropout_rate: float = 0.0,
    sample: str | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> Array:
    """Return ``sample(dropout(activation(alpha * a @ b + beta * out + bias)))``.

    Parameters
    ----------
    a : array, shape (rows, inner)
        Left operand, float32 or float64, any strides (a transposed view costs nothing).
    b : array, shape (inner, columns), or PackedMatrix
        Right operand of the same dtype. A :class:`PackedMatrix` is laid out once for many products.
    out : array, shape (rows, columns), optional
        Where the result goes: contiguous rows, no overlap with the operands. Made if not given.
    alpha, beta : float
        Scales of the product and of the former ``out``. With ``beta=0`` the former contents are
        not read and may be NaN; with ``alpha=0`` the operands are not read.
    bias : array, shape (columns,), optional
        Added to every row.
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
        Function of the biased product.
    dropout_rate : float in [0, 1)
        Each unit is set to zero with this probability and divided by ``1 - dropout_rate``
        otherwise (inverted dropout; Hinton et al. 2012).
    sample : {None, "bernoulli", "gaussian"}
        Replaces each value y by a draw: 1 with probability y, or y plus a standard normal number.
    seed, stream : int
        What the draws depend on, beside row and column. Dropout draws from ``stream``, sampling
        from ``stream + 1``.
    first_row : int
        The number of the first row for draws: a batch cut in two gives the draws of the whole.

    Returns
    -------
    array, shape (rows, columns)
        ``out``. The same bits for any number of threads.

    Raises
    ------
    TypeError
        An operand is not an array, or of another dtype than float32 or float64, or than ``a``.
    ValueError
        Shapes, strides, overlap, or a value outside its range.
    """
    if out is None:
        out = _empty_result(a, b, beta)
    try:
        number = ACTIVATIONS[activation]
        sampling = SAMPLINGS[sample]
    except KeyError as error:
        what, known = (
            ("sample", SAMPLINGS) if activation in ACTIVATIONS else ("activation", ACTIVATIONS)
        )
        raise ValueError(
            f"gemm: {what} must be one of {', '.join(map(repr, known))}, got {error.args[0]!r}"
        ) from None
    arguments = (number, dropout_rate, sampling, seed, stream, first_row)
    try:
        native_module(a).gemm(a, b, out, alpha, beta, bias, *arguments)
    except TypeError:
        # Arrays of other libraries are taken here, so that plain calls pay nothing for them.
        if not any(map(is_foreign, (a, b, out, bias))):
            raise
        seen = all_as_numpy("gemm", {"a": a, "b": b, "out": out, "bias": bias})
        a = seen["a"]
        native_module(a).gemm(a, seen["b"], seen["out"], alpha, beta, seen["bias"], *arguments)
    return out
