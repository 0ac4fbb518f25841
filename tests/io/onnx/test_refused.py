"""Nodes that no layer is, and nodes that a graph cannot run: each is refused in its own words."""

from __future__ import annotations

import numpy as np
import pytest

from ictus.io.onnx import OnnxError
from ictus.io.onnx.network import network_of
from tests.io.onnx.running import run
from tests.io.onnx.test_load import IMAGE, Chain, integers, numbers, with_cell


def image():
    """Three maps of 5 x 4."""
    return Chain(*IMAGE).then("Conv", numbers(3, 2, 2, 2))


def vector():
    return Chain("n", 4)


def with_outputs(op, *more, outputs, shape=IMAGE, **attributes):
    """A node all of whose outputs are used."""
    chain = Chain(*shape)
    names = [chain.name, *map(chain.builder.constant, more)]
    chain.name = chain.builder.node(op, names, outputs=outputs, **attributes)
    for name in outputs[1:]:
        chain.builder.node("Identity", [name])
    return chain


def inner_output():
    chain = vector().then("Gemm", numbers(4, 2))
    before = chain.name
    chain.then("Relu")
    chain.name = before
    return chain


def computed_weights():
    chain = vector()
    weights = [chain.builder.constant(numbers(4, 3)), chain.builder.constant(numbers(3, 2))]
    return chain.then("MatMul", chain.builder.node("MatMul", weights))


