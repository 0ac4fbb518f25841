"""Logs of training while it runs: a CSV table, or event files that TensorBoard shows.

Both are callbacks of a trainer, called after each epoch. A training that is resumed from a
checkpoint goes on with its log: what came after the checkpoint is taken out.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ictus.train.files import write_atomically

__all__ = ["CsvLog", "TensorBoardLog"]


def _row(history: Mapping[str, Sequence[float]], epochs: int, epoch: int) -> dict[str, float]:
    """What the history has of an epoch, counted from 1; a name may begin in a later one."""
    places = {name: epoch - 1 - (epochs - len(values)) for name, values in history.items()}
    return {name: float(history[name][place]) for name, place in places.items() if place >= 0}


def _writes(trainer: Any) -> bool:
    """Whether this process keeps the log: of several that train together, the first does."""
    return getattr(getattr(trainer, "processes", None), "rank", 0) == 0


class CsvLog:
    """Writes what is measured in each epoch to a CSV file, a row an epoch.

    The first row has the names: ``epoch``, and those of :class:`ictus.train.History`. Numbers have
    all digits that they need. A row is appended in one write and flushed to the disk.

    Parameters
    ----------
    path : path
        Replaced when training begins; continued where it is resumed.

    Examples
    --------
    >>> trainer = Trainer(network, callbacks=[CsvLog("training.csv")])  # doctest: +SKIP
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._names: list[str] = []
        self._size = -1  # of the file as it was left

    def __call__(self, trainer: Any, epoch: int) -> None:
        """Write the row of this epoch; the whole history where the file is not as it was left.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        if not _writes(trainer):
            return
        history = trainer.history
        names = list(history)
        as_left = self.path.is_file() and self.path.stat().st_size == self._size
        if names == self._names and as_left:
            line = self._line(history, epoch, epoch)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                self._size += os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            return
        self._names = names
        lines = [",".join(["epoch", *names]).encode() + b"\n"]
        lines += [self._line(history, epoch, number) for number in range(1, epoch + 1)]
        data = b"".join(lines)
        write_atomically(self.path, data)
        self._size = len(data)

    def _line(self, history: Mapping[str, Sequence[float]], epochs: int, epoch: int) -> bytes:
        row = _row(history, epochs, epoch)
        texts = [repr(row[name]) if name in row else "" for name in self._names]
        return ",".join([str(epoch), *texts]).encode() + b"\n"


class TensorBoardLog:
    """Writes what is measured in each epoch to an event file that TensorBoard shows.

    Scalars with the names of :class:`ictus.train.History`, the epoch as step. Each process writes
    a file of its own, as TensorBoard expects; the first event of a resumed training tells it to
    forget the epochs that are made again. Numbers are kept in single precision.

    Parameters
    ----------
    folder : path
        Made if it does not exist: ``tensorboard --logdir`` names it, or the one above.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._file: Path | None = None

    def __call__(self, trainer: Any, epoch: int) -> None:
        """Write the numbers of this epoch; of all so far where the folder has no events.

        Raises
        ------
        OSError
            The folder or the file cannot be written.
        """
        if not _writes(trainer):
            return
        history = trainer.history
        events = []
        first = epoch
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            resumed = any(self.folder.glob("events.out.tfevents.*"))
            name = f"events.out.tfevents.{time.time_ns() / 1e9:.6f}.{socket.gethostname()}"
            self._file = self.folder / f"{name}.{os.getpid()}"
            events.append(_event(version="brain.Event:2"))
            if resumed:
                events.append(_event(step=epoch, start=True))
            else:
                first = 1
        for number in range(first, epoch + 1):
            events.append(_event(step=number, scalars=_row(history, epoch, number)))
        with self._file.open("ab", buffering=0) as file:
            file.write(b"".join(map(_record, events)))


def _event(
    *,
    step: int = 0,
    version: str = "",
    start: bool = False,
    scalars: Mapping[str, float] | None = None,
) -> bytes:
    """An Event message (tensorflow/core/util/event.proto): wall time, step, and what is given."""
    from ictus.io.onnx.wire import bytes_field, float_field, integer_field

    parts = [b"\x09" + struct.pack("<d", time.time()), integer_field(2, step)]
    if version:
        parts.append(bytes_field(3, version))
    if scalars:
        with np.errstate(over="ignore"):
            single = {tag: float(np.float32(value)) for tag, value in scalars.items()}
        values = (bytes_field(1, tag) + float_field(2, value) for tag, value in single.items())
        parts.append(bytes_field(5, b"".join(bytes_field(1, value) for value in values)))
    if start:
        parts.append(bytes_field(7, integer_field(1, 1)))  # SessionLog, status START
    return b"".join(parts)


def _record(data: bytes) -> bytes:
    """A record of a TFRecord file: length, checksum of it, data, checksum of them."""
    length = struct.pack("<Q", len(data))
    return length + _masked_checksum(length) + data + _masked_checksum(data)


def _masked_checksum(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted, since data may hold checksums themselves."""
    checksum = crc32c(data)
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(data: bytes) -> int:
    """Return the cyclic redundancy check of Castagnoli et al. 1993 (RFC 3720), bits reflected."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder = remainder >> 8 ^ _TABLE[(remainder ^ byte) & 0xFF]
    return remainder ^ 0xFFFFFFFF


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_TABLE = [_table_entry(value) for value in range(256)]
