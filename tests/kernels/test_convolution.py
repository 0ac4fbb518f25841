"""Convolution and its gradients against float64 NumPy, at every instruction-set level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus import kernels
from ictus.kernels.convolution import padded
from tests import reference_convolution as reference
from tests.devices import DEVICES
from tests.reference_convolution import Geometry
from tests.tolerance import assert_within, epsilon, sum_bound

dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def cases(draw):
    """A geometry, and the shapes of x, weights and y that go with it."""
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    wide = draw(st.booleans())
    channels = groups * draw(st.sampled_from([8, 17, 40]) if wide else st.integers(1, 9))
    outputs = groups * draw(
        st.sampled_from([41, 48, 70] if wide else [1, 2, 3, 10, 16, 17, 33, 47])
    )
    batch = draw(st.sampled_from([0, 1, 2, 3, 3, 20]))  # 20: a strip of an image is a vector's lane
    size, window, stride, dilation, padding = [], [], [], [], []
    for _ in range(2):
        window.append(draw(st.integers(1, 4)))
        stride.append(draw(st.sampled_from([1, 1, 1, 2, 3])))
        dilation.append(draw(st.sampled_from([1, 1, 1, 2])))
        reach = (window[-1] - 1) * dilation[-1] + 1
        padding.append((draw(st.integers(0, reach)), draw(st.integers(0, reach))))
        least = max(1, reach - sum(padding[-1]))
        size.append(draw(st.integers(least, least + 14)))
    pair = (stride[0], stride[1]), (dilation[0], dilation[1])
    before, places = padded(padding, tuple(size), tuple(window), *pair)
    geometry = Geometry(*pair, before, groups)
    shapes = (
        (batch, *size, channels),
        (*window, channels // groups, outputs),
        (batch, *places, outputs),
    )
    return geometry, padding, shapes


def normal(seed, dtype, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def exactly(*arrays):
    return [a.astype(np.float64) for a in arrays]


def options(geometry):
    return {
        "stride": geometry.stride,
        "dilation": geometry.dilation,
        "padding": geometry.padding,
        "groups": geometry.groups,
        "algorithm": "direct",  # the other one has its own bounds: test_winograd.py
    }


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @settings(max_examples=170)  # at every level: some five hundred
    @given(case=cases(), dtype=dtypes, seed=st.integers(0, 99), beta=st.sampled_from([0.0, 0.5]))
    def test_all_passes(self, case, dtype, seed, beta):
        geometry, padding, (x_shape, w_shape, y_shape) = case
        x, w, y, was = normal(seed, dtype, x_shape, w_shape, y_shape, y_shape)
        exact_x, exact_w, exact_y, exact_was = exactly(x, w, y, was)
        more = options(geometry)
        eps = 4 * epsilon(dtype)

        expected = beta * exact_was + reference.convolution(
            exact_x, exact_w, y_shape[1:3], geometry
        )
        terms = w_shape[0] * w_shape[1] * w_shape[2]
        size = reference.convolution(abs(exact_x), abs(exact_w), y_shape[1:3], geometry)
        out = kernels.convolution(x, w, was.copy(), beta=beta, **more | {"padding": padding})
        assert_within(out, expected, sum_bound(terms, size, dtype) + eps * abs(expected) + eps)

        into = np.ones(x_shape, dtype)
        expected = beta + reference.data_gradient(exact_y, exact_w, x_shape, geometry)
        size = reference.data_gradient(abs(exact_y), abs(exact_w), x_shape, geometry)
        kernels.convolution_data_gradient(y, w, into, beta=beta, **more)
        terms = w_shape[0] * w_shape[1] * w_shape[3]
        assert_within(into, expected, sum_bound(terms, size, dtype) + eps * abs(expected) + eps)

        into = np.ones(w_shape, dtype)
        expected = beta + reference.weights_gradient(exact_x, exact_y, w_shape, geometry)
        size = reference.weights_gradient(abs(exact_x), abs(exact_y), w_shape, geometry)
        kernels.convolution_weights_gradient(x, y, into, beta=beta, **more)
        terms = y_shape[0] * y_shape[1] * y_shape[2]
        assert_within(into, expected, sum_bound(terms, size, dtype) + eps * abs(expected) + eps)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        ("shape", "outputs", "window", "padding"),
        [
            ((19, 15, 30, 3), 10, (7, 3), (0, 0)),  # onset detection, its first two layers
            ((17, 9, 26, 10), 20, (3, 3), (0, 0)),
            ((1, 90, 20, 3), 10, (7, 3), (0, 0)),  # one long image, cut into strips
            ((1, 301, 4, 2), 3, (5, 3), (2, 1)),
            ((5, 28, 28, 1), 6, (5, 5), (2, 2)),  # LeNet-5
            ((18, 14, 14, 6), 16, (5, 5), (0, 0)),
            ((9, 5, 5, 16), 12, (5, 5), (0, 0)),  # the window sees all
            ((3, 9, 4, 5), 12, (3, 4), (1, 0)),  # and all across
            ((4, 6, 7, 5), 50, (1, 1), (0, 0)),  # one pixel
            ((2, 140, 4, 5), 50, (3, 4), (0, 0)),  # long images, all across
            ((1, 1, 30, 6), 44, (1, 5), (0, 0)),  # a sequence
        ],
    )
    def test_few_channels(self, shape, outputs, window, padding, dtype):
        geometry = Geometry(padding=padding)
        places = [n + 2 * p - w + 1 for n, p, w in zip(shape[1:3], padding, window, strict=True)]
        w_shape, y_shape = (*window, shape[3], outputs), (shape[0], *places, outputs)
        x, w, y = normal(4, dtype, shape, w_shape, y_shape)
        bias = normal(5, dtype, (outputs,))[0]
        exact_x, exact_w, exact_y = exactly(x, w, y)
        eps = 8 * epsilon(dtype)

        expected = np.tanh(reference.convolution(exact_x, exact_w, places, geometry) + bias)
        size = reference.convolution(abs(exact_x), abs(exact_w), places, geometry) + abs(bias)
        out = kernels.convolution(x, w, bias=bias, activation="tanh", padding=padding)
        assert_within(out, expected, sum_bound(np.prod(w_shape[:3]) + 1, size, dtype) + eps)

        into = np.full(shape, np.nan, dtype)
        kernels.convolution_data_gradient(y, w, into, padding=padding)
        expected = reference.data_gradient(exact_y, exact_w, shape, geometry)
        size = reference.data_gradient(abs(exact_y), abs(exact_w), shape, geometry)
        assert_within(into, expected, sum_bound(np.prod(window) * outputs, size, dtype) + eps)

        into = np.full(w_shape, np.nan, dtype)
        kernels.convolution_weights_gradient(x, y, into, padding=padding)
        expected = reference.weights_gradient(exact_x, exact_y, w_shape, geometry)
        size = reference.weights_gradient(abs(exact_x), abs(exact_y), w_shape, geometry)
        assert_within(into, expected, sum_bound(np.prod(y_shape[:3]), size, dtype) + eps)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_pairs_of_places(self, each_level, dtype):
        # Two places by four multiplications instead of six: another order of sums, small errors.
        x, w = normal(6, dtype, (40, 15, 26, 4), (7, 3, 4, 12))
        exact = reference.convolution(*exactly(x, w), (9, 24), Geometry())
        errors = {}
        for algorithm in ("auto", "direct"):
            out = kernels.convolution(x, w, algorithm=algorithm)
            errors[algorithm] = out - exact
            assert abs(out - exact).max() < 60 * epsilon(dtype) * abs(exact).max()
        # A GPU computes all directly.
        assert (errors["auto"] != errors["direct"]).any() == (each_level not in DEVICES)
        spread = [np.sqrt(np.mean(np.square(e))) for e in errors.values()]
        assert spread[0] < 2 * spread[1]

    @pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu", "softplus"])
    def test_bias_and_activation(self, activation):
        x, w, bias = normal(1, np.float32, (2, 9, 7, 6), (3, 2, 3, 8), (8,))
        plain = kernels.convolution(x, w, groups=2, padding="same")
        out = kernels.convolution(x, w, groups=2, padding="same", bias=bias, activation=activation)
        assert out.shape == (2, 9, 7, 8)
        expected = kernels.activation((plain + bias).reshape(-1, 8), activation)
        np.testing.assert_allclose(out.reshape(-1, 8), expected, rtol=2e-6, atol=2e-6)

    def test_many_places(self):
        # More places than one part of the sum for the weights takes.
        geometry = Geometry((1, 2), (1, 1), (1, 0), 1)
        shapes = (5, 60, 70, 3), (3, 5, 3, 20), (5, 60, 33, 20)
        x, w, y = normal(2, np.float32, *shapes)
        out = np.empty_like(w)
        kernels.convolution_weights_gradient(x, y, out, **options(geometry))
        expected = reference.weights_gradient(*exactly(x, y), w.shape, geometry)
        size = reference.weights_gradient(*exactly(abs(x), abs(y)), w.shape, geometry)
        assert_within(out, expected, sum_bound(5 * 60 * 33, size, np.float32))

    @pytest.mark.parametrize(
        ("x_shape", "w_shape", "stride", "dilation"),
        [
            ((2, 1, 700, 40), (1, 5, 40, 48), (1, 2), (1, 1)),  # lines cut in segments
            ((1, 12, 13, 512), (3, 3, 512, 48), (1, 1), (1, 1)),  # pixels a power of two apart
            ((2, 20, 22, 3), (5, 7, 3, 48), (2, 2), (1, 1)),  # runs of several pixels
            ((1, 5, 7, 64), (5, 5, 64, 500), (1, 1), (1, 1)),  # weights cut in blocks of columns
            ((3, 30, 31, 24), (4, 3, 24, 50), (3, 2), (2, 3)),  # phases, some seen by no place
        ],
    )
    def test_wide(self, x_shape, w_shape, stride, dilation):
        padding, places = padded("same", x_shape[1:3], w_shape[:2], stride, dilation)
        geometry = Geometry(stride, dilation, padding, 1)
        y_shape = (x_shape[0], *places, w_shape[3])
        x, w, y = normal(7, np.float32, x_shape, w_shape, y_shape)
        exact_x, exact_w, exact_y = exactly(x, w, y)
        large_x, large_w, large_y = abs(exact_x), abs(exact_w), abs(exact_y)
        more = options(geometry)
        window = w_shape[0] * w_shape[1]

        expected = reference.convolution(exact_x, exact_w, places, geometry)
        size = reference.convolution(large_x, large_w, places, geometry)
        out = kernels.convolution(x, w, **more | {"padding": "same"})
        assert_within(out, expected, sum_bound(window * w_shape[2], size, np.float32))
        into = kernels.convolution_data_gradient(y, w, np.empty_like(x), **more)
        expected = reference.data_gradient(exact_y, exact_w, x_shape, geometry)
        size = reference.data_gradient(large_y, large_w, x_shape, geometry)
        assert_within(into, expected, sum_bound(window * w_shape[3], size, np.float32))
        into = kernels.convolution_weights_gradient(x, y, np.empty_like(w), **more)
        expected = reference.weights_gradient(exact_x, exact_y, w_shape, geometry)
        size = reference.weights_gradient(large_x, large_y, w_shape, geometry)
        terms = y_shape[0] * places[0] * places[1]
        assert_within(into, expected, sum_bound(terms, size, np.float32))

    @pytest.mark.usefixtures("keep_threads")
    @pytest.mark.parametrize("outputs", [7, 24, 48])
    @pytest.mark.parametrize("channels", [5, 16])
    def test_same_bits_for_any_number_of_threads(self, outputs, channels):
        x, w = normal(3, np.float32, (7, 40, 50, channels), (3, 3, channels, outputs))
        more = {"algorithm": "direct"}
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            y = kernels.convolution(x, w, padding="same", activation="relu", **more)
            x_gradient, w_gradient = np.empty_like(x), np.empty_like(w)
            kernels.convolution_data_gradient(y, w, x_gradient, padding=(1, 1), **more)
            kernels.convolution_weights_gradient(x, y, w_gradient, padding=(1, 1), **more)
            results.append((y, x_gradient, w_gradient))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


class TestPadding:
    def test_same(self):
        assert padded("same", (28, 5), (5, 2), (1, 1), (1, 1)) == ((2, 0), (28, 5))
        assert padded("same", (7, 8), (3, 3), (2, 2), (1, 1)) == ((1, 0), (4, 4))
        assert padded("same", (9, 9), (3, 1), (1, 1), (2, 1)) == ((2, 0), (9, 9))

    def test_numbers(self):
        assert padded(1, (4, 4), (3, 3), (1, 1), (1, 1)) == ((1, 1), (4, 4))
        assert padded((0, 2), (4, 4), (3, 3), (1, 1), (1, 1)) == ((0, 2), (2, 6))
        assert padded(((2, 0), (0, 1)), (4, 4), (3, 3), (2, 1), (1, 1)) == ((2, 0), (2, 3))


X = np.zeros((2, 6, 5, 4), np.float32)
W = np.zeros((3, 3, 4, 8), np.float32)


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        ((X, W), {"stride": 0}, "stride must be"),
        ((X, W), {"stride": (1, 2, 3)}, "stride must be"),
        ((X, W), {"dilation": 3}, "height is 7 with dilation"),
        ((X, W), {"dilation": 0}, "dilation must be"),
        ((X, W), {"padding": "full"}, "padding must be valid, same"),
        ((X, W), {"padding": -1}, "padding must not be negative"),
        ((X, W), {"padding": (1, 2, 3)}, "padding must not be negative, for two axes"),
        ((X, W), {"groups": 3}, "groups must be a divisor"),
        ((X, W), {"groups": 0}, "groups must be at least 1"),
        ((X, W), {"groups": 2}, "weights must have shape"),
        ((X, W), {"activation": "sine"}, "activation must be one of"),
        ((X, W), {"bias": np.zeros(7, np.float32)}, "bias must have shape"),
        ((X, W), {"beta": 1.0}, "beta must be 0 where out is not given"),
        ((X[:, :2], W), {}, "the window must fit"),
        ((X[..., :3], W), {}, "must be C-contiguous"),
        ((np.zeros((2, 6, 5, 3), np.float32), W), {}, "weights must have shape"),
        ((X[0], W), {}, "x must have 4 axes"),
        ((X, W.astype(np.float64)), {}, "weights must have dtype float32"),
        ((X.astype(np.int32), W), {}, "dtype"),
        (("x", W), {}, "x must be a NumPy array"),
        ((X, W, np.zeros((2, 4, 4, 8), np.float32)), {}, "out must have shape"),
    ],
)
def test_bad_arguments(arguments, more, words):
    with pytest.raises((TypeError, ValueError), match=words):
        kernels.convolution(*arguments, **more)


def test_bad_arguments_of_gradients():
    y = np.zeros((2, 4, 3, 8), np.float32)
    with pytest.raises(ValueError, match="weights must have shape"):
        kernels.convolution_data_gradient(y, W, np.zeros((2, 6, 5, 3), np.float32))
    square = np.zeros((2, 4, 4, 8), np.float32)
    with pytest.raises(ValueError, match="out must not overlap"):
        kernels.convolution_data_gradient(square, np.zeros((1, 1, 8, 8), np.float32), square)
    with pytest.raises(ValueError, match="y_gradient must have shape"):
        kernels.convolution_weights_gradient(X, y[:1], W)
