"""A convolution with its pooling against float64 NumPy, at every instruction-set level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus import kernels
from ictus.kernels.convolution import padded
from tests import reference_convolution as reference
from tests.reference_convolution import Geometry
from tests.tolerance import assert_within, epsilon, sum_bound

FUNCTIONS = {
    "identity": (lambda z: z, lambda y: np.ones_like(y)),
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "relu": (lambda z: np.maximum(z, 0), lambda y: (y > 0) * 1.0),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda y: y * (1 - y)),
    "softplus": (lambda z: np.logaddexp(0, z), lambda y: -np.expm1(-y)),
}


@st.composite
def cases(draw):
    """Geometry, padding, pooling window and the shapes of x, weights and of the places."""
    groups = draw(st.sampled_from([1, 1, 1, 1, 2]))
    channels = groups * draw(st.integers(1, 7))
    outputs = groups * draw(st.sampled_from([1, 2, 3, 10, 16, 21, 47]))
    batch = draw(st.sampled_from([0, 1, 2, 3, 17, 20]))
    size, window, stride, dilation, padding, pool = [], [], [], [], [], []
    for _ in range(2):
        window.append(draw(st.integers(1, 4)))
        pool.append(draw(st.sampled_from([1, 1, 2, 3, 5])))
        stride.append(draw(st.sampled_from([1, 1, 1, 2])))
        dilation.append(draw(st.sampled_from([1, 1, 1, 2])))
        reach = (window[-1] - 1) * dilation[-1] + 1
        padding.append((draw(st.integers(0, reach)), draw(st.integers(0, reach))))
        least = max(1, reach - sum(padding[-1]) + (pool[-1] - 1) * stride[-1])
        size.append(draw(st.integers(least, least + 12)))
    pair = (stride[0], stride[1]), (dilation[0], dilation[1])
    before, places = padded(padding, tuple(size), tuple(window), *pair)
    return (
        Geometry(*pair, before, groups),
        padding,
        tuple(pool),
        (batch, *size, channels),
        (*window, channels // groups, outputs),
        places,
    )


def windows(z, pool):
    """Return (batch, p, q, outputs, elements) of z (batch, down, across, outputs)."""
    n, down, across, outputs = z.shape
    p, q = down // pool[0], across // pool[1]
    z = z[:, : p * pool[0], : q * pool[1]].reshape(n, p, pool[0], q, pool[1], outputs)
    return z.transpose(0, 1, 3, 5, 2, 4).reshape(n, p, q, outputs, pool[0] * pool[1])


def unpooled(y, argmax, pool):
    """Return y at the elements that argmax names, zeros elsewhere, as (batch, down, across, o)."""
    n, p, q, outputs = y.shape
    z = np.zeros((*y.shape, pool[0] * pool[1]))
    np.put_along_axis(z, argmax[..., None].astype(np.int64), y[..., None], -1)
    z = z.reshape(n, p, q, outputs, *pool).transpose(0, 1, 4, 2, 5, 3)
    return z.reshape(n, p * pool[0], q * pool[1], outputs)


def normal(seed, dtype, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def check_forward(x, w, bias, y, argmax, places, pool, geometry, activation):
    dtype = x.dtype
    x, w, bias = (a.astype(np.float64) for a in (x, w, bias))
    z = windows(reference.convolution(x, w, places, geometry) + bias, pool)
    size = windows(reference.convolution(abs(x), abs(w), places, geometry) + abs(bias), pool)
    error = sum_bound(np.prod(w.shape[:3]) + 1, size, dtype).max(-1) + epsilon(dtype)
    assert argmax.shape == y.shape
    assert ((argmax >= 0) & (argmax < pool[0] * pool[1])).all()
    chosen = np.take_along_axis(z, argmax[..., None].astype(np.int64), -1)[..., 0]
    assert (z.max(-1) - chosen <= 2 * error).all(), "argmax is not where the maximum is"
    expected = FUNCTIONS[activation][0](z.max(-1))
    # No activation function is steeper than 1.
    assert_within(y, expected, error + 8 * epsilon(dtype) * (1 + abs(expected)))


def check_backward(x, w, y, argmax, pool, geometry, activation, beta, data):
    dtype = x.dtype
    (dy,) = normal(9, dtype, y.shape)
    options = {"stride": geometry.stride, "dilation": geometry.dilation, "groups": geometry.groups}
    into_w, into_b = np.ones_like(w), np.ones(w.shape[3], dtype)
    into_x = np.full_like(x, np.nan) if data else None
    kernels.pooled_convolution_backward(
        x, w, y, dy, argmax, into_w, into_b, into_x, pool=pool, activation=activation,
        padding=geometry.padding, beta=beta, **options,
    )  # fmt: skip
    delta = dy.astype(np.float64) * FUNCTIONS[activation][1](y.astype(np.float64))
    delta = unpooled(delta, argmax, pool)
    x, w = x.astype(np.float64), w.astype(np.float64)
    # A derivative is known to a few units of 1, not of itself.
    rounding = unpooled(abs(dy.astype(np.float64)), argmax, pool)
    eps, terms = 8 * epsilon(dtype), delta[..., 0].size
    expected = beta + delta.sum((0, 1, 2))
    bound = sum_bound(terms, abs(delta).sum((0, 1, 2)), dtype) + eps * rounding.sum((0, 1, 2))
    assert_within(into_b, expected, bound + eps)
    expected = beta + reference.weights_gradient(x, delta, w.shape, geometry)
    bound = sum_bound(
        terms, reference.weights_gradient(abs(x), abs(delta), w.shape, geometry), dtype
    )
    bound = bound + eps * reference.weights_gradient(abs(x), rounding, w.shape, geometry)
    assert_within(into_w, expected, bound + eps)
    if data:
        expected = reference.data_gradient(delta, w, x.shape, geometry)
        bound = sum_bound(
            w[:, :, 0].size, reference.data_gradient(abs(delta), abs(w), x.shape, geometry), dtype
        )
        bound = bound + eps * reference.data_gradient(rounding, abs(w), x.shape, geometry)
        assert_within(into_x, expected, bound + eps)


@pytest.mark.usefixtures("each_level")
class TestStage:
    @settings(max_examples=100)
    @given(
        case=cases(),
        dtype=st.sampled_from([np.float32, np.float64]),
        activation=st.sampled_from(sorted(FUNCTIONS)),
        seed=st.integers(0, 99),
        beta=st.sampled_from([0.0, 0.5]),
        data=st.booleans(),
    )
    def test_random_shapes(self, case, dtype, activation, seed, beta, data):
        geometry, padding, pool, x_shape, w_shape, places = case
        x, w, bias = normal(seed, dtype, x_shape, w_shape, (w_shape[3],))
        y, argmax = kernels.pooled_convolution(
            x, w, bias, pool=pool, activation=activation, stride=geometry.stride, padding=padding,
            dilation=geometry.dilation, groups=geometry.groups,
        )  # fmt: skip
        check_forward(x, w, bias, y, argmax, places, pool, geometry, activation)
        check_backward(x, w, y, argmax, pool, geometry, activation, beta, data)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        ("shape", "outputs", "window", "padding", "pool"),
        [
            ((19, 15, 32, 3), 10, (7, 3), (0, 0), (1, 3)),  # onset detection
            ((17, 9, 26, 10), 20, (3, 3), (0, 0), (1, 3)),
            ((1, 90, 20, 3), 10, (7, 3), (0, 0), (1, 3)),  # one long image
            ((18, 28, 28, 1), 6, (5, 5), (2, 2), (2, 2)),  # LeNet-5
            ((18, 14, 14, 6), 16, (5, 5), (0, 0), (2, 2)),
            ((3, 10, 11, 70), 72, (3, 3), (1, 1), (2, 2)),  # many channels
        ],
    )
    def test_networks(self, shape, outputs, window, padding, pool, dtype):
        geometry = Geometry(padding=padding)
        places = [n + 2 * p - w + 1 for n, p, w in zip(shape[1:3], padding, window, strict=True)]
        x, w, bias = normal(1, dtype, shape, (*window, shape[3], outputs), (outputs,))
        w *= 0.2
        y, argmax = kernels.pooled_convolution(
            x, w, bias, pool=pool, activation="tanh", padding=padding
        )
        check_forward(x, w, bias, y, argmax, places, pool, geometry, "tanh")
        for data in (False, True):
            check_backward(x, w, y, argmax, pool, geometry, "tanh", 0.0, data)

    def test_without_bias_or_pooling(self):
        x, w = normal(2, np.float32, (20, 9, 8, 3), (3, 3, 3, 5))
        y, argmax = kernels.pooled_convolution(x, w, pool=1, activation="relu")
        np.testing.assert_allclose(
            y, kernels.convolution(x, w, activation="relu"), rtol=1e-6, atol=1e-6
        )
        assert not argmax.any()
        check_backward(x, w, y, argmax, (1, 1), Geometry(), "relu", 0.0, True)

    def test_first_of_equal_ones_and_nan(self):
        x = np.ones((17, 6, 6, 1), np.float32)
        w = np.ones((1, 1, 1, 2), np.float32)
        x[3, 2, 3] = np.nan
        y, argmax = kernels.pooled_convolution(x, w, pool=2)
        assert np.isnan(y[3, 1, 1]).all()
        assert (argmax[3, 1, 1] == 1).all()
        y[3, 1, 1], argmax[3, 1, 1] = 1, 0
        assert (y == 1).all()
        assert not argmax.any()

    @pytest.mark.usefixtures("keep_threads")
    @pytest.mark.parametrize("outputs", [7, 48])
    def test_same_bits_for_any_number_of_threads(self, outputs):
        x, w, bias = normal(3, np.float32, (37, 20, 30, 5), (3, 3, 5, outputs), (outputs,))
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            y, argmax = kernels.pooled_convolution(x, w, bias, pool=(2, 3), activation="tanh")
            gradients = np.empty_like(w), np.empty_like(bias), np.empty_like(x)
            kernels.pooled_convolution_backward(
                x, w, y, y, argmax, *gradients, pool=(2, 3), activation="tanh"
            )
            results.append((y, argmax, *gradients))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)


X = np.zeros((2, 6, 5, 4), np.float32)
W = np.zeros((3, 3, 4, 8), np.float32)


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        ((X, W), {"pool": 0}, "pool must be"),
        ((X, W), {"pool": 1, "activation": "sine"}, "activation must be one of"),
        ((X, W), {"pool": 1, "groups": 3}, "groups must be a divisor"),
        ((X, W), {"pool": 1, "groups": 2}, "weights must have shape"),
        ((X, W, np.zeros(7, np.float32)), {"pool": 1}, "bias must have shape"),
        ((X[..., :3], W), {"pool": 1}, "must be C-contiguous"),
        ((X, W.astype(np.float64)), {"pool": 1}, "weights must have dtype float32"),
        ((X[0], W), {"pool": 1}, "x must have 4 axes"),
    ],
)
def test_bad_arguments(arguments, more, words):
    with pytest.raises((TypeError, ValueError), match=words):
        kernels.pooled_convolution(*arguments, **more)


def test_bad_arguments_of_the_gradient():
    y, argmax = kernels.pooled_convolution(X, W, pool=2)
    into = np.empty_like(W), np.empty(8, np.float32)
    with pytest.raises(ValueError, match="y_gradient must have shape"):
        kernels.pooled_convolution_backward(X, W, y, y[:1], argmax, *into, pool=2)
    with pytest.raises(TypeError, match="argmax must be a NumPy array"):
        kernels.pooled_convolution_backward(X, W, y, y, None, *into, pool=2)
    with pytest.raises(TypeError, match="argmax must have dtype int32"):
        kernels.pooled_convolution_backward(X, W, y, y, argmax.astype(np.int64), *into, pool=2)
    with pytest.raises(ValueError, match="bias_gradient must have shape"):
        kernels.pooled_convolution_backward(X, W, y, y, argmax, into[0], into[1][:2], pool=2)
    with pytest.raises(ValueError, match="x_gradient must not overlap x"):
        kernels.pooled_convolution_backward(X, W, y, y, argmax, *into, X, pool=2)
