"""Operators that move numbers and compute none: shapes, parts, constants."""

from __future__ import annotations

import math

import numpy as np

from ictus.io.onnx.operators.call import (
    Array,
    Inputs,
    Operator,
    Outputs,
    axis_of,
    given,
    optional,
    refuse,
)
from ictus.io.onnx.proto import Node, Tensor

#: Numbers that an operator may make of none (ConstantOfShape, Expand).
MAX_MADE = 1 << 26


def bounded(node: Node, shape: list[int]) -> list[int]:
    """Return a shape that an operator makes by itself; refuse an absurd one."""
    if any(n < 0 for n in shape) or math.prod(shape) > MAX_MADE:
        raise refuse(node, f"would make a tensor of shape {shape}")
    return shape


def new_shape(node: Node, shape: tuple[int, ...], wanted: list[int]) -> list[int]:
    """Return the shape that Reshape gives."""
    keep_zero = node.integer("allowzero", 0)
    sizes = [
        shape[i] if n == 0 and not keep_zero and i < len(shape) else n for i, n in enumerate(wanted)
    ]
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known:
        sizes[sizes.index(-1)] = math.prod(shape) // known
    if math.prod(sizes) != math.prod(shape) or any(n < 0 for n in sizes):
        raise refuse(node, f"cannot make shape {wanted} of {shape}")
    return sizes


