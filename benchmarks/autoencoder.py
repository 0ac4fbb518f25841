"""Autoencoders: a tenth of an epoch of denoising training, and a greedy stack of two machines.

784-500-784 with masking noise on the inputs, sigmoid units, cross-entropy, SGD with momentum, with
free and with tied weights. The peers are eager PyTorch with its automatic gradients, and PyTorch
written in place by hand: gradients by `addmm_` straight into the velocities, no loss calculated.
The stack is 784-500-250, CD-1, one pass of each machine over 6,000 images; its peer is PyTorch in
place by hand (benchmarks/boltzmann.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.boltzmann import PART, first_bias, images
from benchmarks.runner import Case

VISIBLE, HIDDEN, CODE, BATCH = 784, 500, 250, 100
RATE, MOMENTUM, LEVEL, SEED = 0.01, 0.9, 0.3, 3
CHECKED = 2  # minibatches of the weights that are compared


def weights() -> tuple[np.ndarray, np.ndarray]:
    """First weights of encoder and decoder, the same on each side."""
    generator = np.random.default_rng(0)
    shape = VISIBLE, HIDDEN
    drawn = [(generator.standard_normal(shape) / 28).astype(np.float32) for _ in range(2)]
    return drawn[0], np.ascontiguousarray(drawn[1].T)


def mask(number: int, layers: int) -> np.ndarray:
    """What ictus keeps of the inputs of minibatch `number`."""
    from ictus.kernels import corrupt

    ones = np.ones((BATCH, VISIBLE), np.float32)
    return corrupt(ones, "masking", LEVEL, seed=SEED, stream=2 * number * layers)


class Ours:
    """Network.loss_and_gradient and SGD.step; pretrain for the stack."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, tied: bool = False, stack: bool = False) -> None:
        self.data = images("grey", PART * BATCH)
        if stack:
            self.run = lambda: self.stack(len(self.data))
            self.checked = self.stack(CHECKED * BATCH)
            return
        self.checked = self.train(*self.network(tied), CHECKED)
        network = self.network(tied)
        self.run = lambda: self.train(*network, PART)

    def network(self, tied: bool) -> tuple[Any, Any]:
        from ictus import SGD, Dense, Network, Noise, TiedDense

        output = TiedDense(1) if tied else Dense(VISIBLE)
        layers = [Noise("masking", LEVEL), Dense(HIDDEN, "sigmoid"), output]
        network = Network(VISIBLE, layers, "binary_cross_entropy", seed=SEED)
        for view, values in zip(network.weight_matrices, weights(), strict=not tied):
            view[...] = values
        optimizer = SGD(RATE, MOMENTUM)
        optimizer.prepare(network.parameters, network.weight_segments, network.weight_matrices)
        return network, optimizer

    def train(self, network: Any, optimizer: Any, minibatches: int) -> list[np.ndarray]:
        for i in range(minibatches):
            x = self.data[i * BATCH : (i + 1) * BATCH]
            network.loss_and_gradient(x, x)
            optimizer.step(network.parameters, network.gradient)
        return [w.copy() for w in network.weight_matrices]

    def stack(self, rows: int) -> list[np.ndarray]:
        from ictus import Dense, Network
        from ictus.models import pretrain

        layers = [Dense(HIDDEN, "sigmoid"), Dense(CODE, "sigmoid"), Dense(10)]
        network = Network(VISIBLE, layers, seed=SEED)
        pretrain(network, self.data[:rows], epochs=1, batch_size=BATCH)
        return [w.copy() for w in network.weight_matrices[:2]]

    def result(self) -> list[np.ndarray]:
        return self.checked


