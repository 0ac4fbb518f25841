"""Operators that work element by element: activation functions and arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ictus.io.onnx.operators.call import (
    Array,
    Inputs,
    Operator,
    Outputs,
    given,
    is_float,
    optional,
    refuse,
)
from ictus.io.onnx.proto import DTYPES, Node
from ictus.kernels import activation, exp, log, sigmoid


def _native(name: str) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        x = given(node, inputs, 0, "X")
        if not is_float(x):
            raise refuse(node, f"takes floats, got {x.dtype}")
        return activation(np.asarray(x, order="C"), name)

    return function


def _formula(formula: Callable[..., Array], **defaults: float) -> Operator:
    """An operator of one input and attributes that are numbers."""

    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        x = given(node, inputs, 0, "X")
        values = [x.dtype.type(node.real(name, value)) for name, value in defaults.items()]
        return np.asarray(formula(x, *values), x.dtype)

    return function


def _leaky(x: Array, alpha: float) -> Array:
    return np.where(x < 0, alpha * x, x)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _celu(x: Array, alpha: float) -> Array:
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _selu(x: Array, alpha: float, gamma: float) -> Array:
    return gamma * _elu(x, alpha)


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


def _hard_swish(x: Array) -> Array:
    return x * np.clip(x / 6 + 0.5, 0, 1)


def _swish(x: Array, alpha: float) -> Array:
    return x * sigmoid(np.asarray(alpha * x, order="C"))


def _mish(x: Array) -> Array:
    return x * np.tanh(activation(np.asarray(x, order="C"), "softplus"))


def _gelu(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    if node.word("approximate", "none") == "tanh":
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        return np.asarray(0.5 * x * (1 + np.tanh(inner)), x.dtype)
    from scipy.special import erf

    return np.asarray(0.5 * x * (1 + erf(x / np.sqrt(2))), x.dtype)


def _prelu(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, slope = given(node, inputs, 0, "X"), given(node, inputs, 1, "slope")
    return np.where(x < 0, slope * x, x)


def _binary(formula: Callable[[Array, Array], Array]) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        a, b = given(node, inputs, 0, "A"), given(node, inputs, 1, "B")
        try:
            return np.asarray(formula(a, b))
        except ValueError:
            raise refuse(node, f"shapes {a.shape} and {b.shape} do not go together") from None

    return function


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(a / b), a.dtype)
    return a / b


def _plain(formula: Callable[[Array], Array]) -> Operator:
    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        return formula(np.asarray(given(node, inputs, 0, "X"), order="C"))

    return function


def _clip(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x = given(node, inputs, 0, "X")
    low, high = optional(inputs, 1), optional(inputs, 2)
    if opset < 11:
        low = np.asarray(node.real("min", -np.inf), x.dtype)
        high = np.asarray(node.real("max", np.inf), x.dtype)
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _cast(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, number = given(node, inputs, 0, "X"), node.integer("to", 0)
    if number not in DTYPES:
        raise refuse(node, f"type {number} is not known here")
    return x.astype(DTYPES[number], copy=False)


def _identity(node: Node, inputs: Inputs, opset: int) -> Outputs:
    return given(node, inputs, 0, "X")


def _dropout(node: Node, inputs: Inputs, opset: int) -> Outputs:
    x, training = given(node, inputs, 0, "X"), optional(inputs, 2)
    ratio = optional(inputs, 1)
    rate = 0.5 if ratio is None else float(ratio)
    if training is not None and bool(training) and rate:
        raise refuse(node, "dropout of training draws numbers that no two programs share")
    return x, np.ones(x.shape, bool)


def _where(node: Node, inputs: Inputs, opset: int) -> Outputs:
    arrays = [given(node, inputs, i, name) for i, name in enumerate(("condition", "X", "Y"))]
    return np.where(*arrays)


def _power(a: Array, b: Array) -> Array:
    return np.power(a, b).astype(a.dtype)  # of the dtype of the base


def _extreme(formula: Callable[[Array, Array], Array]) -> Operator:
    """An operator of any number of inputs."""

    def function(node: Node, inputs: Inputs, opset: int) -> Outputs:
        result = given(node, inputs, 0, "data")
        for number in range(1, len(inputs)):
            result = formula(result, given(node, inputs, number, "data"))
        return result

    return function


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x), x.dtype)


ELEMENTWISE: dict[str, Operator] = {
    "Relu": _native("relu"),
    "Sigmoid": _native("sigmoid"),
    "Tanh": _native("tanh"),
    "Softplus": _native("softplus"),
    "LeakyRelu": _formula(_leaky, alpha=0.01),
    "Elu": _formula(_elu, alpha=1.0),
    "Celu": _formula(_celu, alpha=1.0),
    "Selu": _formula(_selu, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "HardSigmoid": _formula(_hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": _formula(_hard_swish),
    "Swish": _formula(_swish, alpha=1.0),
    "Mish": _formula(_mish),
    "Softsign": _formula(lambda x: x / (1 + np.abs(x))),
    "ThresholdedRelu": _formula(lambda x, alpha: np.where(x > alpha, x, 0), alpha=1.0),
    "Gelu": _gelu,
    "PRelu": _prelu,
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_divide),
    "Pow": _binary(_power),
    "Max": _extreme(np.maximum),
    "Min": _extreme(np.minimum),
    "Equal": _binary(np.equal),
    "Greater": _binary(np.greater),
    "Less": _binary(np.less),
    "Where": _where,
    "Erf": _plain(_erf),
    "Exp": _plain(exp),
    "Log": _plain(log),
    "Sqrt": _plain(np.sqrt),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Clip": _clip,
    "Cast": _cast,
    "Identity": _identity,
    "Dropout": _dropout,
}
