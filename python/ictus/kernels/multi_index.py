"""Multi-index hashing: exact search in many binary codes without looking at all of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ictus import _core
from ictus.kernels._arrays import Array
from ictus.kernels.hamming import (
    FIRST_ROOM,
    Nearest,
    Within,
    Words,
    code_words,
    hamming_nearest,
    hamming_within,
    read_keys,
    room_offsets,
    used_keys,
)

MOST_SUBSTRING_BITS = 24  # 64 MiB of starts a table
# Codes of at most so many words are kept once more in each table, in the order of its buckets.
WORDS_IN_BUCKETS = 2
# What a scan costs a word of a code, in the unit of a candidate's word in a bucket: measured with
# AVX-512 VPOPCNTDQ, where looking up is worth while least.
SCAN_COST = 0.016
# Of many queries a few are tried first: where most give up, all are scanned.
TRIED = 32


class MultiIndex:
    """Tables of the substrings of binary codes (Norouzi, Punjani & Fleet, CVPR 2012).

    A code is cut into substrings of about log2(n) bits. Codes near a query agree with it in at
    least one of them up to a few bits, and are found in the buckets of such substrings. The results
    are those of the scan, in the same order; a query that would cost more than the scan is scanned.

    Parameters
    ----------
    codes : array of uint8, shape (n, bytes), or uint64, shape (n, words)
        Packed bits, less than 2**32 codes. They are not copied where they are words, and must not
        change.
    bits : int, optional
        The length of the codes, where that is less than the words have.
    parts : int, optional
        How many substrings; by default such that they have about log2(n) bits.

    Attributes
    ----------
    parts : int
    nbytes : int
        The memory of the tables, without the codes.

    Raises
    ------
    TypeError, ValueError
        Arrays of the wrong dtype or shape; substrings longer than 26 bits.
    """

    def __init__(self, codes: Array, *, bits: int | None = None, parts: int | None = None) -> None:
        self.codes = code_words(codes)
        count, words = self.codes.shape
        self.bits = words * 64 if bits is None else bits
        self.parts = _usual_parts(count, self.bits) if parts is None else parts
        starts = _number_of_starts(self.bits, self.parts)
        self._starts = np.empty(starts, np.uint32)
        self._numbers = np.empty((self.parts, count), np.uint32)
        self._bucket_codes = (
            np.empty((self.parts, count, words), np.uint64) if words <= WORDS_IN_BUCKETS else None
        )
        _core.multi_index_build(*self._arrays())

    def _arrays(self) -> tuple[Words, int, int, Array, Array, Array | None]:
        return self.codes, self.bits, self.parts, self._starts, self._numbers, self._bucket_codes

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def nbytes(self) -> int:
        """The memory of the tables in bytes, without the codes."""
        extra = 0 if self._bucket_codes is None else self._bucket_codes.nbytes
        return self._starts.nbytes + self._numbers.nbytes + extra

    def _budget(self) -> int:
        """What looking up all within a radius may cost."""
        return math.ceil(self.codes.size * SCAN_COST)

    def nearest(
        self,
        queries: Array,
        k: int,
        *,
        radius: int | None = None,
        removed: npt.NDArray[np.uint8] | None = None,
    ) -> Nearest:
        """Find the k nearest codes of each query.

        Parameters and results are those of :func:`ictus.kernels.hamming_nearest`.

        Raises
        ------
        TypeError, ValueError
            As :func:`ictus.kernels.hamming_nearest`.
        """
        asked = code_words(queries, "queries")
        reach = self.bits if radius is None else radius
        if len(asked) >= 4 * TRIED:
            _, complete = self._look_up(asked[:: len(asked) // TRIED], k, reach, removed)
            if complete.mean() < 0.5:
                return hamming_nearest(self.codes, asked, k, radius=reach, removed=removed)
        result, complete = self._look_up(asked, k, reach, removed)
        rest = np.flatnonzero(complete == 0)
        if rest.size:
            scanned = hamming_nearest(self.codes, asked[rest], k, radius=reach, removed=removed)
            result.distances[rest] = scanned.distances
            result.numbers[rest] = scanned.numbers
        return result

    def _look_up(
        self, asked: Words, k: int, reach: int, removed: npt.NDArray[np.uint8] | None
    ) -> tuple[Nearest, npt.NDArray[np.uint8]]:
        """The nearest, and for each query whether it was not given up."""
        shape = len(asked), max(k, 1)
        result = Nearest(np.empty(shape, np.int32), np.empty(shape, np.int64))
        complete = np.empty(len(asked), np.uint8)
        _core.multi_index_nearest(
            *self._arrays(),
            np.ascontiguousarray(asked),
            k,
            reach,
            self._budget() // 2,  # how far the neighbours are is not known; it may be in vain
            removed,
            np.empty(shape, np.uint64),
            complete,
            *result,
        )
        return result, complete

    def within(
        self, queries: Array, radius: int, *, removed: npt.NDArray[np.uint8] | None = None
    ) -> Within:
        """Find all codes within a Hamming distance of each query.

        Parameters and results are those of :func:`ictus.kernels.hamming_within`.

        Raises
        ------
        TypeError, ValueError
            As :func:`ictus.kernels.hamming_within`.
        """
        asked = code_words(queries, "queries")
        complete = np.empty(len(asked), np.uint8)
        counts = np.full(len(asked), min(FIRST_ROOM, max(len(self), 1)), np.int64)
        while True:
            room = counts.copy()
            offsets = room_offsets(room)
            keys = np.empty(offsets[-1], np.uint64)
            _core.multi_index_within(
                *self._arrays(),
                asked,
                radius,
                self._budget(),
                removed,
                offsets,
                keys,
                complete,
                counts,
            )
            rest = np.flatnonzero(complete == 0)
            counts[rest] = 0
            if (counts <= room).all():
                break
        found = Within(room_offsets(counts), *read_keys(used_keys(keys, offsets, counts)))
        if not rest.size:
            return found
        return _merged(
            found, rest, hamming_within(self.codes, asked[rest], radius, removed=removed)
        )


def _usual_parts(count: int, bits: int) -> int:
    substring = min(max(math.log2(max(count, 2)), 1), MOST_SUBSTRING_BITS)
    return min(max(round(bits / substring), -(-bits // MOST_SUBSTRING_BITS), 1), bits, 64)


def _number_of_starts(bits: int, parts: int) -> int:
    if not 1 <= parts <= min(bits, 64) or -(-bits // parts) > 26:
        raise ValueError(
            f"MultiIndex: parts must be in 1 .. 64, with substrings of 1 to 26 bits, got {parts} "
            f"for {bits} bits"
        )
    longer = bits % parts
    shorter, length = parts - longer, bits // parts
    return shorter * ((1 << length) + 1) + longer * ((2 << length) + 1)


def _merged(found: Within, places: npt.NDArray[np.int64], others: Within) -> Within:
    """`found`, with the results of others[i] in the empty place places[i]."""
    counts = np.diff(found.offsets)
    counts[places] = np.diff(others.offsets)
    offsets = room_offsets(counts)
    own = np.repeat(np.isin(np.arange(len(counts)), places, invert=True), counts)
    distances = np.empty(offsets[-1], np.int32)
    numbers = np.empty(offsets[-1], np.int64)
    for whole, first, second in (
        (distances, found.distances, others.distances),
        (numbers, found.numbers, others.numbers),
    ):
        whole[own] = first
        whole[~own] = second
    return Within(offsets, distances, numbers)
