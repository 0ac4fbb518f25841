"""Batch normalization and its derivatives against float64 NumPy, at every instruction-set level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus import kernels

rows_of = st.one_of(st.integers(1, 40), st.sampled_from([100, 1000, 5000]))
channels_of = st.one_of(st.integers(1, 20), st.sampled_from([31, 32, 33, 64, 100, 257]))
dtypes = st.sampled_from([np.float32, np.float64])


def reference(x, scale, shift, mean, variance, epsilon):
    """y, n and r in float64, by the definition."""
    r = 1 / np.sqrt(variance + epsilon)
    n = (x - mean) * r
    return scale * n + shift, n, r


def close(actual, expected, dtype, size=1.0, roundings=200):
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=roundings * eps, atol=roundings * eps * size)


def numbers(seed, dtype, rows, channels):
    generator = np.random.default_rng(seed)
    x = (3 * generator.normal(size=(rows, channels)) + 5).astype(dtype)
    vectors = [generator.normal(size=channels).astype(dtype) for _ in range(4)]
    return generator, x, vectors


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @settings(max_examples=60)
    @given(
        rows=rows_of, channels=channels_of, dtype=dtypes, seed=st.integers(0, 99),
        training=st.booleans(),
    )  # fmt: skip
    def test_all_passes(self, rows, channels, dtype, seed, training):
        generator, x, (scale, shift, scale_dot, shift_dot) = numbers(seed, dtype, rows, channels)
        was_mean = generator.normal(size=channels).astype(dtype)
        was_variance = generator.uniform(0.5, 2, channels).astype(dtype)
        now_mean, now_variance = was_mean.copy(), was_variance.copy()
        exact = x.astype(np.float64)
        mean = exact.mean(0) if training else was_mean
        variance = exact.var(0) if training else was_variance
        expected, n, r = reference(exact, scale, shift, mean, variance, 0.1)
        y, got_mean, got_r = kernels.batch_normalization(
            x, scale, shift, now_mean, now_variance, training=training, epsilon=0.1, momentum=0.25
        )
        close(y, expected, dtype, 10)
        close(got_mean, mean, dtype, 10)
        close(got_r, r, dtype)
        if training:
            unbiased = variance * rows / max(rows - 1, 1)
            close(now_mean, 0.75 * was_mean + 0.25 * mean, dtype, 10)
            close(now_variance, 0.75 * was_variance + 0.25 * unbiased, dtype, 10)
        else:
            np.testing.assert_array_equal(now_mean, was_mean)
            np.testing.assert_array_equal(now_variance, was_variance)

        def inner(v):
            if not training:
                return r * v
            return r * (v - v.mean(0) - n * (v * n).mean(0))

        g = generator.normal(size=x.shape).astype(dtype)
        v = generator.normal(size=x.shape).astype(dtype)
        into = [np.ones(channels, dtype) for _ in range(2)]
        back = np.empty_like(x)
        kernels.batch_normalization_backward(
            g, x, got_mean, got_r, scale, *into, back, training=training, beta=0.5
        )
        size = np.abs(n).max() * rows + 1
        close(into[0], 0.5 + (g * n).sum(0), dtype, size)
        close(into[1], 0.5 + g.astype(np.float64).sum(0), dtype, rows)
        close(back, scale * inner(g.astype(np.float64)), dtype, 30)
        only = [np.empty(channels, dtype) for _ in range(2)]
        kernels.batch_normalization_backward(
            g, x, got_mean, got_r, scale, *only, None, training=training
        )
        close(only[1], g.astype(np.float64).sum(0), dtype, rows)

        out = kernels.batch_normalization_tangent(
            x, v, got_mean, got_r, scale, scale_dot, shift_dot, training=training
        )
        exact_v = scale * inner(v.astype(np.float64)) + scale_dot * n + shift_dot
        close(out, exact_v, dtype, 30)
        out = kernels.batch_normalization_tangent(
            x, None, got_mean, got_r, scale, scale_dot, shift_dot, training=training
        )
        close(out, scale_dot * n + shift_dot, dtype, 30)

    @pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus"])
    def test_activation_in_place(self, activation):
        _, x, (scale, shift, *_) = numbers(1, np.float32, 57, 6)
        state = [np.zeros(6, np.float32), np.ones(6, np.float32)]
        plain, _, _ = kernels.batch_normalization(x, scale, shift, *state, training=True)
        room = x.copy()
        y, _, _ = kernels.batch_normalization(
            room, scale, shift, *state, room, training=True, activation=activation
        )
        assert y is room
        np.testing.assert_allclose(y, kernels.activation(plain, activation), rtol=1e-6, atol=1e-7)

    def test_a_large_mean_does_not_spoil_the_variance(self):
        generator = np.random.default_rng(0)
        x = (1e4 + generator.normal(size=(5000, 3))).astype(np.float32)
        state = [np.zeros(3, np.float32), np.ones(3, np.float32)]
        one = np.ones(3, np.float32)
        y, _, r = kernels.batch_normalization(x, one, 0 * one, *state, training=True)
        np.testing.assert_allclose(r, 1 / x.astype(np.float64).std(0), rtol=2e-3)
        # The mean's own rounding, in units of a deviation.
        assert np.abs(y.mean(0)).max() < 16 * 1e4 * np.finfo(np.float32).eps / 2

    @pytest.mark.parametrize("channels", [1, 3, 6, 16, 20, 37])
    def test_multiply_channels(self, channels):
        generator = np.random.default_rng(2)
        x = generator.normal(size=(4, 35, channels)).astype(np.float32)
        factors = generator.normal(size=(4, channels)).astype(np.float32)
        room = np.full(x.size + 64, 7.0, np.float32)
        out = room[32:-32].reshape(x.shape)
        kernels.multiply_channels(x, factors, out)
        np.testing.assert_array_equal(out, x * factors[:, None, :])
        assert (room[:32] == 7).all()
        assert (room[-32:] == 7).all()

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        _, x, (scale, shift, *_) = numbers(3, np.float32, 60_000, 6)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            state = [np.zeros(6, np.float32), np.ones(6, np.float32)]
            y, mean, r = kernels.batch_normalization(x, scale, shift, *state, training=True)
            into = [np.empty(6, np.float32) for _ in range(2)]
            back = np.empty_like(x)
            kernels.batch_normalization_backward(y, x, mean, r, scale, *into, back, training=True)
            results.append((y, *state, *into, back))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


X = np.zeros((5, 4), np.float32)
C = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: kernels.batch_normalization(X, C[:3], C, C, C, training=True),
            "mean must have shape|scale must have shape",
        ),
        (
            lambda: kernels.batch_normalization(X, C, C.astype(float), C, C, training=True),
            "shift must have dtype float32",
        ),
        (
            lambda: kernels.batch_normalization(X[:0], C, C, C, C, training=True),
            "x must be of at least one row",
        ),
        (
            lambda: kernels.batch_normalization(X, C, C, C, C, training=True, epsilon=-1),
            "epsilon must be at least 0",
        ),
        (
            lambda: kernels.batch_normalization(X, C, C, C, C, training=True, momentum=2),
            r"momentum must be in \[0, 1\]",
        ),
        (
            lambda: kernels.batch_normalization(X, C, C, C, C, training=True, activation="sine"),
            "activation must be one of",
        ),
        (
            lambda: kernels.batch_normalization_backward(X, X[:3], C, C, C, C, C, training=True),
            "x must have shape",
        ),
        (
            lambda: kernels.batch_normalization_tangent(X, X, C, C, C, C, C[:2], training=True),
            "shift_dot must have shape",
        ),
        (
            lambda: kernels.multiply_channels(X[None], np.ones((1, 3), np.float32), X[None]),
            "factors must have shape",
        ),
        (
            lambda: kernels.multiply_channels(X[None], C[None], X[None]),
            "out must not overlap x",
        ),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
