"""The layer of a mean-covariance RBM's hidden units: derivatives, the machine's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

import ictus
from ictus.models import MeanCovarianceMachine
from ictus.nn import Dense, MeanCovariance, Network
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator


@pytest.mark.parametrize("mean_units", [0, 3])
@pytest.mark.parametrize("below", [[], [Dense(5, "tanh")]])
def test_derivatives(mean_units, below):
    layers = [*below, MeanCovariance(7, mean_units), Dense(2)]
    network = Network(6, layers, "binary_cross_entropy", dtype=np.float64, seed=3)
    generator = np.random.default_rng(4)
    network.parameters += 0.3 * generator.standard_normal(network.parameter_count)
    x = 2 * generator.normal(size=(9, 6))
    y = network.checked_targets(generator.integers(0, 2, (9, 2)).astype(float), x)
    check_gradient(network, x, y)
    check_r_operator(network, x)
    if not mean_units:
        return
    softmax = Network(6, layers, dtype=np.float64, seed=3)
    check_gauss_newton(softmax, x)


def test_gradients_add_up_over_parts_of_a_batch():
    network = Network(4, [MeanCovariance(5, 2), Dense(2)], "squared_error", dtype=np.float64)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(8, 4)), generator.normal(size=(8, 2))
    network.loss_and_gradient(x, y)
    whole = network.gradient.copy()
    network.loss_and_gradient(x[:3], y[:3], scale=1 / 8)
    network.loss_and_gradient(x[3:], y[3:], scale=1 / 8, accumulate=True)
    np.testing.assert_allclose(network.gradient, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_units_are_those_of_the_machine(dtype):
    machine = MeanCovarianceMachine(6, 9, 4, dtype=dtype, seed=5)
    generator = np.random.default_rng(6)
    machine.parameters[...] = generator.normal(size=machine.parameters.shape)
    layer = MeanCovariance(9, 4, offset=machine.offset)
    network = Network(6, [layer, Dense(13)], "squared_error", dtype=dtype)
    filters, weights, biases = network.views(network.parameters)[0]
    filters[...], weights[...] = machine.filters, machine.weights
    biases[...] = np.concatenate([machine.covariance_bias, machine.mean_bias])
    x = generator.normal(size=(5, 6)).astype(dtype)
    x[0] = 0  # no direction
    expected = np.concatenate(machine.hidden_means(x), axis=1)
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(network.activations(x, 0), expected, atol=tolerance)


def test_model_files_keep_the_layer(tmp_path):
    network = Network(6, [MeanCovariance(4, 2, offset=0.25), Dense(2)], "binary_cross_entropy")
    ictus.save(tmp_path / "m.ictus", network)
    loaded = ictus.load(tmp_path / "m.ictus")
    x = np.random.default_rng(7).normal(size=(3, 6)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(x), network.predict(x))
    assert loaded.layers[0].config() == network.layers[0].config()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0,), "factors"), ((2.5,), "factors"), ((3, -1), "mean_units"), ((3, 1, 0.0), "offset")],
)
def test_bad_arguments_are_named(arguments, name):
    options = {"offset": arguments[2]} if len(arguments) > 2 else {}
    with pytest.raises(ValueError, match=name):
        MeanCovariance(*arguments[:2], **options)
