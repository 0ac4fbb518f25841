"""Convolution, transposed convolution, pooling, and normalization of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.axes import Axes, Part
from ictus.io.onnx.importer import Importer, Planned
from ictus.io.onnx.layers.linear import bind_vectors, features, fill_linear
from ictus.io.onnx.operators.call import axis_of, refuse
from ictus.io.onnx.operators.pooling import rounded_up
from ictus.io.onnx.operators.shape import whole_factors
from ictus.io.onnx.operators.windows import Geometry, geometry
from ictus.io.onnx.proto import Node
from ictus.nn import (
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    Upsample,
)

Array = NDArray[Any]


def _images(importer: Importer, node: Node, axes: Axes) -> None:
    """Say that axes are batch, channels and places."""
    labels = {3: "nct", 4: "nchw"}.get(len(axes.axes))
    if labels is None:
        raise refuse(node, f"takes 3 or 4 axes, got {len(axes.axes)}")
    importer.bind(node, axes, labels)
    importer.check(node, axes, labels)
    if importer.sequence:
        raise refuse(node, "sequences of any length have no layer that moves a window")


def _after(importer: Importer, axes: Axes) -> Axes:
    """The axes of what a layer of images gives."""
    *places, channels = importer.sizes
    labels = "t" if len(places) == 1 else "hw"
    parts = [(Part(n, label=label),) for n, label in zip(places, labels, strict=True)]
    return Axes([axes.axes[0], (Part(channels, label="c"),), *parts])


def _one(values: Sequence[Any]) -> Any:
    """A number for each axis as layers take it."""
    return values[0] if len(values) == 1 else tuple(values)


def _geometry(importer: Importer, node: Node, axes: Axes, window: list[int]) -> Geometry:
    """The geometry of a node; padding by size needs a size that is known."""
    if node.word("auto_pad", "NOTSET") == "SAME_LOWER" or node.integer("ceil_mode", 0):
        assert importer.shape is not None
        if None in importer.shape:
            raise refuse(node, "SAME_LOWER or ceil_mode on images of any size")
    return geometry(node, window, axes.shape[2:])


def _padding(node: Node, g: Geometry) -> Any:
    if node.word("auto_pad", "NOTSET") == "SAME_UPPER":
        return "same"
    both = list(zip(g.before, g.after, strict=True))
    return both[0] if len(both) == 1 else tuple(both)


def _conv(importer: Importer, node: Node, axes: Axes) -> Axes:
    _images(importer, node, axes)
    weights, bias = importer.weights(node, 1, "W"), importer.constant(node, 2, "B")
    channels, groups = axes.shape[1], node.integer("group", 1)
    if weights.ndim != len(axes.axes) or groups < 1 or weights.shape[1] * groups != channels:
        raise refuse(
            node, f"weights {weights.shape} in {groups} groups do not fit {channels} channels"
        )
    if bias is not None and bias.shape != weights.shape[:1]:
        raise refuse(node, f"bias {bias.shape} does not fit {weights.shape[0]} filters")
    g = _geometry(importer, node, axes, list(weights.shape[2:]))
    arguments: dict[str, Any] = {
        "filters": weights.shape[0],
        "kernel_size": _one(g.window),
        "stride": _one(g.stride),
        "padding": _padding(node, g),
        "dilation": _one(g.dilation),
        "groups": groups,
    }
    kind: Any = Conv1D if len(g.window) == 1 else Conv2D
    planned = Planned(node, kind, arguments, bias=bias)
    planned.fill = fill_linear(np.moveaxis(weights, (0, 1), (-1, -2)), lambda: planned.bias)
    importer.add(planned)
    return _after(importer, axes)


def _conv_transpose(importer: Importer, node: Node, axes: Axes) -> Axes:
    _images(importer, node, axes)
    weights, bias = importer.weights(node, 1, "W"), importer.constant(node, 2, "B")
    if len(axes.axes) != 4 or weights.ndim != 4 or weights.shape[0] != axes.shape[1]:
        raise refuse(node, f"weights {weights.shape} for an input of {len(axes.axes)} axes")
    if node.integer("group", 1) != 1 or node.integers("output_shape") is not None:
        raise refuse(node, "groups, or an output_shape")
    if bias is not None and bias.shape != weights.shape[1:2]:
        raise refuse(node, f"bias {bias.shape} does not fit {weights.shape[1]} filters")
    g = geometry(node, list(weights.shape[2:]), None)
    extra = node.integers("output_padding") or [0, 0]
    g.after = [a - e for a, e in zip(g.after, extra, strict=True)]
    automatic = node.word("auto_pad", "NOTSET")
    if min(g.after) < 0 or automatic == "SAME_LOWER":
        raise refuse(node, f"output_padding {extra} beyond the padding, or auto_pad {automatic}")
    arguments = {
        "filters": weights.shape[1],
        "kernel_size": _one(g.window),
        "stride": _one(g.stride),
        "padding": _padding(node, g),
        "dilation": _one(g.dilation),
    }
    planned = Planned(node, ConvTranspose2D, arguments, bias=bias)
    planned.fill = fill_linear(weights.transpose(2, 3, 1, 0), lambda: planned.bias)
    importer.add(planned)
    return _after(importer, axes)


def _pool(kind: type[Any]) -> Callable[[Importer, Node, Axes], Axes]:
    def handler(importer: Importer, node: Node, axes: Axes) -> Axes:
        _images(importer, node, axes)
        if any(importer.uses[name] for name in node.outputs[1:]):
            raise refuse(node, "the places of maxima are used")
        size, window = axes.shape[2:], node.integers("kernel_shape")
        if window is None or len(window) != len(size):
            raise refuse(node, f"kernel_shape {window} for {len(size)} axes")
        g = _geometry(importer, node, axes, window)
        padded = any(g.before) or any(g.after)
        if kind is AveragePool and node.integer("count_include_pad", 0) and padded:
            raise refuse(node, "zeros around the image count (count_include_pad)")
        if node.integer("ceil_mode", 0):
            g = rounded_up(g, size)
        arguments = {
            "window": _one(g.window),
            "stride": _one(g.stride),
            "padding": _padding(node, g),
            "dilation": _one(g.dilation),
        }
        importer.add(Planned(node, kind, arguments))
        return _after(importer, axes)

    return handler


def _global(kind: type[Any]) -> Callable[[Importer, Node, Axes], Axes]:
    def handler(importer: Importer, node: Node, axes: Axes) -> Axes:
        _images(importer, node, axes)
        importer.add(Planned(node, kind, {"window": None}))
        return _after(importer, axes)

    return handler


def _reduce(kind: type[Any]) -> Callable[[Importer, Node, Axes], Axes]:
    def handler(importer: Importer, node: Node, axes: Axes) -> Axes:
        chosen = importer.constant(node, 1, "axes")
        listed = node.integers("axes") if chosen is None else [int(n) for n in chosen.reshape(-1)]
        rank = len(axes.axes)
        numbers = sorted(axis_of(node, n, rank) for n in listed or [])
        if numbers != list(range(2, rank)):
            raise refuse(node, f"a layer pools over all places, not over axes {listed}")
        after = _global(kind)(importer, node, axes)
        return after if node.integer("keepdims", 1) else after.squeezed(numbers)

    return handler


def _fill(
    arrays: Sequence[Array | float], order: Array | None
) -> Callable[[Sequence[Array]], None]:
    def fill(views: Sequence[Array]) -> None:
        for view, array in zip(views, arrays, strict=True):
            turned = array if order is None or np.ndim(array) == 0 else np.asarray(array)[order]
            view[...] = turned

    return fill


def _batch_normalization(importer: Importer, node: Node, axes: Axes) -> Axes:
    if node.integer("training_mode", 0):
        raise refuse(node, "training_mode")
    rank = len(axes.axes)
    importer.bind_frames()
    if importer.shape is None:
        importer.bind(node, axes, {2: "nc", 3: "nct", 4: "nchw"}.get(rank, "?"))
    names = ("scale", "B", "input_mean", "input_var")
    values = [importer.weights(node, i + 1, name) for i, name in enumerate(names)]
    if rank > 2 and axes.labels(1) != "c":
        raise refuse(node, f"its input lies as {importer.words(axes)}, it takes n c ...")
    order = features(importer, node, axes, 1)
    if any(v.shape != axes.shape[1:2] for v in values):
        raise refuse(node, f"takes {axes.shape[1]} numbers each, got {[v.shape for v in values]}")
    momentum = min(max(1 - node.real("momentum", 0.9), 0.0), 1.0)
    arguments = {"momentum": momentum, "epsilon": node.real("epsilon", 1e-5)}
    importer.add(Planned(node, BatchNorm, arguments, _fill(values, order)))
    return axes


def _layer_normalization(importer: Importer, node: Node, axes: Axes) -> Axes:
    bind_vectors(importer, node, axes)
    last = len(axes.axes) - 1
    scale, shift = importer.weights(node, 1, "Scale"), importer.constant(node, 2, "B")
    if axis_of(node, node.integer("axis", -1), last + 1) != last:
        raise refuse(node, "a layer normalises over the channels alone")
    if any(importer.uses[name] for name in node.outputs[1:]):
        raise refuse(node, "mean or deviation are used")
    order = features(importer, node, axes, last)
    if any(v is not None and v.shape != axes.shape[last:] for v in (scale, shift)):
        raise refuse(node, f"Scale {scale.shape} does not fit {axes.shape[last]} channels")
    if len(importer.shape or ()) > 1 and axes.labels(last) != "c":
        raise refuse(node, "a layer normalises over the channels alone")
    values: list[Any] = [scale, 0.0 if shift is None else shift]
    arguments = {"epsilon": node.real("epsilon", 1e-5)}
    importer.add(Planned(node, LayerNorm, arguments, _fill(values, order)))
    return axes


def _lrn(importer: Importer, node: Node, axes: Axes) -> Axes:
    importer.bind_frames()
    if importer.shape is None:
        labels = {2: "nc", 3: "nct", 4: "nchw"}.get(len(axes.axes), "?")
        importer.bind(node, axes, labels)
    order = features(importer, node, axes, 1)
    if order is not None or (len(importer.shape or ()) > 1 and axes.labels(1) != "c"):
        raise refuse(node, f"its input lies as {importer.words(axes)}, it takes n c ...")
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    arguments: dict[str, Any] = {name: node.real(name, value) for name, value in defaults.items()}
    arguments["size"] = node.integer("size", 0)
    importer.add(Planned(node, LocalResponseNorm, arguments))
    return axes


def _resize(importer: Importer, node: Node, axes: Axes) -> Axes:
    _images(importer, node, axes)
    factors = whole_factors(node, [importer.constant(node, i, "") for i in (1, 2, 3)])
    if len(axes.axes) != 4 or len(factors) != 4 or factors[:2] != [1, 1]:
        raise refuse(node, f"scales {factors}")
    importer.add(Planned(node, Upsample, {"factor": tuple(factors[2:])}))
    return _after(importer, axes)


WINDOWS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool(MaxPool),
    "AveragePool": _pool(AveragePool),
    "GlobalMaxPool": _global(MaxPool),
    "GlobalAveragePool": _global(AveragePool),
    "ReduceMean": _reduce(AveragePool),
    "ReduceMax": _reduce(MaxPool),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "LRN": _lrn,
    "Resize": _resize,
}
