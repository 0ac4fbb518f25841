"""Reductions against float64 NumPy, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests.strategies import arrange, matrix, row_layouts, scalars, sizes
from tests.tolerance import assert_within, epsilon, sum_bound


def reference_log_sum_exp(x):
    top = x.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(axis=1, keepdims=True)))[:, 0]


@pytest.mark.usefixtures("each_level")
class TestReductions:
    @given(rows=sizes, columns=sizes, dtype=scalars, layout=row_layouts, seed=st.integers(0, 99))
    def test_sums(self, rows, columns, dtype, layout, seed):
        x = arrange(matrix(rows, columns, dtype, seed), layout)
        exact = x.astype(np.float64)
        for function, axis in ((kernels.column_sums, 0), (kernels.row_sums, 1)):
            bound = sum_bound(x.shape[axis], np.abs(exact).sum(axis), dtype)
            assert_within(function(x), exact.sum(axis), bound, function.__name__)

    @given(
        rows=sizes,
        columns=sizes,
        dtype=scalars,
        layout=row_layouts,
        scale=st.sampled_from([1.0, 30.0, 1e4]),
    )
    def test_softmax_family(self, rows, columns, dtype, layout, scale):
        x = arrange(matrix(rows, columns, dtype, 1, scale), layout)
        exact = x.astype(np.float64)
        lse = reference_log_sum_exp(exact)
        p = np.exp(exact - lse[:, None])
        # The differences x - max carry a rounding error relative to the largest logit.
        slack = 8 * epsilon(dtype) * (np.abs(exact).max(axis=1) + columns)
        assert_within(kernels.log_sum_exp(x), lse, slack, "log_sum_exp")
        assert_within(kernels.log_softmax(x), exact - lse[:, None], slack[:, None], "log_softmax")
        tiny = float(np.finfo(dtype).smallest_subnormal)
        assert_within(kernels.softmax(x), p, p * slack[:, None] + tiny, "softmax")
        in_place = x.copy()
        assert kernels.softmax(in_place, in_place) is in_place
        np.testing.assert_array_equal(in_place, kernels.softmax(x))

    def test_extreme_rows(self):
        inf = np.inf
        x = np.array([[-inf, -inf, -inf], [0, -inf, -inf], [np.nan, 0, 1]], np.float32)
        lse = kernels.log_sum_exp(x)
        assert lse[0] == -inf
        assert lse[1] == 0
        assert np.isnan(lse[2])
        np.testing.assert_array_equal(kernels.softmax(x)[1], [1, 0, 0])
        assert np.isnan(kernels.softmax(x)[2]).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("size", [0, 1, 7, 32767, 32769, 3_000_001])
    def test_sum_of_squares(self, dtype, size):
        x = matrix(1, size, dtype, size)[0]
        exact = np.square(x.astype(np.float64)).sum()
        bound = sum_bound(size, exact, np.float64)
        assert_within(kernels.sum_of_squares(x), exact, bound)

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        x = matrix(3000, 130, np.float32)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            results.append(
                [kernels.column_sums(x), kernels.softmax(x), kernels.sum_of_squares(x.ravel())]
            )
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_nothing_to_reduce(self):
        np.testing.assert_array_equal(kernels.column_sums(np.ones((0, 3), np.float32)), np.zeros(3))
        np.testing.assert_array_equal(kernels.row_sums(np.ones((2, 0))), np.zeros(2))
        assert kernels.softmax(np.ones((0, 4))).shape == (0, 4)


X = np.ones((4, 3), np.float32)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        ("column_sums", (X[0],), ValueError, r"column_sums: x must have shape \(any, any\), got"),
        ("column_sums", (X, np.ones(4, np.float32)), ValueError, r"out must have shape \(3,\)"),
        ("row_sums", (X, np.ones(3, np.float32)), ValueError, r"out must have shape \(4,\)"),
        ("row_sums", (X, np.ones(4)), TypeError, r"out must have dtype float32, got float64"),
        ("softmax", (X.astype(int),), TypeError, r"softmax: x must have dtype float32 or float64"),
        ("softmax", ([[1.0]],), TypeError, r"softmax: x must be a NumPy array, got list"),
        ("log_softmax", (X, X[::-1]), ValueError, r"log_softmax: out must have contiguous rows"),
        ("softmax", (X[:3], X[1:]), ValueError, r"softmax: out must not overlap x"),
        ("log_sum_exp", (X, np.ones((4, 1), np.float32)), ValueError, r"out must have shape"),
        ("sum_of_squares", (X,), ValueError, r"sum_of_squares: x must have shape \(any,\)"),
    ],
)
def test_bad_arguments(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(kernels, function)(*arguments)
