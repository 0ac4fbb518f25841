"""Operators of a graph against onnxruntime, with random geometry, states and attributes."""

from __future__ import annotations

import numpy as np
import pytest

from ictus.io.onnx.builder import Builder
from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph
from ictus.io.onnx.proto import OnnxError

runtime = pytest.importorskip("onnxruntime", reason="what the operators are compared with")


def both(op, arrays, outputs=1, **attributes):
    """Outputs of one node in ictus and in onnxruntime; None where both refuse it."""
    builder = Builder()
    names = [
        "" if a is None else builder.input(f"x{i}", a.dtype, a.shape) for i, a in enumerate(arrays)
    ]
    made = [f"y{i}" for i in range(outputs)]
    builder.node(op, names, outputs=made, **attributes)
    for name in made:
        wide = op == "MaxPool" and name == "y1"
        builder.output(name, np.int64 if wide else np.float32, None)
    data = builder.model()
    feed = {f"x{i}": a for i, a in enumerate(arrays) if a is not None}
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        expected = runtime.InferenceSession(data, options).run(None, feed)
    except Exception:  # of many classes
        expected = None
    try:
        got = Graph(parse_model(data)).run(feed)
    except OnnxError:
        got = None
    return got, expected


def check(op, arrays, outputs=1, **attributes):
    """Compare; return whether there was something to compare."""
    got, expected = both(op, arrays, outputs, **attributes)
    if expected is None or not all(one.size for one in expected):
        return False  # a window that fits nowhere gives nothing there, and an error here
    assert got is not None, f"{op} {attributes} on {[a.shape for a in arrays if a is not None]}"
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=f"{op} {attributes}")
    return True


def geometry(g, axes, transposed=False):
    """Attributes of a window."""
    result = {
        "kernel_shape": [int(n) for n in g.integers(1, 4, axes)],
        "strides": [int(n) for n in g.integers(1, 4, axes)],
        "dilations": [int(n) for n in g.integers(1, 3, axes)],
    }
    kind = g.integers(0, 4)
    if kind == 0:
        result["auto_pad"] = ["SAME_UPPER", "SAME_LOWER", "VALID"][g.integers(3)]
        # onnxruntime pads by size without dilation alone, and crops where windows leave gaps.
        result["dilations"] = [1] * axes
        result["strides"] = np.minimum(result["strides"], result["kernel_shape"]).tolist()
    elif kind > 1:
        most = result["kernel_shape"] * 2
        result["pads"] = [int(g.integers(0, n)) for n in most]
    return result


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolution(axes):
    g = np.random.default_rng(axes)
    count = 0
    for _ in range(40):
        groups, options = int(g.integers(1, 3)), geometry(g, axes)
        x = g.normal(size=(2, 2 * groups, *g.integers(4, 9, axes))).astype(np.float32)
        w = g.normal(size=(3 * groups, 2, *options["kernel_shape"])).astype(np.float32)
        bias = g.normal(size=3 * groups).astype(np.float32) if g.integers(2) else None
        arrays = [x, w] if bias is None else [x, w, bias]
        count += check("Conv", arrays, group=groups, **options)
        w = g.normal(size=(2 * groups, 3, *options["kernel_shape"])).astype(np.float32)
        most = np.maximum(options["strides"], options["dilations"])
        extra = [0 if "auto_pad" in options else int(n) for n in g.integers(0, most)]
        arrays = [x, w] if bias is None else [x, w, bias]
        count += check("ConvTranspose", arrays, group=groups, output_padding=extra, **options)
    assert count > 40


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pooling(axes):
    g = np.random.default_rng(10 + axes)
    count = 0
    for _ in range(40):
        options = geometry(g, axes)
        options["ceil_mode"] = int("auto_pad" not in options and g.integers(2))
        x = g.normal(size=(2, 3, *g.integers(4, 9, axes))).astype(np.float32)
        count += check("MaxPool", [x], 2, storage_order=int(g.integers(2)), **options)
        count += check("AveragePool", [x], count_include_pad=int(g.integers(2)), **options)
    assert count > 40


