"""Exact Hessian products against differences of gradients, in double precision."""

import itertools

import numpy as np
import pytest

from ictus.nn import LSTM, Activation, Dense, Dropout, Network, SequenceNetwork
from ictus.nn.hessian import check_layers, hessian_product
from tests.nn import test_network
from tests.nn.test_curvature import LOSSES, relative_error

ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "softplus"]


def problem(activation, loss, weighted=False):
    layers = [Dropout(0.3), Dense(5, activation, scale=1.5), Dense(4, activation), Dense(3)]
    network = Network(4, layers, loss, dtype=np.float64, seed=3)
    network.parameters += 0.1 * np.random.default_rng(5).standard_normal(network.parameter_count)
    x, y = test_network.make_data(loss, 9, 4, 3)
    return network, x, y, np.linspace(0.5, 2, 9) if weighted else None


def differences(network, x, y, weights, direction, step=1e-3):
    """The derivative of the gradient along the direction: central, of fourth order."""
    start, gradients = network.parameters.copy(), []
    for factor in (-2, -1, 1, 2):
        network.parameters[...] = start + factor * step * direction
        network.loss_and_gradient(x, y, weights, training=False)
        gradients.append(network.gradient.copy())
    network.parameters[...] = start
    return (gradients[0] - 8 * gradients[1] + 8 * gradients[2] - gradients[3]) / (12 * step)


@pytest.mark.parametrize(("activation", "loss"), list(itertools.product(ACTIVATIONS, LOSSES)))
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_differences_of_gradients(activation, loss, weighted):
    network, x, y, weights = problem(activation, loss, weighted)
    generator = np.random.default_rng(1)
    v = generator.standard_normal(network.parameter_count)
    v /= np.linalg.norm(v)
    step = 1e-6 if activation == "relu" else 3e-3  # no kink in between
    expected = differences(network, x, y, weights, v, step)
    product = network.hessian_product(x, y, v, weights=weights)
    assert relative_error(product, expected) < (1e-7 if activation == "relu" else 1e-8)
    out = np.empty_like(v)
    parts = [(x[:4], y[:4], None), (x[4:], y[4:], None)]
    if not weighted:
        hessian_product(network, parts, 1 / 9, v, out)
        assert relative_error(out, product) < 1e-12


def test_is_symmetric_and_may_be_indefinite():
    network, x, y, _ = problem("tanh", "squared_error")
    count = network.parameter_count
    matrix = np.stack([network.hessian_product(x, y, e) for e in np.eye(count)])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    values = np.linalg.eigvalsh(matrix)
    assert values[0] < -1e-3 < 1e-3 < values[-1]


def test_is_gauss_newton_where_the_network_is_linear():
    network = Network(4, [Dense(3)], dtype=np.float64, seed=1)
    x, y = test_network.make_data("softmax_cross_entropy", 9, 4, 3)
    v = np.random.default_rng(1).standard_normal(network.parameter_count)
    np.testing.assert_allclose(
        network.hessian_product(x, y, v), network.gauss_newton_product(x, v), atol=1e-14
    )


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Network(4, [Dense(3, "sigmoid", contraction=0.1), Dense(3)], dtype=np.float64),
            "know no penalties",
        ),
        (Network(4, [Dense(3), Activation("tanh"), Dense(3)], dtype=np.float64), "no layer Activ"),
    ],
)
def test_refuses(network, message):
    x, y = test_network.make_data("softmax_cross_entropy", 9, 4, 3)
    with pytest.raises(ValueError, match=message):
        network.hessian_product(x, y, np.zeros(network.parameter_count))


def test_refuses_recurrent_layers():
    with pytest.raises(ValueError, match="networks of Dense layers, got a layer LSTM"):
        check_layers(SequenceNetwork(2, [LSTM(3), Dense(2)]))
