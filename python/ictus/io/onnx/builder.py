"""Writes ONNX models: nodes, initializers, inputs and outputs, as the bytes of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.proto import TYPE_NUMBERS
from ictus.io.onnx.wire import bytes_field, float_field, integer_field, integers_field

Array = NDArray[Any]

#: Version of the operator set, and of the format, of the files that are written.
OPSET, IR_VERSION = 20, 9
# Kinds of attributes.
FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8


def tensor(array: Any, name: str = "") -> bytes:
    """Return a TensorProto."""
    data = np.ascontiguousarray(array)
    kind = TYPE_NUMBERS[data.dtype.newbyteorder("=")]
    return (
        b"".join(integer_field(1, n) for n in np.shape(array))
        + integer_field(2, kind)
        + bytes_field(8, name)
        + bytes_field(9, data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
    )


def attribute(name: str, value: Any) -> bytes:
    """Return an AttributeProto."""
    head = bytes_field(1, name)
    if isinstance(value, np.ndarray):
        return head + bytes_field(5, tensor(value)) + integer_field(20, TENSOR)
    if isinstance(value, str):
        return head + bytes_field(4, value) + integer_field(20, STRING)
    if isinstance(value, int):
        return head + integer_field(3, value) + integer_field(20, INT)
    if isinstance(value, float):
        return head + float_field(2, value) + integer_field(20, FLOAT)
    if value and isinstance(value[0], str):
        words = b"".join(bytes_field(9, word) for word in value)
        return head + words + integer_field(20, STRINGS)
    return head + integers_field(8, value) + integer_field(20, INTS)


def value_info(name: str, dtype: Any, shape: Sequence[int | str] | None) -> bytes:
    """Return a ValueInfoProto; an axis of any size has a name, None is any shape."""
    dims = b"".join(
        bytes_field(1, integer_field(1, n) if isinstance(n, int) else bytes_field(2, n))
        for n in shape or ()
    )
    kind = integer_field(1, TYPE_NUMBERS[np.dtype(dtype)])
    kind += b"" if shape is None else bytes_field(2, dims)
    return bytes_field(1, name) + bytes_field(2, bytes_field(1, kind))


class Builder:
    """A graph in the making.

    Parameters
    ----------
    name : str
        Of the graph.
    """

    def __init__(self, name: str = "ictus") -> None:
        self.name = name
        self._nodes: list[bytes] = []
        self._initializers: dict[str, bytes] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._names: set[str] = set()

    def unique(self, wanted: str) -> str:
        """Return a name that nothing has, like the one wanted."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """Add an input of the graph."""
        self._names.add(name)
        self._inputs.append(value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: Any, shape: Sequence[int | str] | None) -> None:
        """Say that a tensor is an output of the graph."""
        self._outputs.append(value_info(name, dtype, shape))

    def constant(self, array: Any, name: str = "constant") -> str:
        """Add an initializer (small ones once); return its name."""
        data = np.asarray(array)
        key = (data.dtype.str, data.shape, data.tobytes()) if data.size <= 8 else None
        if key is not None and key in self._known:
            return self._known[key]
        made = self.unique(name)
        self._initializers[made] = tensor(data, made)
        if key is not None:
            self._known[key] = made
        return made

    def integers(self, *values: int) -> str:
        """Add a list of integers, which is a shape or axes."""
        return self.constant(np.array(values, np.int64), "integers")

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        name: str = "",
        outputs: Sequence[str] | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node; return the name of its first output that has one."""
        made = list(outputs or [self.unique(name or op.lower())])
        self._names.update(made)
        result = next(one for one in made if one)
        content = b"".join(bytes_field(1, one) for one in inputs)
        content += b"".join(bytes_field(2, one) for one in made)
        content += bytes_field(3, f"{result}.{op}") + bytes_field(4, op)
        content += b"".join(bytes_field(5, attribute(*pair)) for pair in attributes.items())
        self._nodes.append(bytes_field(1, content))
        return result

    def model(self, metadata: Mapping[str, str] | None = None) -> bytes:
        """Return the file."""
        from ictus import __version__

        graph = b"".join(self._nodes) + bytes_field(2, self.name)
        graph += b"".join(bytes_field(5, one) for one in self._initializers.values())
        graph += b"".join(bytes_field(11, one) for one in self._inputs)
        graph += b"".join(bytes_field(12, one) for one in self._outputs)
        content = integer_field(1, IR_VERSION)
        content += bytes_field(2, "ictus") + bytes_field(3, __version__) + bytes_field(7, graph)
        content += bytes_field(8, bytes_field(1, "") + integer_field(2, OPSET))
        for key, value in (metadata or {}).items():
            content += bytes_field(14, bytes_field(1, key) + bytes_field(2, value))
        return content
