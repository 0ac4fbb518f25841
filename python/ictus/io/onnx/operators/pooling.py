"""Pooling over one, two or three axes, on the kernels for images; see :mod:`.windows`."""

from __future__ import annotations

import math

import numpy as np

from ictus.io.onnx.operators.call import Array, Inputs, Operator, Outputs, given, is_float, refuse
from ictus.io.onnx.operators.windows import (
    Geometry,
    channels_first,
    channels_last,
    geometry,
    places_of,
    slices_seen,
)
from ictus.io.onnx.proto import Node
from ictus.kernels import average_pooling, max_pooling


def rounded_up(g: Geometry, size: tuple[int, ...]) -> Geometry:
    """Return the geometry with padding behind so that places are rounded up (ceil_mode).

    A window that would begin behind the image and its padding has no place.
    """
    after = []
    for n, b, a, r, s in zip(size, g.before, g.after, g.reach, g.stride, strict=True):
        places = -((n + b + a - r) // -s) + 1
        if (places - 1) * s >= n + b:
            places -= 1
        after.append(max(a, (places - 1) * s + r - n - b))
    return Geometry(g.window, g.stride, g.dilation, g.before, after)


def pooling_geometry(node: Node, size: tuple[int, ...]) -> Geometry:
    """Return the geometry of a pooling node."""
    window = node.integers("kernel_shape")
    if window is None or len(window) != len(size):
        raise refuse(node, f"kernel_shape {window} for an image of {size}")
    g = geometry(node, window, size)
    return rounded_up(g, size) if node.integer("ceil_mode", 0) else g


def _padding(g: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    return (g.before[1], g.after[1]), (g.before[2], g.after[2])


def _max_pool(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    numbers = x if is_float(x) else x.astype(np.float32)
    g = pooling_geometry(node, x.shape[2:]).three()
    last = channels_last(node, numbers)
    count, depth, *size, channels = last.shape
    places = places_of(node, (depth, *size), g)
    out = np.full((count, *places, channels), -np.inf, numbers.dtype)
    argmax = np.zeros(out.shape, np.int64)  # number of the pixel in its channel
    down, across = (
        np.arange(n) * s - b for n, s, b in zip(places[1:], g.stride[1:], g.before[1:], strict=True)
    )
    for element in range(g.window[0]):
        seen, at = slices_seen(depth, places[0], g, element)
        if at.start == at.stop:
            continue
        images = np.ascontiguousarray(last[:, seen])
        shape = (count, at.stop - at.start, *places[1:], channels)
        part = np.empty((shape[0] * shape[1], *shape[2:]), numbers.dtype)
        chosen = np.empty(part.shape, np.int32 if part.dtype == np.float32 else np.int64)
        max_pooling(
            images.reshape(-1, *images.shape[2:]),
            g.window[1:],
            part,
            chosen,
            stride=g.stride[1:],
            padding=_padding(g),
            dilation=g.dilation[1:],
        )
        part, elements = part.reshape(shape), chosen.reshape(shape).astype(np.int64)
        row = down[:, None, None] + elements // g.window[2] * g.dilation[1]
        column = across[:, None] + elements % g.window[2] * g.dilation[2]
        slices = np.arange(seen.start, seen.stop, seen.step)[:, None, None, None]
        if node.integer("storage_order", 0):
            pixel = (column * size[0] + row) * depth + slices
        else:
            pixel = (slices * size[0] + row) * size[1] + column
        better = part > out[:, at]
        argmax[:, at] = np.where(better, pixel, argmax[:, at])
        out[:, at] = np.where(better, part, out[:, at])
    whole = math.prod(x.shape[2:])
    numbered = np.arange(count)[:, None, None, None, None] * channels + np.arange(channels)
    rank = x.ndim - 2
    result = channels_first(out, rank).astype(x.dtype, copy=False)
    return result, channels_first(argmax + numbered * whole, rank)


def _average_pool(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    own = pooling_geometry(node, x.shape[2:])
    if node.integer("count_include_pad", 0):
        # Zeros that count are part of the image; what lies behind them does not count.
        pads = node.integers("pads") or [0] * (2 * len(own.window))
        after = own.after if node.word("auto_pad", "NOTSET") != "NOTSET" else pads[len(pads) // 2 :]
        if sum([*own.before, *after]) > 1 << 20:
            raise refuse(node, f"pads {pads}")
        x = np.pad(x, [(0, 0), (0, 0), *zip(own.before, after, strict=True)])
        rest = [a - p for a, p in zip(own.after, after, strict=True)]
        own = Geometry(own.window, own.stride, own.dilation, [0] * len(after), rest)
    g = own.three()
    last = channels_last(node, x)
    count, depth, *size, channels = last.shape
    places = places_of(node, (depth, *size), g)
    out = np.zeros((count, *places, channels), x.dtype)
    inside = np.zeros((places[0], 1, 1, 1), x.dtype)  # slices of the image that a window sees
    for element in range(g.window[0]):
        seen, at = slices_seen(depth, places[0], g, element)
        if at.start == at.stop:
            continue
        images = np.ascontiguousarray(last[:, seen])
        part = average_pooling(
            images.reshape(-1, *images.shape[2:]),
            g.window[1:],
            stride=g.stride[1:],
            padding=_padding(g),
            dilation=g.dilation[1:],
        )
        out[:, at] += part.reshape(count, -1, *part.shape[1:])
        inside[at] += 1
    return channels_first(out / inside, x.ndim - 2)


def _global(name: str) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        x = given(node, inputs, 0, "X")
        if x.ndim < 3 or 0 in x.shape:
            raise refuse(node, f"takes images, got shape {x.shape}")
        # All pixels in a row.
        images = np.ascontiguousarray(np.moveaxis(x.reshape(*x.shape[:2], -1), 1, -1))[:, None]
        kernel = max_pooling if name == "max" else average_pooling
        pooled: Array = kernel(images, (1, images.shape[2]))
        return pooled.reshape(*x.shape[:2], *[1] * (x.ndim - 2))

    return function


POOLING: dict[str, Operator] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalMaxPool": _global("max"),
    "GlobalAveragePool": _global("average"),
}
