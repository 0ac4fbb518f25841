"""Float64 NumPy of tempered chains, with the draws of the kernels, written to be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ictus import kernels
from tests.reference import sigmoid, softplus


@dataclass
class Machine:
    """Parameters of a restricted Boltzmann machine and the visible bias of its base-rate model."""

    weights: np.ndarray
    visible_bias: np.ndarray
    hidden_bias: np.ndarray
    base_bias: np.ndarray
    variance: np.ndarray | None
    visible_type: str
    hidden_type: str
    group_size: int

    @property
    def s2(self) -> np.ndarray:
        return np.ones(len(self.visible_bias)) if self.variance is None else self.variance


def hidden_input(m: Machine, v: np.ndarray) -> np.ndarray:
    return (v / m.s2) @ m.weights + m.hidden_bias


def log_weight(m: Machine, v: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """log p*(v; beta) of each row, without constants."""
    z = beta[:, None] * hidden_input(m, v)
    hidden = softplus(z) if m.hidden_type == "bernoulli" else z**2 / 2
    if m.visible_type == "gaussian":
        base = -((v - m.base_bias) ** 2 / (2 * m.s2)).sum(1)
        own = -((v - m.visible_bias) ** 2 / (2 * m.s2)).sum(1)
    else:
        base, own = v @ m.base_bias, v @ m.visible_bias
    return (1 - beta) * base + beta * own + hidden.sum(1)


def draws(function: str, shape: tuple[int, int], dtype: type, seed: int, stream: int) -> np.ndarray:
    out = getattr(kernels, function)(shape, seed=seed, stream=stream, dtype=dtype)
    return out.astype(np.float64)


def move(
    m: Machine, v: np.ndarray, beta: np.ndarray, dtype: type, seed: int, stream: int
) -> tuple[np.ndarray, np.ndarray]:
    """A step of Gibbs sampling: visible states, and how near its threshold any draw was."""
    rows, margin = len(v), np.inf
    z = beta[:, None] * hidden_input(m, v)
    if m.hidden_type == "bernoulli":
        u = draws("uniform", z.shape, dtype, seed, stream)
        margin = np.abs(u - sigmoid(z)).min()
        h = (u < sigmoid(z)).astype(float)
    else:
        h = z + draws("normal", z.shape, dtype, seed, stream)
    own = h @ m.weights.T + m.visible_bias
    y = (1 - beta)[:, None] * m.base_bias + beta[:, None] * own
    if m.visible_type == "gaussian":
        return y + np.sqrt(m.s2) * draws("normal", y.shape, dtype, seed, stream + 1), margin
    if m.visible_type == "bernoulli":
        u = draws("uniform", y.shape, dtype, seed, stream + 1)
        return (u < sigmoid(y)).astype(float), min(margin, np.abs(u - sigmoid(y)).min())
    y = y.reshape(rows, -1, m.group_size)
    p = np.exp(y - y.max(2, keepdims=True))
    below = (p / p.sum(2, keepdims=True)).cumsum(2)
    u = draws("uniform", y.shape[:2], dtype, seed, stream + 1)[:, :, None]
    chosen = np.minimum((u >= below).sum(2), m.group_size - 1)
    margin = min(margin, np.abs(u - below[:, :, :-1]).min(initial=np.inf))
    return np.eye(m.group_size)[chosen].reshape(rows, -1), margin
