"""Sums, softmax and log-sum-exp over the rows or columns of a matrix, each in a fixed order."""

from __future__ import annotations

from ictus.kernels._arrays import FloatArray, input_rows
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays


def _reduce(kernel: str, x: FloatArray, out: FloatArray | None, axis: int | None) -> FloatArray:
    matrix = is_array(x) and x.ndim == 2
    if out is None and matrix:
        out = empty(x, x.shape if axis is None else x.shape[axis : axis + 1])
    getattr(native_module(x), kernel)(input_rows(x) if matrix else x, out)
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
    return _reduce("column_sums", x, out, 1)


@takes_arrays
def row_sums(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the sum of each row, shape (rows,); arguments as of :func:`column_sums`."""
    return _reduce("row_sums", x, out, 0)


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
    return _reduce("log_sum_exp", x, out, 0)


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
    return _reduce("softmax", x, out, None)


@takes_arrays
def log_softmax(x: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return ``x - log_sum_exp(x)`` of each row; ``out`` may be ``x``."""
    return _reduce("log_softmax", x, out, None)


@takes_arrays
def sum_of_squares(x: FloatArray) -> float:
    """Return the sum of squares of a contiguous vector, accumulated in double precision.

    Parameters
    ----------
    x : array, shape (n,)
        float32 or float64, contiguous.
    """
    total: float = native_module(x).sum_of_squares(x)
    return total
