"""Matrix products: Dense layers, or convolutions of one pixel over places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.axes import Axes, Part, our_order
from ictus.io.onnx.importer import Importer, Planned
from ictus.io.onnx.operators.call import refuse
from ictus.io.onnx.proto import Node
from ictus.nn import Conv1D, Conv2D, Dense, Flatten

Array = NDArray[Any]

#: The parts of an example in our order.
ORDER = "thwduc"


def features(importer: Importer, node: Node, axes: Axes, axis: int) -> Array | None:
    """Say that an axis has the features of vectors; return where each of ours lies in it.

    What was flattened there becomes a Flatten layer.
    """
    if importer.shape is None:
        raise refuse(node, "it is not known what its input is")
    alone = all(n == 1 for i, n in enumerate(axes.shape) if i not in (0, axis))
    flat = len(axes.axes) == 2 or (alone and axes.labels(axis) != "c")
    if not importer.sequence and len(importer.shape) > 1 and flat:
        importer.add(Planned(node, Flatten, {}))
    return our_order(axes.axes[axis], ORDER)


def fill_linear(
    weights: Array, bias: Callable[[], Array | None], order: Array | None = None
) -> Callable[[Sequence[Array]], None]:
    """Return what fills weights, their rows in an order, and biases, which may come later."""

    def fill(views: Sequence[Array]) -> None:
        turned = weights if order is None else weights[order]
        views[0][...] = turned.reshape(views[0].shape)
        found = bias()
        views[1][...] = 0 if found is None else found

    return fill


def channels_are_last(importer: Importer, rank: int) -> bool:
    """Whether a Transpose that puts the channels first follows, as ictus writes it."""
    if rank not in (3, 4):
        return False
    for node in importer.model.nodes:
        if node.op == "Transpose":
            return node.integers("perm") == [0, rank - 1, *range(1, rank - 1)]
        if node.op in ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization"):
            return False
    return False


def bind_vectors(importer: Importer, node: Node, axes: Axes) -> None:
    """Say what the input is where a product of its last axis is the first to tell."""
    importer.bind_frames()
    rank = len(axes.axes)
    if importer.shape is None and channels_are_last(importer, rank):
        importer.bind(node, axes, "ntc" if rank == 3 else "nhwc")
    if importer.shape is None:
        importer.sequence = len(axes.axes) == 3
        importer.bind(node, axes, "ntc" if importer.sequence else "nc")


def _product(
    importer: Importer, node: Node, axes: Axes, weights: Array, bias: Array | None
) -> Axes:
    bind_vectors(importer, node, axes)
    last = len(axes.axes) - 1
    order = features(importer, node, axes, last)
    shape = importer.shape
    assert shape is not None
    size = axes.shape[last]
    if weights.ndim != 2 or weights.shape[0] != size:
        raise refuse(node, f"weights {weights.shape} do not fit {size} features")
    units = weights.shape[1]
    kind: Any = Dense
    arguments: dict[str, Any] = {"units": units}
    if len(shape) > 1:  # at each place
        if axes.labels(last) != "c" or axes.labels(0) != "n":
            raise refuse(node, f"its input lies as {importer.words(axes)}: flatten it first")
        kind = Conv1D if len(shape) == 2 else Conv2D
        arguments = {"filters": units, "kernel_size": 1}
    planned = Planned(node, kind, arguments, bias=bias)
    planned.fill = fill_linear(weights, lambda: planned.bias, order)
    importer.add(planned)
    return Axes([*axes.axes[:last], (Part(units, label="c"),)])


def _gemm(importer: Importer, node: Node, axes: Axes) -> Axes:
    if node.inputs[0] not in importer.flows or node.integer("transA", 0) or len(axes.axes) != 2:
        raise refuse(node, "its first input must be the chain, not transposed")
    weights, bias = importer.weights(node, 1, "B"), importer.constant(node, 2, "C")
    if weights.ndim != 2:
        raise refuse(node, f"weights {weights.shape} are no matrix")
    weights = weights.T if node.integer("transB", 0) else weights
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    if alpha != 1:
        weights = importer.made(node, weights * weights.dtype.type(alpha))
    if bias is not None:
        if bias.size not in (1, weights.shape[1]) or bias.shape[-1:] not in ((), (bias.size,)):
            raise refuse(node, f"C of shape {bias.shape} is no bias of {weights.shape[1]} units")
        bias = np.broadcast_to(bias.reshape(-1) * beta, (weights.shape[1],))
    return _product(importer, node, axes, weights, bias)


def _matmul(importer: Importer, node: Node, axes: Axes) -> Axes:
    if node.inputs[0] not in importer.flows:
        raise refuse(node, "its first input must be the chain")
    return _product(importer, node, axes, importer.weights(node, 1, "B"), None)


LINEAR = {"Gemm": _gemm, "MatMul": _matmul}
