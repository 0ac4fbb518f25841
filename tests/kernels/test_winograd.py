"""Winograd's tiles: all passes of a convolution, their accuracy, and where they are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus import kernels
from ictus.kernels.convolution import padded
from tests import reference_convolution as reference
from tests import reference_winograd as sizes
from tests.kernels.test_convolution import exactly, normal
from tests.reference_convolution import Geometry
from tests.tolerance import assert_within, epsilon, sum_bound

dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def cases(draw):
    """Padding, zeros before the image, and the shapes of x, weights and y."""
    groups = draw(st.sampled_from([1, 1, 2]))
    window = draw(st.sampled_from([3, 5]))
    channels = groups * draw(st.sampled_from([1, 2, 7, 15, 16, 17, 40]))
    outputs = groups * draw(st.sampled_from([1, 2, 9, 16, 17, 33, 50]))
    padding = [(draw(st.integers(0, window)), draw(st.integers(0, window))) for _ in range(2)]
    size = tuple(
        draw(st.integers(least, least + 14)) for least in (max(1, window - sum(p)) for p in padding)
    )
    before, places = padded(padding, size, (window, window), (1, 1), (1, 1))
    batch = draw(st.integers(0, 3))
    shapes = (
        (batch, *size, channels),
        (window, window, channels // groups, outputs),
        (batch, *places, outputs),
    )
    return groups, padding, before, shapes


def by_groups(groups, size_of, *arrays):
    """What size_of gives for the parts of arrays (their last axes cut), side by side."""
    parts = zip(*(np.split(a, groups, axis=-1) for a in arrays), strict=True)
    return np.concatenate([size_of(*part) for part in parts], axis=-1)


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @settings(max_examples=50)
    @given(case=cases(), dtype=dtypes, seed=st.integers(0, 99), beta=st.sampled_from([0.0, 0.5]))
    def test_all_passes(self, case, dtype, seed, beta):
        groups, padding, before, (x_shape, w_shape, y_shape) = case
        x, w, y, was = normal(seed, dtype, x_shape, w_shape, y_shape, y_shape)
        exact_x, exact_w, exact_y, exact_was = exactly(x, w, y, was)
        geometry = Geometry(padding=before, groups=groups)
        more = {"groups": groups, "algorithm": "winograd", "beta": beta}
        eps = 4 * epsilon(dtype)
        roundings = sizes.ROUNDINGS

        places = y_shape[1:3]
        expected = beta * exact_was + reference.convolution(exact_x, exact_w, places, geometry)
        size = by_groups(
            groups, lambda a, b: sizes.convolution(a, b, places, before), exact_x, exact_w
        )
        out = kernels.convolution(x, w, was.copy(), padding=padding, **more)
        bound = sum_bound(w_shape[2] + roundings, size, dtype)
        assert_within(out, expected, bound + eps * abs(expected) + eps)

        into = np.ones(x_shape, dtype)
        expected = beta + reference.data_gradient(exact_y, exact_w, x_shape, geometry)
        size = by_groups(
            groups,
            lambda a, b: sizes.data_gradient(a, b, x_shape[1:3], before),
            exact_y,
            exact_w,
        )
        kernels.convolution_data_gradient(y, w, into, padding=before, **more)
        bound = sum_bound(w_shape[3] // groups + roundings, size, dtype)
        assert_within(into, expected, bound + eps * abs(expected) + eps)

        into = np.ones(w_shape, dtype)
        expected = beta + reference.weights_gradient(exact_x, exact_y, w_shape, geometry)
        size = by_groups(
            groups,
            lambda a, b: sizes.weights_gradient(a, b, w_shape[0], before)[0],
            exact_x,
            exact_y,
        )
        kernels.convolution_weights_gradient(x, y, into, padding=before, **more)
        tiles = sizes.weights_gradient(exact_x, exact_y, w_shape[0], before)[1]
        bound = sum_bound(tiles + roundings, size, dtype)
        assert_within(into, expected, bound + eps * abs(expected) + eps)

    @pytest.mark.parametrize("activation", ["identity", "sigmoid", "relu"])
    def test_bias_and_activation(self, activation):
        x, w, bias = normal(1, np.float32, (2, 9, 11, 12), (3, 3, 6, 40), (40,))
        more = {"groups": 2, "padding": "same", "algorithm": "winograd"}
        plain = kernels.convolution(x, w, **more)
        out = kernels.convolution(x, w, bias=bias, activation=activation, **more)
        expected = kernels.activation((plain + bias).reshape(-1, 40), activation)
        np.testing.assert_allclose(out.reshape(-1, 40), expected, rtol=2e-6, atol=2e-6)

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        x, w = normal(3, np.float32, (5, 40, 50, 20), (3, 3, 20, 24))
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            more = {"algorithm": "winograd"}
            y = kernels.convolution(x, w, padding="same", activation="relu", **more)
            x_gradient, w_gradient = np.empty_like(x), np.empty_like(w)
            kernels.convolution_data_gradient(y, w, x_gradient, padding=(1, 1), **more)
            kernels.convolution_weights_gradient(x, y, w_gradient, padding=(1, 1), **more)
            results.append((y, x_gradient, w_gradient))
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("window", [3, 5])
    def test_errors_are_a_few_times_those_of_the_direct_sum(self, window):
        # Long sums in blocks make the direct gradient of the weights more accurate than the rest.
        most = {"forward": 3, "data gradient": 3, "weights gradient": 8}
        x, w = normal(4, np.float32, (1, 24, 24, 64), (window, window, 64, 64))
        (y,) = normal(5, np.float32, (1, 24, 24, 64))
        half = window // 2
        geometry = Geometry(padding=(half, half))
        exact_x, exact_w, exact_y = exactly(x, w, y)
        expected = (
            reference.convolution(exact_x, exact_w, (24, 24), geometry),
            reference.data_gradient(exact_y, exact_w, x.shape, geometry),
            reference.weights_gradient(exact_x, exact_y, w.shape, geometry),
        )
        errors = {}
        for algorithm in ("direct", "winograd"):
            more = {"padding": (half, half), "algorithm": algorithm}
            results = (
                kernels.convolution(x, w, **more),
                kernels.convolution_data_gradient(y, w, np.empty_like(x), **more),
                kernels.convolution_weights_gradient(x, y, np.empty_like(w), **more),
            )
            errors[algorithm] = [
                np.sqrt(np.mean((r - e) ** 2) / np.mean(e**2))
                for r, e in zip(results, expected, strict=True)
            ]
        for name, direct, tiles in zip(most, errors["direct"], errors["winograd"], strict=True):
            assert tiles < most[name] * direct, name
            assert tiles < 1.2e-6, name


def test_chosen_where_it_pays():
    def results(algorithm, *shapes):
        x, w = normal(6, np.float32, *shapes)
        return kernels.convolution(x, w, algorithm=algorithm)

    wide = (2, 30, 30, 64), (3, 3, 64, 64)
    narrow = (2, 30, 30, 2), (3, 3, 2, 3)
    for shapes, chosen in ((wide, "winograd"), (narrow, "direct")):
        np.testing.assert_array_equal(results("auto", *shapes), results(chosen, *shapes))
        other = {"winograd": "direct", "direct": "winograd"}[chosen]
        assert (results("auto", *shapes) != results(other, *shapes)).any()


@pytest.mark.parametrize(
    ("window", "more", "words"),
    [
        ((3, 3), {"algorithm": "fast"}, "algorithm must be one of auto, direct, winograd"),
        ((3, 3), {"algorithm": "winograd", "stride": 2}, "stride and dilation 1"),
        ((3, 3), {"algorithm": "winograd", "dilation": (1, 2)}, "stride and dilation 1"),
        ((3, 5), {"algorithm": "winograd"}, "windows of 3 x 3 or 5 x 5"),
        ((4, 4), {"algorithm": "winograd"}, "windows of 3 x 3 or 5 x 5"),
    ],
)
def test_bad_arguments(window, more, words):
    x, w = np.zeros((1, 9, 9, 4), np.float32), np.zeros((*window, 4, 4), np.float32)
    with pytest.raises(ValueError, match=words):
        kernels.convolution(x, w, **more)


def test_too_many_channels():
    x, w = np.zeros((1, 3, 3, 1025)), np.zeros((3, 3, 1025, 1))
    with pytest.raises(ValueError, match="1 to 2048 channels"):
        kernels.convolution(x, w, algorithm="winograd")
