"""The columns of an index in memory; :class:`ictus.io.append_store.AppendStore` is on a disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.io.append_store import Column

Array = npt.NDArray[Any]


class MemoryStore:
    """Columns that grow; room doubles, so that appending row by row costs little."""

    writable = True

    def __init__(self, columns: Mapping[str, Column], settings: Mapping[str, Any]) -> None:
        self.columns = dict(columns)
        self.settings = dict(settings)
        self._rows = dict.fromkeys(columns, 0)
        self._room = {n: np.empty((0, c.width), c.dtype) for n, c in columns.items()}

    def rows(self, name: str) -> int:
        """How many rows a column has."""
        return self._rows[name]

    def column(self, name: str) -> Array:
        """The rows of a column; what is appended later does not change them."""
        view = self._room[name][: self._rows[name]]
        view.flags.writeable = False
        return view

    def append(self, rows: Mapping[str, Array]) -> None:
        """Append rows to some columns."""
        for name, array in rows.items():
            begin, end = self._rows[name], self._rows[name] + len(array)
            room = self._room[name]
            if end > len(room):
                room = np.empty((max(end, 2 * len(room)), room.shape[1]), room.dtype)
                room[:begin] = self._room[name][:begin]
                self._room[name] = room
            room[begin:end] = array
            self._rows[name] = end

    def refresh(self) -> bool:
        """Nobody else appends."""
        return False

    def verify(self) -> None:
        """Memory has no checksums."""

    def close(self) -> None:
        """Nothing to let go."""
