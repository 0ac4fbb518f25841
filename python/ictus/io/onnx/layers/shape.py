"""Operators that move axes: no layer, but another place of what follows."""

from __future__ import annotations

import numpy as np

from ictus.io.onnx.axes import Axes, Part
from ictus.io.onnx.importer import Importer, Planned
from ictus.io.onnx.operators.call import axis_of, refuse
from ictus.io.onnx.operators.shape import axes_given, new_shape
from ictus.io.onnx.proto import Node
from ictus.nn import Embedding
from ictus.nn.recurrent import RecurrentBase


def _identity(importer: Importer, node: Node, axes: Axes) -> Axes:
    return axes


def _transpose(importer: Importer, node: Node, axes: Axes) -> Axes:
    rank = len(axes.axes)
    order = node.integers("perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise refuse(node, f"perm {order} of a tensor with {rank} axes")
    return axes.transposed(order)


def _reshaped(node: Node, axes: Axes, shape: list[int]) -> Axes:
    result = axes.reshaped(shape)
    if result is None:
        raise refuse(node, f"cannot follow from shape {axes.shape} to {tuple(shape)}")
    return result


def _reshape(importer: Importer, node: Node, axes: Axes) -> Axes:
    wanted = importer.constant(node, 1, "shape")
    if wanted is None:
        raise refuse(node, "its shape is missing")
    sizes = [int(n) for n in wanted.reshape(-1)]
    batch = importer.input_parts[0]
    # An example's own batch, as fixed when the file was made.
    if sizes and sizes.count(-1) < 2 and axes.axes and axes.axes[0] == (batch,) and sizes[0] == 1:
        sizes[0] = batch.size
    return _reshaped(node, axes, new_shape(node, axes.shape, sizes))


def _flatten(importer: Importer, node: Node, axes: Axes) -> Axes:
    rank, shape = len(axes.axes), axes.shape
    axis = axis_of(node, node.integer("axis", 1), rank, last=True)
    size = int(np.prod(shape[:axis], dtype=object)), int(np.prod(shape[axis:], dtype=object))
    return _reshaped(node, axes, list(size))


def _squeeze(importer: Importer, node: Node, axes: Axes) -> Axes:
    listed = axes_given(node, [None, importer.constant(node, 1, "axes")], importer.opset)
    shape = axes.shape
    if listed is None:
        listed = [i for i, n in enumerate(shape) if n == 1]
    chosen = [axis_of(node, n, len(shape)) for n in listed]
    if any(shape[n] != 1 for n in chosen):
        raise refuse(node, f"axes {listed} of shape {shape} are not all 1")
    return axes.squeezed(chosen)


def _unsqueeze(importer: Importer, node: Node, axes: Axes) -> Axes:
    listed = axes_given(node, [None, importer.constant(node, 1, "axes")], importer.opset) or []
    rank = len(axes.axes) + len(listed)
    return axes.unsqueezed([axis_of(node, n, rank) for n in listed])


def _gather(importer: Importer, node: Node, axes: Axes) -> Axes:
    if node.inputs[0] not in importer.flows:
        return _embedding(importer, node, axes)
    index, axis = (
        importer.constant(node, 1, "indices"),
        axis_of(node, node.integer("axis", 0), len(axes.axes)),
    )
    if index is None or index.size != 1:
        raise refuse(node, "takes more than one part of an axis")
    place = int(index.reshape(-1)[0])
    last = importer.planned[-1] if importer.planned else None
    if axes.shape[axis] == 1 and place in (0, -1):
        pass
    elif (
        place == -1
        and axes.labels(axis) == "t"
        and last is not None
        and issubclass(last.kind, RecurrentBase)
        and last.arguments["directions"] == 1
    ):
        last.arguments["output"] = "last"  # the last step of one direction
    else:
        raise refuse(node, f"takes part {place} of an axis")
    return axes.squeezed([axis]) if index.ndim == 0 else axes


def _embedding(importer: Importer, node: Node, axes: Axes) -> Axes:
    """A table of vectors for symbols."""
    table = importer.weights(node, 0, "data")
    if importer.shape is not None or importer.planned or node.integer("axis", 0):
        raise refuse(node, "a table of vectors must be the first layer")
    if table.ndim != 2 or len(axes.axes) != 2 or importer.input_type not in (6, 7):
        raise refuse(node, f"a table {table.shape} for an input of {len(axes.axes)} axes")
    for axis, label in zip(axes.axes, "nt", strict=True):
        for part in axis:
            part.label = label
    symbols, units = table.shape
    importer.sequence = importer.symbols = True
    importer.shape = importer.input_shape = importer.sizes = (symbols,)

    def fill(views: object) -> None:
        views[0][...] = table  # type: ignore[index]

    importer.add(Planned(node, Embedding, {"units": units}, fill))
    return Axes([*axes.axes, (Part(units, label="c"),)])


SHAPE = {
    "Identity": _identity,
    "Cast": _identity,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
}
