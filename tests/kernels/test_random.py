"""Philox and the arrays of random numbers, at every level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference, strategies, tolerance

SEED = 0x0123_4567_89AB_CDEF
STREAM = 0xFEDC_BA98_7654_3210
ONES = 2**64 - 1

# The known answers published with the generator (Random123, kat_vectors): counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, ONES, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0x299F31D0A4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def flat_order(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each element of a vector (core/philox.h)."""
    e = np.arange(count)
    return e // 16 % 4, e // 64 * 16 + e % 16


@pytest.mark.parametrize(("counter", "seed", "words"), KNOWN)
def test_reference_gives_the_known_answers(
    counter: tuple[int, ...], seed: int, words: tuple[int, ...]
) -> None:
    key = (seed & 0xFFFFFFFF, seed >> 32)
    np.testing.assert_array_equal(reference.philox(np.array([counter]), key)[0], words)


@pytest.mark.parametrize(("counter", "seed", "words"), KNOWN[:1] + KNOWN[2:])
@pytest.mark.parametrize("column", [0, 1, 5])
def test_kernel_gives_the_known_answers(
    each_level: str, column: int, counter: tuple[int, ...], seed: int, words: tuple[int, ...]
) -> None:
    """A matrix reaches every counter whose column is small: the first word of the counter."""
    stream = counter[2] | counter[3] << 32
    first_row = 4 * counter[1]
    u = kernels.uniform((4, 6), seed=seed, stream=stream, first_row=first_row, dtype=np.float64)
    counters = np.array([[column, *counter[1:]]])
    expected = reference.philox(counters, (seed & 0xFFFFFFFF, seed >> 32))[0]
    np.testing.assert_array_equal(u[:, column] * 2.0**32, expected)
    if counter[0] == column:
        np.testing.assert_array_equal(u[:, column] * 2.0**32, words)


def test_largest_seed_stream_and_row(each_level: str) -> None:
    """All bits set in the key and in three words of the counter."""
    first_row = 4 * (2**32 - 1)
    u = kernels.uniform((4, 19), seed=ONES, stream=ONES, first_row=first_row, dtype=np.float64)
    expected = reference.uniform(4, 19, np.float64, ONES, ONES, first_row)
    np.testing.assert_array_equal(u, expected)


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    first_row=st.integers(0, 2**33),
    layout=strategies.row_layouts,
)
def test_matrix_numbering(
    each_level: str, rows: int, columns: int, dtype: type, first_row: int, layout: str
) -> None:
    out = strategies.arrange(np.full((rows, columns), np.nan, dtype), layout)
    draw = {"seed": SEED, "stream": STREAM, "first_row": first_row}
    assert kernels.uniform(out=out, **draw) is out
    expected = reference.uniform(rows, columns, dtype, SEED, STREAM, first_row)
    np.testing.assert_array_equal(out, expected)
    kernels.normal(out=out, **draw)
    z = reference.normal(rows, columns, dtype, SEED, STREAM, first_row)
    tolerance.assert_within(out, z, 64 * tolerance.epsilon(dtype))
    if layout == "padded":
        assert np.isnan(out.base[:, columns:]).all()


@given(count=st.integers(0, 400), dtype=strategies.scalars, shift=st.integers(0, 1))
def test_flat_numbering(each_level: str, count: int, dtype: type, shift: int) -> None:
    row, column = flat_order(count)
    columns = int(column.max(initial=0)) + 1
    memory = np.full(count + 2, np.nan, dtype)
    out = memory[shift : shift + count]
    kernels.uniform(out=out, seed=SEED, stream=STREAM)
    expected = reference.uniform(4, columns, dtype, SEED, STREAM)[row, column]
    np.testing.assert_array_equal(out, expected)
    p = kernels.uniform(count, seed=1, dtype=dtype)
    states = kernels.bernoulli(p, seed=SEED, stream=STREAM)
    np.testing.assert_array_equal(states, expected < p)
    kernels.normal(out=out, seed=SEED, stream=STREAM)
    z = reference.normal(4, columns, dtype, SEED, STREAM)[row, column]
    tolerance.assert_within(out, z, 64 * tolerance.epsilon(dtype))
    assert np.isnan(memory[:shift]).all() and np.isnan(memory[shift + count :]).all()


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    layout=strategies.layouts,
    in_place=st.booleans(),
)
def test_bernoulli(
    each_level: str, rows: int, columns: int, dtype: type, layout: str, in_place: bool
) -> None:
    values = np.random.default_rng(1).random((rows, columns)).astype(dtype)
    p = strategies.arrange(values, layout)
    out = p if in_place and layout in ("contiguous", "padded", "shifted") else None
    states = kernels.bernoulli(p, out, seed=SEED, stream=3, first_row=2)
    u = reference.uniform(rows, columns, dtype, SEED, 3, 2)
    np.testing.assert_array_equal(states, u < values)


