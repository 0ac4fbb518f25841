"""Runs one node by itself."""

from __future__ import annotations

from ictus.io.onnx.builder import Builder
from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph


def run(op, arrays, opset=None, **attributes):
    """The output of one node on arrays, None for one that is missing; of another operator set."""
    builder = Builder()
    names = [
        "" if a is None else builder.input(f"x{i}", a.dtype, a.shape) for i, a in enumerate(arrays)
    ]
    builder.output(builder.node(op, names, outputs=["y"], **attributes), "float32", None)
    model = parse_model(builder.model())
    model.opset = opset or model.opset
    return Graph(model).run([a for a in arrays if a is not None])[0]
