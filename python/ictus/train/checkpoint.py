"""Checkpoints: everything that training needs to go on to the same bits, in one atomic file.

A checkpoint is a safetensors file: the vectors as tensors, the rest as JSON in its metadata. It is
for going on with the same training; to keep or share a model, save it (:func:`ictus.save`).
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.train.files import write_atomically

Array = NDArray[Any]

FORMAT_VERSION = 2  # version 1 had no checksum


class CheckpointError(ValueError):
    """The file is not a checkpoint, is damaged, or belongs to another training."""


def save_checkpoint(
    path: str | os.PathLike[str], tensors: dict[str, Array], state: dict[str, Any]
) -> None:
    """Write a checkpoint atomically: the file is the old or the new one, never a part.

    Parameters
    ----------
    path : path
    tensors : dict of arrays
    state : dict
        Plain data that JSON can hold.
    """
    from safetensors.numpy import save

    text = json.dumps(state)
    metadata = {"ictus_checkpoint": str(FORMAT_VERSION), "state": text}
    metadata["checksum"] = _checksum(tensors, text)
    write_atomically(path, save(tensors, metadata))


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what :func:`save_checkpoint` wrote: tensors and state.

    Parameters
    ----------
    path : path

    Raises
    ------
    CheckpointError
        The file is damaged or not a checkpoint.
    OSError
        It cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {os.fspath(path)}")
    try:
        with safe_open(os.fspath(path), "np") as file:
            metadata = file.metadata() or {}
            version = metadata.get("ictus_checkpoint")
            if version not in ("1", "2"):
                raise CheckpointError(
                    f"{os.fspath(path)} is not a checkpoint of version 1 or 2, "
                    f"its version is {version!r}"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if version == "2" and metadata["checksum"] != _checksum(tensors, metadata["state"]):
                raise CheckpointError(f"{os.fspath(path)} is damaged: its checksum does not match")
            state = json.loads(metadata["state"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{os.fspath(path)} is not a checkpoint: {error}") from error
    return tensors, state


def _checksum(tensors: dict[str, Array], state: str) -> str:
    total = zlib.crc32(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total = zlib.crc32(f"{name} {tensor.dtype.str} {tensor.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data, total)
    return f"{total:08x}"
