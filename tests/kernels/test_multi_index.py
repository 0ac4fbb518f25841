"""Multi-index hashing gives what the scan gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import MultiIndex, hamming_nearest, hamming_within
from tests.kernels.test_hamming import random_codes

cases = st.tuples(
    st.integers(0, 600),  # codes
    st.integers(0, 21),  # queries
    st.integers(1, 26),  # bytes
    st.integers(1, 60),  # k
    st.integers(0, 40),  # radius
    st.integers(1, 12),  # parts
    st.booleans(),  # some are removed
    st.integers(0, 10**6),
)


def same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.usefixtures("each_level")
class TestMultiIndex:
    @given(cases)
    def test_results_are_those_of_the_scan(self, case):
        count, n_queries, size, k, radius, parts, some_removed, seed = case
        rng = np.random.default_rng(seed)
        codes = random_codes(rng, count, size)
        queries = random_codes(rng, n_queries, size)
        if count:
            queries[::2] = codes[rng.integers(0, count, len(queries[::2]))]
        removed = rng.integers(0, 256, (count + 7) // 8, dtype=np.uint8) if some_removed else None
        parts = max(parts, -(-size * 8 // 10))  # tables of at most 2^10 starts
        index = MultiIndex(codes, bits=size * 8, parts=parts)
        index._budget = lambda: 10**12  # never gives up
        for reach in (radius, None):
            same(
                index.nearest(queries, k, radius=reach, removed=removed),
                hamming_nearest(codes, queries, k, radius=reach, removed=removed),
            )
        same(
            index.within(queries, radius, removed=removed),
            hamming_within(codes, queries, radius, removed=removed),
        )

    def test_many_queries_that_would_cost_too_much(self, monkeypatch):
        rng = np.random.default_rng(5)
        codes = rng.integers(0, 256, (20000, 8), dtype=np.uint8)
        near = codes[:300] ^ np.array([0, 0, 0, 0, 0, 0, 0, 1], np.uint8)
        far = rng.integers(0, 256, (300, 8), dtype=np.uint8)
        index = MultiIndex(codes)
        for queries in (near, far, np.concatenate([near, far[:100]])):
            same(index.nearest(queries, 1), hamming_nearest(codes, queries, 1))
        looked_up = []
        whole = index._look_up
        monkeypatch.setattr(
            index, "_look_up", lambda q, *a: looked_up.append(len(q)) or whole(q, *a)
        )
        index.nearest(near, 1)
        index.nearest(far, 1)
        assert looked_up == [34, 300, 34]

    @pytest.mark.parametrize("size", [8, 16, 32])
    def test_queries_that_would_cost_too_much_are_scanned(self, size):
        rng = np.random.default_rng(size)
        codes = random_codes(rng, 30000, size)
        queries = np.concatenate([codes[:20], rng.integers(0, 256, (20, size), dtype=np.uint8)])
        index = MultiIndex(codes)
        same(index.nearest(queries, 2), hamming_nearest(codes, queries, 2))
        for radius in (2, size * 8):
            same(index.within(queries, radius), hamming_within(codes, queries, radius))

    def test_more_results_than_the_first_room(self):
        rng = np.random.default_rng(1)
        codes = rng.integers(0, 256, (20000, 8), dtype=np.uint8)
        codes[::4] = codes[0]
        queries = codes[:3]
        index = MultiIndex(codes, parts=4)
        found = index.within(queries, 3)
        assert np.diff(found.offsets)[0] >= 5000
        same(found, hamming_within(codes, queries, 3))
        same(index.nearest(queries, 700, radius=3), hamming_nearest(codes, queries, 700, radius=3))


def test_substrings_over_the_border_of_words():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 256, (3000, 16), dtype=np.uint8)
    codes = codes.view(np.uint64)
    codes[:, 1] &= np.uint64(2**61 - 1)
    index = MultiIndex(codes, bits=125, parts=9)
    queries = codes[:30] ^ np.uint64(1 << 59)
    assert (index.nearest(queries, 1, radius=10).distances == 2).all()
    same(index.within(queries, 10), hamming_within(codes, queries, 10))


@pytest.mark.usefixtures("keep_threads")
def test_threads_change_nothing():
    rng = np.random.default_rng(3)
    codes = random_codes(rng, 5000, 8)
    results = []
    for threads in (1, 3):
        ictus.set_num_threads(threads)
        index = MultiIndex(codes)
        results.append((*index.nearest(codes[:100], 5), *index.within(codes[:100], 5)))
    same(*results)


def test_memory_is_told():
    index = MultiIndex(np.zeros((1000, 8), np.uint8), parts=8)
    assert index.nbytes == 8 * (257 * 4 + 1000 * (4 + 8))
    assert len(index) == 1000


def test_bad_arguments():
    codes = np.zeros((10, 8), np.uint8)
    with pytest.raises(ValueError, match=r"parts must be in 1 .. 64.*got 1 for 64 bits"):
        MultiIndex(codes, parts=1)
    with pytest.raises(ValueError, match="got 0 for 64 bits"):
        MultiIndex(codes, parts=0)
    with pytest.raises(ValueError, match=r"bits must be in 1 .. the bits of the words, got 65"):
        MultiIndex(codes, bits=65)
    index = MultiIndex(codes)
    with pytest.raises(ValueError, match=r"queries must have shape \(any, 1\), got \(1, 2\)"):
        index.nearest(np.zeros((1, 16), np.uint8), 1)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        index.nearest(codes, 0)
    with pytest.raises(ValueError, match="radius must be at least 0, got -2"):
        index.within(codes, -2)
