"""The idx format of the MNIST files: big-endian arrays of any rank, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class IdxError(ValueError):
    """The file is not an idx file, or it is truncated."""


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the array of an idx file (``.gz`` or plain), in native byte order.

    Raises
    ------
    IdxError
        Not an idx file, or its data are shorter or longer than its header says.
    OSError
        It cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES:
            raise IdxError(f"{os.fspath(path)} is not an idx file")
        rank = data[3]
        shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    except (struct.error, EOFError, OSError, IndexError, zlib.error) as error:
        if isinstance(error, IdxError):
            raise
        raise IdxError(f"{os.fspath(path)} is damaged: {error}") from error
    dtype = np.dtype(TYPES[data[2]])
    body = data[4 + 4 * rank :]
    expected = math.prod(shape) * dtype.itemsize
    if len(body) != expected:
        raise IdxError(
            f"{os.fspath(path)} must have {expected} bytes of data for shape {shape}, "
            f"got {len(body)}"
        )
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))
