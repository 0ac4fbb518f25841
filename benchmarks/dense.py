"""Training steps of dense networks: forward, backward and update of one minibatch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.runner import Case

NETWORKS: dict[str, dict[str, Any]] = {
    "784-800-800-10 dropout, batch 100": {
        "sizes": [784, 800, 800, 10],
        "activation": "relu",
        "dropout": (0.2, 0.5),
        "batch": 100,
        "loss": "softmax_cross_entropy",
    },
    "784-1000-500-250-30 autoencoder, batch 1000": {
        "sizes": [784, 1000, 500, 250, 30, 250, 500, 1000, 784],
        "activation": "sigmoid",
        "linear": 3,
        "batch": 1000,
        "loss": "binary_cross_entropy",
    },
    "32-64-10, batch 32": {
        "sizes": [32, 64, 10],
        "activation": "relu",
        "batch": 32,
        "loss": "softmax_cross_entropy",
    },
}
RATE, MOMENTUM = 0.01, 0.9


def start(sizes: list[int], batch: int, loss: str) -> tuple[list[np.ndarray], np.ndarray, Any]:
    """Weights and data, the same on each side."""
    generator = np.random.default_rng(0)
    weights = [
        (generator.standard_normal((n, m)) / n**0.5).astype(np.float32)
        for n, m in itertools.pairwise(sizes)
    ]
    x = generator.random((batch, sizes[0])).astype(np.float32)
    y = generator.integers(0, sizes[-1], batch) if loss.startswith("softmax") else x
    return weights, x, y


class Ours:
    """Network.loss_and_gradient and SGD.step, as the trainer calls them."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(
        self,
        sizes: list[int],
        activation: str,
        batch: int,
        loss: str,
        dropout: tuple[float, float] = (0.0, 0.0),
        linear: int = -1,
    ) -> None:
        from ictus import SGD, Dense, Dropout, Network

        def network(rates: tuple[float, float]) -> tuple[Network, SGD]:
            layers: list[Any] = [Dropout(rates[0])] if rates[0] else []
            for i, units in enumerate(sizes[1:-1]):
                layers.append(
                    Dense(units, "identity" if i == linear else activation, dropout=rates[1])
                )
            net = Network(sizes[0], [*layers, Dense(sizes[-1])], loss)
            weights, _, _ = start(sizes, batch, loss)
            for view, values in zip(net.weight_matrices, weights, strict=True):
                view[...] = values
            optimizer = SGD(RATE, MOMENTUM)
            optimizer.prepare(net.parameters, net.weight_segments, net.weight_matrices)
            return net, optimizer

        _, x, y = start(sizes, batch, loss)
        self.plain = network((0.0, 0.0)), x, y
        net, optimizer = network(dropout)

        def run() -> None:
            net.loss_and_gradient(x, y)
            optimizer.step(net.parameters, net.gradient)

        self.run = run

    def result(self) -> list[np.ndarray]:
        """Weights after two steps without dropout."""
        (net, optimizer), x, y = self.plain
        for _ in range(2):
            net.loss_and_gradient(x, y)
            optimizer.step(net.parameters, net.gradient)
        return [w.copy() for w in net.weight_matrices]


class PyTorch:
    """Eager PyTorch: Sequential, the built-in losses, SGD with momentum."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def prepare(
        self,
        sizes: list[int],
        activation: str,
        batch: int,
        loss: str,
        dropout: tuple[float, float] = (0.0, 0.0),
        linear: int = -1,
    ) -> None:
        torch = self.torch
        from torch import nn

        function = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[activation]

        def network(rates: tuple[float, float]) -> tuple[Any, Any]:
            layers: list[Any] = [nn.Dropout(rates[0])] if rates[0] else []
            for i in range(len(sizes) - 1):
                layers.append(nn.Linear(sizes[i], sizes[i + 1]))
                if i < len(sizes) - 2 and i != linear:
                    layers.append(function())
                if i < len(sizes) - 2 and rates[1]:
                    layers.append(nn.Dropout(rates[1]))
            net = nn.Sequential(*layers)
            weights, _, _ = start(sizes, batch, loss)
            dense = [layer for layer in net if isinstance(layer, nn.Linear)]
            with torch.no_grad():
                for layer, values in zip(dense, weights, strict=True):
                    layer.weight.copy_(torch.from_numpy(values.T.copy()))
                    layer.bias.zero_()
            return net, torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)

        _, x, y = start(sizes, batch, loss)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        if loss == "softmax_cross_entropy":
            self.criterion = nn.CrossEntropyLoss()
        else:  # ours sums over the outputs and averages over the examples
            total = nn.BCEWithLogitsLoss(reduction="sum")
            self.criterion = lambda z, t: total(z, t) / batch
        self.plain = network((0.0, 0.0))
        net, optimizer = network(dropout)
        self.run = lambda: self._step(net, optimizer)

    def _step(self, net: Any, optimizer: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.criterion(net(self.x), self.y).backward()
        optimizer.step()

    def result(self) -> list[np.ndarray]:
        for _ in range(2):
            self._step(*self.plain)
        nn = self.torch.nn
        dense = [layer for layer in self.plain[0] if isinstance(layer, nn.Linear)]
        return [layer.weight.detach().numpy().T.copy() for layer in dense]


class ScikitLearn:
    """MLPClassifier.partial_fit on one minibatch (float32 data, so float32 weights)."""

    def __init__(self, threads: int) -> None:
        import sklearn.neural_network  # noqa: F401  (its pools must be there to be limited)
        from threadpoolctl import threadpool_limits

        self.limits = threadpool_limits(threads)

    def prepare(self, sizes: list[int], activation: str, batch: int, loss: str) -> None:
        from sklearn.neural_network import MLPClassifier

        self.sizes, self.loss = sizes, loss
        weights, x, y = start(sizes, batch, loss)
        classes = np.arange(sizes[-1])

        def model() -> Any:
            net = MLPClassifier(
                tuple(sizes[1:-1]),
                activation=activation,
                solver="sgd",
                alpha=0.0,
                batch_size=batch,
                learning_rate_init=RATE,
                momentum=MOMENTUM,
                nesterovs_momentum=False,
                shuffle=False,
            )
            net.partial_fit(x, y, classes=classes)
            for w, b, values in zip(net.coefs_, net.intercepts_, weights, strict=True):
                w[...] = values
                b[...] = 0
            for velocity in net._optimizer.velocities:
                velocity[...] = 0
            return net

        plain, timed = model(), model()
        self.plain, self.x, self.y = plain, x, y
        self.run = lambda: timed.partial_fit(x, y)

    def result(self) -> list[np.ndarray]:
        for _ in range(2):
            self.plain.partial_fit(self.x, self.y)
        return [w.copy() for w in self.plain.coefs_]


def operations(sizes: list[int], batch: int) -> float:
    """Two for each multiply-add of forward, weight-gradient and input-gradient products."""
    products = [n * m for n, m in itertools.pairwise(sizes)]
    return 2.0 * batch * (3 * sum(products) - products[0])


CASES = [
    Case(
        name,
        arguments,
        ("PyTorch", "ScikitLearn") if name.startswith("32-") else ("PyTorch",),
        operations=operations(arguments["sizes"], arguments["batch"]),
        tolerance=1e-4,
    )
    for name, arguments in NETWORKS.items()
]
