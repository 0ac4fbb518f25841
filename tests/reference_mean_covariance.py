"""Float64 NumPy of the mean-covariance machine (Ranzato & Hinton 2010), written to be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.reference import normal, sigmoid, softplus, uniform


@dataclass
class Machine:
    """Parameters by the letters of ictus/kernels/mean_covariance.py; P None is -1 I."""

    C: np.ndarray
    P: np.ndarray | None
    W: np.ndarray
    a: np.ndarray
    c: np.ndarray
    b: np.ndarray
    s: float = 0.5

    @property
    def arrays(self) -> tuple[np.ndarray | None, ...]:
        return self.C, self.P, self.W, self.a, self.c, self.b

    @property
    def pooling(self) -> np.ndarray:
        return -np.eye(self.C.shape[1]) if self.P is None else self.P


def random_machine(
    visible: int,
    factors: int,
    covariance: int | None,
    mean: int,
    seed: int = 0,
    dtype: type = np.float64,
) -> Machine:
    """A machine with no special structure, rounded to the dtype; covariance None: no pooling."""
    g = np.random.default_rng(seed)
    pooling = None if covariance is None else -(g.random((factors, covariance)) ** 2) / factors
    units = factors if covariance is None else covariance
    machine = Machine(
        1.5 * g.standard_normal((visible, factors)) / visible**0.5,
        pooling,
        0.5 * g.standard_normal((visible, mean)) / visible**0.5,
        0.3 * g.standard_normal(visible),
        0.5 * g.standard_normal(units),
        0.5 * g.standard_normal(mean),
    )
    for name in "CPWacb":
        value = getattr(machine, name)
        if value is not None:
            setattr(machine, name, value.astype(dtype).astype(np.float64))
    return machine


def factor_outputs(m: Machine, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u and n(v)."""
    n = np.sqrt((v**2).mean(axis=1, keepdims=True) + m.s)
    return (v / n) @ m.C, n


def hidden_means(m: Machine, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, _ = factor_outputs(m, v)
    return sigmoid(m.c + u**2 / 2 @ m.pooling), sigmoid(v @ m.W + m.b)


def free_energy(m: Machine, v: np.ndarray) -> np.ndarray:
    u, _ = factor_outputs(m, v)
    return (
        -softplus(m.c + u**2 / 2 @ m.pooling).sum(axis=1)
        - softplus(v @ m.W + m.b).sum(axis=1)
        + (v**2).sum(axis=1) / 2
        - v @ m.a
    )


def gradient(m: Machine, v: np.ndarray) -> np.ndarray:
    """dF / dv, by the chain rule through y = v / n."""
    u, n = factor_outputs(m, v)
    covariance, mean = hidden_means(m, v)
    by_y = -(covariance @ m.pooling.T * u) @ m.C.T
    y = v / n
    by_v = (by_y - y * (y * by_y).sum(axis=1, keepdims=True) / v.shape[1]) / n
    return by_v - mean @ m.W.T + v - m.a


def parameter_gradient(m: Machine, v: np.ndarray) -> Machine:
    """dF / dparameter, averaged over rows."""
    u, n = factor_outputs(m, v)
    covariance, mean = hidden_means(m, v)
    rows = len(v)
    return Machine(
        -(v / n).T @ (covariance @ m.pooling.T * u) / rows,
        None if m.P is None else -(u**2 / 2).T @ covariance / rows,
        -v.T @ mean / rows,
        -v.mean(axis=0),
        -covariance.mean(axis=0),
        -mean.mean(axis=0),
    )


def energy(m: Machine, v: np.ndarray, p: np.ndarray) -> np.ndarray:
    """H(v, p)."""
    return free_energy(m, v) + (p**2).sum(axis=1) / 2


def leapfrog(
    m: Machine, v: np.ndarray, p: np.ndarray, steps: int, step_size: float
) -> tuple[np.ndarray, np.ndarray]:
    """The textbook's three lines a step: half a kick, a drift, half a kick."""
    for _ in range(steps):
        p = p - step_size / 2 * gradient(m, v)
        v = v + step_size * p
        p = p - step_size / 2 * gradient(m, v)
    return v, p


def hybrid_monte_carlo(
    m: Machine,
    v: np.ndarray,
    trajectories: int,
    steps: int,
    step_size: float,
    dtype: type,
    seed: int,
    stream: int,
    first_row: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States, mean acceptance, and the smallest |u - probability| of each row's decisions."""
    rows, visible = v.shape
    accepted, margin = np.zeros(rows), np.full(rows, np.inf)
    for t in range(trajectories):
        p = normal(rows, visible, dtype, seed, stream + 2 * t, first_row)
        u = uniform(rows, 1, dtype, seed, stream + 2 * t + 1, first_row)[:, 0]
        new_v, new_p = leapfrog(m, v, p, steps, step_size)
        probability = np.minimum(1, np.exp(energy(m, v, p) - energy(m, new_v, new_p)))
        accepted += probability / trajectories
        margin = np.minimum(margin, np.abs(u - probability))
        v = np.where((u < probability)[:, None], new_v, v)
    return v, accepted, margin


@dataclass
class Rule:
    """Rates in the order of Machine.arrays, and what all parameters share."""

    rates: tuple[float, ...]
    momentum: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    length_decay: float = 0.95


def update(
    m: Machine,
    velocity: Machine,
    rule: Rule,
    data: np.ndarray,
    chain: np.ndarray,
    length: float | None,
    mask: np.ndarray | None = None,
) -> tuple[Machine, Machine, float | None]:
    """One step from the statistics of the data and of the last states of the chains."""
    positive, negative = parameter_gradient(m, data), parameter_gradient(m, chain)
    new, new_velocity = [], []
    for name, rate in zip("CPWacb", rule.rates, strict=True):
        w = getattr(m, name)
        if w is None:
            new.append(None)
            new_velocity.append(None)
            continue
        ascent = getattr(negative, name) - getattr(positive, name)
        if name in "CPW":
            ascent = ascent - rule.l2 * w - rule.l1 * np.sign(w)
        step = rule.momentum * getattr(velocity, name) + rate * ascent
        if name == "P" and rate == 0:
            step = 0 * w
        new_velocity.append(step)
        new.append(w + step)
    result = Machine(*new, s=m.s)
    if length is not None:
        lengths = np.sqrt((result.C**2).sum(axis=0))
        length = rule.length_decay * length + (1 - rule.length_decay) * lengths.mean()
        result.C = result.C * np.where(lengths > 0, length / np.maximum(lengths, 1e-300), 0)
    if result.P is not None and rule.rates[1] != 0:
        clipped = np.minimum(result.P, 0) * (1 if mask is None else mask)
        total = -clipped.sum(axis=0)
        result.P = clipped / np.where(total > 0, total, 1)
    return result, Machine(*new_velocity), length
