"""Corruption of arrays against its formula on the numbered draws, at every level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference, strategies, tolerance

SEED, STREAM = 0x0123_4567_89AB_CDEF, 2**33 + 5
CORRUPTIONS = ["masking", "gaussian", "salt_and_pepper"]


def expected(
    x: np.ndarray, corruption: str, level: float, low: float, high: float, first_row: int
) -> np.ndarray:
    """The formulas in float64, on the draws of this dtype (test_random.py is about those)."""
    draw = {"seed": SEED, "stream": STREAM, "first_row": first_row}
    level = float(np.asarray(level, x.dtype))
    if corruption == "gaussian":
        return x + level * kernels.normal(x.shape, dtype=x.dtype, **draw).astype(np.float64)
    u = reference.uniform(*x.shape, x.dtype.type, **draw)
    if corruption == "masking":
        return np.where(u < level, 0.0, x)
    return np.where(u < level / 2, low, np.where(u < level, high, x))


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    level=st.sampled_from([0.0, 0.25, 0.7, 1.0]),
    first_row=st.integers(0, 9),
    layout=strategies.layouts,
    in_place=st.booleans(),
)
def test_corruption_is_its_formula(
    each_level: str,
    corruption: str,
    rows: int,
    columns: int,
    dtype: type,
    level: float,
    first_row: int,
    layout: str,
    in_place: bool,
) -> None:
    values = strategies.matrix(rows, columns, dtype, seed=3)
    x = strategies.arrange(values, layout)
    out = x if in_place and layout in ("contiguous", "padded", "shifted") else None
    actual = kernels.corrupt(
        x,
        corruption,  # type: ignore[arg-type]
        level,
        out,
        low=-2.0,
        high=3.0,
        seed=SEED,
        stream=STREAM,
        first_row=first_row,
    )
    assert out is None or actual is out
    exact = expected(values, corruption, level, -2.0, 3.0, first_row)
    if corruption == "gaussian":
        tolerance.assert_within(actual, exact, 4 * tolerance.epsilon(dtype) * (1 + abs(exact)))
    else:
        np.testing.assert_array_equal(actual, exact.astype(dtype))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (7,), (3, 4, 5)])
def test_any_rank_and_empty(each_level: str, shape: tuple[int, ...]) -> None:
    x = np.ones(shape, np.float32)
    y = kernels.corrupt(x, level=1.0, seed=1)
    assert y.shape == shape and y.dtype == np.float32
    np.testing.assert_array_equal(y, np.zeros(shape))


def test_masking_is_dropout_without_its_scale(each_level: str) -> None:
    x = strategies.matrix(33, 70, np.float32)
    dropped = kernels.dropout(x, 0.4, seed=SEED, stream=STREAM, first_row=2)
    masked = kernels.corrupt(x, "masking", 0.4, seed=SEED, stream=STREAM, first_row=2)
    np.testing.assert_array_equal(masked, np.where(dropped == 0, 0, x))
    assert 0.3 < (masked == 0).mean() < 0.5


def test_nan_stays_where_the_input_is_kept(each_level: str) -> None:
    x = np.full((40, 40), np.nan, np.float32)
    assert np.isnan(kernels.corrupt(x, "gaussian", 1.0)).all()
    for corruption in ("masking", "salt_and_pepper"):
        y = kernels.corrupt(x, corruption, 0.5)  # type: ignore[arg-type]
        assert 0.4 < np.isnan(y).mean() < 0.6


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_same_bits_for_any_number_of_threads(
    each_level: str, keep_threads: None, corruption: str
) -> None:
    x = strategies.arrange(strategies.matrix(401, 517, np.float32, seed=12), "padded")
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        results.append(kernels.corrupt(x, corruption, 0.4, seed=1))  # type: ignore[arg-type]
    parts = [
        kernels.corrupt(x[rows], corruption, 0.4, seed=1, first_row=rows.start)  # type: ignore[arg-type]
        for rows in (slice(0, 130), slice(130, 401))
    ]
    for other in (*results[1:], np.concatenate(parts)):
        np.testing.assert_array_equal(results[0], other)


X = np.zeros((4, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: kernels.corrupt(X, "salt", 0.1),  # type: ignore[arg-type]
            ValueError,
            "corrupt: corruption must be one of masking, gaussian, salt_and_pepper, got 'salt'",
        ),
        (
            lambda: kernels.corrupt(X, "masking", 1.5),
            ValueError,
            "corrupt: level of masking noise must be in [0, 1], got 1.5",
        ),
        (
            lambda: kernels.corrupt(X, "gaussian", -0.1),
            ValueError,
            "corrupt: level of gaussian noise must be not negative, got -0.1",
        ),
        (
            lambda: kernels.corrupt(X, "gaussian", np.nan),
            ValueError,
            "corrupt: level of gaussian noise must be not negative, got nan",
        ),
        (lambda: kernels.corrupt([1.0]), TypeError, "corrupt: x must be a NumPy array, got list"),
        (
            lambda: kernels.corrupt(X, out=np.empty((4, 6))),
            TypeError,
            "corrupt: out must have dtype float32, got float64",
        ),
        (
            lambda: kernels.corrupt(X, out=np.empty((6, 4), np.float32)),
            ValueError,
            "corrupt: out must have shape (4, 6), got (6, 4)",
        ),
        (
            lambda: kernels.corrupt(X[:, :3], out=X[:, 1:4]),
            ValueError,
            "corrupt: out must not overlap x",
        ),
        (
            lambda: kernels.corrupt(X, first_row=-1),
            ValueError,
            "corrupt: first_row must be at least 0, got -1",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
