"""What an index keeps, and what its codes must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.io.append_store import Column
from ictus.kernels import code_words

MAX_BITS = 32768


def index_layout(
    bits: int, features: int, settings: dict[str, Any] | None
) -> tuple[dict[str, Column], dict[str, Any]]:
    """The columns of an index, and what is noted beside them.

    Raises
    ------
    ValueError
        bits that are no multiple of 8 or out of range, features below 0.
    """
    if not 8 <= bits <= MAX_BITS or bits % 8:
        raise ValueError(f"bits must be a multiple of 8 in 8 .. {MAX_BITS}, got {bits}")
    if features < 0:
        raise ValueError(f"features must be at least 0, got {features}")
    columns = {
        "codes": Column("<u8", -(-bits // 64)),
        "removed": Column("<i8", 1),
        "names": Column("|u1", 1),
        "name_ends": Column("<i8", 1),
    }
    if features:
        columns["features"] = Column("<f4", features)
    return columns, {"bits": bits, "notes": dict(settings or {})}


def checked_codes(bits: int, codes: Any, name: str) -> npt.NDArray[np.uint64]:
    """Packed codes of an index as words.

    Raises
    ------
    TypeError, ValueError
        Not an array of uint8, or codes of another length.
    """
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
        got = codes.dtype if isinstance(codes, np.ndarray) else type(codes).__name__
        raise TypeError(f"{name} must be an array of uint8 (packed bits), got {got}")
    if codes.ndim != 2 or codes.shape[1] * 8 != bits:
        got = f"{codes.shape[-1] * 8} bits" if codes.ndim == 2 else f"shape {codes.shape}"
        raise ValueError(f"{name} must have {bits} bits, shape ({name}, {bits // 8}), got {got}")
    return code_words(codes, name)
