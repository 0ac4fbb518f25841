"""Hypothesis strategies: scalars, sizes with odd remainders, and memory layouts of equal arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

scalars = st.sampled_from([np.float32, np.float64])

# Around the widths of vectors (2 .. 16 lanes) and of tiles, 1 and odd ones included.
sizes = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 31, 33, 47, 64, 65, 100]))

# How a matrix lies in memory: "rows" have a contiguous last axis, the others do not.
row_layouts = st.sampled_from(["contiguous", "padded", "shifted"])
layouts = st.sampled_from(["contiguous", "padded", "shifted", "transposed", "stepped", "reversed"])


def arrange(a: np.ndarray, layout: str) -> np.ndarray:
    """A copy of the matrix `a` that lies in memory as `layout` says; padding is NaN."""
    rows, columns = a.shape
    if layout == "contiguous":
        return a.copy()
    if layout == "transposed":
        return np.ascontiguousarray(a.T).T
    if layout == "reversed":
        return np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]
    if layout == "padded":
        view = np.full((rows, columns + 3), np.nan, a.dtype)[:, :columns]
    elif layout == "shifted":  # one item off the alignment that whole vectors have
        view = np.full(rows * columns + 1, np.nan, a.dtype)[1:].reshape(rows, columns)
    elif layout == "stepped":
        view = np.full((2 * rows, 3 * columns), np.nan, a.dtype)[::2, ::3]
    else:
        raise ValueError(f"unknown layout {layout!r}")
    view[...] = a
    return view


def matrix(rows: int, columns: int, dtype: type, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Normal numbers, the same for the same arguments."""
    return (scale * np.random.default_rng(seed).standard_normal((rows, columns))).astype(dtype)
