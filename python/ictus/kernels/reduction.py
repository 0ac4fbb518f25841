"""Sums, softmax and log-sum-exp over the rows or columns of a matrix, each in a fixed order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ictus import _core
from ictus.kernels._arrays import Array, FloatArray, input_rows
from ictus.kernels._foreign import takes_arrays

Kernel = Callable[[Array, Array], None]


def _reduce(kernel: Kernel, x: FloatArray, out: FloatArray | None, axis: int | None) -> FloatArray:
    if out is None and isinstance(x, np.ndarray) and x.ndim == 2:
        out = np.empty(x.shape if axis is None else x.shape[axis], x.dtype)
    kernel(input_rows(x) if isinstance(x, np.ndarray) and x.ndim == 2 else x, out)  # type: ignore[arg-type]
    return out  # type: ignore[return-value]


@takes_arrays
def column_sums(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the sum of each column: the gradient of a layer's bias.

    Parameters
    ----------
    x : array, shape (rows, columns)
        float32 or float64.
    out : array, shape (columns,), optional

    Returns
    -------
    array, shape (columns,)
        Summed over the rows in their order.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, rank, shape, or ``out`` overlaps ``x``.
    """
    return _reduce(_core.column_sums, x, out, 1)


@takes_arrays
def row_sums(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the sum of each row, shape (rows,); arguments as of :func:`column_sums`."""
    return _reduce(_core.row_sums, x, out, 0)


@takes_arrays
def log_sum_exp(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return ``log(sum(exp(x), axis=1))``, shifted by each row's maximum against overflow.

    Parameters
    ----------
    x : array, shape (rows, columns)
    out : array, shape (rows,), optional

    Returns
    -------
    array, shape (rows,)
        -inf for rows of -inf; NaN where a row holds NaN.
    """
    return _reduce(_core.log_sum_exp, x, out, 0)


@takes_arrays
def softmax(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return ``exp(x) / sum(exp(x))`` of each row, stable for logits of any size.

    Parameters
    ----------
    x : array, shape (rows, columns)
        Logits.
    out : array, shape (rows, columns), optional
        May be ``x``.
    """
    return _reduce(_core.softmax, x, out, None)


@takes_arrays
def log_softmax(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return ``x - log_sum_exp(x)`` of each row; ``out`` may be ``x``."""
    return _reduce(_core.log_softmax, x, out, None)


@takes_arrays
def sum_of_squares(x: FloatArray) -> float:
    """Return the sum of squares of a contiguous vector, accumulated in double precision.

    Parameters
    ----------
    x : array, shape (n,)
        float32 or float64, contiguous.
    """
    return _core.sum_of_squares(x)
