"""Pooling and its derivatives against float64 NumPy, at every instruction-set level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus import kernels
from ictus.kernels.convolution import padded
from ictus.kernels.pooling import element_dtype
from tests.reference_convolution import Geometry
from tests.tolerance import assert_within, sum_bound


@st.composite
def cases(draw):
    """A window on an image: arguments of the kernels, shapes of x and y, and the padding asked."""
    channels = draw(st.sampled_from([1, 2, 3, 6, 10, 16, 17, 20, 33]))
    size, window, stride, dilation, padding = [], [], [], [], []
    for _ in range(2):
        window.append(draw(st.integers(1, 4)))
        stride.append(draw(st.integers(1, 4)))
        dilation.append(draw(st.sampled_from([1, 1, 2])))
        reach = (window[-1] - 1) * dilation[-1] + 1
        # Each window keeps a pixel: it has one within every `dilation` pixels.
        most = min(reach - 1, window[-1] // 2)
        padding.append((draw(st.integers(0, most)), draw(st.integers(0, most))))
        least = max(dilation[-1] * 2, reach - sum(padding[-1]))
        size.append(draw(st.integers(least, least + 9)))
    before, places = padded(padding, tuple(size), tuple(window), tuple(stride), tuple(dilation))
    geometry = Geometry(tuple(stride), tuple(dilation), before)
    batch = draw(st.integers(0, 3))
    return geometry, tuple(window), padding, (batch, *size, channels), (batch, *places, channels)


def windows(x, geometry, window, y_shape, outside):
    """What the window sees: shape (elements, *y_shape), with `outside` where it sees no pixel."""
    out = np.full((window[0] * window[1], *y_shape), outside)
    for a in range(window[0]):
        for b in range(window[1]):
            (i, j), (down, across) = geometry.seen(a, b, x.shape[1:3], y_shape[1:3])
            seen = x[:, down.ravel()][:, :, across.ravel()]
            block = out[a * window[1] + b]
            block[np.ix_(range(len(x)), i.ravel(), j.ravel())] = seen
    return out


def scattered(values, geometry, window, x_shape):
    """The transpose of `windows`."""
    out = np.zeros(x_shape)
    for a in range(window[0]):
        for b in range(window[1]):
            (i, j), (down, across) = geometry.seen(a, b, x_shape[1:3], values.shape[2:4])
            part = values[a * window[1] + b][:, i.ravel()][:, :, j.ravel()]
            out[np.ix_(range(x_shape[0]), down.ravel(), across.ravel())] += part
    return out


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @settings(max_examples=100)
    @given(case=cases(), dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 99))
    def test_all_passes(self, case, dtype, seed):
        geometry, window, padding, x_shape, y_shape = case
        generator = np.random.default_rng(seed)
        # Few values, so that some are equal.
        x = generator.integers(-3, 4, x_shape).astype(dtype)
        v, g = (generator.normal(size=shape).astype(dtype) for shape in (x_shape, y_shape))
        shape = {"stride": geometry.stride, "dilation": geometry.dilation}
        seen = windows(x.astype(np.float64), geometry, window, y_shape, -np.inf)
        argmax = np.empty(y_shape, element_dtype(dtype))
        y = kernels.max_pooling(x, window, argmax=argmax, padding=padding, **shape)
        np.testing.assert_array_equal(y, seen.max(axis=0))
        np.testing.assert_array_equal(argmax, seen.argmax(axis=0))
        np.testing.assert_array_equal(y, kernels.max_pooling(x, window, padding=padding, **shape))

        shape["padding"] = geometry.padding
        chosen = np.arange(len(seen))[:, None, None, None, None] == argmax
        expected = (windows(v.astype(np.float64), geometry, window, y_shape, 0.0) * chosen).sum(0)
        out = kernels.max_pooling_tangent(v, argmax, np.empty_like(y), window, **shape)
        np.testing.assert_array_equal(out, expected)
        back = np.full(x_shape, np.nan, dtype)
        kernels.max_pooling_backward(g, argmax, back, window, **shape)
        terms = chosen * g.astype(np.float64)
        expected = scattered(terms, geometry, window, x_shape)
        bound = sum_bound(len(seen), scattered(abs(terms), geometry, window, x_shape), dtype)
        assert_within(back, expected, bound)

        inside = np.isfinite(seen)
        count = inside.sum(0)
        seen = windows(v.astype(np.float64), geometry, window, y_shape, 0.0)
        y = kernels.average_pooling(v, window, **shape | {"padding": padding})
        assert_within(y, seen.sum(0) / count, sum_bound(len(seen), abs(seen).sum(0) / count, dtype))
        back = np.full(x_shape, np.nan, dtype)
        kernels.average_pooling_backward(g, back, window, **shape)
        terms = inside * (g.astype(np.float64) / count)
        bound = sum_bound(len(seen), scattered(abs(terms), geometry, window, x_shape), dtype)
        assert_within(back, scattered(terms, geometry, window, x_shape), bound)

    @pytest.mark.parametrize("channels", [1, 6, 16, 40])
    def test_nan_and_infinities(self, channels):
        x = np.zeros((1, 2, 8, channels), np.float32)
        x[0, :, :2] = -np.inf
        x[0, 1, 2] = np.nan
        x[0, 0, 5] = np.inf
        argmax = np.empty((1, 1, 4, channels), np.int32)
        y = kernels.max_pooling(x, 2, argmax=argmax)
        expected = np.array([-np.inf, np.nan, np.inf, 0], np.float32)
        np.testing.assert_array_equal(y[0, 0], np.repeat(expected[:, None], channels, axis=1))
        assert (argmax[0, 0].T == [0, 2, 1, 0]).all()

    def test_nothing_is_written_beyond(self):
        room = np.full(3 * 3 * 6 + 2 * 16, 7.0, np.float32)
        out = room[16:-16].reshape(1, 3, 3, 6)
        kernels.max_pooling(np.zeros((1, 6, 6, 6), np.float32), 2, out)
        assert (room[:16] == 7).all()
        assert (room[-16:] == 7).all()
        assert not out.any()

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        generator = np.random.default_rng(3)
        x = generator.normal(size=(5, 40, 41, 6)).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            argmax = np.empty((5, 38, 39, 6), np.int32)
            y = kernels.max_pooling(x, 3, stride=1, argmax=argmax)
            back = np.empty_like(x)
            kernels.max_pooling_backward(y, argmax, back, 3, stride=1)
            mean = kernels.average_pooling(x, 3, stride=1)
            mean_back = kernels.average_pooling_backward(mean, np.empty_like(x), 3, stride=1)
            results.append((y, argmax, back, mean, mean_back))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


X = np.zeros((2, 6, 5, 4), np.float32)
Y = np.zeros((2, 3, 2, 4), np.float32)
ARGMAX = np.zeros((2, 3, 2, 4), np.int32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kernels.max_pooling(X, 0), "window must be an integer of at least 1"),
        (lambda: kernels.max_pooling(X, 2, stride=0), "stride must be"),
        (lambda: kernels.max_pooling(X, 7), "the window must fit the padded image"),
        (lambda: kernels.max_pooling(X, 2, padding=2), "padding must leave every window a pixel"),
        (lambda: kernels.max_pooling(X[0], 2), "x must have 4 axes"),
        (lambda: kernels.max_pooling("x", 2), "x must be a NumPy array"),
        (lambda: kernels.max_pooling(X.astype(np.int32), 2), "dtype"),
        (lambda: kernels.max_pooling(X, 2, Y[:, :2]), "out must have shape"),
        (lambda: kernels.max_pooling(X, 2, Y, ARGMAX.astype(np.int64)), "argmax must have dtype"),
        (lambda: kernels.max_pooling(X, 2, Y, ARGMAX[:1]), "argmax must have shape"),
        (lambda: kernels.max_pooling_backward(Y, ARGMAX[:1], X, 2), "argmax must have shape"),
        (lambda: kernels.max_pooling_backward(Y, ARGMAX, X[:1], 2), "out must have shape"),
        (lambda: kernels.max_pooling_tangent(X, ARGMAX, Y[:1], 2), "out must have shape"),
        (lambda: kernels.average_pooling(X, 2, dilation=0), "dilation must be"),
        (lambda: kernels.average_pooling_backward(Y, X[..., :3], 2), "out must have shape"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_average_is_exact_where_it_can_be():
    x = np.arange(16, dtype=np.float64).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        kernels.average_pooling(x, 2)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]]
    )
    padded_mean = kernels.average_pooling(x, 3, stride=3, padding=1)[0, :, :, 0]
    assert padded_mean[0, 0] == np.mean(x[0, :2, :2])
