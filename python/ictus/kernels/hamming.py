"""Brute-force search in binary codes by Hamming distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ictus.kernels._arrays import Array
from ictus.kernels._device import (
    contiguous,
    device_of,
    empty,
    is_array,
    is_device_array,
    native_module,
    to_host,
    zeros,
)
from ictus.kernels._foreign import takes_arrays

# A key is distance * 2**48 + number (include/ictus/hamming.h).
KEY_BITS = 48
NO_DISTANCE = np.iinfo(np.int32).max  # where there is no further code
FIRST_ROOM = 256  # results of a query within a radius, before there is more room

Words = npt.NDArray[np.uint64]


class Nearest(NamedTuple):
    """The nearest codes of each query.

    Attributes
    ----------
    distances : array of int32, shape (queries, k)
        Ascending; the largest int32 where there is no further code.
    numbers : array of int64, shape (queries, k)
        The codes' rows; -1 where there is no further code.
    """

    distances: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int64]


class Within(NamedTuple):
    """The codes within a radius of each query: of query i from offsets[i] to offsets[i + 1].

    Attributes
    ----------
    offsets : array of int64, shape (queries + 1,)
    distances : array of int32, shape (offsets[-1],)
        Ascending for each query.
    numbers : array of int64, shape (offsets[-1],)
        The codes' rows, ascending where distances are equal.
    """

    offsets: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int64]


@takes_arrays
def code_words(codes: Array, name: str = "codes") -> Words:
    """Rows of bytes as rows of 64-bit words, the last one filled with zero bits.

    Parameters
    ----------
    codes : array of uint8, shape (n, bytes), or of uint64, shape (n, words)
        Bits as :func:`numpy.packbits` packs them. Words are returned as they are.
    name : str
        What messages call the array.

    Returns
    -------
    array of uint64, shape (n, ceil(bytes / 8))
        A view where bytes are a multiple of 8, contiguous and aligned.

    Raises
    ------
    TypeError, ValueError
        Another dtype, not two axes, or codes of no bits.
    """
    if not is_array(codes) or codes.dtype not in (np.uint8, np.uint64):
        got = codes.dtype if is_array(codes) else type(codes).__name__
        raise TypeError(f"{name} must be an array of uint8 (packed bits) or uint64, got {got}")
    if codes.ndim != 2 or codes.shape[1] == 0:
        raise ValueError(f"{name} must have shape (codes, bytes), bytes > 0, got {codes.shape}")
    if is_device_array(codes) and not isinstance(codes, np.ndarray):
        return _words_on_device(codes)
    if codes.dtype == np.uint64:
        return np.require(codes, requirements=["C", "A"])
    missing = -codes.shape[1] % 8
    if missing:
        codes = np.pad(codes, ((0, 0), (0, missing)))
    # Bytes that came over a network may lie anywhere.
    return np.require(np.ascontiguousarray(codes).view(np.uint64), requirements=["C", "A"])


def _words_on_device(codes: Array) -> Words:
    if codes.dtype == np.uint64:
        return contiguous(codes)  # type: ignore[no-any-return]
    missing = -codes.shape[1] % 8
    if missing:
        padded = zeros(codes, (codes.shape[0], codes.shape[1] + missing))
        padded[:, : codes.shape[1]] = codes
        codes = padded
    return contiguous(codes).view(np.uint64)  # type: ignore[no-any-return]


@takes_arrays
def hamming_nearest(
    codes: Array,
    queries: Array,
    k: int,
    *,
    radius: int | None = None,
    removed: npt.NDArray[np.uint8] | None = None,
) -> Nearest:
    """Find the k nearest codes of each query by looking at all.

    The distance is the number of differing bits. Of codes at the same distance the one with the
    lower number comes first; results do not depend on the number of threads.

    Parameters
    ----------
    codes : array of uint8, shape (n, bytes), or uint64, shape (n, words)
        Packed bits.
    queries : array of the same dtype, shape (queries, bytes) or (queries, words)
    k : int
        At least 1.
    radius : int, optional
        Codes farther than this do not count.
    removed : array of uint8, shape (ceil(n / 8),), optional
        Bit ``i % 8`` of byte ``i // 8`` says that code i is not there
        (``numpy.packbits(..., bitorder="little")``).

    Returns
    -------
    Nearest

    Raises
    ------
    TypeError, ValueError
        Arrays of the wrong dtype or shape, codes and queries of different lengths, k < 1,
        radius < 0.
    """
    base, asked = code_words(codes), code_words(queries, "queries")
    reach = base.shape[1] * 64 if radius is None else radius
    native = native_module(base)
    room = native.hamming_nearest_keys(len(base), len(asked), max(k, 1))
    keys = empty(base, (room,), np.uint64)
    distances = empty(base, (len(asked), max(k, 1)), np.int32)
    numbers = empty(base, (len(asked), max(k, 1)), np.int64)
    native.hamming_nearest(base, asked, k, reach, removed, keys, distances, numbers)
    return Nearest(distances, numbers)


@takes_arrays
def hamming_within(
    codes: Array,
    queries: Array,
    radius: int,
    *,
    removed: npt.NDArray[np.uint8] | None = None,
) -> Within:
    """Find all codes within a Hamming distance of each query by looking at all.

    Parameters
    ----------
    codes, queries, removed
        As for :func:`hamming_nearest`.
    radius : int
        The largest distance, at least 0.

    Returns
    -------
    Within

    Raises
    ------
    TypeError, ValueError
        As :func:`hamming_nearest`.
    """
    base, asked = code_words(codes), code_words(queries, "queries")
    native, arrays = native_module(base), device_of(base).arrays
    parts = native.hamming_within_parts(len(base), len(asked))
    counts = np.full((len(asked), parts), -(-FIRST_ROOM // parts), np.int64)
    while True:
        # What decides about memory is looked at on the host, on a GPU's results too.
        room = counts
        offsets = room_offsets(room)
        keys = empty(base, (int(offsets[-1]),), np.uint64)
        found = empty(base, counts.shape, np.int64)
        native.hamming_within(base, asked, radius, removed, arrays.asarray(offsets), keys, found)
        counts = to_host(found)
        if (counts <= room).all():
            break
    keys = used_keys(keys, offsets, counts)
    result = room_offsets(counts.sum(axis=1))
    for begin, end in zip(result[:-1].tolist(), result[1:].tolist(), strict=True):
        keys[begin:end].sort()
    return Within(arrays.asarray(result), *read_keys(keys))


def room_offsets(room: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the room of each query begins, if they lie one after the other; and the end."""
    offsets = np.zeros(room.size + 1, np.int64)
    np.cumsum(room.ravel(), out=offsets[1:])
    return offsets


def used_keys(keys: Words, offsets: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Words:
    """The first `counts` keys of each room, without the gaps."""
    flat = counts.ravel()
    total = int(flat.sum())
    if total == len(keys):
        return keys
    gaps = offsets[:-1] - (np.cumsum(flat) - flat)
    places = np.arange(total) + np.repeat(gaps, flat)
    used: Words = keys[device_of(keys).arrays.asarray(places)]
    return used


def read_keys(keys: Words) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Distances and numbers."""
    distances = (keys >> np.uint64(KEY_BITS)).astype(np.int32)
    return distances, (keys & np.uint64(2**KEY_BITS - 1)).astype(np.int64)
