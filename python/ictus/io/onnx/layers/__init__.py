"""The operators that layers are: a handler each, which plans the layer and returns the axes."""

from __future__ import annotations

from collections.abc import Callable

from ictus.io.onnx.axes import Axes
from ictus.io.onnx.layers.elementwise import ELEMENTWISE
from ictus.io.onnx.layers.linear import LINEAR
from ictus.io.onnx.layers.recurrent import RECURRENT
from ictus.io.onnx.layers.shape import SHAPE
from ictus.io.onnx.layers.windows import WINDOWS

HANDLERS: dict[str, Callable[..., Axes]] = {
    **ELEMENTWISE,
    **LINEAR,
    **RECURRENT,
    **SHAPE,
    **WINDOWS,
}
