"""First-order updates against float64 formulas, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests.strategies import matrix, scalars
from tests.tolerance import assert_within, epsilon

LENGTHS = st.sampled_from([0, 1, 3, 15, 16, 17, 100, 33000, 70001])
OPTIONS = st.fixed_dictionaries(
    {
        "gradient_scale": st.sampled_from([1.0, 0.25]),
        "l1": st.sampled_from([0.0, 0.01]),
        "l2": st.sampled_from([0.0, 0.1]),
    }
)


def make_vectors(length, dtype, count):
    """Weights, a gradient and `count` states; float32 numbers, so that both types hold them."""
    values = matrix(2 + count, length, np.float32, length).astype(dtype)
    values[0, ::7] = 0  # the penalty l1 has no slope at 0
    return [row.copy() for row in values]


def make_segments(length):
    edges = np.array([[0, length // 5], [length // 3, length // 2], [length // 2, length]])
    return edges.astype(np.int64)


def penalised(w, g, segments, gradient_scale, l1, l2):
    inside = np.zeros(len(w), bool)
    for begin, end in segments:
        inside[begin:end] = True
    return gradient_scale * g + inside * (l2 * w + l1 * np.sign(w)), inside


def doubles(*arrays):
    return [a.astype(np.float64) for a in arrays]


def assert_close(actual, expected, dtype):
    assert_within(actual, expected, 40 * epsilon(dtype) * (np.abs(expected) + 1))


@pytest.mark.usefixtures("each_level")
class TestUpdates:
    @given(
        length=LENGTHS,
        dtype=scalars,
        options=OPTIONS,
        momentum=st.sampled_from([0.0, 0.5, 0.99]),
        nesterov=st.booleans(),
        dampened=st.booleans(),
    )
    def test_sgd(self, length, dtype, options, momentum, nesterov, dampened):
        w, g, v = make_vectors(length, dtype, 1)
        segments = make_segments(length)
        w0, g0, v0 = doubles(w, g, v)
        full, _ = penalised(w0, g0, segments, **options)
        change = 0.1 * (1 - momentum if dampened else 1) * full
        v1 = momentum * v0 - change
        w1 = w0 + (momentum * v1 - change if nesterov else v1)
        kernels.sgd_update(
            w,
            g,
            v,
            learning_rate=0.1,
            momentum=momentum,
            nesterov=nesterov,
            dampened=dampened,
            segments=segments,
            **options,
        )
        assert_close(v, v1, dtype)
        assert_close(w, w1, dtype)
        np.testing.assert_array_equal(g, g0)

    def test_sgd_without_velocity(self):
        w, g = make_vectors(100, np.float64, 0)
        expected = w - 0.5 * g
        kernels.sgd_update(w, g, learning_rate=0.5)
        np.testing.assert_allclose(w, expected, rtol=1e-15)

    @given(
        length=LENGTHS, dtype=scalars, options=OPTIONS, momentum=st.sampled_from([None, 0.0, 0.9])
    )
    def test_rmsprop(self, length, dtype, options, momentum):
        w, g, s, v = make_vectors(length, dtype, 2)
        s = np.abs(s)
        segments = make_segments(length)
        w0, g0, s0, v0 = doubles(w, g, s, v)
        full, _ = penalised(w0, g0, segments, **options)
        s1 = 0.9 * s0 + 0.1 * full**2
        v1 = (momentum or 0) * v0 - 0.01 * full / (np.sqrt(s1) + 1e-3)
        kernels.rmsprop_update(
            w,
            g,
            s,
            None if momentum is None else v,
            learning_rate=0.01,
            decay=0.9,
            epsilon=1e-3,
            momentum=momentum or 0.0,
            segments=segments,
            **options,
        )
        assert_close(s, s1, dtype)
        assert_close(w, w0 + v1, dtype)
        assert_close(v, v0 if momentum is None else v1, dtype)

    @given(
        length=LENGTHS,
        dtype=scalars,
        options=OPTIONS,
        step=st.sampled_from([1, 2, 1000]),
        decoupled=st.sampled_from([0.0, 0.1]),
    )
    def test_adam(self, length, dtype, options, step, decoupled):
        w, g, m, s = make_vectors(length, dtype, 2)
        s = np.abs(s)
        segments = make_segments(length)
        w0, g0, m0, s0 = doubles(w, g, m, s)
        full, inside = penalised(w0, g0, segments, **options)
        m1 = 0.9 * m0 + 0.1 * full
        s1 = 0.99 * s0 + 0.01 * full**2
        ratio = (m1 / (1 - 0.9**step)) / (np.sqrt(s1 / (1 - 0.99**step)) + 1e-4)
        w1 = w0 - 0.01 * ratio - 0.01 * decoupled * inside * w0
        kernels.adam_update(
            w,
            g,
            m,
            s,
            step,
            learning_rate=0.01,
            beta2=0.99,
            epsilon=1e-4,
            decoupled_decay=decoupled,
            segments=segments,
            **options,
        )
        assert_close(m, m1, dtype)
        assert_close(s, s1, dtype)
        assert_close(w, w1, dtype)

    @given(
        rows=st.sampled_from([0, 1, 5, 64, 300]),
        columns=st.sampled_from([0, 1, 7, 16, 33, 200]),
        dtype=scalars,
    )
    def test_max_norm(self, rows, columns, dtype):
        frame = matrix(rows, columns + 3, dtype, rows)
        weights = frame[:, :columns]
        outside = frame[:, columns:].copy()
        before = weights.astype(np.float64)
        limit = np.sqrt(rows) if rows else 1.0
        norms = np.linalg.norm(before, axis=0)
        expected = before * np.where(norms > limit, limit / np.maximum(norms, 1e-30), 1)
        kernels.max_norm(weights, limit)
        bound = (rows + 8) * epsilon(dtype) * np.abs(before)
        assert_within(weights, expected, bound)
        np.testing.assert_array_equal(frame[:, columns:], outside)

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            w, g, v = make_vectors(200_000, np.float32, 1)
            kernels.sgd_update(w, g, v, learning_rate=0.1, momentum=0.9, l2=0.1)
            matrix_view = w.reshape(400, 500)
            kernels.max_norm(matrix_view, 15.0)
            results.append(w)
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


W = np.ones(6, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: (w, W[:5], None), ValueError, r"gradient must have shape \(6,\), got \(5,\)"),
        (lambda w: (w, W.astype(float), None), TypeError, r"gradient must have dtype float32"),
        (lambda w: (w, w, None), ValueError, r"gradient must not overlap parameters"),
        (lambda w: (w, W, w), ValueError, r"velocity must not overlap parameters"),
        (lambda w: (w[::2], W[:3], None), ValueError, r"parameters must be C-contiguous"),
        (lambda w: (w.reshape(2, 3), W, None), ValueError, r"parameters must have shape \(any,\)"),
        (lambda w: (list(w), W, None), TypeError, r"parameters must be a NumPy array, got list"),
        (lambda w: (w, W, np.ones(7, np.float32)), ValueError, r"velocity must have shape \(6,\)"),
    ],
)
def test_bad_vectors(call, error, message):
    with pytest.raises(error, match=message):
        kernels.sgd_update(*call(np.ones(6, np.float32)), learning_rate=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.5}, r"momentum must be 0 where velocity is not given"),
        ({"momentum": -1.0}, r"momentum must be in \[0, 1\], got -1"),
        ({"l2": -0.1}, r"l2 must be not negative"),
        ({"l1": float("nan")}, r"l1 must be not negative, got"),
        ({"segments": np.array([[0, 7]])}, r"segments must be ascending and within"),
        ({"segments": np.array([[3, 2]])}, r"segments must be ascending and within"),
        ({"segments": np.array([0, 3])}, r"segments must have shape \(any, 2\)"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        kernels.sgd_update(np.ones(6, np.float32), W, learning_rate=0.1, **options)


def test_bad_adam_and_rmsprop_options():
    vectors = [np.ones(4, np.float32) for _ in range(4)]
    with pytest.raises(ValueError, match="step must be at least 1, got 0"):
        kernels.adam_update(*vectors, 0, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"beta1 must be in \[0, 1\), got 1"):
        kernels.adam_update(*vectors, 1, learning_rate=0.1, beta1=1.0)
    with pytest.raises(ValueError, match="epsilon must be positive, got 0"):
        kernels.rmsprop_update(*vectors, learning_rate=0.1, epsilon=0.0)
    with pytest.raises(ValueError, match="max_norm: limit must be positive, got 0"):
        kernels.max_norm(np.ones((2, 2)), 0.0)