def test_bernoulli_edges(each_level: str) -> None:
    p = np.array([0.0, 1.0, np.nan, 2.0, -1.0], np.float32).repeat(40)
    states = kernels.bernoulli(p, seed=7).reshape(5, 40)
    np.testing.assert_array_equal(states, np.array([[0], [1], [np.nan], [1], [0]]).repeat(40, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments(each_level: str, dtype: type) -> None:
    """Within 5 standard errors, which the law of each moment gives."""
    n = 400_000
    u = kernels.uniform(n, seed=11, dtype=dtype).astype(np.float64)
    assert u.min() >= 0 and u.max() < 1
    for k in (1, 2, 3):
        deviation = np.sqrt(1 / (2 * k + 1) - 1 / (k + 1) ** 2)
        assert abs((u**k).mean() - 1 / (k + 1)) < 5 * deviation / np.sqrt(n), k
    z = kernels.normal((400, n // 400), seed=12, dtype=dtype).astype(np.float64)
    for k, (moment, second) in enumerate([(0, 1), (1, 3), (0, 15), (3, 105)], start=1):
        error = np.sqrt((second - moment**2) / n)
        assert abs((z**k).mean() - moment) < 5 * error, k
    for lag in ((0, 1), (1, 0), (2, 0), (4, 0)):  # neighbours share a block or a pair
        product = z[lag[0] :, lag[1] :] * z[: 400 - lag[0], : n // 400 - lag[1]]
        assert abs(product.mean()) < 5 / np.sqrt(product.size), lag


def test_normal_distribution_function(each_level: str) -> None:
    """The Kolmogorov distance to the normal law; its 1e-6 point is 2.7 / sqrt(n)."""
    from scipy.special import ndtr

    z = np.sort(kernels.normal(200_000, seed=13).astype(np.float64))
    steps = np.arange(z.size) / z.size
    assert np.abs(ndtr(z) - steps).max() < 2.7 / np.sqrt(z.size)


def test_streams_and_seeds_differ(each_level: str) -> None:
    base = kernels.uniform(1000, seed=1, stream=1)
    for seed, stream in ((1, 2), (2, 1), (1 + 2**32, 1), (1, 1 + 2**32)):
        other = kernels.uniform(1000, seed=seed, stream=stream)
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.17, (seed, stream)


def test_same_numbers_as_the_epilogue_of_a_product(each_level: str) -> None:
    draw = {"seed": 5, "first_row": 3}
    p = np.random.default_rng(2).random((37, 45)).astype(np.float32)
    eye = np.eye(45, dtype=np.float32)
    fused = kernels.gemm(p, eye, sample="bernoulli", stream=8, **draw)
    np.testing.assert_array_equal(fused, kernels.bernoulli(p, stream=9, **draw))
    zero = np.zeros((37, 45), np.float32)
    noise = kernels.gemm(zero, eye, sample="gaussian", stream=8, **draw)
    np.testing.assert_array_equal(noise, kernels.normal((37, 45), stream=9, **draw))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [100_003, (3, 100_003), (40_001, 5), (7, 500, 33)])
def test_same_bits_for_any_number_of_threads(
    each_level: str, keep_threads: None, shape: int | tuple[int, ...], dtype: type
) -> None:
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        draw = {"seed": 4, "first_row": 2, "dtype": dtype}
        results.append([kernels.uniform(shape, **draw), kernels.normal(shape, **draw)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    if isinstance(shape, tuple):
        rows = int(np.prod(shape[:-1]))
        expected = reference.uniform(rows, shape[-1], dtype, 4, 0, 2)
        np.testing.assert_array_equal(results[0][0].reshape(rows, -1), expected)


@pytest.mark.parametrize("shape", [(), 0, (0, 4), (4, 0), (2, 0, 3)])
def test_empty_and_scalar(each_level: str, shape: int | tuple[int, ...]) -> None:
    assert kernels.uniform(shape).shape == np.empty(shape).shape
    assert kernels.normal(shape).shape == np.empty(shape).shape
    p = np.ones(shape, np.float32)
    np.testing.assert_array_equal(kernels.bernoulli(p), p)


def read_only() -> np.ndarray:
    out = np.zeros(4)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.uniform(), ValueError, "uniform: give either shape or out"),
        (lambda: kernels.normal(3, out=np.zeros(3)), ValueError, "normal: give either shape or"),
        (
            lambda: kernels.uniform(3, dtype=np.int32),
            TypeError,
            "uniform: out must have dtype float32 or float64, got int32",
        ),
        (
            lambda: kernels.normal(out=[0.0]),
            TypeError,
            "normal: out must be a NumPy array, got list",
        ),
        (
            lambda: kernels.uniform(out=np.zeros(8)[::2]),
            ValueError,
            "uniform: out must be C-contiguous, got strides (2,)",
        ),
        (
            lambda: kernels.uniform(out=np.zeros((4, 8)).T),
            ValueError,
            "uniform: out must have contiguous rows",
        ),
        (lambda: kernels.uniform(out=read_only()), ValueError, "uniform: out must be writeable"),
        (
            lambda: kernels.uniform((2, 2), first_row=-1),
            ValueError,
            "uniform: first_row must be at least 0, got -1",
        ),
        (
            lambda: kernels.bernoulli(np.zeros((2, 3)), np.zeros((3, 2))),
            ValueError,
            "bernoulli: out must have shape (2, 3), got (3, 2)",
        ),
        (
            lambda: kernels.bernoulli(np.zeros(3), np.zeros(4)),
            ValueError,
            "bernoulli: out must have shape (3,), got (4,)",
        ),
        (
            lambda: kernels.bernoulli(np.zeros(3), np.zeros(3, np.float32)),
            TypeError,
            "bernoulli: out must have dtype float64, got float32",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
