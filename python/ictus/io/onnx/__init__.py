"""ONNX files, in and out, read and written without any other library."""

from ictus.io.onnx.export import save
from ictus.io.onnx.graph import Graph, load_graph
from ictus.io.onnx.network import load
from ictus.io.onnx.proto import OnnxError

__all__ = ["Graph", "OnnxError", "load", "load_graph", "save"]
