"""One update of the mean-covariance RBM: 20 leapfrog steps, statistics, steps, projections."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.runner import Case

# Ranzato & Hinton 2010 have 105 principal components of patches; Dahl, Ranzato, Mohamed & Hinton
# 2010 384 of log spectra, 1024 covariance and 512 mean units.
MACHINES: dict[str, dict[str, Any]] = {
    "105-256-256, 100 mean units, batch 128": {
        "batch": 128,
        "visible": 105,
        "factors": 256,
        "mean": 100,
        "pooled": True,
    },
    "105-256, P = -1, 100 mean units, batch 128": {
        "batch": 128,
        "visible": 105,
        "factors": 256,
        "mean": 100,
        "pooled": False,
    },
    "384-1024, P = -1, 512 mean units, batch 128": {
        "batch": 128,
        "visible": 384,
        "factors": 1024,
        "mean": 512,
        "pooled": False,
    },
}
STEPS, STEP_SIZE = 20, 0.02
RATES = (0.01, 0.001, 0.002, 0.001, 0.001, 0.002)
MOMENTUM, L1, DECAY, OFFSET = 0.5, 1e-4, 0.95, 0.5
SEED = 3


def start(
    batch: int, visible: int, factors: int, mean: int, pooled: bool
) -> tuple[list[np.ndarray | None], np.ndarray, np.ndarray]:
    """Parameters, data and particles, the same on each side."""
    g = np.random.default_rng(0)
    pooling = None
    if pooled:
        pooling = -(g.random((factors, factors)) ** 8)
        pooling /= -pooling.sum(axis=0)
    arrays = [
        g.standard_normal((visible, factors)) / visible**0.5,
        pooling,
        0.3 * g.standard_normal((visible, mean)) / visible**0.5,
        0.1 * g.standard_normal(visible),
        2 + 0.1 * g.standard_normal(factors),
        -2 + 0.1 * g.standard_normal(mean),
    ]
    data, particles = (g.standard_normal((batch, visible)).astype(np.float32) for _ in range(2))
    return [None if x is None else x.astype(np.float32) for x in arrays], data, particles


class Ours:
    """MeanCovarianceDivergence.update, as the trainer calls it."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, **machine: Any) -> None:
        from ictus.kernels import mean_covariance as kernels

        def training() -> tuple[Any, list[Any], np.ndarray]:
            arrays, _, particles = start(**machine)
            parameters = kernels.MeanCovarianceArrays(*arrays)
            velocity = [None if x is None else np.zeros_like(x) for x in arrays]
            length = np.ones(1, np.float32)
            model = kernels.mean_covariance_model(parameters, OFFSET)
            divergence = kernels.MeanCovarianceDivergence(
                model, velocity, particles=particles, filter_length=length
            )
            return divergence, arrays, particles

        _, data, _ = start(**machine)

        def update(divergence: Any, stream: int) -> None:
            divergence.update(
                data,
                leapfrog_steps=STEPS,
                step_size=STEP_SIZE,
                rates=RATES,
                momentum=MOMENTUM,
                l1=L1,
                length_decay=DECAY,
                seed=SEED,
                stream=stream,
            )

        self.training, self.update = training, update
        timed = training()[0]
        self.run = lambda: update(timed, 0)

    def result(self) -> list[np.ndarray]:
        """Parameters and particles after two updates."""
        divergence, arrays, particles = self.training()
        for stream in (0, 2):
            self.update(divergence, stream)
        return [x for x in (*arrays, particles) if x is not None]


