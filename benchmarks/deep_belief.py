"""Deep belief nets: the up-down algorithm on 784-500-500-(+10)-2000 (Hinton, Osindero & Teh 2006).

The peer is PyTorch written in place by hand, with the same arithmetic in buffers made once. The
share of the peak counts the dense products, whether or not they are all calculated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.boltzmann import images
from benchmarks.runner import Case

RATE, MOMENTUM = 0.01, 0.9
VISIBLE, LOWER, LABELS, TOP = 784, 500, 10, 2000
SHAPES = [(VISIBLE, LOWER), (LOWER, LOWER), (LOWER + LABELS, TOP)]


def start() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First weights, visible and hidden biases of the layers, the same on each side."""
    g = np.random.default_rng(0)
    return [
        tuple(
            (0.01 * g.standard_normal(shape)).astype(np.float32)
            for shape in ((below, above), below, above)
        )
        for below, above in SHAPES
    ]  # type: ignore[misc]


class Side:
    """What the sides share: the data, minibatch after minibatch."""

    def prepare(self, batch: int, steps: int, kind: str, minibatches: int = 1) -> None:
        self.batch, self.steps = batch, steps
        self.data = images(kind, 60 * batch)
        self.labels = np.random.default_rng(2).integers(0, LABELS, len(self.data))
        self.at = 0
        self.build(0.0)
        self.update(0)
        self.checked = self.parameters()
        self.build(MOMENTUM)
        self.run = lambda: self.train(minibatches)

    def result(self) -> list[np.ndarray]:
        return self.checked

    def train(self, minibatches: int) -> None:
        for _ in range(minibatches):
            self.update(self.at)
            self.at = (self.at + self.batch) % len(self.data)

    def build(self, momentum: float) -> None:
        raise NotImplementedError

    def update(self, at: int) -> None:
        raise NotImplementedError

    def parameters(self) -> list[np.ndarray]:
        """Of recognition and generative layers upwards, and the top, after an update."""
        raise NotImplementedError


