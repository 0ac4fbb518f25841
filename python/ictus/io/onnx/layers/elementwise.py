"""Activation functions, output functions, dropout, and arithmetic with constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ictus.io.onnx.axes import Axes
from ictus.io.onnx.importer import Importer, Planned
from ictus.io.onnx.layers.linear import bind_vectors, channels_are_last, features
from ictus.io.onnx.operators.call import axis_of, refuse
from ictus.io.onnx.proto import Node
from ictus.nn import (
    Activation,
    Affine,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Standardize,
)

Array = NDArray[Any]

#: Axes of an input that nothing has told about yet, by their number.
USUAL = {2: "nc", 4: "nchw"}


def _bind_usual(importer: Importer, node: Node, axes: Axes) -> None:
    importer.bind_frames()
    if importer.shape is None:
        rank = len(axes.axes)
        if rank not in USUAL or channels_are_last(importer, rank):
            bind_vectors(importer, node, axes)
        else:
            importer.bind(node, axes, USUAL[len(axes.axes)])


def _is_output(importer: Importer, node: Node) -> bool:
    return node.outputs[0] == importer.model.outputs[0].name


def _activation(name: str) -> Callable[[Importer, Node, Axes], Axes]:
    def handler(importer: Importer, node: Node, axes: Axes) -> Axes:
        _bind_usual(importer, node, axes)
        if name == "sigmoid" and _is_output(importer, node):
            importer.loss = "binary_cross_entropy"
        else:
            importer.add(Planned(node, Activation, {"activation": name}))
        return axes

    return handler


def _softmax(importer: Importer, node: Node, axes: Axes) -> Axes:
    _bind_usual(importer, node, axes)
    rank = len(axes.axes)
    axis = axis_of(node, node.integer("axis", -1 if importer.opset >= 13 else 1), rank)
    if importer.opset < 13 and axis != rank - 1:
        raise refuse(node, "its rows are more than the last axis")
    if not _is_output(importer, node):
        raise refuse(node, "a network has it at its end alone, as the output function of its loss")
    if rank > 2 and axes.labels(axis) not in ("c", "u", "du"):
        raise refuse(node, f"axis {axis} is not that of the channels")
    importer.loss = "softmax_cross_entropy"
    return axes


def _dropout(importer: Importer, node: Node, axes: Axes) -> Axes:
    _bind_usual(importer, node, axes)
    if any(importer.uses[name] for name in node.outputs[1:]):
        raise refuse(node, "its mask is used")
    ratio = importer.constant(node, 1, "ratio")
    rate = node.real("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    importer.add(Planned(node, Dropout, {"rate": rate}))
    return axes


def _channel(importer: Importer, node: Node, axes: Axes, value: Array) -> Array:
    """A constant as a number for each of our channels (or one of all)."""
    rank = len(axes.axes)
    if value.ndim > rank:
        raise refuse(node, f"a constant of shape {value.shape}")
    sizes = [1] * (rank - value.ndim) + list(value.shape)
    wide = [i for i, n in enumerate(sizes) if n != 1]
    if importer.shape is None:
        if rank == 3 and wide == [1]:
            importer.bind(node, axes, "nct")
        _bind_usual(importer, node, axes)
    if not wide:
        return value.reshape(-1)
    axis = wide[0]
    if len(wide) > 1 or sizes[axis] != axes.shape[axis]:
        raise refuse(node, f"a constant of shape {value.shape} is no number a channel")
    labels = axes.labels(axis)
    if len(importer.shape or ()) > 1 and labels != "c" and rank > 2:
        raise refuse(node, f"a constant along {labels or 1} is no number a channel")
    if importer.sequence and labels in ("n", "t"):
        raise refuse(node, "a constant along the batch or time")
    order = features(importer, node, axes, axis)
    flat = value.reshape(-1)
    return flat if order is None else importer.made(node, flat[order])


def _standardize(importer: Importer, node: Node, axes: Axes, value: Array) -> bool:
    """Plan a Standardize layer for a constant along the last two axes of channels-last images."""
    _bind_usual(importer, node, axes)
    labels = [axes.labels(i) for i in range(len(axes.axes))]
    wanted = node.op in ("Sub", "Mul") and value.ndim == 2 and value.shape == axes.shape[2:]
    if labels != ["n", "h", "w", "c"] or not wanted:
        return False
    last = importer.planned[-1] if importer.planned else None
    if node.op == "Mul" and last is not None and last.kind is Standardize and last.bias is None:
        last.bias = value
        return True
    planned = Planned(node, Standardize, {})

    def fill(views: Sequence[Array]) -> None:
        views[0][...] = value if node.op == "Sub" else 0
        views[1][...] = value if node.op == "Mul" else 1
        if planned.bias is not None:
            views[1][...] = planned.bias

    planned.fill = fill
    importer.add(planned)
    return True


def _affine(importer: Importer, node: Node, scale: Array | float, shift: Array | float) -> None:
    def fill(views: Sequence[Array]) -> None:
        views[0][...], views[1][...] = scale, shift

    importer.add(Planned(node, Affine, {}, fill))


def _arithmetic(importer: Importer, node: Node, axes: Axes) -> Axes:
    chain = 0 if node.inputs[0] in importer.flows else 1
    value = importer.weights(node, 1 - chain, "AB"[1 - chain])
    if chain == 0 and _standardize(importer, node, axes, value):
        return axes
    numbers = _channel(importer, node, axes, value)
    if node.op == "Add" and importer.planned:
        last = importer.planned[-1]
        products = (Dense, Conv1D, Conv2D, ConvTranspose2D)
        if last.kind in products and last.bias is None:
            last.bias = numbers
            return axes
    if node.op == "Div" and (chain == 1 or not numbers.all()):
        raise refuse(node, "divides by the chain, or by zero")
    scale: Array | float = 1.0
    shift: Array | float = 0.0
    if node.op == "Add":
        shift = numbers
    elif node.op == "Sub":
        scale, shift = (1.0, -numbers) if chain == 0 else (-1.0, numbers)
    else:
        scale = numbers if node.op == "Mul" else 1 / numbers
    _affine(importer, node, scale, shift)
    return axes


ELEMENTWISE = {
    "Relu": _activation("relu"),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Softplus": _activation("softplus"),
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Dropout": _dropout,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
}