@pytest.mark.parametrize("op", ["RNN", "LSTM", "GRU"])
def test_recurrent(op):
    g = np.random.default_rng(5)
    gates, count = {"RNN": 1, "LSTM": 4, "GRU": 3}[op], 0
    for number in range(40):
        direction = ["forward", "reverse", "bidirectional"][number % 3]
        d, units, features, batch, time = 1 + (number % 3 == 2), 3, 4, 3, 5

        def array(*shape):
            return g.normal(size=shape).astype(np.float32)

        arrays = [array(time, batch, features), array(d, gates * units, features),
                  array(d, gates * units, units)]  # fmt: skip
        arrays.append(array(d, 2 * gates * units) if g.integers(2) else None)
        arrays.append(g.integers(1, time + 1, batch).astype(np.int32) if g.integers(2) else None)
        arrays.append(array(d, batch, units) if g.integers(2) else None)
        options = {"hidden_size": units, "direction": direction}
        if op == "LSTM":
            arrays.append(array(d, batch, units) if g.integers(2) else None)
            arrays.append(array(d, 3 * units) if g.integers(2) else None)
            if not g.integers(3):
                options["input_forget"] = 1
        if op == "GRU":
            options["linear_before_reset"] = int(g.integers(2))
        if not g.integers(3) and "input_forget" not in options:
            options["clip"] = 0.5
        if op == "RNN" and g.integers(2):
            options["activations"] = [["Relu", "Tanh", "Sigmoid"][g.integers(3)]] * d
        count += check(op, arrays, 3 if op == "LSTM" else 2, **options)
    assert count == 40


def test_shapes_and_arithmetic():
    g = np.random.default_rng(6)
    x = g.normal(size=(2, 3, 4)).astype(np.float32)
    count = 0
    for axis in (-3, -1, 0, 2):
        for op in ("Softmax", "LogSoftmax"):
            count += check(op, [x], axis=axis)
        count += check("Concat", [x, x], axis=axis)
        count += check("ReduceMean", [x, np.array([axis])], keepdims=axis % 2)
        count += check("ReduceMax", [x, np.array([axis, 1])], keepdims=0)
        count += check("Unsqueeze", [x, np.array([axis, 1])])
    for shape in [(6, -1), (0, -1), (0, 0, 2, 2), (-1,), (3, 2, 4)]:
        count += check("Reshape", [x, np.array(shape)])
    for starts, ends, axes, steps in [
        ([1], [3], [1], [1]), ([-1], [-10], [2], [-1]), ([0, -2], [9, 3], [0, 2], [1, 2]),
        ([3], [-(1 << 62)], [2], [-2]), ([5], [9], [1], [1]),
    ]:  # fmt: skip
        count += check("Slice", [x, *map(np.array, (starts, ends, axes, steps))])
    for indices in (np.array([0, -1]), np.array(2), np.array([[1], [0]])):
        count += check("Gather", [x, indices], axis=1)
    for op in ("Max", "Min"):
        count += check(op, [x, x[:1], -x])
    positive = np.abs(x)
    count += check("Pow", [positive, np.array(1.5, np.float32)])
    count += check("Erf", [x])
    count += check("Where", [x > 0, x, x[:1] * 2])
    for op in ("Add", "Sub", "Mul", "Div"):
        count += check(op, [x, g.normal(size=(3, 1)).astype(np.float32)])
    count += check("MatMul", [x, g.normal(size=(2, 4, 5)).astype(np.float32)])
    count += check("MatMul", [x, g.normal(size=(4, 5)).astype(np.float32)])
    count += check("Expand", [x[:, :1], np.array([2, 3, 1])])
    count += check("Clip", [x, np.array(-0.5, np.float32), np.array(0.25, np.float32)])
    count += check("ReduceL2", [x, np.array([-1])], keepdims=0)
    assert count == 4 * 6 + 5 + 4 + 3 + 4 + 5 + 5


def test_inputs_are_checked():
    builder = Builder()
    x = builder.input("x", np.float32, ("n", 4))
    builder.node("Relu", [x], outputs=["y"])
    builder.output("y", np.float32, ("n", 4))
    graph = Graph(parse_model(builder.model()))
    good = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(graph.run({"x": -good})[0], 0 * good)
    for inputs, message in [
        ({}, "input 'x' is missing"),
        ({"x": good, "z": good}, "inputs must be among"),
        ([good, good], "inputs must be 1, got 2"),
        ([good.astype(np.float64)], "input 'x' must be float32, got float64"),
        ([good[0]], "input 'x' must have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            graph.run(inputs)
