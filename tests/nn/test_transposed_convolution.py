"""Layers that make images larger: gradients, R-operator, the transpose as such, shapes, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus import kernels
from ictus.kernels.convolution import padded
from ictus.nn import AveragePool, Conv2D, ConvTranspose2D, Dense, Flatten, Network, Upsample
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator

geometries = st.fixed_dictionaries(
    {
        "kernel_size": st.sampled_from([1, 2, 3, (3, 2)]),
        "stride": st.sampled_from([1, 1, 2, (1, 2)]),
        "padding": st.sampled_from(["valid", "same", 1, ((0, 1), (1, 0))]),
        "dilation": st.sampled_from([1, 1, 2]),
    }
)


@settings(max_examples=25)
@given(
    geometry=geometries,
    size=st.tuples(st.integers(3, 5), st.integers(3, 5), st.integers(1, 3)),
    activation=st.sampled_from(["tanh", "sigmoid", "relu"]),
    dropout=st.sampled_from([0.0, 0.3]),
    end=st.sampled_from(["dense", "places"]),
    seed=st.integers(0, 99),
)
def test_derivatives(geometry, size, activation, dropout, end, seed):
    layers = [
        Conv2D(2, 2, "tanh", padding="same"),
        ConvTranspose2D(3, activation=activation, dropout=dropout, **geometry),
        Upsample((2, 1)),
    ]
    layers += [Flatten(), Dense(2)] if end == "dense" else [ConvTranspose2D(2, 2, stride=2)]
    network = Network(size, layers, "squared_error", dtype=np.float64, seed=seed)
    generator = np.random.default_rng(seed)
    network.parameters[...] = 0.5 * generator.standard_normal(network.parameter_count)
    x = generator.normal(size=(3, *size))
    y = network.checked_targets(generator.normal(size=(3, *network.output_shape)), x)
    check_gradient(network, x, y)
    check_r_operator(network, x)
    check_gauss_newton(network, x)
    gradient = network.input_gradient(x, np.ones((3, *network.output_shape)))
    direction = generator.normal(size=x.shape)
    ends = [network.forward(x + step * direction).sum() for step in (1e-6, -1e-6)]
    exact = (gradient * direction).sum()
    assert abs((ends[0] - ends[1]) / 2e-6 - exact) < 1e-5 * max(1, np.linalg.norm(gradient))


@settings(max_examples=25)
@given(geometry=geometries, size=st.tuples(st.integers(4, 7), st.integers(4, 7)))
def test_it_is_the_transpose_of_the_convolution_with_its_weights(geometry, size):
    layer = ConvTranspose2D(3, **geometry)
    network = Network((*size, 2), [layer], "squared_error", dtype=np.float64, seed=1)
    weights, bias = network.views(network.parameters)[0]
    assert weights.shape[2:] == (3, 2)
    bias[...] = 0
    x = np.random.default_rng(0).normal(size=(2, *size, 2))
    y = network.forward(x)
    # <y, z> = <x, convolution(z)> for every z of the shape of y.
    z = np.random.default_rng(1).normal(size=y.shape)
    options = {name: geometry[name] for name in ("stride", "padding", "dilation")}
    back = kernels.convolution(z, weights, **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((y * z).sum(), (x * back).sum(), rtol=1e-10)
    window = np.broadcast_to(geometry["kernel_size"], 2)
    if geometry["padding"] == "same":
        stride = np.broadcast_to(geometry["stride"], 2)
        assert y.shape[1:3] == (size[0] * stride[0], size[1] * stride[1])
    assert (
        padded(
            geometry["padding"],
            y.shape[1:3],
            tuple(window),
            *[tuple(np.broadcast_to(geometry[name], 2)) for name in ("stride", "dilation")],
        )[1]
        == size
    )


def test_upsampling_is_what_average_pooling_takes_back():
    network = Network(
        (3, 4, 2), [Upsample((2, 3)), AveragePool((2, 3)), Flatten(), Dense(1)], dtype=np.float64
    )
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    large = network.activations(x, 0)
    assert large.shape == (2, 6, 12, 2)
    np.testing.assert_array_equal(large, x.repeat(2, axis=1).repeat(3, axis=2))
    np.testing.assert_allclose(network.activations(x, 1), x, rtol=1e-12)


def test_configuration_and_other_sizes():
    layers = [ConvTranspose2D(2, (3, 2), "relu", stride=2, padding="same"), Upsample(2)]
    network = Network((None, None, 3), [*layers, Conv2D(1, 1)], "squared_error", seed=4)
    again = Network.from_config(network.config(), network.parameters)
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 3))
    np.testing.assert_array_equal(network.forward(x), again.forward(x))
    assert network.forward(x).shape == (2, 20, 12, 1)
    assert network.forward(x[:, :4]).shape == (2, 16, 12, 1)
    # Outputs keep their size whatever the stride.
    stds = [
        Network((8, 8, 16), [ConvTranspose2D(16, 4, stride=s, initialization="he")], seed=1)
        .forward(np.random.default_rng(1).normal(size=(4, 8, 8, 16)))[:, 4:-4, 4:-4]
        .std()
        for s in (1, 2, 4)
    ]
    np.testing.assert_allclose(stds, np.sqrt(2), rtol=0.25)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (lambda: [ConvTranspose2D(0, 3)], "filters must be a positive integer, got 0"),
        (lambda: [ConvTranspose2D(2, 1, padding=3)], "padding 3 leaves images of"),
        (lambda: [ConvTranspose2D(2, 2, dropout=1)], r"dropout must be in \[0, 1\)"),
        (lambda: [Upsample(0)], "must be an integer of at least 1"),
        (lambda: [Flatten(), Upsample(2)], "takes examples of shape"),
    ],
)
def test_wrong_arguments(layers, message):
    with pytest.raises(ValueError, match=message):
        Network((4, 4, 1), [*layers(), Conv2D(1, 1)])
