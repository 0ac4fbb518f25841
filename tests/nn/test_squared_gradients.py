"""Sums of squared gradients of examples: against gradients made one by one; Fisher's diagonal."""

import numpy as np
import pytest

from ictus.nn import LSTM, Dense, Network, Recurrent, SequenceNetwork, TiedDense
from ictus.nn.squared_gradients import mean_squared_gradients
from tests.nn.test_curvature import LOSSES, explicit

GENERATOR = np.random.default_rng(0)


def targets(network, rows):
    generator = np.random.default_rng(7)
    if network.loss_name == "softmax_cross_entropy":
        return generator.integers(0, network.output_size, rows)
    return generator.random((rows, network.output_size))


def one_by_one(network, x, y, weights=None):
    total = np.zeros(network.parameter_count)
    for i in range(len(x)):
        own = None if weights is None else weights[i : i + 1]
        network.loss_and_gradient(x[i : i + 1], y[i : i + 1], own, scale=1.0, training=False)
        total += network.gradient**2
    return total


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_dense_layers_have_them_in_one_product(loss, weighted):
    layers = [Dense(5, "tanh"), Dense(4, "softplus"), Dense(3)]
    network = Network(6, layers, loss, dtype=np.float64, seed=2)
    x, y = np.random.default_rng(1).standard_normal((9, 6)), targets(network, 9)
    weights = np.linspace(0, 2, 9) if weighted else None
    parts = [
        (x[c], y[c], None if weights is None else weights[c]) for c in (slice(0, 5), slice(5, 9))
    ]
    out = np.full(network.parameter_count, np.nan)
    assert mean_squared_gradients(network, parts, "empirical_fisher", GENERATOR, out) == 9
    np.testing.assert_allclose(out, one_by_one(network, x, y, weights), rtol=1e-11, atol=1e-14)


def test_a_tied_network_has_them_example_by_example():
    network = Network(6, [Dense(4, "tanh"), TiedDense(0)], "squared_error", dtype=np.float64)
    x = np.random.default_rng(1).standard_normal((9, 6))
    out = np.empty(network.parameter_count)
    assert mean_squared_gradients(network, [(x, x, None)], "empirical_fisher", GENERATOR, out) == 9
    np.testing.assert_allclose(out, one_by_one(network, x, x), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("output", ["steps", "last"])
def test_sequences_have_them_one_by_one(output):
    layers = [LSTM(3), Recurrent(4, output=output), Dense(2)]
    network = SequenceNetwork(2, layers, "squared_error", dtype=np.float64, seed=1)
    sequences = [np.random.default_rng(n).standard_normal((n, 2)) for n in (4, 1, 6)]
    x = network.check_input(sequences)
    y = targets(network, network.output_rows(x))
    expected, first = np.zeros(network.parameter_count), 0
    for one in sequences:
        batch = network.check_input([one])
        rows = network.output_rows(batch)
        network.loss_and_gradient(batch, y[first : first + rows], scale=1.0, training=False)
        expected += network.gradient**2
        first += rows
    out = np.empty(network.parameter_count)
    assert mean_squared_gradients(network, [(x, y, None)], "empirical_fisher", GENERATOR, out) == 3
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_fisher_has_the_diagonal_of_the_gauss_newton_matrix_in_the_mean(loss):
    network = Network(3, [Dense(4, "tanh"), Dense(3)], loss, dtype=np.float64, seed=2)
    x = np.random.default_rng(1).standard_normal((4, 3))
    many = np.tile(x, (5000, 1))
    out = np.empty(network.parameter_count)
    generator = np.random.default_rng(3)
    y = targets(network, len(many))
    mean_squared_gradients(network, [(many, y, None)], "fisher", generator, out)
    expected = np.diag(explicit(network, x, None, 1.0))
    # Standard errors of 5,000 draws: the squares of gradients deviate by about their mean.
    assert np.abs(out / 5000 - expected).max() < 0.08 * expected.max()
    np.testing.assert_allclose(out.sum() / 5000, expected.sum(), rtol=0.05)


def test_refuses_an_unknown_kind():
    network = Network(3, [Dense(2)], "squared_error")
    with pytest.raises(ValueError, match="kind must be one of empirical_fisher, fisher, got 'x'"):
        mean_squared_gradients(network, [], "x", GENERATOR, network.gradient)
