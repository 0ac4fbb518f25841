"""Sliding a network of patches over an image equals the patches one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus.nn import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Network,
    SpatialDropout,
    Subsampling,
    TiedDense,
    Upsample,
)


def patches(x, shape, axes):
    """The outputs' positions, and the patches of x there."""
    counts = [x.shape[a] - shape[a] + 1 for a in axes]
    for position in np.ndindex(*counts):
        part = [slice(None)] * x.ndim
        for axis, begin in zip(axes, position, strict=True):
            part[axis] = slice(begin, begin + shape[axis])
        yield position, x[tuple(part)]


def check(network, x, axes, **options):
    out = network.slide(x, axes, **options)
    each = list(patches(x, network.input_shape, sorted(np.atleast_1d(axes))))
    expected = network.predict(np.stack([patch for _, patch in each]))
    assert out.shape == (*(1 + n for n in each[-1][0]), network.output_size)
    np.testing.assert_allclose(out.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)
    return expected


@st.composite
def networks(draw):
    """A classifier of patches, and the axes along which it may slide."""
    axes = draw(st.sampled_from([(0,), (1,), (0, 1)]))
    size = [draw(st.integers(9, 13)), draw(st.integers(9, 13))]
    channels = draw(st.integers(1, 2))
    pool = draw(st.sampled_from([MaxPool, AveragePool, Subsampling]))
    other = 1 - axes[0]  # an axis that may be padded
    padding = "valid"
    if len(axes) == 1 and draw(st.booleans()):
        padding = [(0, 0), (0, 0)]
        padding[other] = (1, 2)
        padding = tuple(padding)
    stride = draw(st.sampled_from([1, 2, (1, 2)]))
    first = Conv2D(4, (3, 2), "relu", stride=stride, padding=padding, dropout=0.2)
    middle = (
        [BatchNorm("tanh")] if draw(st.booleans()) else [Activation("tanh"), SpatialDropout(0.1)]
    )
    layers = [first, *middle, pool(2, stride=draw(st.sampled_from([None, 1])))]
    layers.append(Conv2D(6, 2, "tanh", dilation=draw(st.sampled_from([1, 1, 2]))))
    ends = {
        "dense": [Dropout(0.5), Flatten(), Dropout(0.1), Dense(5, "relu", dropout=0.5), Dense(3)],
        "global": [MaxPool(None), Flatten(), Dense(3)],
        "mean": [Conv2D(3, 1), AveragePool(None), Flatten()],
    }
    layers += ends[draw(st.sampled_from(sorted(ends)))]
    try:
        network = Network((*size, channels), layers, seed=draw(st.integers(0, 99)))
    except ValueError as error:
        assert "must fit the padded image" in str(error)
        return None
    generator = np.random.default_rng(network.seed)
    network.numbers += 0.1 * generator.random(network.numbers.size)
    return network, axes, generator


@settings(max_examples=40)
@given(case=networks(), more=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_equals_patch_by_patch(case, more):
    if case is None:
        return
    network, axes, generator = case
    shape = list(network.input_shape)
    for axis in axes:
        shape[axis] += more[axis]
    check(network, generator.normal(size=shape), axes)


def spectrogram_network(**options):
    layers = [
        Conv2D(5, (3, 5), "relu"),
        MaxPool((2, 3)),
        Conv2D(7, 3, "relu"),
        MaxPool(2),
        Flatten(),
        Dense(16, "relu"),
        Dense(2),
    ]
    return Network((15, 24, 1), layers, **options)


def test_long_inputs_in_blocks_and_double_precision():
    network = spectrogram_network(dtype=np.float64, seed=1)
    x = np.random.default_rng(2).normal(size=(200, 24, 1))
    expected = check(network, x, 0)
    for at_once in (1, 7, 64, 1000):
        out = network.slide(x, at_once=at_once)
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(network.slide(x[..., 0]), network.slide(x))


@pytest.mark.parametrize(("padding", "mode"), [("zeros", "constant"), ("edge", "edge")])
def test_padding_gives_an_output_a_frame(padding, mode):
    network = spectrogram_network()
    x = np.random.default_rng(2).normal(size=(40, 24, 1)).astype(np.float32)
    out = network.slide(x, padding=padding)
    assert out.shape == (40, 2)
    wide = np.pad(x, ((7, 7), (0, 0), (0, 0)), mode)
    np.testing.assert_array_equal(out, network.slide(wide))


def test_sequences():
    layers = [Conv1D(6, 3, "tanh", stride=2), MaxPool(2), Conv1D(4, 2), Flatten(), Dense(3)]
    network = Network((16, 5), layers, seed=3)
    check(network, np.random.default_rng(4).normal(size=(50, 5)).astype(np.float32), 0)


def test_the_flat_vector_is_the_same():
    from ictus.nn.sliding import sliding_network

    network = spectrogram_network()
    sliding = sliding_network(network, [0])
    assert sliding.input_shape == (None, 24, 1)
    np.testing.assert_array_equal(sliding.numbers, network.numbers)


IMAGE = np.zeros((12, 12, 1), np.float32)


def small(*layers, shape=(8, 8, 1)):
    return Network(shape, [*layers, Flatten(), Dense(2)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: small(Conv2D(2, 3, padding="same")).slide(IMAGE), "Conv2D pads the axis 0"),
        (lambda: small(MaxPool(2, padding=1)).slide(IMAGE), "MaxPool pads the axis 0"),
        (lambda: small().slide(IMAGE, 2), "axes must be among 0 .. 1"),
        (lambda: small().slide(IMAGE, []), "axes must be among"),
        (lambda: small().slide(IMAGE), r"x must have shape \(rows, any, 8, 1\)"),
        (lambda: small().slide(IMAGE[:7, :8]), "x must be at least as large as a patch"),
        (lambda: small().slide(IMAGE[:, :8], padding="full"), "padding must be one of valid"),
        (lambda: Network((8, 8, 1), [Conv2D(2, 3)]).slide(IMAGE), "must give one output a patch"),
        (lambda: Network(8, [Dense(2)]).slide(IMAGE), "must take patches of a fixed size"),
        (
            lambda: Network((8, 8, 1), [Flatten(), BatchNorm(), Dense(2)]).slide(IMAGE),
            "a layer BatchNorm after Flatten cannot slide",
        ),
        (lambda: small(Upsample(2)).slide(IMAGE[:, :8]), "a layer Upsample cannot slide"),
        (
            lambda: Network((8, 8, 1), [Flatten(), Dense(3), TiedDense(1)]).slide(IMAGE),
            "a layer TiedDense cannot slide",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
