"""The names of codes in the columns of an index: bytes of UTF-8, and where each name ends.

Codes that were added without names before one with a name have empty ones; after the last name
there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def name_rows(names: Sequence[str], unnamed: int, begin: int) -> dict[str, Array]:
    """The rows to append, for `unnamed` codes and those with names; the bytes begin at `begin`."""
    texts = [name.encode() for name in names]
    ends = np.cumsum([0] * unnamed + [len(text) for text in texts], dtype=np.int64)
    return {
        "names": np.frombuffer(b"".join(texts), np.uint8)[:, np.newaxis],
        "name_ends": (ends + begin)[:, np.newaxis],
    }


def read_names(data: Array, ends: Array, numbers: Iterable[int]) -> list[str]:
    """Names from the two columns, shape (bytes,) and (names,)."""
    names = []
    for number in numbers:
        if number >= len(ends):
            names.append("")
            continue
        begin = int(ends[number - 1]) if number else 0
        names.append(data[begin : int(ends[number])].tobytes().decode())
    return names
