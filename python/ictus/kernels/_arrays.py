"""How kernels that see matrices take arrays of any rank."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ictus.kernels._device import contiguous, is_array

FloatArray: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Array: TypeAlias = npt.NDArray[Any]


def has_rows(x: Array) -> bool:
    """Whether a kernel can read or write the matrix x as it lies: contiguous, separate rows."""
    rows, columns = x.shape
    row_stride, column_stride = x.strides
    return (columns <= 1 or column_stride == x.itemsize) and (
        rows <= 1 or row_stride >= columns * x.itemsize
    )


def input_rows(x: Array) -> Array:
    """x as a matrix: all axes but the last are rows. Copies only what no kernel can read.

    What is not an array is returned as it is, for the kernel's own check to refuse.
    """
    if not is_array(x):
        return x
    if x.ndim == 2 and (x.flags.c_contiguous or has_rows(x)):
        return x
    columns = x.shape[-1] if x.ndim else 1
    rows = x.size // columns if columns else 0
    return contiguous(x).reshape(rows, columns)  # type: ignore[no-any-return]


def output_rows(function: str, out: Array, shape: tuple[int, ...]) -> Array:
    """A matrix that is a view of out, whose shape must be `shape`.

    Raises
    ------
    ValueError
        Where out has another shape, or more than 2 axes and gaps between its elements.
    """
    if not is_array(out) or (out.ndim == 2 and out.shape == shape):
        return out
    if out.shape != shape:
        raise ValueError(f"{function}: out must have shape {shape}, got {out.shape}")
    if not out.flags.c_contiguous:
        raise ValueError(f"{function}: out must be C-contiguous, got strides {out.strides}")
    columns = shape[-1] if shape else 1
    return out.reshape(out.size // columns if columns else 0, columns)
