"""Gauss-Newton products on a deep autoencoder, and a whole iteration of conjugate gradients.

784-1000-500-250-30-250-500-1000-784, sigmoid units, cross-entropy, 1000 examples. The forward pass
is kept between products, as conjugate gradients need it. The peers: torch.func's jvp and vjp, which
make it again; PyTorch written in place by hand in buffers made once, with the activations and their
derivatives kept; and our own gradient, whose time a product cannot be far above: by the count of
arithmetic it costs 1.27 gradients (a ratio of 0.79 here).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.runner import Case

SIZES = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
CODE, BATCH = 3, 1000
PAIRS = list(itertools.pairwise(SIZES))
WEIGHTS = sum(a * b for a, b in PAIRS)
# R-operator and backward pass without products for the network's input; the forward pass is kept.
OPERATIONS = 2.0 * BATCH * (4 * WEIGHTS - 2 * SIZES[0] * SIZES[1])


def numbers() -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.ndarray]:
    """Weights and biases, images, and a direction, the same on each side."""
    generator = np.random.default_rng(0)
    parameters = [
        (
            (generator.standard_normal((a, b)) * 1.5 / a**0.5).astype(np.float32),
            (0.1 * generator.standard_normal(b)).astype(np.float32),
        )
        for a, b in PAIRS
    ]
    x = generator.random((BATCH, SIZES[0]), np.float32)
    count = sum(w.size + b.size for w, b in parameters)
    return parameters, x, generator.standard_normal(count).astype(np.float32)


def pieces(flat: Any) -> list[tuple[Any, Any]]:
    """Cut a flat vector into weights and biases."""
    found, at = [], 0
    for a, b in PAIRS:
        found.append((flat[at : at + a * b].reshape(a, b), flat[at + a * b : at + a * b + b]))
        at += a * b + b
    return found


class Ours:
    """GaussNewton.product."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self) -> None:
        from ictus import Dense, Network

        parameters, x, direction = numbers()
        layers = [
            Dense(units, "identity" if i in (CODE, len(PAIRS) - 1) else "sigmoid")
            for i, units in enumerate(SIZES[1:])
        ]
        self.network = network = Network(SIZES[0], layers, "binary_cross_entropy")
        for (w, b), (w_view, b_view) in zip(parameters, pieces(network.parameters), strict=True):
            w_view[...], b_view[...] = w, b
        matrix = network.gauss_newton(x)
        out = np.empty_like(direction)
        self.run = lambda: matrix.product(direction, out)
        self.checked = [matrix.product(direction).copy()]
        self.x = x

    def result(self) -> list[np.ndarray]:
        return self.checked


class Gradient(Ours):
    """Our gradient: a ratio of 0.79 is the arithmetic's."""

    def prepare(self) -> None:
        super().prepare()
        network, x = self.network, self.x
        self.run = lambda: network.loss_and_gradient(x, x, training=False)


class TorchFunc:
    """torch.func.jvp, the loss's Hessian, torch.func.vjp."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def prepare(self) -> None:
        torch = self.torch
        parameters, x, direction = numbers()
        given = tuple(torch.from_numpy(p) for pair in parameters for p in pair)
        along = tuple(torch.from_numpy(p) for pair in pieces(direction) for p in pair)
        images = torch.from_numpy(x)

        def logits(*flat: Any) -> Any:
            h = images
            for i in range(len(PAIRS)):
                h = torch.addmm(flat[2 * i + 1], h, flat[2 * i])
                if i not in (CODE, len(PAIRS) - 1):
                    h = torch.sigmoid(h)
            return h

        def product() -> Any:
            z, tangent = torch.func.jvp(logits, given, along)
            p = torch.sigmoid(z)
            _, back = torch.func.vjp(logits, *given)
            return back(tangent * p * (1 - p) / BATCH)

        self.run = product
        self.checked = [np.concatenate([g.numpy().ravel() for g in product()])]

    def result(self) -> list[np.ndarray]:
        return self.checked


class InPlace:
    """PyTorch by hand: buffers made once, activations and their derivatives kept."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self) -> None:
        torch = self.torch
        parameters, x, direction = numbers()
        self.w = [torch.from_numpy(w) for w, _ in parameters]
        along, self.out = torch.from_numpy(direction), torch.empty(len(direction))
        self.v, self.g = pieces(along), pieces(self.out)
        self.h, self.slopes = [torch.from_numpy(x)], []
        for i, (w, b) in enumerate(parameters):
            z = torch.addmm(torch.from_numpy(b), self.h[-1], torch.from_numpy(w))
            last = i == len(PAIRS) - 1
            p = z if i == CODE else torch.sigmoid(z)
            slope = p * (1 - p)
            self.slopes.append(slope / BATCH if last else None if i == CODE else slope)
            self.h.append(p)
        self.r = [torch.empty(BATCH, b) for _, b in PAIRS]
        self.back = [torch.empty(BATCH, a) for a, _ in PAIRS]
        self.run = self.product
        self.product()
        self.checked = [self.out.numpy().copy()]

    def product(self) -> None:
        torch = self.torch
        for i, (v, c) in enumerate(self.v):
            torch.addmm(c, self.h[i], v, out=self.r[i])
            if i:
                self.r[i].addmm_(self.r[i - 1], self.w[i])
            if self.slopes[i] is not None:
                self.r[i].mul_(self.slopes[i])
        grad = self.r[-1]
        for i in range(len(PAIRS) - 1, -1, -1):
            torch.mm(self.h[i].t(), grad, out=self.g[i][0])
            torch.sum(grad, 0, out=self.g[i][1])
            if i:
                torch.mm(grad, self.w[i].t(), out=self.back[i])
                grad = self.back[i]
                if self.slopes[i - 1] is not None:
                    grad.mul_(self.slopes[i - 1])

    def result(self) -> list[np.ndarray]:
        return self.checked


CASES = [
    Case(
        "Gauss-Newton product, 784-1000-500-250-30 autoencoder, 1000 examples",
        {},
        ("InPlace", "TorchFunc", "Gradient"),
        operations=OPERATIONS,
        tolerance=1e-4,
    )
]
