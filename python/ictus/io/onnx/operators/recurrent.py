"""RNN, LSTM and GRU: by the kernels, or step by step where a cell is one that they do not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ictus.io.onnx.operators.call import Array, Inputs, Operator, Outputs, given, optional, refuse
from ictus.io.onnx.operators.steps import run_steps
from ictus.io.onnx.proto import Node
from ictus.kernels import gru, lstm, recurrent

DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
#: Gates, states, and where each of our gates is in ONNX's order.
CELLS = {"RNN": (1, 1, [0]), "LSTM": (4, 2, [0, 2, 1, 3]), "GRU": (3, 1, [1, 0, 2])}
DEFAULTS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


@dataclass(slots=True)
class Weights:
    """Weights of a recurrent node, in ONNX's order: D directions, G gates, H units, I inputs.

    Attributes
    ----------
    w, r, b, p : array
        (D, G, H, I), (D, G, H, H), (D, 2, G, H), (D, 3, H) or None.
    activations : list of list of str
        Of each direction.
    """

    units: int
    directions: int
    w: Array
    r: Array
    b: Array
    p: Array | None
    activations: list[list[str]]

    @property
    def plain(self) -> bool:
        """Whether the activation functions are those of the kernels."""
        if len(self.activations[0]) == 1:
            return self.activations[0] in (["Tanh"], ["Relu"]) and all(
                a == self.activations[0] for a in self.activations
            )
        usual = DEFAULTS["LSTM"][: len(self.activations[0])]
        return all(a == usual for a in self.activations)


def read_weights(node: Node, inputs: Inputs, features: int) -> Weights:
    """Return the weights of a recurrent node, their shapes checked.

    Raises
    ------
    OnnxError
        Shapes that do not fit, or an attribute that is not known.
    """
    gates = CELLS[node.op][0]
    w, r = given(node, inputs, 1, "W"), given(node, inputs, 2, "R")
    word = node.word("direction", "forward")
    if word not in DIRECTIONS:
        raise refuse(node, f"direction {word!r}")
    d, units = DIRECTIONS[word], node.integer("hidden_size", r.shape[-1] if r.ndim == 3 else 0)
    if units < 1 or w.shape != (d, gates * units, features) or r.shape != (d, gates * units, units):
        raise refuse(
            node,
            f"W {w.shape} and R {r.shape} do not fit {d} directions of {units} units and "
            f"{features} features",
        )
    b, p = optional(inputs, 3), optional(inputs, 7) if node.op == "LSTM" else None
    if b is None:
        b = np.broadcast_to(np.zeros(1, w.dtype), (d, 2 * gates * units))
    if b.shape != (d, 2 * gates * units) or (p is not None and p.shape != (d, 3 * units)):
        raise refuse(node, f"B {b.shape} does not fit {d} directions of {units} units")
    names = node.attributes.get("activations") or DEFAULTS[node.op] * d
    each = len(DEFAULTS[node.op])
    if len(names) != each * d:
        raise refuse(node, f"{len(names)} activations, {each * d} are needed")
    return Weights(
        units,
        d,
        w.reshape(d, gates, units, features),
        r.reshape(d, gates, units, units),
        b.reshape(d, 2, gates, units),
        None if p is None else p.reshape(d, 3, units),
        [list(names[i * each : (i + 1) * each]) for i in range(d)],
    )


def for_kernel(op: str, weights: Weights) -> tuple[Array, ...]:
    """Return input weights, recurrent weights, biases and the rest as the kernels take them."""
    order, units = CELLS[op][2], weights.units
    d, gates, _, features = weights.w.shape
    columns = gates * units
    w = weights.w[:, order].transpose(3, 0, 1, 2).reshape(features, d * columns)
    r = weights.r[:, order].transpose(0, 3, 1, 2).reshape(d, units, columns)
    both = weights.b[:, :, order]
    b = both.sum(axis=1)
    rest: tuple[Array, ...] = ()
    if op == "GRU":
        b[:, 2] = both[:, 0, 2]
        rest = (np.ascontiguousarray(both[:, 1, 2]),)
    elif op == "LSTM" and weights.p is not None:
        rest = (np.ascontiguousarray(weights.p[:, [0, 2, 1]]),)
    return tuple(np.ascontiguousarray(one) for one in (w, r, b.reshape(-1))) + rest


def unusual(node: Node, weights: Weights) -> str:
    """Return what of a node the kernels do not have; "" where they have all."""
    if not weights.plain:
        return f"activations {weights.activations[0]}"
    if "clip" in node.attributes:
        return "clip"
    if node.integer("input_forget", 0):
        return "input_forget"
    if node.op == "GRU" and not node.integer("linear_before_reset", 0):
        return "linear_before_reset 0"
    return ""


def _flipped(x: Array, lengths: Array) -> Array:
    """Sequences (batch, time, ...) from their ends to their beginnings."""
    time = np.arange(x.shape[1])
    turned = np.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)
    return np.take_along_axis(x, turned[:, :, None], axis=1)


def _recurrent(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    if x.ndim != 3 or x.dtype not in (np.float32, np.float64):
        raise refuse(node, f"X must be floats of 3 axes, got {x.dtype} of shape {x.shape}")
    batchwise = bool(node.integer("layout", 0))
    x = x if batchwise else x.transpose(1, 0, 2)  # (batch, time, features)
    count, time, features = x.shape
    weights, states = read_weights(node, inputs, features), CELLS[node.op][1]
    given_lengths = optional(inputs, 4)
    lengths = np.full(count, time) if given_lengths is None else np.asarray(given_lengths, np.int64)
    if lengths.shape != (count,) or (count and not 0 <= lengths.min() <= lengths.max() <= time):
        raise refuse(node, f"sequence_lens must be {count} numbers in 0 .. {time}")
    start = np.zeros((states, weights.directions, count, weights.units), x.dtype)
    for i in range(states):
        state = optional(inputs, 5 + i)
        if state is not None:
            turned = state.transpose(1, 0, 2) if batchwise and state.ndim == 3 else state
            if turned.shape != start[i].shape:
                raise refuse(node, f"initial state of shape {state.shape}")
            start[i] = turned
    reverse = node.word("direction", "forward") == "reverse"
    frames = _flipped(x, lengths) if reverse else x
    y, final = _run(node, weights, np.ascontiguousarray(frames), lengths, start)
    y = _flipped(y, lengths) if reverse else y
    y = y.reshape(count, time, weights.directions, weights.units)
    if batchwise:
        return y, *(state.transpose(1, 0, 2) for state in final)
    return y.transpose(1, 2, 0, 3), *final


def _run(
    node: Node, weights: Weights, x: Array, lengths: Array, start: Array
) -> tuple[Array, Array]:
    """Outputs (batch, time, directions * units) and final states."""
    if unusual(node, weights) or 0 in x.shape or (lengths == 0).any():
        options = {
            "clip": node.real("clip", np.inf),
            "input_forget": bool(node.integer("input_forget", 0)),
            "linear_before_reset": bool(node.integer("linear_before_reset", 0)),
            "alpha": node.attributes.get("activation_alpha", []),
            "beta": node.attributes.get("activation_beta", []),
        }
        try:
            return run_steps(node.op, weights, x, lengths, start, **options)
        except KeyError as error:
            raise refuse(node, f"activation {error.args[0]!r} is not known") from None
    arrays = for_kernel(node.op, weights)
    kernels: dict[str, Any] = {"LSTM": lstm, "GRU": gru, "RNN": recurrent}
    options = {"lengths": lengths, "initial_state": start}
    if node.op == "RNN":
        options["activation"] = weights.activations[0][0].lower()
    y, final = kernels[node.op](x, *arrays, **options)
    return y, final


RECURRENT: dict[str, Operator] = {name: _recurrent for name in CELLS}
