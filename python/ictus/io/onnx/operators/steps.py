"""Recurrent cells step by step, for what the kernels do not have.

Other activation functions, clipping of what gates see (not of the cell state: as onnxruntime does),
a coupled forget gate, a reset gate before the product (Cho et al. 2014, equation 8), and sequences
of no steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.operators.linear import product
from ictus.kernels import activation

if TYPE_CHECKING:
    from ictus.io.onnx.operators.recurrent import Weights

Array = NDArray[Any]
Function = Callable[[Array], Array]

#: Activation functions of cells: of x, alpha and beta, with their defaults.
FUNCTIONS: dict[str, tuple[Callable[[Array, float, float], Array], float, float]] = {
    "Sigmoid": (lambda x, a, b: activation(x, "sigmoid"), 0, 0),
    "Tanh": (lambda x, a, b: activation(x, "tanh"), 0, 0),
    "Relu": (lambda x, a, b: activation(x, "relu"), 0, 0),
    "Softplus": (lambda x, a, b: activation(x, "softplus"), 0, 0),
    "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), 0, 0),
    "Affine": (lambda x, a, b: a * x + b, 1, 0),
    "LeakyRelu": (lambda x, a, b: np.where(x < 0, a * x, x), 0.01, 0),
    "ThresholdedRelu": (lambda x, a, b: np.where(x > a, x, 0), 1, 0),
    "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), 1, 1),
    "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    "Elu": (lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x), 1, 0),
}


def _functions(
    names: list[str], clip: float, alpha: list[float], beta: list[float]
) -> list[Function]:
    """The functions of one direction; values of alpha and beta go to those that have them."""
    alphas, betas = iter(alpha), iter(beta)
    made: list[Function] = []
    for number, name in enumerate(names):
        function, a, b = FUNCTIONS[name]
        a, b = (next(alphas, a) if a else a), (next(betas, b) if b else b)

        clips = np.isfinite(clip) and number < 2  # not what the third one of LSTM sees

        def one(
            x: Array, f: Any = function, a: float = a, b: float = b, clips: bool = clips
        ) -> Array:
            x = np.clip(x, -clip, clip) if clips else x
            return np.asarray(f(np.ascontiguousarray(x), a, b), x.dtype)

        made.append(one)
    return made


def run_steps(
    op: str,
    weights: Weights,
    x: Array,
    lengths: Array,
    start: Array,
    *,
    clip: float,
    input_forget: bool,
    linear_before_reset: bool,
    alpha: list[float],
    beta: list[float],
) -> tuple[Array, Array]:
    """Return outputs (batch, time, directions * units) and final states, as the kernels do."""
    count, time, _ = x.shape
    directions, units = weights.directions, weights.units
    y = np.zeros((count, time, directions, units), x.dtype)
    final = start.copy()
    for d in range(directions):
        functions = _functions(weights.activations[d], clip, alpha, beta)
        cell = _Cell(op, weights, d, functions, input_forget, linear_before_reset)
        states = final[:, d]
        for step in range(time):
            # The second direction reads each sequence from its end.
            at = np.full(count, step) if d == 0 else lengths - 1 - step
            live = np.flatnonzero(step < lengths)
            if not len(live):
                break
            frames = x[live, at[live]]
            new = cell(frames, states[:, live])
            states[:, live] = new
            y[live, at[live], d] = new[0]
    return y.reshape(count, time, -1), final


class _Cell:
    """One step of one direction."""

    def __init__(
        self,
        op: str,
        weights: Weights,
        direction: int,
        functions: list[Function],
        input_forget: bool,
        linear_before_reset: bool,
    ) -> None:
        self.op, self.functions = op, functions
        self.w, self.r, self.b = (one[direction] for one in (weights.w, weights.r, weights.b))
        self.p = None if weights.p is None else weights.p[direction]
        self.input_forget, self.linear = input_forget, linear_before_reset

    def _sums(self, x: Array, h: Array, gate: int) -> Array:
        of_x = product(x, self.w[gate].T) + self.b[0, gate]
        return np.asarray(of_x + product(h, self.r[gate].T) + self.b[1, gate])

    def __call__(self, x: Array, states: Array) -> Array:
        if self.op == "RNN":
            return self.functions[0](self._sums(x, states[0], 0))[None]
        return self._gru(x, states[0]) if self.op == "GRU" else self._lstm(x, states[0], states[1])

    def _gru(self, x: Array, h: Array) -> Array:
        f, g = self.functions
        update, reset = f(self._sums(x, h, 0)), f(self._sums(x, h, 1))
        of_x = product(x, self.w[2].T) + self.b[0, 2]
        if self.linear:
            new = g(of_x + reset * (product(h, self.r[2].T) + self.b[1, 2]))
        else:
            new = g(of_x + product(np.ascontiguousarray(reset * h), self.r[2].T) + self.b[1, 2])
        return np.asarray((1 - update) * new + update * h)[None]

    def _lstm(self, x: Array, h: Array, c: Array) -> Array:
        f, g, last = self.functions
        peephole = np.zeros((3, 1), x.dtype) if self.p is None else self.p  # of i, o, f
        into = f(self._sums(x, h, 0) + peephole[0] * c)
        forget = 1 - into if self.input_forget else f(self._sums(x, h, 2) + peephole[2] * c)
        new = forget * c + into * g(self._sums(x, h, 3))
        out = f(self._sums(x, h, 1) + peephole[1] * new)
        return np.stack([out * last(new), new])