def _reshape(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, wanted = given(node, inputs, 0, "data"), given(node, inputs, 1, "shape")
    return x.reshape(new_shape(node, x.shape, [int(n) for n in wanted.reshape(-1)]))


def _flatten(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "input")
    axis = axis_of(node, node.integer("axis", 1), x.ndim, last=True)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _transpose(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "data")
    order = node.integers("perm") or list(range(x.ndim))[::-1]
    if sorted(order) != list(range(x.ndim)):
        raise refuse(node, f"perm {order} of a tensor with {x.ndim} axes")
    return x.transpose(order)


def axes_given(node: Node, inputs: Inputs, opset: int) -> list[int] | None:
    """Axes of Squeeze and Unsqueeze: an attribute once, now an input."""
    axes = optional(inputs, 1)
    return node.integers("axes") if axes is None else [int(n) for n in axes.reshape(-1)]


def _squeeze(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, axes = given(node, inputs, 0, "data"), axes_given(node, inputs, opset)
    if axes is None:
        return x.squeeze()
    chosen = tuple(axis_of(node, n, x.ndim) for n in axes)
    if any(x.shape[n] != 1 for n in chosen):
        raise refuse(node, f"axes {axes} of shape {x.shape} are not all 1")
    return x.squeeze(chosen)


def _unsqueeze(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, axes = given(node, inputs, 0, "data"), axes_given(node, inputs, opset) or []
    rank = x.ndim + len(axes)
    return np.expand_dims(x, tuple(axis_of(node, n, rank) for n in axes))


def _concat(node: Node, inputs: Inputs, opset: int) -> Outputs:
    parts = [given(node, inputs, i, "input") for i in range(len(inputs))]
    axis = axis_of(node, node.integer("axis", 0), parts[0].ndim)
    try:
        return np.concatenate(parts, axis)
    except ValueError as error:
        raise refuse(node, str(error)) from None


def slices(node: Node, inputs: Inputs, rank: int, opset: int) -> dict[int, slice]:
    """Return what Slice takes of each axis."""
    if opset < 10:
        values = [node.integers(name) for name in ("starts", "ends", "axes")]
        starts, ends, axes = values[0] or [], values[1] or [], values[2]
        steps = None
    else:
        lists = [
            None if one is None else [int(n) for n in one.reshape(-1)]
            for one in (optional(inputs, i) for i in range(1, 5))
        ]
        starts, ends, axes, steps = lists[0] or [], lists[1] or [], lists[2], lists[3]
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise refuse(node, f"starts {starts}, ends {ends}, axes {axes}, steps {steps}")
    result = {}
    for first, last, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Before the first: what a slice with a negative step needs to reach the beginning.
        end = None if step < 0 and last < -(1 << 30) else last
        result[axis_of(node, axis, rank)] = slice(first, end, step)
    return result


def _slice(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "data")
    chosen = slices(node, inputs, x.ndim, opset)
    return x[tuple(chosen.get(i, slice(None)) for i in range(x.ndim))]


def _gather(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, indices = given(node, inputs, 0, "data"), given(node, inputs, 1, "indices")
    axis = axis_of(node, node.integer("axis", 0), x.ndim)
    size = x.shape[axis]
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise refuse(node, f"indices {indices.min()} .. {indices.max()} of an axis of {size}")
    return np.take(x, indices, axis)


def _shape(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "data")
    end = node.attributes.get("end")
    return np.array(x.shape[node.integer("start", 0) : end], np.int64)


def constant(node: Node) -> Array:
    """Return the value of a Constant node."""
    for name, value in node.attributes.items():
        if isinstance(value, Tensor):
            return value.array()
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
    raise refuse(node, "has no value that is read here")


def _constant(node: Node, inputs: Inputs, opset: int) -> Outputs:
    return constant(node)


def _constant_of_shape(node: Node, inputs: Inputs, opset: int) -> Outputs:
    shape = [int(n) for n in given(node, inputs, 0, "shape").reshape(-1)]
    value = node.attributes.get("value")
    fill = value.array().reshape(-1) if isinstance(value, Tensor) else np.zeros(1, np.float32)
    if fill.size != 1:
        raise refuse(node, "its value must be one number")
    return np.full(bounded(node, shape), fill[0])


def _expand(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, wanted = given(node, inputs, 0, "data"), given(node, inputs, 1, "shape")
    try:
        shape = np.broadcast_shapes(x.shape, tuple(int(n) for n in wanted))
    except ValueError:
        raise refuse(node, f"cannot make shape {wanted.tolist()} of {x.shape}") from None
    return np.broadcast_to(x, bounded(node, list(shape)))


def _pad(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, value = given(node, inputs, 0, "data"), optional(inputs, 2)
    pads = node.integers("pads") if opset < 11 else given(node, inputs, 1, "pads").tolist()
    axes = optional(inputs, 3)
    chosen = list(range(x.ndim)) if axes is None else [axis_of(node, int(n), x.ndim) for n in axes]
    if node.word("mode", "constant") != "constant" or pads is None or min(pads, default=0) < 0:
        raise refuse(node, "pads with one number around, nothing else")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[axis] = (pads[i], pads[i + len(chosen)])
    bounded(node, [n + sum(both) for n, both in zip(x.shape, widths, strict=True)])
    fill = node.real("value", 0.0) if value is None else value.reshape(-1)[0]
    return np.pad(x, widths, constant_values=fill)


def whole_factors(node: Node, inputs: Inputs) -> list[int]:
    """Return how often Resize repeats along each axis (inputs: roi, scales, sizes).

    Raises
    ------
    OnnxError
        Any other Resize.
    """
    scales = optional(inputs, 1)
    plain = (
        node.word("mode", "nearest") == "nearest"
        and node.word("nearest_mode", "round_prefer_floor") == "floor"
        and node.word("coordinate_transformation_mode", "half_pixel") == "asymmetric"
    )
    if not plain or scales is None or (scales != np.round(scales)).any() or scales.min() < 1:
        raise refuse(node, "takes pixels repeated a whole number of times, nothing else")
    return [int(n) for n in scales]


def _resize(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    factors = whole_factors(node, inputs[1:])
    if len(factors) != x.ndim:
        raise refuse(node, f"{len(factors)} scales for shape {x.shape}")
    bounded(node, [n * f for n, f in zip(x.shape, factors, strict=True)])
    for axis, factor in enumerate(factors):
        x = np.repeat(x, factor, axis) if factor > 1 else x
    return x


SHAPE: dict[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "Shape": _shape,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Pad": _pad,
    "Resize": _resize,
}
