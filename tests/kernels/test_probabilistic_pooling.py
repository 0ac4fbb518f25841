"""Probabilistic max-pooling against float64 NumPy, at every instruction-set level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import probabilistic_pooling
from ictus.kernels.probabilistic_pooling import pooled_shape
from tests import reference, strategies
from tests.tolerance import assert_within, epsilon

SEED, STREAM = 0x0123_4567_89AB_CDEF, 2**33 + 5


def blocks(x: np.ndarray, block: tuple[int, int], outside: float) -> np.ndarray:
    """(batch, blocks down, blocks across, units of a block, maps); `outside` beyond the image."""
    batch, down, across, maps = pooled_shape(x.shape, block)
    whole = np.full((batch, down * block[0], across * block[1], maps), outside, np.float64)
    whole[:, : x.shape[1], : x.shape[2]] = x
    cut = whole.reshape(batch, down, block[0], across, block[1], maps).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(batch, down, across, block[0] * block[1], maps)


def run(x: np.ndarray, block: tuple[int, int], **options: int) -> dict[str, np.ndarray]:
    pooled = pooled_shape(x.shape, block)
    out = {"sample": np.empty_like(x)}
    out |= {name: np.empty(pooled, x.dtype) for name in ("pooled_mean", "pooled_sample", "log_sum")}
    return {"mean": probabilistic_pooling(x, block, **out, **options), **out}  # type: ignore[arg-type]


@given(
    batch=st.integers(0, 3),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    maps=strategies.sizes,
    block=st.tuples(st.integers(1, 4), st.integers(1, 12)),
    dtype=strategies.scalars,
    scale=st.sampled_from([0.1, 3.0, 40.0]),
    first_row=st.integers(0, 9),
)
def test_is_its_formula(
    each_level: str,
    batch: int,
    size: tuple[int, int],
    maps: int,
    block: tuple[int, int],
    dtype: type,
    scale: float,
    first_row: int,
) -> None:
    x = scale * np.random.default_rng(1).standard_normal((batch, *size, maps))
    x = x.astype(dtype)
    out = run(x, block, seed=SEED, stream=STREAM, first_row=first_row)
    cut = blocks(x, block, -np.inf)
    largest = np.maximum(cut.max(axis=3, keepdims=True, initial=-np.inf), 0)
    e = np.exp(cut - largest)
    total = e.sum(axis=3, keepdims=True) + np.exp(-largest)
    p = e / total
    # Each exponential, sum and quotient rounds; so does the exponent, which enters times p.
    unit = epsilon(dtype) * (e.shape[3] + 12 + np.abs(x).max(initial=0))
    assert_within(blocks(out["mean"], block, 0), p, unit * p + np.finfo(dtype).tiny)
    pooled = p.sum(axis=3)
    assert_within(out["pooled_mean"], pooled, unit * pooled + np.finfo(dtype).tiny)
    log_sum = (largest + np.log(total))[..., 0, :]
    assert_within(out["log_sum"], log_sum, unit * (1 + np.abs(log_sum)))
    # Draws: exactly the unit that the numbered uniform number falls on, but for the rounding of p.
    rows = int(np.prod(pooled.shape[:3]))
    u = reference.uniform(rows, maps, dtype, SEED, STREAM, first_row).reshape(pooled.shape)
    sums = np.cumsum(p, axis=3)
    expected = (u[..., None, :] < sums) & ~(u[..., None, :] < sums - p)
    clear = (np.abs(u[..., None, :] - sums) > 2 * unit).all(axis=3)
    sample = blocks(out["sample"], block, 0)
    assert set(np.unique(sample)) <= {0.0, 1.0}
    assert (sample.sum(axis=3) <= 1).all()
    np.testing.assert_array_equal(sample.sum(axis=3), out["pooled_sample"])
    keep = np.broadcast_to(clear[..., None, :], sample.shape)
    np.testing.assert_array_equal(sample[keep], expected[keep])
    assert not clear.size or clear.mean() > 0.95


def test_shares_of_samples(each_level: str) -> None:
    x = np.tile(np.float32([[0.3, -1.0], [1.2, 0.0]])[None, :, :, None], (20000, 1, 1, 3))
    out = run(x, (2, 2), seed=5)
    p = out["mean"].mean(axis=0)
    error = np.abs(out["sample"].mean(axis=0) - p)
    assert (error < 5 * np.sqrt(p * (1 - p) / 20000)).all()
    np.testing.assert_allclose(
        out["pooled_mean"][0, 0, 0], 1 - 1 / (1 + np.exp(x[0, :, :, 0]).sum()), rtol=1e-6
    )


def test_in_place_and_without_samples(each_level: str) -> None:
    x = np.random.default_rng(2).standard_normal((3, 7, 5, 19)).astype(np.float32)
    both = run(x, (2, 3), seed=1)
    y = x.copy()
    assert probabilistic_pooling(y, (2, 3), y) is y
    np.testing.assert_array_equal(y, both["mean"])
    pooled = np.empty_like(both["pooled_sample"])
    probabilistic_pooling(x, (2, 3), pooled_sample=pooled, seed=1)
    np.testing.assert_array_equal(pooled, both["pooled_sample"])


def test_extremes(each_level: str) -> None:
    x = np.float32([[-np.inf, -200.0], [300.0, -1.0]]).reshape(1, 2, 2, 1)
    out = run(x, (2, 2))
    np.testing.assert_array_equal(out["mean"].ravel(), [0, 0, 1, 0])
    assert out["pooled_sample"].item() == 1 and out["log_sum"].item() == 300
    x[0, 0, 0, 0] = np.nan
    assert all(np.isnan(values).all() for values in run(x, (2, 2)).values())


def test_same_bits_for_any_number_of_threads(each_level: str, keep_threads: None) -> None:
    x = np.random.default_rng(3).standard_normal((37, 21, 14, 33)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        results.append(run(x, (2, 3), seed=9, stream=4))
    places = 11 * 5  # blocks of an image
    parts = [run(x[:10], (2, 3), seed=9, stream=4)]
    parts.append(run(x[10:], (2, 3), seed=9, stream=4, first_row=10 * places))
    for name, values in results[0].items():
        for other in results[1:]:
            np.testing.assert_array_equal(values, other[name])
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts]))


X = np.zeros((2, 4, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: probabilistic_pooling([1.0], 2), TypeError, "x must be a NumPy array, got list"),  # type: ignore[arg-type]
        (lambda: probabilistic_pooling(X[0], 2), ValueError, "x must have shape (any, any, any,"),
        (lambda: probabilistic_pooling(X, 0), ValueError, "block must be an integer of at least 1"),
        (
            lambda: probabilistic_pooling(X, 2, pooled_mean=np.empty((2, 2, 2, 4), np.float32)),
            ValueError,
            "pooled_mean must have shape (2, 2, 2, 3), got (2, 2, 2, 4)",
        ),
        (
            lambda: probabilistic_pooling(X, 2, sample=np.empty(X.shape)),
            TypeError,
            "sample must have dtype float32, got float64",
        ),
        (lambda: probabilistic_pooling(X, 2, sample=X), ValueError, "sample must not overlap x"),
        (
            lambda: probabilistic_pooling(X, 2, first_row=-1),
            ValueError,
            "first_row must be at least 0, got -1",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert f"probabilistic_pooling: {message}" in str(caught.value)
