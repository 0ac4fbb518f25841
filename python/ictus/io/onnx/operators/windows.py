"""Convolution and its transpose over one, two or three axes, on the kernels for images.

ONNX has the channels first, the kernels have them last. A sequence is an image of one row; of three
axes the first is a loop over the window's slices, each a pass over images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ictus.io.onnx.operators.call import Array, Inputs, Operator, Outputs, given, optional, refuse
from ictus.io.onnx.proto import Node
from ictus.kernels import convolution, convolution_data_gradient

#: Numbers of a result beyond which a window's padding is refused.
MAX_PLACES = 1 << 31


@dataclass(slots=True)
class Geometry:
    """How a window moves: a number for each axis."""

    window: list[int]
    stride: list[int]
    dilation: list[int]
    before: list[int]
    after: list[int]

    @property
    def reach(self) -> list[int]:
        """Pixels from the first to the last that a window sees."""
        return [(w - 1) * d + 1 for w, d in zip(self.window, self.dilation, strict=True)]

    def three(self) -> Geometry:
        """The same with axes of extent 1 before, three in all."""
        more = 3 - len(self.window)
        one, zero = [1] * more, [0] * more
        return Geometry(
            one + self.window,
            one + self.stride,
            one + self.dilation,
            zero + self.before,
            zero + self.after,
        )


def same_pads(size: int, stride: int, reach: int, lower: bool) -> tuple[int, int]:
    """Return the padding of SAME_UPPER and SAME_LOWER: as many places as pixels / stride."""
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def geometry(node: Node, window: list[int], size: tuple[int, ...] | None) -> Geometry:
    """Return the geometry of a node over pixels of a size (None: no padding by size)."""
    rank = len(window)
    given_window = node.integers("kernel_shape", window)
    strides = node.integers("strides") or [1] * rank
    dilations = node.integers("dilations") or [1] * rank
    pads = node.integers("pads") or [0] * (2 * rank)
    if given_window != window or len(strides) != rank or len(dilations) != rank:
        raise refuse(node, f"kernel_shape {given_window}, strides {strides}, dilations {dilations}")
    if len(pads) != 2 * rank or min(pads) < 0 or min([*strides, *dilations, *window]) < 1:
        raise refuse(node, f"pads {pads}, strides {strides}, dilations {dilations}")
    result = Geometry(window, strides, dilations, pads[:rank], pads[rank:])
    automatic = node.word("auto_pad", "NOTSET")
    if automatic == "VALID":
        result.before, result.after = [0] * rank, [0] * rank
    elif automatic in ("SAME_UPPER", "SAME_LOWER") and size is not None:
        both = [
            same_pads(n, s, r, automatic == "SAME_LOWER")
            for n, s, r in zip(size, strides, result.reach, strict=True)
        ]
        result.before, result.after = [b for b, _ in both], [a for _, a in both]
    elif automatic not in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
        raise refuse(node, f"auto_pad {automatic!r}")
    return result


def channels_last(node: Node, x: Array) -> Array:
    """Return (batch, channels, *size) as (batch, depth, height, width, channels)."""
    rank = x.ndim - 2
    if not 1 <= rank <= 3:
        raise refuse(node, f"takes 1 to 3 axes beside batch and channels, got shape {x.shape}")
    x = x.reshape(*x.shape[:2], *[1] * (3 - rank), *x.shape[2:])
    return np.moveaxis(x, 1, -1)


def channels_first(y: Array, rank: int) -> Array:
    """Return what :func:`channels_last` was given."""
    y = np.moveaxis(y, -1, 1)
    return y.reshape(*y.shape[:2], *y.shape[5 - rank :])


def places_of(node: Node, size: tuple[int, ...], g: Geometry) -> list[int]:
    """Return the places of the window on an image."""
    places = [
        (n + b + a - r) // s + 1
        for n, b, a, r, s in zip(size, g.before, g.after, g.reach, g.stride, strict=True)
    ]
    if min(places) < 1 or np.prod(places, dtype=float) > MAX_PLACES:
        raise refuse(node, f"a window of {g.window} has {places} places on an image of {size}")
    return places


def slices_seen(size: int, places: int, g: Geometry, element: int) -> tuple[slice, slice]:
    """Return the slices of an image that one element of the window's first axis sees, and places.

    Those of :meth:`Geometry.three`.
    """
    first = element * g.dilation[0] - g.before[0]
    stride = g.stride[0]
    low = max(0, -(first // stride))  # the first place whose slice is not before the image
    high = min(places, (size - 1 - first) // stride + 1)
    high = max(low, high)
    start = first + low * stride
    return slice(start, start + max(0, high - low - 1) * stride + 1, stride), slice(low, high)


def _conv(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, w, bias = given(node, inputs, 0, "X"), given(node, inputs, 1, "W"), optional(inputs, 2)
    rank, groups = x.ndim - 2, node.integer("group", 1)
    if w.ndim != x.ndim or groups < 1 or w.shape[1] * groups != x.shape[1] or w.shape[0] % groups:
        raise refuse(node, f"weights {w.shape} in {groups} groups do not fit {x.shape}")
    g = geometry(node, list(w.shape[2:]), x.shape[2:]).three()
    last = channels_last(node, x)
    weights = np.moveaxis(channels_last(node, w), 0, -1)  # (depth, height, width, inputs, outputs)
    count, depth, *size, _ = last.shape
    places = places_of(node, (depth, *size), g)
    out = np.zeros((count, *places, w.shape[0]), x.dtype)
    padding = ((g.before[1], g.after[1]), (g.before[2], g.after[2]))
    for element in range(g.window[0]):
        seen, at = slices_seen(depth, places[0], g, element)
        if at.start == at.stop:
            continue
        images = np.ascontiguousarray(last[:, seen])
        part = convolution(
            images.reshape(-1, *images.shape[2:]),
            np.ascontiguousarray(weights[element]),
            stride=g.stride[1:],
            padding=padding,
            dilation=g.dilation[1:],
            groups=groups,
        )
        out[:, at] += part.reshape(count, -1, *part.shape[1:])
    if bias is not None:
        out += bias
    return channels_first(out, rank)


@dataclass(slots=True)
class Larger:
    """The result of a transposed convolution: its size, and where it begins in the full one."""

    size: list[int]
    begin: list[int]


def larger(node: Node, size: tuple[int, ...], g: Geometry) -> Larger:
    """Return the result's size of ConvTranspose, by its attributes."""
    rank = len(size)
    extra = node.integers("output_padding") or [0] * rank
    wanted, automatic = node.integers("output_shape"), node.word("auto_pad", "NOTSET")
    full = [(n - 1) * s + r + e for n, s, r, e in zip(size, g.stride, g.reach, extra, strict=True)]
    if wanted is None and automatic in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(size, g.stride, strict=True)]
    if wanted is None:
        result = [f - b - a for f, b, a in zip(full, g.before, g.after, strict=True)]
        return Larger(result, g.before)
    totals = [f - w for f, w in zip(full, wanted[-rank:], strict=True)]
    upper = automatic == "SAME_UPPER"
    return Larger(wanted[-rank:], [t // 2 if upper else t - t // 2 for t in totals])


def _conv_transpose(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, w, bias = given(node, inputs, 0, "X"), given(node, inputs, 1, "W"), optional(inputs, 2)
    rank, groups = x.ndim - 2, node.integer("group", 1)
    if w.ndim != x.ndim or w.shape[0] != x.shape[1] or groups < 1 or x.shape[1] % groups:
        raise refuse(node, f"weights {w.shape} in {groups} groups do not fit {x.shape}")
    own = geometry(node, list(w.shape[2:]), None)
    whole = larger(node, x.shape[2:], own)
    g, more = own.three(), 3 - rank
    size, begin = [1] * more + whole.size, [0] * more + whole.begin
    if min(size) < 1 or np.prod(size, dtype=float) > MAX_PLACES:
        raise refuse(node, f"its result would have the size {whole.size}")
    last = channels_last(node, x)
    weights = np.moveaxis(channels_last(node, w), 0, -1)
    count, depth = last.shape[:2]
    # What lies before the result is computed and left out where padding is negative.
    early = [max(0, -b) for b in begin[1:]]
    room = [n + e for n, e in zip(size[1:], early, strict=True)]
    out = np.zeros((count, size[0], *room, w.shape[1] * groups), x.dtype)
    g.before = [begin[0], 0, 0]
    for element in range(g.window[0]):
        there, here = slices_seen(size[0], depth, g, element)
        if here.start == here.stop:
            continue
        images = np.ascontiguousarray(last[:, here])
        part = np.empty((count * images.shape[1], *room, out.shape[-1]), x.dtype)
        convolution_data_gradient(
            images.reshape(-1, *images.shape[2:]),
            np.ascontiguousarray(weights[element]),
            part,
            stride=g.stride[1:],
            padding=(max(0, begin[1]), max(0, begin[2])),
            dilation=g.dilation[1:],
            groups=groups,
        )
        out[:, there] += part.reshape(count, -1, *part.shape[1:])
    if bias is not None:
        out += bias
    return channels_first(out[:, :, : size[1], : size[2]], rank)


CONVOLUTION: dict[str, Operator] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
