"""Chains of nodes as other programs write them become networks; what is no chain is named."""

from __future__ import annotations

import numpy as np
import pytest

from ictus.io.onnx import OnnxError
from ictus.io.onnx.builder import Builder
from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph
from ictus.io.onnx.network import network_of
from ictus.nn import Network, SequenceNetwork

GENERATOR = np.random.default_rng(0)


def numbers(*shape):
    return GENERATOR.normal(size=shape).astype(np.float32)


class Chain:
    """Nodes one after another."""

    def __init__(self, *shape, dtype=np.float32):
        self.builder = Builder()
        self.name = self.builder.input("x", dtype, shape)

    def then(self, op, *more, flip=False, **attributes):
        names = [one if isinstance(one, str) else self.builder.constant(one) for one in more]
        names = [*names, self.name] if flip else [self.name, *names]
        self.name = self.builder.node(op, names, **attributes)
        return self

    def model(self):
        self.builder.output(self.name, np.float32, None)
        return parse_model(self.builder.model())


def integers(*values):
    return np.array(values, np.int64)


def dense():
    chain = Chain("n", 4).then("MatMul", numbers(4, 5)).then("Add", numbers(5), flip=True)
    chain.then("Relu").then("Dropout").then("Mul", numbers(5)).then("Sub", numbers(1, 5))
    chain.then("Div", np.float32(1.5)).then("Sub", numbers(5), flip=True)
    chain.then("LayerNormalization", numbers(5), numbers(5), axis=-1)
    return chain.then("Gemm", numbers(3, 5), numbers(1), transB=1, alpha=0.5, beta=2.0)


def flattened():
    chain = Chain("n", 2, 6, 5).then("Conv", numbers(4, 2, 3, 2), pads=[1, 0, 0, 1])
    chain.then("Softplus").then("LRN", size=3, alpha=0.5).then("Flatten")
    chain.then("BatchNormalization", *(np.abs(numbers(100)) + 0.1 for _ in range(4)))
    chain.then("Mul", numbers(100)).then("Gemm", numbers(100, 7), numbers(7)).then("Tanh")
    return chain.then("Reshape", integers(0, -1)).then("MatMul", numbers(7, 2)).then("Softmax")


def places():
    chain = Chain("n", 2, "height", 8).then("Conv", numbers(4, 1, 3, 3), numbers(4), group=2)
    chain.then("MaxPool", kernel_shape=[2, 2]).then("AveragePool", kernel_shape=[1, 2])
    chain.then("ConvTranspose", numbers(4, 3, 2, 2), strides=[2, 2], pads=[0, 1, 1, 0])
    return chain.then("Conv", numbers(2, 3, 1, 1), numbers(2)).then("Sigmoid")


def whole():
    chain = Chain("n", 2, "time").then("Conv", numbers(3, 2, 3), auto_pad="SAME_UPPER")
    chain.then("Relu").then("ReduceMax", integers(-1), keepdims=0)
    return chain.then("Gemm", numbers(3, 2), numbers(2)).then("LogSoftmax", axis=1)


def gru():
    chain = Chain("steps", "n", 4).then("MatMul", numbers(4, 3)).then("Add", numbers(3))
    weights = [numbers(1, 15, 3), numbers(1, 15, 5), numbers(1, 30)]
    chain.then("GRU", *weights, hidden_size=5, linear_before_reset=1)
    return chain.then("Squeeze", integers(1)).then("MatMul", numbers(5, 2))


def last_step():
    weights = [numbers(1, 5, 4), numbers(1, 5, 5)]
    chain = Chain("n", "steps", 4).then("Transpose", perm=[1, 0, 2])
    chain.then("RNN", *weights, hidden_size=5, activations=["Relu"])
    chain.then("Squeeze", integers(1)).then("Gather", np.array(-1), axis=0)
    return chain.then("Gemm", numbers(5, 2), numbers(2))


def final_states():
    chain = Chain("n", "steps", 4).then("Transpose", perm=[1, 0, 2])
    names = [chain.builder.constant(one) for one in (numbers(2, 20, 4), numbers(2, 20, 5))]
    chain.name = chain.builder.node(
        "LSTM", [chain.name, *names], outputs=["", "h"], hidden_size=5, direction="bidirectional"
    )
    chain.then("Transpose", perm=[1, 0, 2]).then("Reshape", integers(0, 10))
    return chain.then("Gemm", numbers(10, 2), numbers(2))


