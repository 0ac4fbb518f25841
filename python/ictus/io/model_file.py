"""Model files: safetensors with the architecture and a model card as JSON in the metadata.

Nothing is executed on loading and nothing is unpickled. The header is checked completely before the
tensors are looked at; whatever is wrong gives one :class:`ModelFileError`.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import Network
from ictus.train.files import write_atomically

__all__ = ["ModelFileError", "load", "read_card", "save"]

Array = NDArray[Any]

FORMAT_VERSION = 1
CARD_FIELDS = (
    "name",
    "description",
    "licence",
    "training_data",
    "provenance",
    "metrics",
    "created",
    "ictus_version",
)
MAX_HEADER_BYTES = 16 << 20
ITEM_BYTES = {"F16": 2, "F32": 4, "F64": 8, "I64": 8}
DTYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}


class ModelFileError(ValueError):
    """The file is not a model file, is damaged, or of an unknown version."""


# What is raised where a description fits no model.
DAMAGED = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, MemoryError
)  # fmt: skip

# What can be saved: fixed lists, so a file cannot name anything else. Of a bare model a file has
# config() and the flat parameters; an estimator says itself what it keeps.
BARE_MODELS = {
    "ConditionalMachine": "ictus.models",
    "ConvolutionalMachine": "ictus.models",
    "DeepBeliefMachine": "ictus.models",
    "MeanCovarianceMachine": "ictus.models",
    "Network": "ictus.nn",
    "RBM": "ictus.models",
    "SequenceNetwork": "ictus.nn",
}
ESTIMATORS = {
    "Autoencoder": "ictus.models",
    "BernoulliRBM": "ictus.models",
    "ChordSequenceLSTM": "ictus.music.melody",
    "ConditionalHarmonizer": "ictus.music.melody",
    "ConditionalRBM": "ictus.models",
    "ConvNetClassifier": "ictus.models",
    "ConvNetRegressor": "ictus.models",
    "ConvolutionalAutoencoder": "ictus.models",
    "ConvolutionalRBM": "ictus.models",
    "DBNClassifier": "ictus.models",
    "DeepBeliefNet": "ictus.models",
    "DeepHarmonizer": "ictus.music.melody",
    "GaussianRBM": "ictus.models",
    "MLPClassifier": "ictus.models",
    "MLPRegressor": "ictus.models",
    "MeanCovarianceRBM": "ictus.models",
    "MelodyRBM": "ictus.music.melody",
    "RecurrentHarmonizer": "ictus.music.melody",
    "SequenceClassifier": "ictus.models",
    "SequenceGenerator": "ictus.models",
    "SequenceLabeler": "ictus.models",
    "SequenceRegressor": "ictus.models",
    "SoftmaxRBM": "ictus.models",
}


def _class(kind: str) -> Any:
    """The class of that name."""
    return getattr(import_module((BARE_MODELS | ESTIMATORS)[kind]), kind)


def save(
    path: str | os.PathLike[str],
    model: Any,
    card: Mapping[str, Any] | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a network, a machine, or a fitted estimator to a model file, atomically.

    Parameters
    ----------
    path : path
        By convention it ends in ``.ictus``; any safetensors reader can open it.
    model : Network, RBM, or estimator of ictus.models
    card : mapping, optional
        The model card: ``name``, ``description``, ``licence``, ``training_data``, ``provenance``,
        ``metrics``. ``created`` and ``ictus_version`` are added.
    half : bool
        Store float32 numbers in half precision, in half the space: eleven bits instead of 24. The
        model computes in float32 when it is loaded.

    Raises
    ------
    TypeError
        A model of another kind.
    ValueError
        An unknown field of the card, an estimator that is not fitted, or with `half` numbers that
        half precision does not hold.
    """
    from safetensors.numpy import save as to_safetensors

    from ictus import __version__

    fields = dict(card or {})
    unknown = sorted(set(fields) - set(CARD_FIELDS))
    if unknown:
        raise ValueError(
            f"save: unknown card field {unknown[0]!r}; known: {', '.join(CARD_FIELDS)}"
        )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    fields = {"created": now, "ictus_version": __version__} | fields
    kind, config, tensors = _describe(model)
    if half:
        tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
    description = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "config": config,
        "card": fields,
        "sha256": {name: hashlib.sha256(t.tobytes()).hexdigest() for name, t in tensors.items()},
    }
    write_atomically(path, to_safetensors(tensors, {"ictus": json.dumps(description)}))


def _halved(name: str, tensor: Array) -> Array:
    if tensor.dtype != np.float32:
        return tensor
    largest = float(np.finfo(np.float16).max)
    if tensor.size and not np.abs(tensor).max() <= largest:
        raise ValueError(f"save: {name} has numbers above {largest:g}, too large for half=True")
    return tensor.astype(np.float16)


