"""Boltzmann machines as ONNX graphs: what their estimators' ``transform`` gives.

With labels beside the units (a deep belief net as a classifier): the probabilities of the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.io.onnx.builder import Builder
from ictus.kernels.convolution import padded

MEANS = {"bernoulli": "Sigmoid", "gaussian": "", "rectified": "Softplus"}
#: The input of units that are not there.
NEVER = -1e30


def add_machine(builder: Builder, model: Any) -> None:
    """Add the machine of a fitted estimator, from ``x`` to ``y``, to a graph.

    Raises
    ------
    TypeError
        An estimator whose machine is not written here.
    ValueError
        It is not fitted.
    """
    kind = type(model).__name__
    machine = getattr(model, "machine_", None) or getattr(model, "rbm_", None)
    writers = {
        "BernoulliRBM": _rbm,
        "GaussianRBM": _rbm,
        "SoftmaxRBM": _rbm,
        "DeepBeliefNet": _deep,
        "DBNClassifier": _deep,
        "MeanCovarianceRBM": _mean_covariance,
        "ConvolutionalRBM": _convolutional,
    }
    if kind not in writers:
        raise TypeError(f"save: a {kind} has no form in ONNX here")
    if machine is None:
        raise ValueError(f"save: the {kind} is not fitted")
    if getattr(model, "encoding", "one-hot") != "one-hot":
        raise TypeError(f"save: a {kind} that takes categories, not one-hot, has no form in ONNX")
    shape: tuple[int, ...] = (machine.visible_units,)
    if kind == "ConvolutionalRBM":
        shape = machine.image_shape
    x = builder.input("x", np.float32, ("batch", *shape))
    y, sizes = writers[kind](builder, model, machine, x)
    builder.node("Identity", [y], outputs=["y"])
    builder.output("y", np.float32, ("batch", *sizes))


def _numbers(array: Any) -> Any:
    return np.ascontiguousarray(array, np.float32)


def _hidden(builder: Builder, machine: Any, x: str) -> str:
    """The means of the hidden units of an RBM."""
    weights = machine.weights
    if machine.variance is not None:
        weights = weights / machine.variance[:, None]
    names = [builder.constant(_numbers(weights), "weights"),
             builder.constant(_numbers(machine.hidden_bias), "bias")]  # fmt: skip
    name = builder.node("Gemm", [x, *names])
    op = MEANS[machine.hidden_type]
    return builder.node(op, [name]) if op else name


def _rbm(builder: Builder, model: Any, machine: Any, x: str) -> tuple[str, tuple[int, ...]]:
    return _hidden(builder, machine, x), (machine.hidden_units,)


def _deep(builder: Builder, model: Any, machine: Any, x: str) -> tuple[str, tuple[int, ...]]:
    for part in machine.recognition:
        x = _hidden(builder, part, x)
    if not machine.labels:
        return _hidden(builder, machine.top, x), (machine.hidden_units,)
    probabilities = _labels(builder, machine, x)
    if hasattr(model, "classes_"):
        return probabilities, (machine.labels,)
    joined = builder.node("Concat", [x, probabilities], axis=1)
    return _hidden(builder, machine.top, joined), (machine.hidden_units,)


def _labels(builder: Builder, machine: Any, x: str) -> str:
    """Probabilities of the labels: softmax of minus the free energy with each of them."""
    top, units = machine.top, machine.top_units
    below = builder.constant(_numbers(top.weights[:units]), "weights")
    of_labels = builder.constant(_numbers(top.weights[units:] + top.hidden_bias), "labels")
    bias = builder.constant(_numbers(top.visible_bias[units:]), "bias")
    inputs = builder.node("MatMul", [x, below])
    inputs = builder.node("Unsqueeze", [inputs, builder.integers(1)])
    inputs = builder.node("Softplus", [builder.node("Add", [inputs, of_labels])])
    energy = builder.node("ReduceSum", [inputs, builder.integers(2)], keepdims=0)
    return builder.node("Softmax", [builder.node("Add", [energy, bias])], axis=-1)


def _mean_covariance(
    builder: Builder, model: Any, machine: Any, x: str
) -> tuple[str, tuple[int, ...]]:
    def constant(array: Any, name: str) -> str:
        return builder.constant(_numbers(array), name)

    square = builder.node("Mul", [x, x])
    length = builder.node("ReduceMean", [square, builder.integers(1)], keepdims=1)
    length = builder.node("Add", [length, constant(np.float32(machine.offset), "offset")])
    filters = builder.node("MatMul", [x, constant(machine.filters, "filters")])
    squares = builder.node("Div", [builder.node("Mul", [filters, filters]), length])
    pooling = -np.eye(machine.factors) if machine.pooling is None else machine.pooling
    names = constant(0.5 * pooling, "pooling"), constant(machine.covariance_bias, "bias")
    covariance = builder.node("Sigmoid", [builder.node("Gemm", [squares, *names])])
    parts, units = [covariance], machine.covariance_units
    if model.features != "covariance" and machine.mean_units:
        names = constant(machine.weights, "weights"), constant(machine.mean_bias, "bias")
        parts.append(builder.node("Sigmoid", [builder.node("Gemm", [x, *names])]))
        units += machine.mean_units
    if model.features == "mean":
        return parts[-1], (machine.mean_units,)
    return (builder.node("Concat", parts, axis=1) if len(parts) > 1 else covariance), (units,)


def _convolutional(
    builder: Builder, model: Any, machine: Any, x: str
) -> tuple[str, tuple[int, ...]]:
    window = machine.weights.shape[:2]
    size, (height, width, maps) = machine.image_shape[:2], machine.pooled_shape
    before, places = padded(machine.padding, size, window, (1, 1), (1, 1))
    after = [p + w - 1 - n - b for p, w, n, b in zip(places, window, size, before, strict=True)]
    weights = builder.constant(_numbers(machine.weights.transpose(3, 2, 0, 1)), "weights")
    bias = builder.constant(_numbers(machine.hidden_bias), "bias")
    name = builder.node("Transpose", [x], perm=[0, 3, 1, 2])
    name = builder.node("Conv", [name, weights, bias], pads=[*before, *after])
    down, across = machine.block
    rest = [height * down - places[0], width * across - places[1]]
    if any(rest):  # blocks over the edge
        pads = builder.integers(0, 0, 0, 0, 0, 0, *rest)
        name = builder.node("Pad", [name, pads, builder.constant(np.float32(NEVER), "never")])
    name = builder.node("Reshape", [name, builder.integers(-1, maps, height, down, width, across)])
    # A block's pooling unit is on where one of its units is.
    name = builder.node("ReduceLogSumExp", [name, builder.integers(3, 5)], keepdims=0)
    name = builder.node("Transpose", [builder.node("Sigmoid", [name])], perm=[0, 2, 3, 1])
    if not model.flatten:
        return name, (height, width, maps)
    return builder.node("Flatten", [name], axis=1), (height * width * maps,)
