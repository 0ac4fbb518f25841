"""RNN, LSTM and GRU nodes as recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.axes import Axes, Part, our_order
from ictus.io.onnx.importer import Importer, Planned
from ictus.io.onnx.layers.linear import ORDER
from ictus.io.onnx.operators.call import refuse
from ictus.io.onnx.operators.recurrent import for_kernel, read_weights, unusual
from ictus.io.onnx.proto import Node
from ictus.nn import GRU, LSTM, Recurrent
from ictus.nn.recurrent import RecurrentBase

Array = NDArray[Any]

KINDS: dict[str, type[RecurrentBase]] = {"RNN": Recurrent, "LSTM": LSTM, "GRU": GRU}


def _is_zero(value: Array) -> bool:
    """Whether all numbers are 0, without making those that are one repeated."""
    kept = tuple(slice(0, 1) if step == 0 else slice(None) for step in value.strides)
    return not value[kept].any()


def _bind(importer: Importer, node: Node, axes: Axes, labels: str) -> None:
    if importer.shape is None:
        importer.sequence = True
        importer.bind(node, axes, labels)
    if not importer.sequence:
        raise refuse(node, "layers of images cannot be followed by recurrent ones")
    # Layers below that see frames one by one did not care which axis was the time.
    first = not any(issubclass(p.kind, RecurrentBase) for p in importer.planned)
    if first and len(axes.axes) == 3 and axes.labels(0)[:1] in ("n", "t"):
        for axis, label in zip(axes.axes[:2], labels[:2], strict=True):
            for part in axis:
                part.label = label
    if len(axes.axes) != 3 or any(axes.labels(i) not in (labels[i], "") for i in (0, 1)):
        raise refuse(node, f"its input lies as {importer.words(axes)}, it takes {labels}")
    if our_order(axes.axes[2], ORDER) is not None:
        raise refuse(node, "the features of its input lie in another order")


def _output(importer: Importer, node: Node) -> int:
    """The number of the one output that is used."""
    used = [i for i, name in enumerate(node.outputs) if name and importer.uses[name]]
    if used not in ([0], [1]):
        raise refuse(node, "not one of Y and Y_h alone is used")
    return used[0]


def _recurrent(importer: Importer, node: Node, axes: Axes) -> Axes:
    if node.inputs[0] not in importer.flows:
        raise refuse(node, "its first input must be the chain")
    batchwise = node.integer("layout", 0)
    _bind(importer, node, axes, "ntc" if batchwise else "tnc")
    arrays: list[Array | None] = [None]
    for number in range(1, len(node.inputs)):
        arrays.append(importer.constant(node, number, "weights or state"))
    if len(arrays) > 4 and arrays[4] is not None:
        raise refuse(node, "sequence_lens: a network takes sequences as they are")
    if any(a is not None and not _is_zero(a) for a in arrays[5:7]):
        raise refuse(node, "an initial state that is not zero")
    weights = read_weights(node, arrays, axes.shape[2])
    what = unusual(node, weights)
    if node.word("direction", "forward") == "reverse":
        what = "direction reverse alone"
    if what:
        raise refuse(node, f"{what}: no layer of ictus has that; load_graph runs it")
    last = _output(importer, node) == 1
    arguments: dict[str, Any] = {
        "units": weights.units,
        "directions": weights.directions,
        "output": "last" if last else "steps",
    }
    if node.op == "LSTM":
        arguments["peepholes"] = weights.p is not None
    elif node.op == "RNN":
        arguments["activation"] = weights.activations[0][0].lower()

    def fill(views: Sequence[Array]) -> None:
        for view, array in zip(views, for_kernel(node.op, weights), strict=True):
            view[...] = np.reshape(array, view.shape)

    importer.add(Planned(node, KINDS[node.op], arguments, fill))
    d, u = (Part(weights.directions, label="d"),), (Part(weights.units, label="u"),)
    batch = axes.axes[0 if batchwise else 1]
    time = axes.axes[1 if batchwise else 0]
    if last:
        return Axes([batch, d, u] if batchwise else [d, batch, u])
    return Axes([batch, time, d, u] if batchwise else [time, d, batch, u])


RECURRENT = {"RNN": _recurrent, "LSTM": _recurrent, "GRU": _recurrent}
