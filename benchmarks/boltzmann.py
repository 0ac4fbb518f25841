"""Restricted Boltzmann machines: one update by CD-1 or PCD-1, a part of an epoch, sparse states.

Peers are PyTorch written in place by hand, and scikit-learn's BernoulliRBM (persistent chains, no
momentum). The share of the peak counts the five dense products of an update, whether or not they
are all calculated: above 100 % the zeros that were skipped were worth more than the whole machine.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from benchmarks.runner import Case, run_cases

RATE, MOMENTUM = 0.05, 0.9
SIZES = [(784, 500, 100), (784, 1024, 128)]
PART = 60  # minibatches of a tenth of an epoch


@functools.cache
def images(kind: str, rows: int) -> np.ndarray:
    """MNIST, binary or grey, where ICTUS_DATA has it; else a fifth of the pixels are on."""
    folder = os.environ.get("ICTUS_DATA")
    if folder and os.path.isdir(os.path.join(folder, "mnist")):
        from ictus.datasets import load_mnist

        grey = load_mnist(os.path.join(folder, "mnist")).x_train[:rows].reshape(rows, -1)
        grey = grey.astype(np.float32) / (255 if grey.dtype == np.uint8 else 1)
    else:
        g = np.random.default_rng(0)
        grey = ((g.random((rows, 784)) < 0.2) * g.random((rows, 784))).astype(np.float32)
    dense = np.random.default_rng(1).random(grey.shape, np.float32)
    return {"binary": (grey > 0.5).astype(np.float32), "grey": grey, "dense": dense}[kind]


def start(visible: int, hidden: int) -> np.ndarray:
    """First weights, the same on each side."""
    return (0.01 * np.random.default_rng(0).standard_normal((visible, hidden))).astype(np.float32)


def first_bias(data: np.ndarray) -> np.ndarray:
    """The visible bias under which each unit is on as often as in the data (Hinton 2010, 8.1)."""
    p = data.mean(axis=0, dtype=np.float64).clip(0.01, 0.99)
    return np.log(p / (1 - p)).astype(np.float32)


def numbers(batch: int, units: int, seed: int) -> np.ndarray:
    """Uniform numbers for the update that is checked."""
    return np.random.RandomState(seed).uniform(size=(batch, units)).astype(np.float32)


class Side:
    """What the sides share: the data, minibatch after minibatch."""

    def prepare(
        self,
        visible: int,
        hidden: int,
        batch: int,
        persistent: bool,
        kind: str = "binary",
        minibatches: int = 1,
    ) -> None:
        self.shape = visible, hidden, batch
        self.persistent = persistent
        self.data = images(kind, 60 * batch)
        self.at = 0
        self.build(0.0)
        self.checked = self.one_update()
        self.build(MOMENTUM)
        self.run = lambda: self.train(minibatches)

    def result(self) -> list[np.ndarray]:
        return self.checked

    def train(self, minibatches: int) -> None:
        batch = self.shape[2]
        for _ in range(minibatches):
            self.update(self.at)
            self.at = (self.at + batch) % len(self.data)

    def build(self, momentum: float) -> None:
        raise NotImplementedError

    def update(self, at: int) -> None:
        raise NotImplementedError

    def one_update(self) -> list[np.ndarray]:
        """Weights and biases after an update by given random numbers, without momentum."""
        raise NotImplementedError


class Ours(Side):
    """ContrastiveDivergence.update, as the models call it."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def build(self, momentum: float) -> None:
        from ictus import kernels

        visible, hidden, batch = self.shape
        self.parameters = [
            start(visible, hidden),
            first_bias(self.data),
            np.zeros(hidden, np.float32),
        ]
        self.particles = np.zeros((batch, hidden), np.float32) if self.persistent else None
        self.divergence = kernels.ContrastiveDivergence(
            kernels.rbm_model(*self.parameters),
            *(np.zeros_like(p) for p in self.parameters),
            particles=self.particles,
        )
        self.rule = {"weight_rate": RATE, "bias_rate": RATE, "momentum": momentum}
        self.stream = 0

    def update(self, at: int) -> None:
        batch = self.shape[2]
        self.divergence.update(self.data[at : at + batch], stream=self.stream, **self.rule)
        self.stream += 3

    def one_update(self) -> list[np.ndarray]:
        visible, hidden, batch = self.shape
        more: dict[str, Any] = {}
        if self.persistent:
            more = {
                "visible_uniforms": numbers(batch, visible, 1),
                "hidden_uniforms": numbers(batch, hidden, 2),
            }
        self.divergence.update(self.data[:batch], **self.rule, **more)
        return [p.copy() for p in self.parameters]


