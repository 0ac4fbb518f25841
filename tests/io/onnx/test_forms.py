"""Forms of operators that the files of today's programs seldom have, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.io.onnx.running import run

GENERATOR = np.random.default_rng(1)


def numbers(*shape):
    return GENERATOR.normal(size=shape).astype(np.float32)


def integers(*values):
    return np.array(values, np.int64)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


X, STACK = numbers(3, 4), numbers(2, 3, 4)
WHOLE, ROWS = integers(7, -7, 9, -9).reshape(2, 2), integers(2, 2, -2, 4).reshape(2, 2)
FORMS = {
    "vector by matrix": ("MatMul", [X[0], numbers(4, 2)], {}, lambda a, b: a @ b),
    "matrix by vector": ("MatMul", [X, numbers(4)], {}, lambda a, b: a @ b),
    "stacks": ("MatMul", [STACK, numbers(5, 1, 4, 2)], {}, lambda a, b: a @ b),
    "whole numbers": ("MatMul", [WHOLE, ROWS], {}, lambda a, b: a @ b),
    "Gemm of whole numbers": (
        "Gemm", [WHOLE, ROWS, integers(1, 2)], {"alpha": 2.0, "beta": 3.0},
        lambda a, b, c: 2 * (a @ b) + 3 * c,
    ),
    "Gemm with a part of C": (
        "Gemm", [X, numbers(4, 2), numbers(3, 1)], {"beta": 0.5},
        lambda a, b, c: a @ b + c / 2,
    ),
    "Gemm without C": ("Gemm", [X, numbers(2, 4)], {"transB": 1}, lambda a, b: a @ b.T),
    "division of whole numbers": ("Div", [WHOLE, ROWS], {}, lambda a, b: np.trunc(a / b)),
    "no axis to reduce": ("ReduceSum", [X], {"noop_with_empty_axes": 1}, lambda x: x),
    "all axes": ("ReduceMax", [STACK], {"keepdims": 0}, lambda x: x.max()),
    "all axes of one": ("Squeeze", [numbers(1, 3, 1)], {}, lambda x: x[0, :, 0]),
    "a number": ("Tanh", [numbers()], {}, np.tanh),
    "a number's Mish": ("Mish", [numbers()], {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "axes turned": ("Transpose", [STACK], {}, lambda x: x.transpose()),
    "backwards": (
        "Slice", [X, integers(-1), integers(-(1 << 40)), integers(1), integers(-2)], {},
        lambda x, *_: x[:, ::-2],
    ),
    "GELU by tanh": (
        "Gelu", [X], {"approximate": "tanh"},
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "PRelu": ("PRelu", [X, numbers(4)], {}, lambda x, slope: np.where(x < 0, slope * x, x)),
    "HardSwish": ("HardSwish", [X * 5], {}, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "Mish": ("Mish", [X], {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "part of a shape": (
        "Shape", [STACK], {"start": 1}, lambda x: np.array(x.shape[1:]),
    ),
    "padded axis": (
        "Pad", [X, integers(1, 2), np.float32(7), integers(1)], {},
        lambda x, *_: np.pad(x, ((0, 0), (1, 2)), constant_values=7),
    ),
}  # fmt: skip
OLDER = {
    "Clip": (9, "Clip", [X], {"min": -0.5, "max": 0.25}, lambda x: np.clip(x, -0.5, 0.25)),
    "Slice": (
        9, "Slice", [X], {"starts": [1, 0], "ends": [3, -1], "axes": [0, 1]},
        lambda x: x[1:3, :-1],
    ),
    "Pad": (
        10, "Pad", [X], {"pads": [0, 1, 2, 0], "value": 3.0},
        lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=3),
    ),
    "Softmax": (
        12, "Softmax", [STACK], {"axis": 1}, lambda x: np.stack([softmax(one) for one in x])
    ),
    "LogSoftmax": (
        11, "LogSoftmax", [STACK], {}, lambda x: np.log(np.stack([softmax(one) for one in x]))
    ),
    "Squeeze": (11, "Squeeze", [numbers(3, 1, 2)], {"axes": [1]}, lambda x: x[:, 0]),
    "Unsqueeze": (11, "Unsqueeze", [X], {"axes": [0, 3]}, lambda x: x[None, :, :, None]),
    "ReduceMean": (13, "ReduceMean", [X], {"axes": [-1]}, lambda x: x.mean(1, keepdims=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMS))
def test_forms(name):
    op, arrays, attributes, formula = FORMS[name]
    found, expected = run(op, arrays, **attributes), formula(*arrays)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(OLDER))
def test_older_operator_sets(name):
    opset, op, arrays, attributes, formula = OLDER[name]
    found, expected = run(op, arrays, opset, **attributes), formula(*arrays)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