class Ours(Side):
    """The updates of UpDownTrainer."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def build(self, momentum: float) -> None:
        from ictus.models import DeepBeliefMachine, UpDownTrainer
        from ictus.models.deep_belief.wake_sleep import UpDownUpdates

        layers: list[dict[str, Any]] = [
            {"visible_units": below, "hidden_units": above} for below, above in SHAPES
        ]
        layers[-1] |= {"visible_type": "labelled", "group_size": LABELS}
        first = [part.ravel() for layer in start() for part in layer]
        tied = DeepBeliefMachine(layers, parameters=np.concatenate(first))
        self.machine = tied.untied()
        self.updates = UpDownUpdates(UpDownTrainer(self.machine), self.batch)
        self.rule = {"weight_rate": RATE, "bias_rate": RATE, "momentum": momentum}

    def update(self, at: int) -> None:
        rows = slice(at, at + self.batch)
        self.updates.update(self.data[rows], self.labels[rows], self.steps, self.rule)

    def parameters(self) -> list[np.ndarray]:
        m = self.machine
        out = [p.copy() for part in m.recognition for p in (part.weights, part.hidden_bias)]
        out += [p.copy() for part in m.generative for p in (part.weights, part.visible_bias)]
        return out + [p.copy() for p in (m.top.weights, m.top.visible_bias, m.top.hidden_bias)]


class PyTorch(Side):
    """In place, in buffers made once; the statistics of both phases of the top are one product."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def build(self, momentum: float) -> None:
        torch, batch = self.torch, self.batch
        self.tensor, self.y = torch.from_numpy(self.data), torch.from_numpy(self.labels)
        layers = [[torch.from_numpy(p) for p in layer] for layer in start()]
        self.up = [[w.clone(), c] for w, _, c in layers[:2]]
        self.down = [[w.clone(), b] for w, b, _ in layers[:2]]
        self.top = layers[2]
        self.velocity = {
            id(p): torch.zeros_like(p) for part in (*self.up, *self.down, self.top) for p in part
        }
        widths = [VISIBLE, LOWER, LOWER]
        self.wake = [torch.empty(batch, n) for n in widths]
        self.sleep = [torch.empty(batch, n) for n in widths[:2]]
        self.room = [torch.empty(batch, n) for n in widths]
        self.v, self.h = torch.zeros(2 * batch, SHAPES[2][0]), torch.empty(2 * batch, TOP)
        self.states, self.on = torch.empty(batch, TOP), torch.arange(batch)
        self.uniforms = {n: torch.empty(batch, n) for n in (VISIBLE, LOWER, LOWER + 1, TOP)}
        self.momentum = momentum
        self.stream = 0 if momentum == 0.0 else None

    def draw(self, columns: int) -> Any:
        """Uniform numbers; for the update that is checked, those that ours draws."""
        u = self.uniforms[columns]
        if self.stream is None:
            return u.uniform_()
        from ictus.kernels import uniform

        u.copy_(self.torch.from_numpy(uniform((self.batch, columns), stream=self.stream)))
        self.stream += 1
        return u

    def sample(self, x: Any, out: Any) -> None:
        self.torch.lt(self.draw(x.shape[1]), x, out=out)

    def move(self, p: Any, gradient: Any) -> None:
        velocity = self.velocity[id(p)]
        velocity.mul_(self.momentum).add_(gradient, alpha=RATE / self.batch)
        p.add_(velocity)

    def move_weights(self, w: Any, a: Any, b: Any) -> None:
        velocity = self.velocity[id(w)]
        velocity.addmm_(a.t(), b, beta=self.momentum, alpha=RATE / self.batch)
        w.add_(velocity)

    def update(self, at: int) -> None:
        torch, batch = self.torch, self.batch
        wake, room = self.wake, self.room
        wake[0].copy_(self.tensor[at : at + batch])
        for n, (w, c) in enumerate(self.up):
            torch.addmm(c, wake[n], w, out=room[n + 1]).sigmoid_()
            self.sample(room[n + 1], wake[n + 1])
        self.associate(at)
        above = self.v[batch:, :LOWER]
        sleep = [*self.sleep, above]
        for n in (1, 0):
            w, b = self.down[n]
            torch.addmm(b, sleep[n + 1], w.t(), out=room[n]).sigmoid_()
            self.sample(room[n], sleep[n])
        for n, (w, b) in enumerate(self.down):
            torch.addmm(b, wake[n + 1], w.t(), out=room[n]).sigmoid_()
            torch.sub(wake[n], room[n], out=room[n])
            self.move_weights(w, room[n], wake[n + 1])
            self.move(b, room[n].sum(0))
        for n, (w, c) in enumerate(self.up):
            torch.addmm(c, sleep[n], w, out=room[n + 1]).sigmoid_()
            torch.sub(sleep[n + 1], room[n + 1], out=room[n + 1])
            self.move_weights(w, sleep[n], room[n + 1])
            self.move(c, room[n + 1].sum(0))

    def associate(self, at: int) -> None:
        """Contrastive divergence at the top, from the topmost states and the labels."""
        torch, batch = self.torch, self.batch
        w, b, c = self.top
        v0, v1, h0, h1 = self.v[:batch], self.v[batch:], self.h[:batch], self.h[batch:]
        v0[:, :LOWER] = self.wake[2]
        v0[:, LOWER:] = 0
        v0[self.on, LOWER + self.y[at : at + batch]] = 1
        torch.addmm(c, v0, w, out=h0).sigmoid_()
        self.sample(h0, self.states)
        for k in range(self.steps):
            torch.addmm(b, self.states, w.t(), out=v1)
            u = self.draw(LOWER + 1)
            label = torch.softmax(v1[:, LOWER:], dim=1).cumsum(1)
            chosen = (label < u[:, LOWER:]).sum(1).clamp_(max=LABELS - 1)
            plain = v1[:, :LOWER]
            torch.lt(u[:, :LOWER], plain.sigmoid_(), out=plain)
            v1[:, LOWER:] = 0
            v1[self.on, LOWER + chosen] = 1
            torch.addmm(c, v1, w, out=h1).sigmoid_()
            if k + 1 < self.steps:
                self.sample(h1, self.states)
        if self.stream is not None:
            self.stream += 1  # ours names one for hidden states that it does not draw
        h1.neg_()
        self.move_weights(w, self.v, self.h)
        self.move(b, v0.sum(0) - v1.sum(0))
        self.move(c, self.h.sum(0))

    def parameters(self) -> list[np.ndarray]:
        parts = (*self.up, *self.down, self.top)
        return [p.numpy().copy() for part in parts for p in part]


def case(batch: int, steps: int, kind: str, minibatches: int = 1) -> Case:
    lower = VISIBLE * LOWER + LOWER * LOWER
    products = 6 * lower + (3 + 2 * steps) * (LOWER + LABELS) * TOP
    name = f"up-down, CD-{steps}, batch {batch}, {kind}"
    return Case(
        name + (f", {minibatches} minibatches" if minibatches > 1 else ""),
        {"batch": batch, "steps": steps, "kind": kind, "minibatches": minibatches},
        ("PyTorch",),
        operations=2.0 * batch * products * minibatches,
        tolerance=1e-4,
        group="of updates" if minibatches == 1 else "of epochs",
    )


CASES = [case(100, steps, kind) for steps in (1, 3) for kind in ("binary", "grey")]
CASES.append(case(100, 3, "grey", 20))
