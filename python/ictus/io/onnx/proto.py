"""What an ONNX file holds, read with checks: nodes, initializers, inputs and outputs.

Numbers of tensors stay in the file's bytes until somebody needs them, and then they are a view.
A shape is compared with the bytes that are there before anything is made of it, so no claim of a
file can take memory. Limits: :data:`MAX_ITEMS`, :data:`MAX_RANK`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx import wire
from ictus.io.onnx.wire import WireError, fields, message, number

Array = NDArray[Any]

#: Nodes, attributes, tensors, inputs and outputs of a file: each takes some hundred bytes.
MAX_ITEMS = 50_000
#: Integers that a file holds as such, not as a tensor's raw bytes: 1 byte there, 36 in memory.
MAX_INTEGERS = 1 << 17
#: Characters of all names beyond a quarter of the file: they may take 4 bytes each.
MAX_TEXT = 1 << 21
MAX_RANK = 8
#: Numbers of TensorProto's types.
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("i1"), 4: np.dtype("<u2"),
    5: np.dtype("<i2"), 6: np.dtype("<i4"), 7: np.dtype("<i8"), 9: np.dtype("?"),
    10: np.dtype("<f2"), 11: np.dtype("<f8"), 12: np.dtype("<u4"), 13: np.dtype("<u8"),
}  # fmt: skip
TYPE_NUMBERS = {dtype.newbyteorder("="): n for n, dtype in DTYPES.items()}


class OnnxError(ValueError):
    """The file is no ONNX model, is damaged, or has a node that ictus cannot take."""


@dataclass(slots=True)
class Tensor:
    """A tensor of a file; its numbers are made by :meth:`array`."""

    name: str = ""
    dims: tuple[int, ...] = ()
    data_type: int = 0
    raw: memoryview | None = None
    values: list[Any] = field(default_factory=list)  # of the typed fields
    external: dict[str, str] | None = None
    files: Any = None  # ExternalFiles, for external data

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype.

        Raises
        ------
        OnnxError
            A type that ictus does not read.
        """
        if self.data_type not in DTYPES:
            raise OnnxError(f"tensor {self.name!r} has the type {self.data_type}, not read here")
        return DTYPES[self.data_type]

    def array(self) -> Array:
        """Return the numbers: a view of the file's bytes where they lie there as such.

        Raises
        ------
        OnnxError
            Another number of bytes than the shape asks for, or an unknown type.
        """
        dtype, count = self.dtype, math.prod(self.dims)
        if self.external is not None:
            if self.files is None:
                raise OnnxError(f"tensor {self.name!r} lies in another file, which is not read")
            raw = self.files.view(self.name, self.external, count * dtype.itemsize)
        else:
            raw = self.raw
        if raw is not None:
            if len(raw) != count * dtype.itemsize:
                raise self._size_error(len(raw), f"bytes, {count * dtype.itemsize} for its shape")
            return np.frombuffer(raw, dtype).reshape(self.dims)
        parts = self.values
        if any(isinstance(part, np.ndarray) for part in parts):
            flat = parts[0] if len(parts) == 1 else np.concatenate(parts)
        else:
            flat = np.array(parts, np.int64)
        if dtype == np.float16:  # its bits lie in integers
            flat = flat.astype(np.uint16).view(np.float16)
        if flat.size != count:
            raise self._size_error(flat.size, f"numbers, {count} for its shape")
        return flat.astype(dtype, copy=False).reshape(self.dims)

    def _size_error(self, found: int, wanted: str) -> OnnxError:
        return OnnxError(f"tensor {self.name!r} of shape {self.dims} has {found} {wanted}")


