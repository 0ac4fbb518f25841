"""What the functions of operators share: their type, and checks of what they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.proto import Node, OnnxError

Array = NDArray[Any]
Inputs = Sequence[Array | None]
Outputs = Array | tuple[Array | None, ...]
#: node, inputs, version of the operator set -> outputs
Operator = Callable[[Node, Inputs, int], Outputs]


def given(node: Node, inputs: Inputs, number: int, name: str) -> Array:
    """Return an input that an operator cannot do without."""
    value = inputs[number] if number < len(inputs) else None
    if value is None:
        raise OnnxError(f"{node}: input {number} ({name}) is missing")
    return value


def optional(inputs: Inputs, number: int) -> Array | None:
    """Return an input that may be missing."""
    return inputs[number] if number < len(inputs) else None


def axis_of(node: Node, axis: int, rank: int, *, last: bool = False) -> int:
    """Return an axis counted from 0; `last` allows the rank itself."""
    if not -rank <= axis < rank + last:
        raise OnnxError(f"{node}: axis {axis} of a tensor with {rank} axes")
    return axis % rank if axis < rank and rank else axis


def is_float(x: Array) -> bool:
    """Whether the kernels take this dtype."""
    return x.dtype in (np.float32, np.float64)


def refuse(node: Node, why: str) -> OnnxError:
    """The error of a node that ictus cannot take."""
    return OnnxError(f"{node}: {why}")
