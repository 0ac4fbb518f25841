"""A graph of ONNX operators that runs node by node on the kernels of ictus.

For what is no chain of layers: several inputs or outputs, branches, states of recurrent layers. The
tensors are those of ONNX, with channels first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.file import read_model
from ictus.io.onnx.operators import OPERATORS
from ictus.io.onnx.proto import DTYPES, Model, Node, OnnxError

Array = NDArray[Any]


class Graph:
    """An ONNX model as it is; made by :func:`load_graph`.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    inputs, outputs : list of str
        Names of what the graph takes and gives.
    opset : int
        Version of the operator set.

    Raises
    ------
    OnnxError
        An operator that ictus does not have; the message names the node.
    """

    def __init__(self, model: Model) -> None:
        self.opset, self._nodes = model.opset, model.nodes
        for node in model.nodes:
            check_known(node)
        self._constants = _aligned(model)
        self._values = [v for v in model.inputs if v.name not in self._constants]
        self.inputs = [value.name for value in self._values]
        self.outputs = [value.name for value in model.outputs]
        # How often each tensor is used: it is let go after the last time.
        self._uses = Counter(name for node in model.nodes for name in node.inputs)
        self._uses.update(self.outputs)

    def run(self, inputs: Mapping[str, Any] | Sequence[Any]) -> list[Array]:
        """Return the outputs, in the order of ``outputs``.

        Parameters
        ----------
        inputs : mapping or sequence
            Arrays by the names of the inputs, or in their order.

        Raises
        ------
        ValueError
            An input that is missing, unknown, or of another dtype or rank than the graph says.
        OnnxError
            A node that cannot work on what it is given; the message names it.
        """
        values = dict(self._constants) | self._checked(inputs)
        left = self._uses.copy()
        for node in self._nodes:
            arrays = [values[name] if name else None for name in node.inputs]
            for name, value in zip(node.outputs, self._call(node, arrays), strict=False):
                if name and value is not None:
                    values[name] = value
            for name in node.inputs:
                left[name] -= 1
                if not left[name] and name not in self._constants:
                    values.pop(name, None)
        missing = [name for name in self.outputs if name not in values]
        if missing:
            raise OnnxError(f"output {missing[0]!r} is not given here")
        return [np.asarray(values[name], order="C") for name in self.outputs]

    def _checked(self, inputs: Mapping[str, Any] | Sequence[Any]) -> dict[str, Array]:
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self.inputs):
                raise ValueError(f"inputs must be {len(self.inputs)}, got {len(inputs)}")
            inputs = dict(zip(self.inputs, inputs, strict=True))
        unknown = sorted(set(inputs) - set(self.inputs))
        if unknown:
            raise ValueError(f"inputs must be among {self.inputs}, got {unknown[0]!r}")
        result = {}
        for value in self._values:
            if value.name not in inputs:
                raise ValueError(f"input {value.name!r} is missing")
            array = np.asarray(inputs[value.name])
            dtype = DTYPES.get(value.data_type)
            if dtype is not None and array.dtype != dtype:
                raise ValueError(f"input {value.name!r} must be {dtype}, got {array.dtype}")
            if value.shape is not None and array.ndim != len(value.shape):
                raise ValueError(
                    f"input {value.name!r} must have shape {value.shape}, got {array.shape}"
                )
            result[value.name] = array
        return result

    def _call(self, node: Node, arrays: list[Array | None]) -> tuple[Array | None, ...]:
        # Half precision is computed in single.
        half = any(a is not None and a.dtype == np.float16 for a in arrays)
        if half:
            arrays = [
                a.astype(np.float32) if a is not None and a.dtype == np.float16 else a
                for a in arrays
            ]
        try:
            result = OPERATORS[node.op](node, arrays, self.opset)
        except OnnxError:
            raise
        except (ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
            raise OnnxError(f"{node}: {error}") from error
        outputs = result if isinstance(result, tuple) else (result,)
        if half and node.op != "Cast":
            outputs = tuple(
                o.astype(np.float16) if o is not None and o.dtype == np.float32 else o
                for o in outputs
            )
        return outputs


def _aligned(model: Model) -> dict[str, Array]:
    """The initializers, where the kernels can read them: copies of those that lie at odd places."""
    room = 2 * model.size + (0 if model.files is None else model.files.size)
    result = {}
    for name, tensor in model.initializers.items():
        array = tensor.array()
        if not array.flags.aligned:
            room -= array.nbytes
            if room < 0:
                raise OnnxError(f"tensor {name!r} and others are the same bytes of a file")
            array = array.copy()
        result[name] = array
    return result


def check_known(node: Node) -> None:
    """Raise OnnxError where a node has an operator that ictus does not have."""
    if node.domain not in ("", "ai.onnx") or node.op not in OPERATORS:
        domain = f" of {node.domain}" if node.domain else ""
        raise OnnxError(f"{node}: ictus has no operator {node.op}{domain}")


def load_graph(path: str | os.PathLike[str]) -> Graph:
    """Read an ONNX file as the graph it is.

    Parameters
    ----------
    path : path

    Raises
    ------
    OnnxError
        The file is damaged, or has an operator that ictus does not have.
    OSError
        It cannot be read.
    """
    return Graph(read_model(path))
