"""From a file to a :class:`Model`: the whole file, and tensors that lie in files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.proto import Model, OnnxError, Reader
from ictus.io.onnx.wire import WireError

Array = NDArray[Any]

#: Versions of the operator set whose operators mean what is implemented here.
OPSETS = (7, 28)


class ExternalFiles:
    """Files beside a model that hold its tensors: in the model's folder, nowhere else.

    Parameters
    ----------
    folder : path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._maps: dict[str, Array] = {}

    @property
    def size(self) -> int:
        """Bytes of the files that were looked at."""
        return sum(len(data) for data in self._maps.values())

    def view(self, name: str, place: dict[str, str], size: int) -> memoryview:
        """Return the bytes of a tensor, mapped into memory, not read.

        Raises
        ------
        OnnxError
            A file outside the folder, a place outside the file, or another size.
        """
        where = place.get("location", "")
        try:
            offset, length = int(place.get("offset", 0)), int(place.get("length", size))
        except ValueError:
            raise OnnxError(f"tensor {name!r}: its place in {where!r} is no number") from None
        data = self._map(name, where)
        if length != size or offset < 0 or offset + size > len(data):
            raise OnnxError(
                f"tensor {name!r} of {size} bytes does not lie at {offset} .. {offset + length} of "
                f"{where!r}, which has {len(data)} bytes"
            )
        return memoryview(data.data)[offset : offset + size]

    def _map(self, name: str, where: str) -> Array:
        if where not in self._maps:
            plain = Path(where)
            path = (self._folder / plain).resolve()
            if not where or plain.is_absolute() or not path.is_relative_to(self._folder):
                raise OnnxError(f"tensor {name!r} lies in {where!r}, outside the model's folder")
            if not path.is_file():
                raise OnnxError(f"tensor {name!r} lies in {where!r}, which is no file here")
            empty = path.stat().st_size == 0
            self._maps[where] = (
                np.zeros(0, np.uint8) if empty else np.memmap(path, np.uint8, mode="r")
            )
        return self._maps[where]


def read_model(path: str | os.PathLike[str]) -> Model:
    """Return what an ONNX file holds.

    Raises
    ------
    OnnxError
        The file is truncated, damaged, or no ONNX model; or its operator set is not known.
    OSError
        It cannot be read.
    """
    data = Path(path).read_bytes()
    return parse_model(data, os.fspath(path), ExternalFiles(Path(path).parent))


def parse_model(data: bytes, name: str = "model", files: Any = None) -> Model:
    """Return the model in the bytes of a file; see :func:`read_model`."""
    try:
        model = Reader(files).model(memoryview(data))
    except WireError as error:
        raise OnnxError(f"{name} is not a usable ONNX file: {error}") from None
    if not OPSETS[0] <= model.opset <= OPSETS[1]:
        raise OnnxError(
            f"{name}: operator set {model.opset}, this ictus reads {OPSETS[0]} to {OPSETS[1]}"
        )
    check_order(model)
    return model


def check_order(model: Model) -> None:
    """Raise OnnxError where a node needs what no node before it made: a cycle, or no order."""
    known = {"", *model.initializers, *(value.name for value in model.inputs)}
    for node in model.nodes:
        for name in node.inputs:
            if name not in known:
                raise OnnxError(
                    f"{node}: its input {name!r} is made by no node before it (nodes must be in "
                    "order, and no cycle)"
                )
        for name in node.outputs:
            if name and name in known:
                raise OnnxError(f"{node}: its output {name!r} is there already")
            known.add(name)
    for value in model.outputs:
        if value.name not in known:
            raise OnnxError(f"output {value.name!r} is made by no node")