@dataclass(slots=True)
class Node:
    """An operator with its inputs, outputs and attributes."""

    op: str = ""
    name: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        what = self.name or ", ".join(name for name in self.outputs if name)
        return f"node {what!r} ({self.op})"

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise OnnxError(f"{self}: attribute {name} must be an integer, got {value!r}")
        return value

    def real(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise OnnxError(f"{self}: attribute {name} must be a number, got {value!r}")
        return float(value)

    def integers(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of integers."""
        value = self.attributes.get(name, default)
        if value is not None and not (
            isinstance(value, list) and all(isinstance(n, int) for n in value)
        ):
            raise OnnxError(f"{self}: attribute {name} must be integers, got {value!r}")
        return value

    def word(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise OnnxError(f"{self}: attribute {name} must be a text, got {value!r}")
        return value


@dataclass(slots=True)
class Value:
    """An input or output: name, type and shape. An axis is a size, or a name of any size."""

    name: str = ""
    data_type: int = 0
    shape: tuple[int | str, ...] | None = None


@dataclass(slots=True)
class Model:
    """An ONNX file."""

    size: int  # of the file in bytes
    opset: int = 0
    ir_version: int = 0
    producer: str = ""
    name: str = ""
    nodes: list[Node] = field(default_factory=list)
    initializers: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    functions: int = 0
    files: Any = None  # ExternalFiles

    @property
    def all_bytes(self) -> int:
        """Bytes of the file and of the files beside it that were looked at."""
        return self.size + (0 if self.files is None else self.files.size)


class Reader:
    """Reads the messages of one file."""

    def __init__(self, files: Any = None) -> None:
        self.files = files
        self._items, self._integers, self._text = MAX_ITEMS, MAX_INTEGERS, MAX_TEXT

    def _count(self) -> None:
        self._items -= 1
        if self._items < 0:
            raise WireError(f"it has more than {MAX_ITEMS} nodes, attributes and tensors")

    def text(self, value: int | memoryview) -> str:
        """Return a text."""
        self._text -= len(message(value))
        if self._text < 0:
            raise WireError("its names fill the file")
        return wire.text(value)

    def integers(self, kind: int, value: int | memoryview) -> list[int]:
        """Return integers."""
        self._integers -= 1 if isinstance(value, int) else len(value)
        if self._integers < 0:
            raise WireError(f"it has more than {MAX_INTEGERS} integers outside of raw data")
        return wire.integers(kind, value)

    def floats(self, kind: int, value: int | memoryview) -> Array:
        """Return floats: a view, but an object for each field."""
        self._count()
        return wire.floats(kind, value)

    def model(self, data: memoryview) -> Model:
        """Return the model."""
        model, graph = Model(len(data), files=self.files), None
        self._text += len(data) // 4
        for key, _, value in fields(data):
            if key == 1:
                model.ir_version = number(value)
            elif key == 2:
                model.producer = self.text(value)
            elif key == 7:
                graph = message(value)
            elif key == 8:
                domain, version = self._opset(message(value))
                if domain in ("", "ai.onnx"):
                    model.opset = version
            elif key == 14:
                self._entry(message(value), model.metadata)
            elif key == 25:
                model.functions += 1
        if graph is None:
            raise WireError("it has no graph")
        self._graph(graph, model)
        return model

    def _opset(self, data: memoryview) -> tuple[str, int]:
        domain, version = "", 0
        for key, _, value in fields(data):
            if key == 1:
                domain = self.text(value)
            elif key == 2:
                version = number(value)
        return domain, version

    def _entry(self, data: memoryview, into: dict[str, str]) -> None:
        self._count()
        entry = {1: "", 2: ""}
        for key, _, value in fields(data):
            if key in entry:
                entry[key] = self.text(value)
        into[entry[1]] = entry[2]

    def _graph(self, data: memoryview, model: Model) -> None:
        for key, _, value in fields(data):
            if key == 1:
                model.nodes.append(self.node(message(value)))
            elif key == 2:
                model.name = self.text(value)
            elif key == 5:
                tensor = self.tensor(message(value))
                if tensor.name in model.initializers:
                    raise WireError(f"two initializers have the name {tensor.name!r}")
                model.initializers[tensor.name] = tensor
            elif key == 11:
                model.inputs.append(self.value(message(value)))
            elif key == 12:
                model.outputs.append(self.value(message(value)))
            elif key == 15:
                raise WireError("it has sparse tensors, which are not read")

    def node(self, data: memoryview) -> Node:
        """Return a node."""
        self._count()
        node = Node()
        for key, _, value in fields(data):
            if key in (1, 2):
                self._count()
                (node.inputs if key == 1 else node.outputs).append(self.text(value))
            elif key == 3:
                node.name = self.text(value)
            elif key == 4:
                node.op = self.text(value)
            elif key == 5:
                name, content = self.attribute(message(value))
                node.attributes[name] = content
            elif key == 7:
                node.domain = self.text(value)
        if not node.op:
            raise WireError(f"{node} has no operator")
        return node

    def attribute(self, data: memoryview) -> tuple[str, Any]:
        """Return name and value of an attribute; None where it is of a kind that is not read."""
        self._count()
        name, kind = "", 0
        found: dict[int, Any] = {}
        for key, wire_type, value in fields(data):
            if key == 1:
                name = self.text(value)
            elif key == 20:
                kind = number(value)
            elif key == 2:
                (found[1],) = struct.unpack("<f", message(value)[:4])
            elif key == 3:
                found[2] = number(value)
            elif key == 4:
                found[3] = self.text(value)
            elif key == 5:
                found[4] = self.tensor(message(value))
            elif key == 7:
                found.setdefault(6, []).extend(self._reals(wire_type, value))
            elif key == 8:
                found.setdefault(7, []).extend(self.integers(wire_type, value))
            elif key == 9:
                self._count()
                found.setdefault(8, []).append(self.text(value))
        if len(found) > 1 or (kind and found and kind not in found):
            raise WireError(f"attribute {name!r} has a value of another type than it says")
        # Empty lists leave no trace but their type.
        empty: Any = [] if kind in (6, 7, 8) else None
        return name, next(iter(found.values())) if found else empty

    def _reals(self, kind: int, value: int | memoryview) -> list[float]:
        values = self.floats(kind, value)
        self._items -= len(values)
        self._count()
        return [float(v) for v in values]

    def tensor(self, data: memoryview) -> Tensor:
        """Return a tensor, its shape checked for sense."""
        self._count()
        tensor = Tensor(files=self.files)
        dims: list[int] = []
        for key, kind, value in fields(data):
            if key == 1:
                dims += self.integers(kind, value)
            elif key == 2:
                tensor.data_type = number(value)
            elif key == 4:
                tensor.values.append(self.floats(kind, value))
            elif key in (5, 7, 11):
                tensor.values += self.integers(kind, value)
            elif key == 8:
                tensor.name = self.text(value)
            elif key == 9:
                tensor.raw = message(value)
            elif key == 10:
                tensor.values.append(wire.doubles(value))
            elif key == 13:
                tensor.external = {} if tensor.external is None else tensor.external
                self._entry(message(value), tensor.external)
        if len(dims) > MAX_RANK or any(not 0 <= n < 1 << 40 for n in dims):
            raise WireError(f"tensor {tensor.name!r} has the impossible shape {dims[:16]}")
        tensor.dims = tuple(dims)
        return tensor

    def value(self, data: memoryview) -> Value:
        """Return an input or output of the graph."""
        self._count()
        result = Value()
        for key, _, content in fields(data):
            if key == 1:
                result.name = self.text(content)
            elif key == 2:
                self._type(message(content), result)
        return result

    def _type(self, data: memoryview, result: Value) -> None:
        for key, _, content in fields(data):
            if key != 1:  # sequences, maps, optional values
                continue
            for inner, _, part in fields(message(content)):
                if inner == 1:
                    result.data_type = number(part)
                elif inner == 2:
                    result.shape = self._shape(message(part))

    def _shape(self, data: memoryview) -> tuple[int | str, ...]:
        shape: list[int | str] = []
        for key, _, dim in fields(data):
            if key != 1:
                continue
            size: int | str = ""
            for inner, _, part in fields(message(dim)):
                if inner == 1:
                    size = number(part)
                elif inner == 2:
                    size = self.text(part)
            shape.append(size)
            if len(shape) > MAX_RANK:
                raise WireError(f"a shape has more than {MAX_RANK} axes")
        return tuple(shape)