def upsampled(scales, mode="nearest"):
    return Chain(*IMAGE).then(
        "Resize", "", np.array(scales, np.float32), mode=mode, nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip


def normalized(count):
    return Chain(*IMAGE).then("BatchNormalization", *(np.abs(numbers(count)) for _ in range(4)))


TRANSPOSED, ZERO = numbers(2, 3, 2, 2), np.array([0, 1], np.float32)
NETWORKS = {
    "filters' bias": (
        lambda: Chain(*IMAGE).then("Conv", numbers(3, 2, 2, 2), numbers(4)),
        r"bias \(4,\) does not fit 3 filters",
    ),
    "transposed channels": (
        lambda: Chain(*IMAGE).then("ConvTranspose", numbers(3, 2, 2, 2)),
        r"weights \(3, 2, 2, 2\) for an input of 4 axes",
    ),
    "transposed groups": (
        lambda: Chain(*IMAGE).then("ConvTranspose", TRANSPOSED, group=2),
        "groups, or an output_shape",
    ),
    "transposed bias": (
        lambda: Chain(*IMAGE).then("ConvTranspose", TRANSPOSED, numbers(5)),
        r"bias \(5,\) does not fit 3 filters",
    ),
    "output padding": (
        lambda: Chain(*IMAGE).then("ConvTranspose", TRANSPOSED, output_padding=[1, 0]),
        r"output_padding \[1, 0\] beyond the padding",
    ),
    "places of maxima": (
        lambda: with_outputs("MaxPool", outputs=["y", "places"], kernel_shape=[2, 2]),
        "the places of maxima are used",
    ),
    "pooling window": (
        lambda: Chain(*IMAGE).then("MaxPool", kernel_shape=[2]),
        r"kernel_shape \[2\] for 2 axes",
    ),
    "pooled channels": (
        lambda: Chain(*IMAGE).then("ReduceMean", integers(1)),
        r"pools over all places, not over axes \[1\]",
    ),
    "numbers of channels": (lambda: normalized(3), "takes 2 numbers each"),
    "rounded up": (
        lambda: Chain("n", 2, "height", 5).then("AveragePool", kernel_shape=[2, 2], ceil_mode=1),
        "SAME_LOWER or ceil_mode on images of any size",
    ),
    "normalized places": (
        lambda: image().then("LayerNormalization", numbers(4), axis=-1),
        "normalises over the channels alone",
    ),
    "normalized batch": (
        lambda: vector().then("LayerNormalization", numbers(4), axis=0),
        "normalises over the channels alone",
    ),
    "scale": (
        lambda: vector().then("LayerNormalization", numbers(3)),
        r"Scale \(3,\) does not fit 4 channels",
    ),
    "repeated channels": (lambda: upsampled([1, 2, 2, 2]), r"scales \[1, 2, 2, 2\]"),
    "interpolation": (lambda: upsampled([1, 1, 2, 2], "linear"), "takes pixels repeated"),
    "half a pixel": (lambda: upsampled([1, 1, 1.5, 2]), "takes pixels repeated"),
    "softmax of places": (lambda: image().then("Softmax", axis=2), "is not that of the channels"),
    "mask": (
        lambda: with_outputs("Dropout", outputs=["y", "mask"], shape=("n", 4)),
        "its mask is used",
    ),
    "division": (
        lambda: vector().then("Gemm", numbers(4, 2)).then("Div", ZERO),
        "divides by the chain, or by zero",
    ),
    "divided by the chain": (
        lambda: vector().then("Div", numbers(4), flip=True),
        "divides by the chain, or by zero",
    ),
    "more axes": (lambda: vector().then("Mul", numbers(3, 1, 4)), r"constant of shape \(3, 1, 4\)"),
    "a matrix": (lambda: vector().then("Mul", numbers(3, 4)), "is no number a channel"),
    "along the width": (lambda: image().then("Mul", numbers(4)), "a constant along w is no number"),
    "no matrix": (lambda: vector().then("Gemm", numbers(4)), r"weights \(4,\) are no matrix"),
    "transposed input": (
        lambda: vector().then("Gemm", numbers(4, 2), transA=1),
        "must be the chain, not transposed",
    ),
    "features": (lambda: vector().then("MatMul", numbers(3, 2)), "do not fit 4 features"),
    "units' bias": (
        lambda: vector().then("Gemm", numbers(4, 2), numbers(3)),
        r"C of shape \(3,\) is no bias of 2 units",
    ),
    "product of a row": (lambda: image().then("MatMul", numbers(4, 2)), "flatten it first"),
    "transposition": (
        lambda: vector().then("Transpose", perm=[0, 0]),
        r"perm \[0, 0\] of a tensor with 2 axes",
    ),
    "another size": (
        lambda: vector().then("Reshape", integers(5, 3)),
        r"cannot make shape \[5, 3\]",
    ),
    "no shape": (lambda: vector().then("Reshape"), "its shape is missing"),
    "squeezed": (lambda: vector().then("Squeeze", integers(1)), "are not all 1"),
    "parts": (
        lambda: vector().then("Gather", integers(0, 1), axis=1),
        "takes more than one part of an axis",
    ),
    "late symbols": (
        lambda: vector().then("Gemm", numbers(4, 2)).then("Gather", numbers(5, 3), flip=True),
        "a table of vectors must be the first layer",
    ),
    "symbols of floats": (
        lambda: Chain("n", "t").then("Gather", numbers(5, 3), flip=True),
        r"a table \(5, 3\) for an input of 2 axes",
    ),
    "lengths": (
        lambda: Chain("t", "n", 4).then(
            "RNN", numbers(1, 5, 4), numbers(1, 5, 5), "", np.array([3], np.int32), hidden_size=5
        ),
        "sequence_lens: a network takes sequences as they are",
    ),
    "outputs and state": (
        lambda: with_outputs(
            "RNN", numbers(1, 5, 4), numbers(1, 5, 5), outputs=["y", "h"],
            shape=("t", "n", 4), hidden_size=5,
        ),
        "not one of Y and Y_h alone is used",
    ),
    "convolution of sequences": (
        lambda: with_cell("RNN").then("Squeeze", integers(1)).then("Conv", numbers(2, 5, 1)),
        "its input lies as|sequences of any length",
    ),
    "one axis": (lambda: Chain("n").then("Relu"), "must have 2 axes or more"),
    "impossible": (lambda: Chain("n", 1 << 33).then("Relu"), "impossible shape"),
    "integers": (
        lambda: vector().then("MatMul", integers(1, 2, 3, 4)[:, None]),
        "must be floats, got int64",
    ),
    "no weights": (lambda: vector().then("Gemm"), r"input 1 \(B\) is missing"),
    "inner output": (inner_output, "is not the end of the chain"),
    "channels of any number": (
        lambda: Chain("n", "c").then("LayerNormalization", numbers(4)),
        "the number of channels must be in the file",
    ),
    "batch": (
        lambda: Chain("n", 4).then("Transpose", perm=[1, 0]).then("Softplus"),
        "the batch is not the input's first axis",
    ),
    "computed weights": (computed_weights, "it is computed of constants: load_graph runs it"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks(name):
    make, message = NETWORKS[name]
    with pytest.raises(OnnxError, match=message):
        network_of(make().model())


SQUARE, WIDE = numbers(3, 3), numbers(2, 4)
GRAPHS = {
    "product": ("MatMul", [SQUARE, WIDE], {}, "do not go together"),
    "number": ("MatMul", [SQUARE, numbers()], {}, "do not go together"),
    "Gemm of stacks": ("Gemm", [numbers(2, 3, 3), SQUARE], {}, "takes matrices"),
    "Gemm": ("Gemm", [SQUARE, WIDE], {}, "do not go together"),
    "C": ("Gemm", [SQUARE, SQUARE, numbers(5)], {"beta": 0.5}, r"C of shape \(5,\) does not fit"),
    "sum": ("Add", [SQUARE, WIDE], {}, "do not go together"),
    "perm": ("Transpose", [WIDE], {"perm": [1, 1]}, r"perm \[1, 1\] of a tensor with 2 axes"),
    "axis": ("Flatten", [WIDE], {"axis": 3}, "axis 3 of a tensor with 2 axes"),
    "squeezed": ("Squeeze", [WIDE, integers(0)], {}, "are not all 1"),
    "joined": ("Concat", [SQUARE, WIDE], {"axis": 0}, "'y.Concat'"),
    "no step": (
        "Slice", [WIDE, integers(0), integers(2), integers(1), integers(0)], {}, r"steps \[0\]"
    ),
    "two ends": ("Slice", [WIDE, integers(0), integers(2, 3)], {}, r"ends \[2, 3\]"),
    "beyond": ("Gather", [WIDE, integers(0, 4)], {"axis": 1}, r"indices 0 .. 4 of an axis of 4"),
    "widened": ("Expand", [WIDE, integers(3, 4)], {}, r"cannot make shape \[3, 4\]"),
    "mirrored": ("Pad", [WIDE, integers(1, 0, 1, 0)], {"mode": "reflect"}, "pads with one number"),
    "cut": ("Pad", [WIDE, integers(-1, 0, 0, 0)], {}, "pads with one number"),
    "type": ("Cast", [WIDE], {"to": 99}, "type 99 is not known here"),
    "values": (
        "ConstantOfShape", [integers(2)], {"value": np.zeros(2, np.float32)}, "must be one number"
    ),
    "missing": ("Add", [WIDE], {}, r"input 1 \(B\) is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_graphs(name):
    op, arrays, attributes, message = GRAPHS[name]
    with pytest.raises(OnnxError, match=message):
        run(op, arrays, **attributes)
