"""Standardised training: the folded network is the same function of the raw numbers."""

import numpy as np
import pytest

from ictus import Dense, Dropout, Network
from ictus.cli.standardize import Scaling, fold_into


@pytest.mark.parametrize("hidden", [[], [Dropout(0.2), Dense(5, "tanh")]])
@pytest.mark.parametrize("regression", [True, False])
def test_folded_network_is_the_same_function(hidden, regression):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((50, 4)) * [1, 100, 0.01, 0] + [0, 1000, 1, 7]
    y = generator.standard_normal((50, 2)) * [3, 0.1] + [-20, 5]
    features, targets = Scaling.of(x), Scaling.of(y)
    scaled = features.apply(x)
    np.testing.assert_allclose(scaled[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[:, :3].std(axis=0), 1, rtol=1e-5)
    assert not scaled[:, 3].any()
    network = Network(4, [*hidden, Dense(2)], "squared_error", dtype="f8", seed=1)
    expected = network.predict(scaled.astype(np.float64))
    if regression:
        expected = expected * y.std(axis=0) + y.mean(axis=0)
    fold_into(network, features, targets if regression else None)
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-5, atol=1e-5)


def test_vector_of_targets():
    y = np.array([1.0, 2, 3])
    assert Scaling.of(y).apply(y).shape == (3,)
    assert Scaling.of(np.full(3, 0.1)).deviation == 1
