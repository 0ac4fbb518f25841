"""Training steps of every model family on a device, for ``gpu_benchmarks.py``: callables to time.

Each takes the module that makes arrays (CuPy, or what stands for it) and the device's name, and
sizes that the benchmarks leave as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ictus.kernels.rbm import ContrastiveDivergence
from ictus.models import RBM
from ictus.nn import (
    LSTM,
    Bidirectional,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool,
    Network,
    SequenceBatch,
    SequenceNetwork,
)
from ictus.optim import SGD, Optimizer

Step = Callable[[], object]


def random(arrays: Any, *shape: int) -> Any:
    """Uniform float32 numbers on the device."""
    return arrays.asarray(np.random.default_rng(0).random(shape, np.float32))


def labels(arrays: Any, count: int, classes: int) -> Any:
    """Labels on the device."""
    return arrays.asarray(np.arange(count) % classes)


def prepared(network: Network, rule: Optimizer) -> Optimizer:
    """The rule with its state."""
    rule.prepare(network.parameters, network.weight_segments, network.weight_matrices)
    return rule


def dense(arrays: Any, device: str, units: int = 800, rows: int = 100) -> Step:
    """784-800-800-10 by momentum."""
    layers = [Dense(units, "relu"), Dense(units, "relu"), Dense(10)]
    network = Network(784, layers).to(device)
    rule = prepared(network, SGD(0.1, momentum=0.9))
    x, y = random(arrays, rows, 784), labels(arrays, rows, 10)

    def step() -> None:
        network.loss_and_gradient(x, y)
        rule.step(network.parameters, network.gradient)

    return step


def convolutional(arrays: Any, device: str, filters: int = 32, rows: int = 100) -> Step:
    """Two convolutions 3 x 3 with max pooling and two dense layers over images of 28 x 28."""
    layers: list[Layer] = [
        Conv2D(filters, 3, "relu"),
        MaxPool(2),
        Conv2D(2 * filters, 3, "relu"),
        MaxPool(2),
        Flatten(),
        Dense(128, "relu"),
        Dense(10),
    ]
    network = Network((28, 28, 1), layers).to(device)
    rule = prepared(network, SGD(0.1, momentum=0.9))
    x, y = random(arrays, rows, 28, 28, 1), labels(arrays, rows, 10)

    def step() -> None:
        network.loss_and_gradient(x, y)
        rule.step(network.parameters, network.gradient)

    return step


def recurrent(arrays: Any, device: str, units: int, steps: int, rows: int, depth: int) -> Step:
    """LSTM layers over `rows` sequences of `steps` frames; of more than one, in two directions."""
    inputs = 266 if depth > 1 else units
    chain: list[Layer] = [
        Bidirectional(LSTM(units)) if depth > 1 else LSTM(units) for _ in range(depth)
    ]
    network = SequenceNetwork(inputs, [*chain, Dense(2)]).to(device)
    rule = prepared(network, SGD(0.1, momentum=0.9))
    batch = SequenceBatch(random(arrays, rows * steps, inputs), [steps] * rows)
    y = labels(arrays, rows * steps, 2)

    def step() -> None:
        network.loss_and_gradient(batch, y)
        rule.step(network.parameters, network.gradient)

    return step


def divergence(arrays: Any, device: str, hidden: int = 1024, rows: int = 1024) -> Step:
    """CD-1 of an RBM of 784 Bernoulli units."""
    rbm = RBM(784, hidden).to(device)
    velocity = rbm.views(arrays.zeros((rbm.parameter_count,), np.float32))
    names = ("weights", "visible_bias", "hidden_bias")
    rule = ContrastiveDivergence(rbm.native, *(velocity[name] for name in names))
    x = (random(arrays, rows, 784) < 0.3).astype(np.float32)
    options = {"weight_rate": 0.1, "bias_rate": 0.1, "momentum": 0.5}

    def step() -> None:
        rule.update(x, steps=1, seed=1, stream=rbm.next_streams(3), **options)

    return step


def gauss_newton(arrays: Any, device: str, units: int = 800, rows: int = 1000) -> Step:
    """A Gauss-Newton product of 784-800-800-10."""
    network = Network(784, [Dense(units, "tanh"), Dense(units, "tanh"), Dense(10)]).to(device)
    matrix = network.gauss_newton(random(arrays, rows, 784))
    direction = random(arrays, network.parameter_count)
    out = arrays.empty_like(direction)
    return lambda: matrix.product(direction, out)