class PyTorch:
    """Automatic gradients, the built-in loss, and SGD over all parameters in one call."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def prepare(self, tied: bool = False) -> None:
        self.data = self.torch.from_numpy(images("grey", PART * BATCH))
        self.checked = self.train(self.build(tied), CHECKED, given=True)
        parts = self.build(tied)
        self.run = lambda: self.train(parts, PART)

    def build(self, tied: bool) -> Any:
        torch = self.torch
        first, second = (torch.from_numpy(w.T.copy()).requires_grad_() for w in weights())
        b, c = (torch.zeros(n, requires_grad=True) for n in (HIDDEN, VISIBLE))
        parameters = [first, b, c] if tied else [first, b, second, c]
        optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM, foreach=True)
        return first, b, first.t() if tied else second, c, optimizer, tied

    def train(self, parts: Any, minibatches: int, given: bool = False) -> list[np.ndarray]:
        torch = self.torch
        linear = torch.nn.functional.linear
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        first, b, second, c, optimizer, tied = parts
        for i in range(minibatches):
            x = self.data[i * BATCH : (i + 1) * BATCH]
            if given:
                kept = torch.from_numpy(mask(i, 3))
            else:
                kept = torch.empty_like(x).bernoulli_(1 - LEVEL)
            optimizer.zero_grad(set_to_none=True)
            h = torch.sigmoid(linear(x * kept, first, b))
            second = first.t() if tied else second
            (loss(linear(h, second, c), x, reduction="sum") / BATCH).backward()
            optimizer.step()
        found = [first] if tied else [first, second]
        return [w.detach().numpy().T.copy() for w in found]

    def result(self) -> list[np.ndarray]:
        return self.checked


class InPlace:
    """PyTorch in buffers made once, without automatic gradients."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self, tied: bool = False, stack: bool = False) -> None:
        self.data = self.torch.from_numpy(images("grey", PART * BATCH))
        if stack:
            self.checked = self.stack(CHECKED * BATCH, given=True)
            self.run = lambda: self.stack(len(self.data))
            return
        self.build(tied)
        self.checked = self.train(CHECKED, given=True)
        self.build(tied)
        self.run = lambda: self.train(PART)

    # --- denoising autoencoder -------------------------------------------------------------------

    def build(self, tied: bool) -> None:
        torch = self.torch
        first, second = (torch.from_numpy(w) for w in weights())
        self.tied, self.w = tied, first
        self.v = first.t() if tied else second
        self.b, self.c = torch.zeros(HIDDEN), torch.zeros(VISIBLE)
        self.dw, self.db, self.dc = (torch.zeros_like(p) for p in (self.w, self.b, self.c))
        self.dv = self.dw.t() if tied else torch.zeros_like(self.v)
        self.noisy, self.g = torch.empty(BATCH, VISIBLE), torch.empty(BATCH, VISIBLE)
        self.h, self.gh = torch.empty(BATCH, HIDDEN), torch.empty(BATCH, HIDDEN)

    def train(self, minibatches: int, given: bool = False) -> list[np.ndarray]:
        torch, rate = self.torch, -RATE / BATCH
        for i in range(minibatches):
            x = self.data[i * BATCH : (i + 1) * BATCH]
            if given:
                self.noisy.copy_(torch.from_numpy(mask(i, 3)))
            else:
                self.noisy.bernoulli_(1 - LEVEL)
            self.noisy.mul_(x)
            torch.addmm(self.b, self.noisy, self.w, out=self.h).sigmoid_()
            torch.addmm(self.c, self.h, self.v, out=self.g).sigmoid_().sub_(x)
            torch.mm(self.g, self.v.t(), out=self.gh)
            torch.ops.aten.sigmoid_backward.grad_input(self.gh, self.h, grad_input=self.gh)
            self.dv.addmm_(self.h.t(), self.g, beta=MOMENTUM, alpha=rate)
            self.dw.addmm_(self.noisy.t(), self.gh, beta=1.0 if self.tied else MOMENTUM, alpha=rate)
            self.dc.mul_(MOMENTUM).add_(self.g.sum(0), alpha=rate)
            self.db.mul_(MOMENTUM).add_(self.gh.sum(0), alpha=rate)
            pairs = [(self.w, self.dw), (self.b, self.db), (self.c, self.dc)]
            for p, d in pairs if self.tied else [*pairs, (self.v, self.dv)]:
                p.add_(d)
        return [w.numpy().copy() for w in ([self.w] if self.tied else [self.w, self.v])]

    # --- greedy stack ----------------------------------------------------------------------------

    def stack(self, rows: int, given: bool = False) -> list[np.ndarray]:
        torch, x, found = self.torch, self.data[:rows], []
        for number, hidden in enumerate((HIDDEN, CODE)):
            w, c = self.machine(x, hidden, SEED + number, given)
            found.append(w.numpy().copy())
            x = torch.addmm(c, x, w).sigmoid_()
        return found

    def machine(self, x: Any, hidden: int, seed: int, given: bool) -> tuple[Any, Any]:
        """One pass of CD-1, with the momentum 0.5 that the first five epochs have."""
        torch, rate = self.torch, 0.1 / BATCH
        visible = x.shape[1]
        drawn = np.random.Generator(np.random.PCG64(seed)).normal(0.0, 0.01, (visible, hidden))
        w = torch.from_numpy(drawn.astype(np.float32))
        b, c = torch.from_numpy(first_bias(x.numpy())), torch.zeros(hidden)
        if given:  # the bias that ictus starts from, which a rounding would set apart
            from ictus.models import RBM

            rbm = RBM(visible, hidden)
            rbm.initialize_biases(x.numpy())
            b = torch.from_numpy(rbm.visible_bias.copy())
        dw, db, dc = (torch.zeros_like(p) for p in (w, b, c))
        v, h = torch.empty(2 * BATCH, visible), torch.empty(2 * BATCH, hidden)
        states, uh = torch.empty(BATCH, hidden), torch.empty(BATCH, hidden)
        uv = torch.empty(BATCH, visible)
        v0, v1, h0, h1 = v[:BATCH], v[BATCH:], h[:BATCH], h[BATCH:]
        order = torch.from_numpy(
            np.random.Generator(np.random.PCG64([seed, 0])).permutation(len(x))
        )
        for i in range(len(x) // BATCH):
            torch.index_select(x, 0, order[i * BATCH : (i + 1) * BATCH], out=v0)
            torch.addmm(c, v0, w, out=h0).sigmoid_()
            torch.lt(self.draw(uh, seed, 3 * i, given), h0, out=states)
            torch.addmm(b, states, w.t(), out=v1).sigmoid_()
            torch.lt(self.draw(uv, seed, 3 * i + 1, given), v1, out=v1)
            torch.addmm(c, v1, w, out=h1).sigmoid_().neg_()
            dw.addmm_(v.t(), h, beta=0.5, alpha=rate)
            w.add_(dw)
            dc.mul_(0.5).add_(h.sum(0), alpha=rate)
            c.add_(dc)
            db.mul_(0.5).add_(v0.sum(0).sub_(v1.sum(0)), alpha=rate)
            b.add_(db)
        return w, c

    def draw(self, room: Any, seed: int, stream: int, given: bool) -> Any:
        if not given:
            return room.uniform_()
        from ictus.kernels import uniform

        return self.torch.from_numpy(uniform(tuple(room.shape), seed=seed, stream=stream))

    def result(self) -> list[np.ndarray]:
        return self.checked


PRODUCTS = 5 * 2.0 * BATCH * VISIBLE * HIDDEN * PART
CASES = [
    Case(
        f"denoising 784-500-784, {'tied' if tied else 'free'}, a tenth of an epoch",
        {"tied": tied},
        ("PyTorch", "InPlace"),
        operations=PRODUCTS,
        tolerance=1e-4,
    )
    for tied in (False, True)
]
CASES.append(
    Case(
        "greedy stack 784-500-250, CD-1, 6,000 images",
        {"stack": True},
        ("InPlace",),
        operations=10.0 * BATCH * PART * (VISIBLE * HIDDEN + HIDDEN * CODE),
        tolerance=1e-4,
    )
)
