"""The backend node tests of the onnx package, single nodes, on a graph of ictus."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph
from ictus.io.onnx.proto import OnnxError

onnx = pytest.importorskip("onnx", reason="the onnx package brings these tests")

#: Modules of onnx.backend.test.case.node, and the operators whose cases they have.
MODULES = {
    "add": "Add", "averagepool": "AveragePool", "batchnorm": "BatchNormalization", "celu": "Celu",
    "conv": "Conv", "convtranspose": "ConvTranspose", "dropout": "Dropout", "elu": "Elu",
    "flatten": "Flatten", "gelu": "Gelu", "gemm": "Gemm", "globalaveragepool": "GlobalAveragePool",
    "globalmaxpool": "GlobalMaxPool", "gru": "GRU", "hardsigmoid": "HardSigmoid",
    "hardswish": "HardSwish", "identity": "Identity", "layernormalization": "LayerNormalization",
    "leakyrelu": "LeakyRelu", "logsoftmax": "LogSoftmax", "lrn": "LRN", "lstm": "LSTM",
    "matmul": "MatMul", "maxpool": "MaxPool", "mish": "Mish", "mul": "Mul", "prelu": "PRelu",
    "relu": "Relu", "reshape": "Reshape", "rnn": "RNN", "selu": "Selu", "sigmoid": "Sigmoid",
    "softmax": "Softmax", "softplus": "Softplus", "softsign": "Softsign", "tanh": "Tanh",
    "thresholdedrelu": "ThresholdedRelu", "transpose": "Transpose",
}  # fmt: skip
#: Cases that cannot agree, and why.
EXCEPTIONS = {
    "test_training_dropout_default": "draws numbers that no two programs share",
    "test_training_dropout_default_mask": "draws numbers that no two programs share",
    "test_training_dropout": "draws numbers that no two programs share",
    "test_training_dropout_mask": "draws numbers that no two programs share",
}


def cases():
    """The cases of single nodes, by name."""
    node = importlib.import_module("onnx.backend.test.case.node")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            try:
                importlib.import_module(f"{node.__name__}.{module}")
            except ImportError:  # of another version of onnx
                continue
    chosen = set(MODULES.values())
    return {
        case.name: case
        for case in node._NodeTestCases
        if case.model is not None
        and len(case.model.graph.node) == 1
        and case.model.graph.node[0].op_type in chosen
    }


def test_backend_node_tests():
    count, wrong = 0, []
    for name, case in cases().items():
        try:
            graph = Graph(parse_model(case.model.SerializeToString()))
            for inputs, outputs in case.data_sets:
                results = graph.run([np.asarray(one) for one in inputs])
                for got, expected in zip(results, outputs, strict=True):
                    expected = np.asarray(expected)
                    assert got.dtype == expected.dtype
                    np.testing.assert_allclose(got, expected, rtol=case.rtol, atol=case.atol)
        except (OnnxError, AssertionError, ValueError) as error:
            if name not in EXCEPTIONS:
                wrong.append(f"{name}: {error}")
            continue
        assert name not in EXCEPTIONS, f"{name} agrees after all"
        count += 1
    assert not wrong, "\n".join(wrong)
    assert count >= 200
