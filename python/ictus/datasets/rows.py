"""What the generators of sequences share: checks, one-hot rows, one array a sequence."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: An int, or a generator that goes on where it stands.
Seed = int | np.random.Generator


def checked_integer(name: str, value: Any, least: int) -> int:
    whole = isinstance(value, Real) and not isinstance(value, bool) and value == value // 1
    if not whole or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def one_hot_rows(symbols: Array, size: int) -> Array:
    frames = np.zeros((len(symbols), size), np.float32)
    frames[np.arange(len(symbols)), symbols] = 1
    return frames


def split_rows(rows: Array, lengths: Array) -> list[Array]:
    """One array a sequence (views) of rows that lie one after another."""
    ends = np.cumsum(lengths).tolist()
    return [rows[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
