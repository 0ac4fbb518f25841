"""One network, many threads: each gets its own answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import ictus

THREADS, ROUNDS = 4, 40


def dense():
    random = np.random.default_rng(0)
    network = ictus.Network(30, [ictus.Dense(60, "tanh"), ictus.Dense(5)], seed=1)
    return network, [random.standard_normal((n, 30), np.float32) for n in (70, 200, 33, 150)]


def recurrent():
    random = np.random.default_rng(0)
    layers = [ictus.Bidirectional(ictus.LSTM(8)), ictus.Dense(2)]
    network = ictus.SequenceNetwork(30, layers, seed=1)
    return network, [[random.standard_normal((n, 30), np.float32)] for n in (700, 900, 333, 850)]


@pytest.mark.parametrize("make", [dense, recurrent])
def test_threads_share_a_network(make):
    network, inputs = make()
    expected = [np.copy(network.predict(x)[0]) for x in inputs]
    together = Barrier(THREADS)

    def answers(number):
        together.wait()
        return [network.predict(inputs[number])[0] for _ in range(ROUNDS)]

    with ThreadPoolExecutor(THREADS) as pool:
        for number, found in enumerate(pool.map(answers, range(THREADS))):
            for one in found:
                np.testing.assert_array_equal(one, expected[number])