CHAINS = {
    "dense": (dense, (3, 4), "squared_error"),
    "flattened": (flattened, (3, 2, 6, 5), "softmax_cross_entropy"),
    "places": (places, (2, 2, 7, 8), "binary_cross_entropy"),
    "whole": (whole, (2, 2, 9), "softmax_cross_entropy"),
    "gru": (gru, (6, 3, 4), "squared_error"),
    "last_step": (last_step, (3, 6, 4), "squared_error"),
    "final_states": (final_states, (3, 6, 4), "squared_error"),
}


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_chains(name):
    make, shape, loss = CHAINS[name]
    model, x = make().model(), numbers(*shape)
    network, expected = network_of(model), Graph(model).run([x])[0]
    assert network.loss_name == loss
    if isinstance(network, SequenceNetwork):
        turned = x.swapaxes(0, 1) if name == "gru" else x
        expected = expected.swapaxes(0, 1) if name == "gru" else expected
        np.testing.assert_allclose(np.stack(network.predict(turned)), expected, atol=1e-5)
        return
    assert type(network) is Network
    got = network.predict(np.moveaxis(x, 1, -1) if x.ndim > 2 else x)
    got = np.moveaxis(got, -1, 1) if got.ndim > 2 else got
    expected = np.exp(expected) if name == "whole" else expected
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def branch():
    chain = Chain("n", 4).then("Gemm", numbers(4, 4), numbers(4))
    before = chain.name
    return chain.then("Relu").then("Add", before)


def state():
    chain = Chain("t", "n", 4)
    weights = [numbers(1, 20, 4), numbers(1, 20, 5), numbers(1, 40), "", numbers(1, 1, 5)]
    return chain.then("LSTM", *weights, hidden_size=5)


def with_cell(op="GRU", **options):
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[op]
    weights = [numbers(1, gates * 5, 4), numbers(1, gates * 5, 5)]
    return Chain("t", "n", 4).then(op, *weights, hidden_size=5, **options)


def two_inputs():
    chain = Chain("n", 4)
    return chain.then("Add", chain.builder.input("z", np.float32, ("n", 4)))


IMAGE = ("n", 2, 6, 5)
REFUSED = {
    "branch": (branch, "'gemm' is used twice|joins branches"),
    "two inputs": (two_inputs, "the graph has 2 and 1: load_graph runs it as it is"),
    "activation": (lambda: Chain("n", 4).then("Elu"), "'elu.Elu' .Elu.: no layer of ictus does"),
    "softmax within": (
        lambda: Chain("n", 4).then("Softmax").then("Gemm", numbers(4, 2)),
        "'softmax.Softmax' .*: a network has it at its end alone",
    ),
    "initial state": (state, r"'lstm.LSTM' .*: an initial state that is not zero"),
    "reset gate": (with_cell, "'gru.GRU' .*: linear_before_reset 0: no layer of ictus has that"),
    "clip": (lambda: with_cell("LSTM", clip=1.0), "clip: no layer of ictus has that"),
    "reverse": (lambda: with_cell("RNN", direction="reverse"), "direction reverse alone"),
    "cell function": (
        lambda: with_cell("RNN", activations=["Sigmoid"]), r"activations \['Sigmoid'\]: no layer"
    ),
    "zeros that count": (
        lambda: Chain(*IMAGE).then("AveragePool", kernel_shape=[2, 2], pads=[1] * 4,
                                   count_include_pad=1),
        "zeros around the image count",
    ),
    "flattened output": (
        lambda: Chain(*IMAGE).then("Conv", numbers(3, 2, 2, 2)).then("Flatten"),
        "the output is flattened with the channels first",
    ),
    "images of any size": (
        lambda: Chain("n", 2, "height", 5).then("Conv", numbers(3, 2, 2, 2)).then("Flatten")
        .then("Gemm", numbers(60, 2)),
        "Flatten needs examples of a fixed size|do not fit",
    ),
    "weights of the input": (
        lambda: Chain("n", 4).then("MatMul", numbers(3, 4), flip=True),
        "its first input must be the chain",
    ),
    "window": (
        lambda: Chain(*IMAGE).then("Conv", numbers(3, 2, 9, 2)),
        "'conv.Conv' .*: Conv2D on examples of shape .* the window must fit",
    ),
    "groups": (
        lambda: Chain(*IMAGE).then("Conv", numbers(3, 2, 2, 2), group=2),
        r"weights \(3, 2, 2, 2\) in 2 groups do not fit 2 channels",
    ),
    "no layer": (lambda: Chain("n", 4).then("Identity"), "the graph has no layer"),
    "rows of a matrix": (
        lambda: Chain("n", 4).then("Gather", np.array(2), axis=1), "takes part 2 of an axis"
    ),
    "three axes": (
        lambda: Chain("n", 2, 5, 5, 5).then("Conv", numbers(3, 2, 2, 2, 2)),
        "takes 3 or 4 axes, got 5",
    ),
    "training": (
        lambda: Chain("n", 4).then("BatchNormalization", *(numbers(4) for _ in range(4)),
                                   training_mode=1),
        "training_mode",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_network_is_named(name):
    make, message = REFUSED[name]
    with pytest.raises(OnnxError, match=message):
        network_of(make().model())
