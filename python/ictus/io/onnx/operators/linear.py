"""Matrix products, softmax, and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ictus.io.onnx.operators.call import (
    Array,
    Inputs,
    Operator,
    Outputs,
    axis_of,
    given,
    is_float,
    optional,
    refuse,
)
from ictus.io.onnx.proto import Node
from ictus.kernels import gemm, log_softmax, softmax


def product(a: Array, b: Array) -> Array:
    """Return ``a @ b`` of two matrices."""
    if not is_float(a) or a.dtype != b.dtype or 0 in (*a.shape, *b.shape):
        return np.asarray(a @ b)
    return gemm(a, b)


def _matmul(node: Node, inputs: Inputs, opset: int) -> Outputs:
    a, b = given(node, inputs, 0, "A"), given(node, inputs, 1, "B")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise refuse(node, f"shapes {a.shape} and {b.shape} do not go together")
    left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    rows, columns = left.shape[-2], right.shape[-1]
    if right.ndim == 2:  # one product
        flat = np.ascontiguousarray(left).reshape(-1, left.shape[-1])
        out = product(flat, right).reshape(*left.shape[:-1], columns)
    else:
        many = math.prod(shape)
        lefts = np.broadcast_to(left, (*shape, *left.shape[-2:])).reshape(many, *left.shape[-2:])
        rights = np.broadcast_to(right, (*shape, *right.shape[-2:])).reshape(
            many, *right.shape[-2:]
        )
        out = np.empty((many, rows, columns), np.result_type(a, b))
        for one, x, y in zip(out, lefts, rights, strict=True):
            one[...] = product(x, y)
        out = out.reshape(*shape, rows, columns)
    out = out[..., 0, :] if a.ndim == 1 else out
    return np.asarray(out[..., 0] if b.ndim == 1 else out)


def _gemm(node: Node, inputs: Inputs, opset: int) -> Outputs:
    a, b, c = given(node, inputs, 0, "A"), given(node, inputs, 1, "B"), optional(inputs, 2)
    if a.ndim != 2 or b.ndim != 2:
        raise refuse(node, f"takes matrices, got shapes {a.shape} and {b.shape}")
    a, b = (a.T if node.integer("transA", 0) else a), (b.T if node.integer("transB", 0) else b)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    if a.shape[1] != b.shape[0]:
        raise refuse(node, f"shapes {a.shape} and {b.shape} do not go together")
    shape = (a.shape[0], b.shape[1])
    if not is_float(a):
        result = alpha * (a @ b) + (0 if c is None else beta * c)
        return np.asarray(result, a.dtype)
    if c is None:
        return gemm(a, b, alpha=alpha)
    if c.shape == shape[1:] and beta == 1.0:
        return gemm(a, b, bias=np.ascontiguousarray(c), alpha=alpha)
    try:
        out = np.array(np.broadcast_to(c, shape), order="C")
    except ValueError:
        raise refuse(node, f"C of shape {c.shape} does not fit {shape}") from None
    return gemm(a, b, out, alpha=alpha, beta=beta)


def _softmax(kernel: Callable[[Array], Array]) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        x = given(node, inputs, 0, "X")
        if opset < 13:  # of all that follows the axis, as one row
            axis = axis_of(node, node.integer("axis", 1), x.ndim, last=True)
            rows = math.prod(x.shape[:axis])
            return kernel(np.ascontiguousarray(x).reshape(rows, -1)).reshape(x.shape)
        axis = axis_of(node, node.integer("axis", -1), x.ndim)
        turned = np.ascontiguousarray(np.moveaxis(x, axis, -1))
        result = kernel(turned.reshape(-1, turned.shape[-1])).reshape(turned.shape)
        return np.moveaxis(result, -1, axis)

    return function


def _reduce(formula: Callable[..., Array], axes_since: int) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        x, axes = given(node, inputs, 0, "X"), node.integers("axes")
        if opset >= axes_since:
            chosen = optional(inputs, 1)
            axes = None if chosen is None else [int(n) for n in chosen]
        if axes is None or not axes:
            if node.integer("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        kept = bool(node.integer("keepdims", 1))
        chosen_axes = tuple(axis_of(node, n, x.ndim) for n in axes)
        return np.asarray(formula(x, axis=chosen_axes, keepdims=kept), x.dtype)

    return function


def _lengths(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims)))


LINEAR: dict[str, Operator] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Softmax": _softmax(softmax),
    "LogSoftmax": _softmax(log_softmax),
    "ReduceMean": _reduce(np.mean, 18),
    "ReduceSum": _reduce(np.sum, 13),
    "ReduceMax": _reduce(np.max, 18),
    "ReduceL2": _reduce(_lengths, 18),
}