class PyTorch(Side):
    """In place, in buffers made once; both phases' statistics are one product."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def build(self, momentum: float) -> None:
        torch = self.torch
        visible, hidden, batch = self.shape
        self.tensor = torch.from_numpy(self.data)
        self.w = torch.from_numpy(start(visible, hidden))
        self.b, self.c = torch.from_numpy(first_bias(self.data)), torch.zeros(hidden)
        self.dw, self.db, self.dc = (torch.zeros_like(p) for p in (self.w, self.b, self.c))
        self.v, self.h = torch.empty(2 * batch, visible), torch.empty(2 * batch, hidden)
        self.states = torch.zeros(batch, hidden)
        self.uv, self.uh = torch.empty(batch, visible), torch.empty(batch, hidden)
        self.momentum = momentum
        self.draw_v = self.draw_h = lambda u: u.uniform_()

    def update(self, at: int) -> None:
        torch, batch = self.torch, self.shape[2]
        v0, v1, h0, h1 = self.v[:batch], self.v[batch:], self.h[:batch], self.h[batch:]
        v0.copy_(self.tensor[at : at + batch])
        torch.addmm(self.c, v0, self.w, out=h0).sigmoid_()
        if not self.persistent:
            torch.lt(self.draw_h(self.uh), h0, out=self.states)
        torch.addmm(self.b, self.states, self.w.t(), out=v1).sigmoid_()
        torch.lt(self.draw_v(self.uv), v1, out=v1)
        torch.addmm(self.c, v1, self.w, out=h1).sigmoid_()
        if self.persistent:
            torch.lt(self.draw_h(self.uh), h1, out=self.states)
        h1.neg_()
        rate = RATE / batch
        self.dw.addmm_(self.v.t(), self.h, beta=self.momentum, alpha=rate)
        self.w.add_(self.dw)
        self.dc.mul_(self.momentum).add_(self.h.sum(0), alpha=rate)
        self.c.add_(self.dc)
        self.db.mul_(self.momentum).add_(v0.sum(0).sub_(v1.sum(0)), alpha=rate)
        self.b.add_(self.db)

    def one_update(self) -> list[np.ndarray]:
        visible, hidden, batch = self.shape
        if self.persistent:
            first, second = numbers(batch, visible, 1), numbers(batch, hidden, 2)
        else:  # what ours draws
            from ictus.kernels import uniform

            first = uniform((batch, visible), stream=1)
            second = uniform((batch, hidden), stream=0)
        self.draw_v = lambda _: self.torch.from_numpy(first)
        self.draw_h = lambda _: self.torch.from_numpy(second)
        self.update(0)
        return [p.numpy().copy() for p in (self.w, self.b, self.c)]


class ScikitLearn(Side):
    """BernoulliRBM's own update of a minibatch, in single precision."""

    def __init__(self, threads: int) -> None:
        import sklearn.neural_network  # noqa: F401  (its pools must be there to be limited)
        from threadpoolctl import threadpool_limits

        self.limits = threadpool_limits(threads)

    def build(self, momentum: float) -> None:
        from sklearn.neural_network import BernoulliRBM

        visible, hidden, batch = self.shape
        self.model = BernoulliRBM(hidden, learning_rate=RATE, batch_size=batch)
        self.model.components_ = np.asfortranarray(start(visible, hidden).T)
        self.model.intercept_hidden_ = np.zeros(hidden, np.float32)
        self.model.intercept_visible_ = first_bias(self.data)
        self.model.h_samples_ = np.zeros((batch, hidden), np.float32)
        self.random = np.random.RandomState(0)

    def update(self, at: int) -> None:
        self.model._fit(self.data[at : at + self.shape[2]], self.random)

    def one_update(self) -> list[np.ndarray]:
        """The same numbers, in the order in which it draws them."""
        visible, hidden, batch = self.shape

        class Given:
            def __init__(self) -> None:
                self.next = [numbers(batch, visible, 1), numbers(batch, hidden, 2)]

            def uniform(self, size: tuple[int, ...]) -> np.ndarray:
                assert self.next[0].shape == size
                return self.next.pop(0)

        self.random, kept = Given(), self.random
        self.update(0)
        self.random = kept
        m = self.model
        return [m.components_.T.copy(), m.intercept_visible_.copy(), m.intercept_hidden_.copy()]


def case(size: tuple[int, int, int], persistent: bool, group: str, **more: Any) -> Case:
    visible, hidden, batch = size
    name = f"{'PCD' if persistent else 'CD'}-1 {visible}x{hidden} batch {batch}"
    arguments = {"visible": visible, "hidden": hidden, "batch": batch, "persistent": persistent}
    kind, minibatches = more.get("kind", "binary"), more.get("minibatches", 1)
    if more:
        name += f", {kind}" + (", a tenth of an epoch" if minibatches > 1 else "")
    return Case(
        name,
        {**arguments, **more},
        ("PyTorch", "ScikitLearn") if persistent else ("PyTorch",),
        operations=10.0 * visible * hidden * batch * minibatches,
        tolerance=1e-4,
        group=group,
    )


CASES = [case(size, persistent, "of updates") for size in SIZES for persistent in (False, True)]
# With no zeros in the data: what the dense path alone gives.
CASES += [case(SIZES[0], persistent, "", kind="dense") for persistent in (False, True)]
EPOCHS = [
    case(SIZES[0], persistent, "of epochs", kind=kind, minibatches=PART)
    for kind in ("binary", "grey")
    for persistent in (False, True)
]


def extra(quick: bool) -> list[dict[str, Any]]:
    """Parts of epochs: fewer rounds, since each takes seconds."""
    if quick:
        return []
    return run_cases("boltzmann", __name__, EPOCHS, rounds=2, seconds=0.1)
