"""Batch normalization, layer normalization, and normalization across neighbouring channels."""

from __future__ import annotations

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
from ictus.io.onnx.proto import Node
from ictus.kernels import batch_normalization


def _batch_normalization(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    names = ("scale", "B", "input_mean", "input_var")
    values = [given(node, inputs, i + 1, name) for i, name in enumerate(names)]
    if x.ndim < 2 or any(v.shape != x.shape[1:2] for v in values) or x.dtype.kind != "f":
        raise refuse(node, f"takes a number a channel, got {[v.shape for v in values]}")
    scale, shift, mean, variance = (np.array(v, x.dtype) for v in values)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    rows = last.reshape(-1, x.shape[1])
    epsilon, training = node.real("epsilon", 1e-5), bool(node.integer("training_mode", 0))
    running = mean.copy(), variance.copy()  # which the kernel moves in training
    y, _, _ = batch_normalization(rows, scale, shift, *running, training=training, epsilon=epsilon)
    result = np.moveaxis(y.reshape(last.shape), -1, 1)
    if not training:
        return result
    kept = node.real("momentum", 0.9)  # of what was there; the variance is that of the population
    new_mean, new_variance = rows.mean(axis=0), rows.var(axis=0)
    return result, mean * kept + new_mean * (1 - kept), variance * kept + new_variance * (1 - kept)


def _layer_normalization(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, scale, shift = (
        given(node, inputs, 0, "X"),
        given(node, inputs, 1, "Scale"),
        optional(inputs, 2),
    )
    axis = axis_of(node, node.integer("axis", -1), x.ndim)
    axes = tuple(range(axis, x.ndim))
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    reciprocal = (1 / np.sqrt(variance + node.real("epsilon", 1e-5))).astype(x.dtype)
    y: Array = centred * reciprocal * scale
    y = y if shift is None else y + shift
    return y.astype(x.dtype, copy=False), mean, reciprocal


def _lrn(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, size = given(node, inputs, 0, "X"), node.integer("size", 0)
    if size < 1 or x.ndim < 2:
        raise refuse(node, f"size must be positive, got {size}, for shape {x.shape}")
    alpha, beta, bias = (
        node.real("alpha", 1e-4), node.real("beta", 0.75), node.real("bias", 1.0)
    )  # fmt: skip
    squares, channels = np.square(x), x.shape[1]
    sums = np.zeros_like(x)
    before = (size - 1) // 2
    for offset in range(-min(before, channels), min(size - before, channels)):
        here = slice(max(0, -offset), channels - max(0, offset))
        there = slice(max(0, offset), channels + min(0, offset))
        sums[:, here] += squares[:, there]
    return np.asarray(x * (bias + alpha / size * sums) ** -beta, x.dtype)


NORMALIZATION: dict[str, Operator] = {
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "LRN": _lrn,
}
