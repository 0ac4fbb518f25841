"""The operators of a graph, by name: functions of a node, its inputs and the operator set."""

from __future__ import annotations

from ictus.io.onnx.operators.elementwise import ELEMENTWISE
from ictus.io.onnx.operators.linear import LINEAR
from ictus.io.onnx.operators.normalization import NORMALIZATION
from ictus.io.onnx.operators.pooling import POOLING
from ictus.io.onnx.operators.recurrent import RECURRENT
from ictus.io.onnx.operators.shape import SHAPE
from ictus.io.onnx.operators.windows import CONVOLUTION

OPERATORS = {
    **ELEMENTWISE,
    **LINEAR,
    **NORMALIZATION,
    **POOLING,
    **RECURRENT,
    **SHAPE,
    **CONVOLUTION,
}
