"""The fused epilogue of the matrix product (kernels/detail/epilogue.h) at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import gemm
from tests import reference, strategies, tolerance

STREAM = 7_000_000_123  # uses both words of the counter
SEED = 0x0123_4567_89AB_CDEF


def operands(rows: int, columns: int, dtype: type) -> tuple[np.ndarray, ...]:
    a = strategies.matrix(rows, 5, dtype, seed=1)
    b = strategies.matrix(5, columns, dtype, seed=2)
    bias = strategies.matrix(1, columns, dtype, seed=3)[0]
    z = a.astype(np.float64) @ b.astype(np.float64) + bias
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64) + np.abs(bias)
    return a, b, bias, z, tolerance.sum_bound(6, magnitude, dtype)


def value_bound(y: np.ndarray, z_bound: np.ndarray, dtype: type) -> np.ndarray:
    """Every activation has slope at most 1; the function itself adds up to 2.5 ulp."""
    return z_bound + 5 * tolerance.epsilon(dtype) * np.abs(y)


@pytest.mark.parametrize("name", list(reference.ACTIVATIONS))
@given(rows=strategies.sizes, columns=strategies.sizes, dtype=strategies.scalars)
def test_bias_and_activation(
    each_level: str, name: str, rows: int, columns: int, dtype: type
) -> None:
    a, b, bias, z, bound = operands(rows, columns, dtype)
    y = reference.ACTIVATIONS[name](z)
    actual = gemm(a, b, bias=bias, activation=name)
    tolerance.assert_within(actual, y, value_bound(y, bound, dtype), name)


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    rate=st.sampled_from([0.2, 0.5, 0.9]),
    first_row=st.integers(0, 9),
)
def test_dropout_follows_the_numbering(
    each_level: str, rows: int, columns: int, dtype: type, rate: float, first_row: int
) -> None:
    a, b, bias, z, bound = operands(rows, columns, dtype)
    mask = reference.dropout_mask(rows, columns, rate, dtype, SEED, STREAM, first_row)
    y = np.tanh(z) * mask
    actual = gemm(
        a, b, bias=bias, activation="tanh", dropout_rate=rate,
        seed=SEED, stream=STREAM, first_row=first_row,
    )  # fmt: skip
    np.testing.assert_array_equal(actual[mask == 0], 0)
    tolerance.assert_within(actual, y, mask * value_bound(np.abs(y) + 1, bound, dtype))


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    first_row=st.integers(0, 9),
)
def test_sampling_draws_from_the_next_stream(
    each_level: str, rows: int, columns: int, dtype: type, first_row: int
) -> None:
    a, b, bias, z, bound = operands(rows, columns, dtype)
    draw = {"seed": SEED, "stream": STREAM, "first_row": first_row}
    p = gemm(a, b, bias=bias, activation="sigmoid")
    u = reference.uniform(rows, columns, dtype, SEED, STREAM + 1, first_row)
    states = gemm(a, b, bias=bias, activation="sigmoid", sample="bernoulli", **draw)
    np.testing.assert_array_equal(states, u < p)
    noise = reference.normal(rows, columns, dtype, SEED, STREAM + 1, first_row)
    actual = gemm(a, b, bias=bias, sample="gaussian", **draw)
    normal_bound = 64 * tolerance.epsilon(dtype) + value_bound(z + noise, bound, dtype)
    tolerance.assert_within(actual, z + noise, normal_bound)


def test_dropout_then_sampling_use_two_streams(each_level: str) -> None:
    a, b, bias, _, _ = operands(33, 47, np.float32)
    both = gemm(
        a, b, bias=bias, activation="sigmoid", dropout_rate=0.5, sample="bernoulli",
        seed=SEED, stream=STREAM,
    )  # fmt: skip
    kept = reference.dropout_mask(33, 47, 0.5, np.float32, SEED, STREAM)
    p = gemm(a, b, bias=bias, activation="sigmoid") * kept
    u = reference.uniform(33, 47, np.float32, SEED, STREAM + 1)
    np.testing.assert_array_equal(both, u < p)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_not_hidden(each_level: str, dtype: type) -> None:
    a = np.full((5, 3), np.nan, dtype)
    b = np.ones((3, 19), dtype)
    for name in reference.ACTIVATIONS:
        for sample in (None, "bernoulli", "gaussian"):
            assert np.isnan(gemm(a, b, activation=name, sample=sample)).all(), (name, sample)


def test_draws_do_not_depend_on_blocks_and_threads(each_level: str, keep_threads: None) -> None:
    """Several blocks in each direction, odd remainders: each element has the draw of its place."""
    rows, columns = 407, 611
    a, b, bias, _, _ = operands(rows, columns, np.float32)
    draw = {"seed": SEED, "stream": STREAM, "first_row": 3}
    p = gemm(a, b, bias=bias, activation="sigmoid")
    kept = reference.dropout_mask(rows, columns, 0.5, np.float32, SEED, STREAM, 3)
    u = reference.uniform(rows, columns, np.float32, SEED, STREAM + 1, 3)
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        states = gemm(a, b, bias=bias, activation="sigmoid", sample="bernoulli", **draw)
        np.testing.assert_array_equal(states, u < p)
        dropped = gemm(a, b, bias=bias, activation="sigmoid", dropout_rate=0.5, **draw)
        np.testing.assert_array_equal(dropped, p * kept.astype(np.float32))