class PyTorch:
    """Hand-written PyTorch: in place, into tensors made once, C and W side by side."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self, **machine: Any) -> None:
        self.machine = machine
        self.set_up()
        self.run = self.step

    def set_up(self) -> None:
        torch = self.torch
        batch, visible, factors, mean = (
            self.machine[n] for n in ("batch", "visible", "factors", "mean")
        )
        arrays, data, particles = start(**self.machine)
        filters, pooling, weights, *biases = (
            None if x is None else torch.from_numpy(x) for x in arrays
        )
        self.both, self.pooling = torch.cat([filters, weights], 1), pooling
        self.a, self.c, self.b = biases
        self.data, self.v = torch.from_numpy(data), torch.from_numpy(particles)
        self.factors, self.length = factors, torch.ones(())
        self.x = torch.empty(batch, factors + mean)
        self.u, self.m = self.x[:, :factors], self.x[:, factors:]
        self.q, self.h, self.e = (torch.empty(batch, factors) for _ in range(3))
        self.g, self.p = torch.empty(batch, visible), torch.empty(batch, visible)
        self.velocity = [
            None if t is None else torch.zeros_like(t)
            for t in (self.both, pooling, self.a, self.c, self.b)
        ]
        self.gradient = [None if t is None else torch.empty_like(t) for t in self.velocity]
        self.rate = torch.full_like(self.both, RATES[0])
        self.rate[:, factors:] = RATES[2]
        self.draw = lambda: (torch.randn(batch, visible, out=self.p), torch.rand(batch))

    def evaluate(self, v: Any, energy: bool = False, force: bool = True) -> Any:
        """Coefficients in x, the force in g; the free energy where it is wanted."""
        torch = self.torch
        softplus = torch.nn.functional.softplus
        inverse = (v * v).mean(1, keepdim=True).add_(OFFSET).rsqrt_()
        torch.mm(v, self.both, out=self.x)
        self.u.mul_(inverse)
        self.m.add_(self.b)
        if self.pooling is not None:
            torch.mul(self.u, self.u, out=self.q).mul_(0.5)
            torch.addmm(self.c, self.q, self.pooling, out=self.h)
        else:
            torch.addcmul(self.c, self.u, self.u, value=-0.5, out=self.h)
        free = None
        if energy:
            free = (v * v).sum(1).mul_(0.5) - v @ self.a
            free -= softplus(self.h).sum(1) + softplus(self.m).sum(1)
        self.h.sigmoid_()
        self.m.sigmoid_()
        if self.pooling is not None:
            torch.mm(self.h, self.pooling.T, out=self.e)
            self.e.mul_(self.u)
        else:
            torch.mul(self.h, self.u, out=self.e).neg_()
        along = (self.e * self.u).sum(1, keepdim=True)
        torch.mul(self.e, inverse, out=self.u)
        if force:
            torch.mm(self.x, self.both.T, out=self.g)
            decay = along.mul_(inverse).mul_(inverse).div_(v.shape[1]).add_(1)
            self.g.add_(self.a).addcmul_(v, decay, value=-1)
        return free

    def add_statistics(self, v: Any, scale: float, kept: float) -> None:
        both, pooling, a, c, b = self.gradient
        both.addmm_(v.T, self.x, beta=kept, alpha=scale)
        if pooling is not None:
            pooling.addmm_(self.q.T, self.h, beta=kept, alpha=scale)
        for gradient, states in ((a, v), (c, self.h), (b, self.m)):
            gradient.mul_(kept).add_(states.sum(0), alpha=scale)

    def step(self) -> None:
        torch, v, batch = self.torch, self.v, len(self.data)
        for gradient in self.gradient:
            if gradient is not None:
                gradient.zero_()
        self.evaluate(self.data, force=False)
        self.add_statistics(self.data, 1 / batch, 0.0)
        p, uniform = self.draw()
        kept = v.clone()
        before = self.evaluate(v, energy=True) + (p * p).sum(1).mul_(0.5)
        p.add_(self.g, alpha=STEP_SIZE / 2)
        for _ in range(STEPS - 1):
            v.add_(p, alpha=STEP_SIZE)
            self.evaluate(v)
            p.add_(self.g, alpha=STEP_SIZE)
        v.add_(p, alpha=STEP_SIZE)
        after = self.evaluate(v, energy=True)
        p.add_(self.g, alpha=STEP_SIZE / 2)
        after += (p * p).sum(1).mul_(0.5)
        refused = uniform >= (before - after).exp_()
        torch.where(refused[:, None], kept, v, out=v)
        self.evaluate(v, force=False)
        self.add_statistics(v, -1 / batch, 1.0)
        self.change_parameters()

    def change_parameters(self) -> None:
        torch = self.torch
        parameters = (self.both, self.pooling, self.a, self.c, self.b)
        rates = (self.rate, RATES[1], *RATES[3:])
        for i, (w, velocity, gradient) in enumerate(
            zip(parameters, self.velocity, self.gradient, strict=True)
        ):
            if w is None:
                continue
            if i < 2:
                gradient.sub_(torch.sign(w), alpha=L1)
            velocity.mul_(MOMENTUM).add_(gradient.mul_(rates[i]))
            w.add_(velocity)
        filters = self.both[:, : self.factors]
        lengths = torch.linalg.vector_norm(filters, dim=0)
        self.length = DECAY * self.length + (1 - DECAY) * lengths.mean()
        filters.mul_(self.length / lengths)
        if self.pooling is not None:
            self.pooling.clamp_(max=0)
            self.pooling.div_(-self.pooling.sum(0))

    def result(self) -> list[np.ndarray]:
        """The same draws as ours, from ictus."""
        from ictus.kernels import normal, uniform

        self.set_up()
        batch, visible = self.v.shape
        for stream in (0, 2):
            p = normal((batch, visible), seed=SEED, stream=stream)
            u = uniform((batch, 1), seed=SEED, stream=stream + 1)[:, 0].copy()
            drawn = self.torch.from_numpy(p), self.torch.from_numpy(u)
            self.draw = lambda drawn=drawn: drawn  # type: ignore[misc]
            self.step()
        arrays = [self.both[:, : self.factors], self.pooling, self.both[:, self.factors :]]
        arrays += [self.a, self.c, self.b, self.v]
        numbers = [x.numpy().copy() for x in arrays if x is not None]
        self.set_up()
        return numbers


class PyTorchAutograd(PyTorch):
    """The same with the forces of the chain by autograd from the free energy."""

    def evaluate(self, v: Any, energy: bool = False, force: bool = True) -> Any:
        if not force:
            return super().evaluate(v, energy, force)
        torch = self.torch
        softplus = torch.nn.functional.softplus
        with torch.enable_grad():
            x = v.detach().requires_grad_()
            inputs = x @ self.both
            u = inputs[:, : self.factors] * torch.rsqrt(x.square().mean(1, keepdim=True) + OFFSET)
            half = u.square() / 2
            t = self.c - half if self.pooling is None else self.c + half @ self.pooling
            free = x.square().sum(1) / 2 - x @ self.a
            free = free - softplus(t).sum(1) - softplus(inputs[:, self.factors :] + self.b).sum(1)
            torch.neg(torch.autograd.grad(free.sum(), x)[0], out=self.g)
        return free.detach() if energy else None


def operations(batch: int, visible: int, factors: int, mean: int, pooled: bool) -> float:
    """Two for each multiply-add: 21 forces, the coefficients of data and chains, the gradients."""
    pool = factors * factors if pooled else 0
    width = visible * (factors + mean)
    forces = (STEPS + 1) * 2 * (width + pool)
    return 2.0 * batch * (forces + 2 * (width + 2 * pool) + 2 * (width + pool))


CASES = [
    Case(
        name,
        arguments,
        ("PyTorch", "PyTorchAutograd"),
        operations=operations(**arguments),
        tolerance=1e-4,
        group="updates",
    )
    for name, arguments in MACHINES.items()
]
