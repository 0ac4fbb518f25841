"""Standardize: a fixed mean and scale, in all passes, in files, and where a network slides."""

import numpy as np
import pytest

import ictus
from ictus.nn import Conv2D, Dense, Dropout, Flatten, MaxPool, Network, Noise, Standardize
from ictus.nn.sliding import sliding_network
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator

CHAINS = {
    "vectors": ((5,), [Standardize(), Dense(4, "tanh"), Standardize(), Dense(2)]),
    "sequences": ((6, 3), [Standardize(), Flatten(), Dense(2)]),
    "images": ((5, 4, 2), [Conv2D(3, 2, "tanh"), Standardize(), Flatten(), Dense(2)]),
}


def filled(shape, layers, **options):
    network = Network(shape, layers, "squared_error", **options)
    network.state[...] = np.random.default_rng(1).uniform(0.5, 2.0, network.state.shape)
    return network


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_derivatives(chain):
    shape, layers = CHAINS[chain]
    network = filled(shape, layers, dtype=np.float64, seed=3)
    generator = np.random.default_rng(4)
    x, y = generator.standard_normal((6, *shape)), generator.standard_normal((6, 2))
    check_gradient(network, x, y)
    check_r_operator(network, x)
    check_gauss_newton(network, x)


def test_values_files_and_training(tmp_path):
    network = filled((7, 4, 2), [Standardize(), Flatten(), Dense(3)])
    mean, scale = network.layer_views[0]
    assert mean.shape == scale.shape == (4, 2)
    x = np.random.default_rng(0).standard_normal((3, 7, 4, 2)).astype(np.float32)
    weights, bias = network.layer_views[2]
    wanted = ((x - mean) * scale).reshape(3, -1) @ weights + bias
    np.testing.assert_allclose(network.predict(x), wanted, atol=1e-5)
    before = network.state.copy()
    network.loss_and_gradient(x, np.zeros((3, 3), np.float32))
    np.testing.assert_array_equal(network.state, before)
    ictus.save(tmp_path / "n.ictus", network)
    again = ictus.load(tmp_path / "n.ictus")
    np.testing.assert_array_equal(again.predict(x), network.predict(x))
    with pytest.raises(ValueError, match="all but the first axis must have a fixed size"):
        Network((5, None, 2), [Standardize(), Conv2D(1, 2)])


def patch_network(dropout=0.0):
    layers = [Standardize(), Conv2D(4, (3, 2), "relu"), MaxPool((2, 2), stride=(1, 2)), Flatten()]
    layers += [Dropout(dropout), Dense(5, "sigmoid", dropout=dropout), Dense(1)]
    return filled((7, 5, 2), layers, seed=2)


def test_runs_of_patches_have_the_gradient_of_the_patches():
    network = patch_network()
    sliding = sliding_network(network, [0], training=True)
    generator = np.random.default_rng(5)
    x = generator.standard_normal((3, 7 + 3, 5, 2)).astype(np.float32)
    y = generator.standard_normal((3, 4, 1, 1)).astype(np.float32)
    weights = generator.random((3, 4, 1)).astype(np.float32)
    loss = sliding.loss_and_gradient(x, y, weights, scale=1 / 12)
    patches = np.stack([run[i : i + 7] for run in x for i in range(4)])
    wanted = network.loss_and_gradient(patches, y.reshape(-1, 1), weights.ravel())
    assert loss == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(sliding.gradient, network.gradient, atol=1e-5)
    by_weight = sliding.loss(x, y, weights) * weights.sum() / 12
    assert by_weight == pytest.approx(wanted, rel=1e-5)


def test_dropout_and_noise_stay_only_for_training():
    network = patch_network(dropout=0.5)
    kinds = [type(layer).__name__ for layer in sliding_network(network, [0], training=True).layers]
    assert kinds.count("Dropout") == 1
    sliding = sliding_network(network, [0], training=True)
    assert sliding.layers[-2].dropout == 0.5
    assert sliding.parameter_count == network.parameter_count
    x = np.random.default_rng(6).standard_normal((40, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(
        sliding.predict(x[None])[0, :, 0], network.slide(x), rtol=1e-5, atol=1e-6
    )
    y = np.zeros((1, 34, 1, 1), np.float32)
    first, second = (sliding.loss_and_gradient(x[None], y) for _ in range(2))
    assert first != second
    noisy = Network((4, 3, 1), [Noise("gaussian", 0.1), Flatten(), Dense(1)], "squared_error")
    assert len(sliding_network(noisy, [0], training=True).layers) == 2
    assert len(sliding_network(noisy, [0]).layers) == 1


def test_standardize_after_flatten_cannot_slide():
    network = Network((4, 3, 1), [Flatten(), Standardize(), Dense(1)], "squared_error")
    with pytest.raises(ValueError, match="Standardize after Flatten cannot slide"):
        sliding_network(network, [0])
