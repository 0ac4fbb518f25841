"""NumPy of the recurrent layers, one sequence and one step at a time, written to be read.

Works on complex numbers too: the imaginary part of f(x + i h d) / h, with a tiny h, is the
derivative
along d without any cancellation (the complex-step method), so derivatives are checked to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

GATES = {"lstm": 4, "gru": 3, "recurrent": 1}
STATES = {"lstm": 2, "gru": 1, "recurrent": 1}
STEP = 1e-30


class Parameters(NamedTuple):
    """Of all directions; shapes as in cpp/include/ictus/sequence.h."""

    input_weights: np.ndarray
    recurrent_weights: np.ndarray
    bias: np.ndarray
    extra: np.ndarray | None


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x.real > 0, x, 0 * x)


def lstm_step(z, u, peepholes, state, squash):
    """Gates i, f, o, g. `z` is the input product, `u` the recurrent weights."""
    h, c = state
    i, f, o, g = np.split(z + h @ u, 4)
    pi, pf, po = (0, 0, 0) if peepholes is None else peepholes
    c_new = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * np.tanh(g)
    h_new = sigmoid(o + po * c_new) * np.tanh(c_new)
    return h_new, c_new


def gru_step(z, u, recurrent_bias, state, squash):
    """Gates r, z, n; the reset gate acts behind the recurrent product."""
    (h,) = state
    ur, uz, un = np.split(u, 3, axis=1)
    zr, zz, zn = np.split(z, 3)
    r, update = sigmoid(zr + h @ ur), sigmoid(zz + h @ uz)
    n = np.tanh(zn + r * (h @ un + recurrent_bias))
    return ((1 - update) * n + update * h,)


def recurrent_step(z, u, extra, state, squash):
    (h,) = state
    return (squash(z + h @ u),)


STEPS: dict[str, Callable] = {"lstm": lstm_step, "gru": gru_step, "recurrent": recurrent_step}


def forward(
    cell: str,
    parameters: Parameters,
    x: np.ndarray,
    lengths: list[int],
    initial: np.ndarray,
    activation: str = "tanh",
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (rows, directions * units), and final states (states, directions, count, units)."""
    w, us, b, extra = parameters
    directions, units = us.shape[:2]
    columns = GATES[cell] * units
    squash = np.tanh if activation == "tanh" else relu
    kind = np.result_type(x, w, us, b, initial, *([] if extra is None else [extra]), np.float64)
    y = np.zeros((len(x), directions * units), kind)
    final = np.zeros(initial.shape, kind)
    begin = 0
    for number, length in enumerate(lengths):
        for d in range(directions):
            state = tuple(initial[s, d, number] for s in range(STATES[cell]))
            part = slice(d * columns, (d + 1) * columns)
            rows = range(begin, begin + length)
            for row in rows if d == 0 else reversed(rows):
                z = x[row] @ w[:, part] + b[part]
                state = STEPS[cell](z, us[d], None if extra is None else extra[d], state, squash)
                y[row, d * units : (d + 1) * units] = state[0]
            for s, value in enumerate(state):
                final[s, d, number] = value
        begin += length
    return y, final


def tangent(cell, parameters, x, lengths, initial, direction, x_dot, initial_dot, activation):
    """Derivatives of outputs and final states along the given directions, by complex step."""
    moved = Parameters(
        *(
            None if p is None else p + 1j * STEP * d
            for p, d in zip(parameters, direction, strict=True)
        )
    )
    y, final = forward(
        cell,
        moved,
        x + 1j * STEP * x_dot,
        lengths,
        initial + 1j * STEP * initial_dot,
        activation,
    )
    return y.imag / STEP, final.imag / STEP
