"""Search in binary codes by looking at all of them, against NumPy on unpacked bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import code_words, hamming_nearest, hamming_within
from ictus.kernels.hamming import NO_DISTANCE


def random_codes(rng, count, size):
    """Codes with few different distances, and many that are equal."""
    centres = rng.integers(0, 256, (max(count // 8, 1), size), dtype=np.uint8)
    codes = centres[rng.integers(0, len(centres), count)]
    flips = rng.integers(0, 256, codes.shape, dtype=np.uint8)
    return codes ^ np.where(rng.random(codes.shape) < 0.2, flips, 0).astype(np.uint8)


BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).sum(axis=1)


def all_distances(codes, queries):
    counts = BITS_OF_BYTE.astype(np.uint8)
    rows = [counts[codes ^ query].sum(axis=1, dtype=np.int64) for query in queries]
    return np.array(rows).reshape(len(queries), len(codes))


def expected_order(distances, removed_mask, radius):
    """The rows that count for one query, nearest first, ties by number."""
    order = np.argsort(distances, kind="stable")
    return order[~removed_mask[order] & (distances[order] <= radius)]


cases = st.tuples(
    st.integers(0, 700),  # codes
    st.integers(0, 37),  # queries
    st.one_of(st.integers(1, 40), st.sampled_from([64, 128, 264])),  # bytes
    st.integers(1, 900),  # k
    st.one_of(st.none(), st.integers(0, 90)),  # radius
    st.booleans(),  # some are removed
    st.integers(0, 10**6),
)


def make(case):
    count, n_queries, size, k, radius, some_removed, seed = case
    rng = np.random.default_rng(seed)
    codes = random_codes(rng, count, size)
    queries = random_codes(rng, n_queries, size)
    if count:  # some queries are codes
        queries[::2] = codes[rng.integers(0, count, len(queries[::2]))]
    mask = rng.random(count) < (0.3 if some_removed else 0.0)
    removed = np.packbits(mask, bitorder="little") if some_removed else None
    return codes, queries, k, radius, mask, removed


def check_nearest(found, distances, mask, radius, k):
    reach = 10**9 if radius is None else radius
    for q, row in enumerate(distances):
        order = expected_order(row, mask, reach)[:k]
        np.testing.assert_array_equal(found.numbers[q, : len(order)], order)
        np.testing.assert_array_equal(found.distances[q, : len(order)], row[order])
        assert (found.numbers[q, len(order) :] == -1).all()
        assert (found.distances[q, len(order) :] == NO_DISTANCE).all()


def check_within(found, distances, mask, radius):
    assert len(found.offsets) == len(distances) + 1
    for q, row in enumerate(distances):
        order = expected_order(row, mask, radius)
        own = slice(found.offsets[q], found.offsets[q + 1])
        np.testing.assert_array_equal(found.numbers[own], order)
        np.testing.assert_array_equal(found.distances[own], row[order])


@pytest.mark.usefixtures("each_level")
class TestScan:
    @given(cases)
    def test_nearest(self, case):
        codes, queries, k, radius, mask, removed = make(case)
        found = hamming_nearest(codes, queries, k, radius=radius, removed=removed)
        assert found.distances.shape == found.numbers.shape == (len(queries), k)
        check_nearest(found, all_distances(codes, queries), mask, radius, k)

    @given(cases)
    def test_within(self, case):
        codes, queries, _, radius, mask, removed = make(case)
        reach = 20 if radius is None else radius
        found = hamming_within(codes, queries, reach, removed=removed)
        check_within(found, all_distances(codes, queries), mask, reach)

    @pytest.mark.parametrize("size", [8, 32])
    def test_codes_cut_into_parts(self, size):
        """Few queries of many codes: each part finds its own nearest; equal ones stay in order."""
        rng = np.random.default_rng(size)
        codes = rng.integers(0, 256, (3 * 2**17 + 5, size), dtype=np.uint8)
        codes[::3] = codes[0]  # far more equal codes than k, over all parts
        queries = np.stack([codes[0], codes[1], codes[-1]])
        distances = all_distances(codes, queries)
        mask = np.zeros(len(codes), bool)
        check_nearest(hamming_nearest(codes, queries, 300), distances, mask, None, 300)
        check_within(hamming_within(codes, queries, 9), distances, mask, 9)

    def test_distances_of_the_longest_codes(self):
        codes = np.zeros((3, 512), np.uint64)
        codes[1:] = 2**64 - 1
        codes[2, 511] = 0
        found = hamming_nearest(codes, codes[:1], 3)
        np.testing.assert_array_equal(found.distances, [[0, 511 * 64, 512 * 64]])
        np.testing.assert_array_equal(found.numbers, [[0, 2, 1]])


@pytest.mark.usefixtures("keep_threads")
def test_threads_change_nothing():
    rng = np.random.default_rng(3)
    codes = random_codes(rng, 3 * 2**17, 8)
    results = []
    for threads in (1, 2, 5):
        ictus.set_num_threads(threads)
        results.append(
            (*hamming_nearest(codes, codes[:40], 50), *hamming_within(codes, codes[:3], 12))
        )
    for result in results[1:]:
        for array, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, expected)


def test_words_are_a_view_where_they_can_be():
    codes = np.arange(64, dtype=np.uint8).reshape(4, 16)
    assert np.shares_memory(code_words(codes), codes)
    words = code_words(codes[:, :11])
    assert words.shape == (4, 2)
    np.testing.assert_array_equal(words.view(np.uint8)[:, :11], codes[:, :11])
    assert not words.view(np.uint8)[:, 11:].any()


def test_bytes_that_are_not_aligned():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (20, 16), dtype=np.uint8)
    room = np.zeros(20 * 16 + 1, np.uint8)
    shifted = room[1:].reshape(20, 16)
    shifted[:] = codes
    for queries in (shifted, shifted.view(np.uint64)):
        found = hamming_nearest(codes.view(queries.dtype), queries, 3)
        np.testing.assert_array_equal(found.numbers, hamming_nearest(codes, codes, 3).numbers)


def test_read_only_and_strided_codes():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (50, 24), dtype=np.uint8)
    expected = hamming_nearest(codes[::2, :8].copy(), codes[:5, :8].copy(), 4)
    codes.flags.writeable = False
    found = hamming_nearest(codes[::2, :8], codes[:5, :8], 4)
    np.testing.assert_array_equal(found.numbers, expected.numbers)


CODES = np.zeros((10, 8), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((CODES.astype(np.int64), CODES, 1), {}, TypeError, "codes must be an array of uint8"),
        ((CODES, [[1]], 1), {}, TypeError, "queries must be an array of uint8.*got list"),
        ((CODES[0], CODES, 1), {}, ValueError, r"codes must have shape \(codes, bytes\)"),
        ((CODES[:, :0], CODES, 1), {}, ValueError, r"bytes > 0, got \(10, 0\)"),
        (
            (CODES, np.zeros((2, 9), np.uint8), 1),
            {},
            ValueError,
            r"queries must have shape \(any, 1\), got \(2, 2\)",
        ),
        ((CODES, CODES, 0), {}, ValueError, "k must be at least 1 and less than 2.40, got 0"),
        ((CODES, CODES, 1), {"radius": -1}, ValueError, "radius must be at least 0, got -1"),
        (
            (CODES, CODES, 1),
            {"removed": np.zeros(1, np.uint8)},
            ValueError,
            r"removed must have shape \(2,\), got \(1,\)",
        ),
        (
            (np.zeros((1, 513), np.uint64), np.zeros((1, 513), np.uint64), 1),
            {},
            ValueError,
            "codes must be of 1 to 512 words a code, got 513",
        ),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        hamming_nearest(*arguments, **options)
