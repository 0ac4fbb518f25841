"""The wire format of protocol buffers: fields of a message, read and written.

A message is a row of fields, each a key (number of the field and wire type) and a value. Nothing is
copied on reading: what a field holds is a view of the file's bytes, or one number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are no message."""


def read_varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number at `place` (unsigned, 64 bits), and the place behind it."""
    result = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
    raise WireError("a number has no end")


def signed(value: int) -> int:
    """Return what 64 bits mean as a signed number."""
    return value - (1 << 64) if value >> 63 else value


def fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield number, wire type and value of each field.

    Numbers come as unsigned integers, the fixed ones as their 4 or 8 bytes.

    Raises
    ------
    WireError
        The message ends in the middle of a field, or has a wire type that is none.
    """
    place = 0
    while place < len(data):
        key, place = read_varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = read_varint(data, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, place = read_varint(data, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise WireError(f"a field has the unknown wire type {kind}")
        if length > len(data) - place:
            raise WireError(f"a field would have {length} bytes where {len(data) - place} are left")
        yield number, kind, data[place : place + length]
        place += length


def text(value: int | memoryview) -> str:
    """Return a string."""
    if isinstance(value, int):
        raise WireError("a number stands where a text belongs")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise WireError("a text is not UTF-8") from None


def message(value: int | memoryview) -> memoryview:
    """Return a message inside a message."""
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value


def number(value: int | memoryview) -> int:
    """Return a signed integer."""
    if not isinstance(value, int):
        raise WireError("bytes stand where a number belongs")
    return signed(value)


def integers(kind: int, value: int | memoryview) -> list[int]:
    """Return the integers of one field of a repeated number, packed or alone."""
    if kind == VARINT:
        return [number(value)]
    packed = message(value)
    result, place = [], 0
    while place < len(packed):
        one, place = read_varint(packed, place)
        result.append(signed(one))
    return result


def floats(kind: int, value: int | memoryview) -> NDArray[np.float32]:
    """Return the floats of one field of a repeated number: a view."""
    data = message(value)
    if kind not in (BYTES, FIXED32) or len(data) % 4:
        raise WireError("floats of an odd number of bytes")
    return np.frombuffer(data, "<f4")


def doubles(value: int | memoryview) -> NDArray[np.float64]:
    """Return the doubles of one field of a repeated number: a view."""
    data = message(value)
    if len(data) % 8:
        raise WireError("doubles of an odd number of bytes")
    return np.frombuffer(data, "<f8")


# --- writing -----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Return the bytes of an integer."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer_field(field: int, value: int) -> bytes:
    """Return a field with an integer."""
    return varint(field << 3 | VARINT) + varint(value)


def bytes_field(field: int, value: bytes | str) -> bytes:
    """Return a field with bytes, a text or a message."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | BYTES) + varint(len(data)) + data


def float_field(field: int, value: float) -> bytes:
    """Return a field with a float of 32 bits."""
    return varint(field << 3 | FIXED32) + struct.pack("<f", value)


def integers_field(field: int, values: Iterable[int]) -> bytes:
    """Return a packed field of integers."""
    return bytes_field(field, b"".join(varint(int(v)) for v in values))
