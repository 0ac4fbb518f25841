"""SciPy's methods on a network's loss: they reach minima, count, stop, refuse."""

import numpy as np
import pytest

from ictus.nn import LSTM, Dense, Dropout, Network, SequenceNetwork
from ictus.train import minimize


def regression(dtype=np.float64):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((50, 4)).astype(dtype)
    y = (x @ generator.standard_normal((4, 2)) + 1).astype(dtype)
    return Network(4, [Dense(2)], "squared_error", dtype=dtype), x, y


@pytest.mark.parametrize("method", ["l-bfgs", "conjugate-gradient"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_reaches_the_minimum_of_a_linear_regression(method, l2):
    network, x, y = regression()
    history = minimize(network, (x, y, None), method, iterations=200, l2=l2)
    weights, bias = network.views(network.parameters)[0]
    ones = np.concatenate([x, np.ones((50, 1))], axis=1)
    ridge = 50 * l2 * np.diag([1, 1, 1, 1, 0.0])
    exact = np.linalg.solve(ones.T @ ones + ridge, ones.T @ y)
    np.testing.assert_allclose(np.vstack([weights, bias]), exact, atol=1e-5)
    assert history["loss"][-1] <= min(history["loss"]) + 1e-12
    assert history["evaluations"] == sorted(history["evaluations"])
    assert len(history["seconds"]) == history.epochs


def test_single_precision_and_sequences():
    network, x, y = regression(np.float32)
    minimize(network, (x, y, None), iterations=30)
    assert network.loss(x, y) < 1e-6
    sequences = SequenceNetwork(2, [LSTM(5, output="last"), Dense(1)], "squared_error", seed=1)
    generator = np.random.default_rng(0)
    batch = sequences.check_input([generator.standard_normal((n, 2)) for n in (4, 6, 5, 3)])
    target = generator.standard_normal((4, 1)).astype(np.float32)
    history = minimize(sequences, (batch, target, None), iterations=40)
    assert history["loss"][-1] < 0.05 * history["loss"][0]


def test_the_callback_ends_it():
    network, x, y = regression()
    history = minimize(network, (x, y, None), callback=lambda number, loss: number == 3)
    assert history.epochs == 3
    assert history.stopped == "callback"
    assert network.loss(x, y) == pytest.approx(min(history["loss"]))


def test_refuses():
    network, x, y = regression()
    with pytest.raises(ValueError, match="method must be one of l-bfgs, conjugate-gradient, got"):
        minimize(network, (x, y, None), "newton")
    with pytest.raises(ValueError, match="without random draws"):
        minimize(Network(4, [Dropout(0.5), Dense(2)], "squared_error"), (x, y, None))