def _describe(model: Any) -> tuple[str, dict[str, Any], dict[str, Array]]:
    kind = type(model).__name__
    if kind in BARE_MODELS and type(model) is _class(kind):
        if isinstance(model, Network):
            return kind, model.config(), model.tensors()
        return kind, model.config(), {"parameters": model.parameters}
    if kind in ESTIMATORS and type(model) is _class(kind):
        config, tensors = model.__ictus_getstate__()
        return kind, config, tensors
    raise TypeError(f"save: model must be a network, machine or estimator of ictus, got {kind}")


def load(path: str | os.PathLike[str]) -> Any:
    """Read a model file: return the network, machine or fitted estimator.

    Parameters
    ----------
    path : path
        A file that :func:`save` wrote, of this or an earlier version.

    Raises
    ------
    ModelFileError
        The file is truncated, damaged, foreign, of an unknown version, or inconsistent.
    OSError
        It cannot be read.
    """
    description, tensors = _read(path)
    for name, tensor in tensors.items():
        # Every model copies the vector of its parameters, which widens it without a second copy.
        if tensor.dtype == np.float16 and name != "parameters":
            tensors[name] = tensor.astype(np.float32)
    try:
        config, kind = description["config"], description["kind"]
        if kind in BARE_MODELS:
            return _class(kind).from_config(config, **tensors)
        return _class(kind).__ictus_setstate__(config, tensors)
    except DAMAGED as error:
        raise ModelFileError(f"{os.fspath(path)}: damaged model description: {error!r}") from error


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return kind, configuration and model card of a file, as plain data.

    Parameters
    ----------
    path : path
        A model file.
    """
    description, tensors = _read(path)
    return {
        "kind": description.get("kind"),
        "format_version": description["format_version"],
        "card": description.get("card", {}),
        "config": description.get("config", {}),
        "tensors": {name: list(t.shape) for name, t in tensors.items()},
    }


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    data = Path(path).read_bytes()
    try:
        header, start = _header(data)
        description = _description(header)
        tensors = _tensors(header, memoryview(data)[start:])
        if set(description["sha256"]) != set(tensors):
            raise ModelFileError("its tensors are not the ones it describes")
        for name, digest in description["sha256"].items():
            if hashlib.sha256(np.ravel(tensors[name]).data).hexdigest() != digest:
                raise ModelFileError(f"the checksum of {name!r} does not match")
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)} is not a usable model file: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelFileError(
            f"{os.fspath(path)} is not a usable model file: its header is damaged ({error!r})"
        ) from None
    return description, tensors


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The safetensors header, and where the tensors begin."""
    if len(data) < 8:
        raise ModelFileError(f"it has {len(data)} bytes, too few for a header")
    (length,) = struct.unpack("<Q", data[:8])
    if length > MAX_HEADER_BYTES or length > len(data) - 8:
        raise ModelFileError(f"its header would have {length} bytes")
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    if not isinstance(header, dict):
        raise ModelFileError("its header is not a table of tensors")
    return header, 8 + length


def _description(header: dict[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("ictus"), str):
        raise ModelFileError("it was not written by ictus")
    description = json.loads(metadata["ictus"])
    if not isinstance(description, dict):
        raise ModelFileError("it was not written by ictus")
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"its format version is {version!r}, this ictus reads version {FORMAT_VERSION}"
        )
    return description


def _tensors(header: dict[str, Any], buffer: memoryview) -> dict[str, Array]:
    """The tensors; they must fill the buffer without gap or overlap."""
    entries = sorted(
        (entry["data_offsets"][0], name, entry)
        for name, entry in header.items()
        if name != "__metadata__"
    )
    tensors = {}
    position = 0
    for _, name, entry in entries:
        begin, end = entry["data_offsets"]
        shape = entry["shape"]
        if entry["dtype"] not in ITEM_BYTES:
            raise ModelFileError(f"tensor {name!r} has the unknown dtype {entry['dtype']!r}")
        if not all(type(n) is int and 0 <= n < 2**48 for n in [begin, end, *shape]):
            raise ModelFileError(f"tensor {name!r} has an impossible shape or place")
        size = math.prod(shape) * ITEM_BYTES[entry["dtype"]]
        if begin != position or end - begin != size or end > len(buffer):
            raise ModelFileError(f"tensor {name!r} does not lie where the file has room for it")
        position = end
        array = np.frombuffer(buffer[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(shape).copy()
    if position != len(buffer):
        raise ModelFileError(f"it has {len(buffer) - position} bytes that belong to no tensor")
    return tensors
