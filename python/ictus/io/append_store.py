"""Tables that only grow, in a folder: many processes read, one writes, a crash loses nothing.

A column is a file of rows of a fixed width, which are appended and never changed. A line of the
file ``commits`` says how many bytes of each column count. To append is to write the rows, flush
them to the disk, and then to write and flush such a line; what lies beyond the last whole line was
never reported as written, and the next writer cuts it off. So a reader sees a state that a writer
has completed, memory-mapped, and it keeps that state until it asks for the next.

Each line carries a checksum over itself and the line before it, and one over the bytes that it adds
to each column.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Path_ = str | os.PathLike[str]

COMMITS = "commits"
FORMAT = "ictus append store"
VERSION = 1
CHECK_BYTES = 64 << 20  # read at once to verify


class StoreError(ValueError):
    """The folder holds no such store, or what it holds is damaged."""


@dataclass(frozen=True)
class Column:
    """What a column holds: rows of `width` items."""

    dtype: str
    width: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * np.dtype(self.dtype).itemsize


@dataclass
class _State:
    """What the lines of a log say."""

    columns: dict[str, Column]
    settings: dict[str, Any]
    lengths: dict[str, int]  # bytes of each column
    parts: list[dict[str, tuple[int, int]]]  # of each line: bytes added, their checksum
    checksum: int  # of the last line
    end: int  # bytes of the log that count


class AppendStore:
    """A store, open for reading or for writing; made by :meth:`create` or :meth:`open`.

    Attributes
    ----------
    folder : Path
    columns : dict of str to Column
    settings : dict
        What :meth:`create` was told to keep.
    """

    def __init__(self, folder: Path, state: _State, log: BinaryIO | None) -> None:
        self.folder = folder
        self._state = state
        self._log = log
        self._arrays: dict[str, Array] = {}

    # --- opening ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, folder: Path_, columns: Mapping[str, Column], settings: Mapping[str, Any]
    ) -> AppendStore:
        """Make a new folder with empty columns, and open it for writing.

        Raises
        ------
        FileExistsError
            The folder exists and is not empty.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise FileExistsError(f"{path}: a new index needs a new or empty folder")
        log = _locked(path, create=True)
        for name in columns:
            (path / name).touch()
        state = _State(dict(columns), dict(settings), dict.fromkeys(columns, 0), [], 0, 0)
        store = cls(path, state, log)
        store._commit(
            {
                "format": FORMAT,
                "version": VERSION,
                "columns": {n: [c.dtype, c.width] for n, c in columns.items()},
                "settings": dict(settings),
            }
        )
        _flush_folder(path)
        _flush_folder(path.parent)
        return store

    @classmethod
    def open(cls, folder: Path_, *, writable: bool = False) -> AppendStore:
        """Open a folder.

        Raises
        ------
        FileNotFoundError
            There is no such folder.
        StoreError
            It is empty or holds something else, is damaged, or another process is writing to it.
        """
        path = Path(folder)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: no such index; it is a folder")
        if not (path / COMMITS).is_file():
            what = "is empty" if not any(path.iterdir()) else "has no file 'commits'"
            raise StoreError(f"{path}: not an index: the folder {what}")
        log = _locked(path) if writable else None
        try:
            state = _read_log(path)
            store = cls(path, state, log)
            store._check_lengths()
            if log is not None:
                store._cut_off()
        except BaseException:
            if log is not None:
                log.close()
            raise
        return store

    def close(self) -> None:
        """Let another process write. Arrays that were given out stay usable."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> AppendStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return self._state.columns

    @property
    def settings(self) -> dict[str, Any]:
        """What the creator noted."""
        return self._state.settings

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._log is not None

    @property
    def commits(self) -> int:
        """How often something was appended."""
        return len(self._state.parts)

    # --- reading ---------------------------------------------------------------------------------

    def rows(self, name: str) -> int:
        """How many rows a column has."""
        return self._state.lengths[name] // self.columns[name].row_bytes

    def column(self, name: str) -> Array:
        """The rows of a column, shape (rows, width), read-only and memory-mapped."""
        if name not in self._arrays:
            column = self.columns[name]
            shape = (self.rows(name), column.width)
            if shape[0] == 0:
                self._arrays[name] = np.empty(shape, column.dtype)
            else:
                mapped = np.memmap(self.folder / name, column.dtype, "r", shape=shape)
                self._arrays[name] = mapped.view(np.ndarray)
        return self._arrays[name]

    def refresh(self) -> bool:
        """See what was appended since; return whether there was anything."""
        if self._log is not None or os.stat(self.folder / COMMITS).st_size == self._state.end:
            return False
        state = _read_log(self.folder)
        changed = state.end != self._state.end
        self._state = state
        self._check_lengths()
        self._arrays = {}
        return changed

    def verify(self) -> None:
        """Read everything and compare it with the checksums.

        Raises
        ------
        StoreError
            Bytes were changed.
        """
        for name in self.columns:
            with open(self.folder / name, "rb") as file:
                for number, part in enumerate(self._state.parts):
                    length, expected = part.get(name, (0, 0))
                    found = 0
                    while length > 0:
                        block = file.read(min(length, CHECK_BYTES))
                        if not block:
                            break
                        found = zlib.crc32(block, found)
                        length -= len(block)
                    if length > 0 or found != expected:
                        raise StoreError(
                            f"{self.folder / name}: damaged: the rows of addition {number + 1} do "
                            "not have their checksum"
                        )

    def _check_lengths(self) -> None:
        for name, length in self._state.lengths.items():
            path = self.folder / name
            size = path.stat().st_size if path.is_file() else -1
            if size < length:
                got = f"it has {size}" if size >= 0 else "it is missing"
                raise StoreError(f"{path}: damaged: {length} bytes were written, {got}")

    # --- writing ---------------------------------------------------------------------------------

    def append(self, rows: Mapping[str, Array]) -> None:
        """Append rows to some columns in one step: after a crash all are there, or none.

        When this returns they are on the disk.

        Raises
        ------
        ValueError
            The store is open for reading, or a dtype or width is not the column's.
        OSError
            The disk is full, for example; nothing was added.
        """
        if self._log is None:
            raise ValueError(f"{self.folder}: the index is open for reading alone")
        added = {}
        for name, array in rows.items():
            column = self.columns[name]
            if array.ndim != 2 or array.shape[1] != column.width or array.dtype != column.dtype:
                raise ValueError(
                    f"{name} must be {column.dtype} of shape (rows, {column.width}), got "
                    f"{array.dtype} of shape {array.shape}"
                )
            added[name] = np.ascontiguousarray(array).data.cast("B") if array.size else b""
        for name, data in added.items():
            with open(self.folder / name, "r+b") as file:
                file.seek(self._state.lengths[name])
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        self._commit({"added": {n: [len(d), zlib.crc32(d)] for n, d in added.items()}})

    def _commit(self, record: dict[str, Any]) -> None:
        assert self._log is not None
        line, checksum = _line(record, self._state.checksum)
        self._log.seek(self._state.end)
        try:
            if self._log.write(line) != len(line):
                raise OSError(f"{self.folder / COMMITS}: the disk is full")
            os.fsync(self._log.fileno())
        except BaseException:
            self._log.truncate(self._state.end)
            raise
        self._state.end += len(line)
        self._state.checksum = checksum
        _take(self._state, record)
        self._arrays = {}

    def _cut_off(self) -> None:
        """Remove what a writer that died left beyond the last commit."""
        assert self._log is not None
        self._log.truncate(self._state.end)
        for name, length in self._state.lengths.items():
            os.truncate(self.folder / name, length)


def _line(record: dict[str, Any], before: int) -> tuple[bytes, int]:
    text = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    checksum = zlib.crc32(text, before)
    return text + b"\t%08x\n" % checksum, checksum


def _take(state: _State, record: dict[str, Any]) -> None:
    added = record.get("added")
    if added is None:
        return
    state.parts.append({name: (length, checksum) for name, (length, checksum) in added.items()})
    for name, (length, _) in added.items():
        state.lengths[name] += length


def _read_log(folder: Path) -> _State:
    path = folder / COMMITS
    data = path.read_bytes()
    state = _State({}, {}, {}, [], 0, 0)
    while (end := data.find(b"\n", state.end)) >= 0:
        text, _, digits = data[state.end : end].rpartition(b"\t")
        checksum = zlib.crc32(text, state.checksum)
        if digits != b"%08x" % checksum:
            raise StoreError(f"{path}: damaged: line {len(state.parts) + 1} has another checksum")
        try:
            record = json.loads(text)
            if not state.columns:
                _take_header(path, state, record)
            _take(state, record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{path}: damaged: {error}") from error
        state.checksum = checksum
        state.end = end + 1
    if not state.columns:
        raise StoreError(f"{path}: damaged: it has no whole line")
    return state


def _take_header(path: Path, state: _State, record: dict[str, Any]) -> None:
    if record.get("format") != FORMAT:
        raise StoreError(f"{path}: not an index of ictus")
    if record.get("version") != VERSION:
        raise StoreError(
            f"{path}: version {record.get('version')} is unknown; this ictus reads {VERSION}"
        )
    state.columns = {n: Column(str(d), int(w)) for n, (d, w) in record["columns"].items()}
    state.settings = dict(record["settings"])
    state.lengths = dict.fromkeys(state.columns, 0)


def _locked(folder: Path, *, create: bool = False) -> BinaryIO:
    """The log, open for writing by this process alone; the lock goes with the process."""
    import fcntl

    log = open(folder / COMMITS, "x+b" if create else "r+b", buffering=0)  # noqa: SIM115
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        log.close()
        raise StoreError(f"{folder}: another process is writing to the index") from error
    return log


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
