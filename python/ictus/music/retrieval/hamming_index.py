"""An index of binary codes: add, remove, nearest, within a radius; in memory or in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ictus.io.append_store import AppendStore
from ictus.kernels import MultiIndex, Nearest, Within, hamming_nearest, hamming_within
from ictus.kernels.hamming import Words
from ictus.music.retrieval import merging
from ictus.music.retrieval.code_names import name_rows, read_names
from ictus.music.retrieval.index_layout import checked_codes, index_layout
from ictus.music.retrieval.memory_store import MemoryStore
from ictus.music.retrieval.reranking import rerank

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

SEARCHES = ("auto", "scan", "tables")
TABLES_FROM = 50_000  # codes; fewer are scanned sooner than tables are filled
REBUILD_SHARE = 8  # tables are filled anew when more than 1 / 8 of the codes are not in them


class HammingIndex:
    """Search in a collection of binary codes by Hamming distance; exact.

    The distance of two codes is the number of bits in which they differ. Codes get the numbers
    0, 1, 2, ... in the order in which they are added, and keep them. Of codes at the same distance
    the one with the lower number comes first; nothing depends on the number of threads, over which
    each call is spread.

    Parameters
    ----------
    bits : int
        The length of the codes, a multiple of 8.
    features : int
        The width of the full features that are kept beside the codes for :meth:`nearest` with
        ``query_features``; 0: none.
    search : {"auto", "scan", "tables"}
        "scan" looks at all codes, "tables" uses multi-index hashing [Norouzi, Punjani & Fleet, CVPR
        2012], which is faster where neighbours are near and codes many; "auto" uses tables from
        50,000 codes on. Results are the same. Tables are filled at the first search that needs
        them; codes that were added since are scanned.
    settings : dict, optional
        Notes that are kept with the index; of what JSON knows.

    Attributes
    ----------
    bits, features : int
    count : int
        All codes that were ever added; numbers are below this.
    removed_count : int

    Examples
    --------
    >>> index = HammingIndex(64)
    >>> numbers = index.add(codes, names=["a.flac", "b.flac"])  # uint8, shape (2, 8)
    >>> found = index.nearest(queries, 10)
    >>> found.distances, index.names(found.numbers[0])
    """

    def __init__(
        self,
        bits: int,
        *,
        features: int = 0,
        search: str = "auto",
        settings: dict[str, Any] | None = None,
    ) -> None:
        self._start(MemoryStore(*index_layout(bits, features, settings)), search)

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        bits: int,
        *,
        features: int = 0,
        search: str = "auto",
        settings: dict[str, Any] | None = None,
    ) -> Self:
        """Make an index in a new folder, open for adding; the parameters are the class's.

        Raises
        ------
        FileExistsError
            The folder exists and is not empty.
        """
        columns, notes = index_layout(bits, features, settings)
        return cls._of(AppendStore.create(folder, columns, notes), search)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        writable: bool = False,
        verify: bool = False,
        search: str = "auto",
    ) -> Self:
        """Open the index of a folder.

        Any number of processes may read it, memory-mapped, while one adds to it; a reader sees the
        additions that were complete when it opened, and later ones after :meth:`refresh`. After
        :meth:`add` has returned, the codes survive the death of the process and of the machine.

        Parameters
        ----------
        folder : str or path
        writable : bool
            Open for adding and removing.
        verify : bool
            Compare all data with their checksums.
        search : {"auto", "scan", "tables"}

        Raises
        ------
        FileNotFoundError
            There is no such folder.
        StoreError
            It is no index, is damaged, or another process is writing to it.
        """
        store = AppendStore.open(folder, writable=writable)
        if verify:
            store.verify()
        return cls._of(store, search)

    @classmethod
    def _of(cls, store: AppendStore, search: str) -> Self:
        index = cls.__new__(cls)
        index._start(store, search)
        return index

    def _start(self, store: AppendStore | MemoryStore, search: str) -> None:
        if search not in SEARCHES:
            raise ValueError(f"search must be one of {', '.join(SEARCHES)}, got {search!r}")
        self.search = search
        self._store = store
        self.bits = int(store.settings["bits"])
        self.features = store.columns["features"].width if "features" in store.columns else 0
        self._tables: MultiIndex | None = None
        self._see()

    def _see(self) -> None:
        """Take account of what the store has."""
        self.count = self._store.rows("codes")
        self._codes = self._store.column("codes")
        gone = self._store.column("removed")[:, 0]
        self.removed_count = len(gone)
        self._gone: npt.NDArray[np.bool_] | None = None
        self._removed_bits: npt.NDArray[np.uint8] | None = None
        if len(gone):
            self._gone = np.zeros(self.count, np.bool_)
            self._gone[gone] = True
            self._removed_bits = np.packbits(self._gone, bitorder="little")

    def __len__(self) -> int:
        """How many codes are there: added and not removed."""
        return self.count - self.removed_count

    @property
    def settings(self) -> dict[str, Any]:
        """The notes that were given when the index was made."""
        notes: dict[str, Any] = self._store.settings["notes"]
        return notes

    @property
    def codes(self) -> npt.NDArray[np.uint8]:
        """All codes that were ever added, uint8 of shape (count, bits / 8)."""
        return self._codes.view(np.uint8)[:, : self.bits // 8]

    def close(self) -> None:
        """Let another process add to the index."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> bool:
        """See what other processes have added or removed; return whether there was anything."""
        changed = self._store.refresh()
        if changed:
            self._see()
        return changed

    def verify(self) -> None:
        """Compare all data of a folder with their checksums; StoreError says what is damaged."""
        self._store.verify()

    # --- adding and removing ---------------------------------------------------------------------

    def add(
        self,
        codes: Array,
        names: Sequence[str] | None = None,
        features: Array | None = None,
    ) -> Numbers:
        """Add codes; return their numbers.

        Parameters
        ----------
        codes : array of uint8, shape (n, bits / 8)
            Packed bits, as :meth:`ictus.Autoencoder.encode_bits` and :func:`numpy.packbits` give.
        names : sequence of str, optional
            By default empty.
        features : array, shape (n, features), optional
            The full features, where the index keeps them; kept as float32.

        Raises
        ------
        TypeError, ValueError
            Codes of another length, as many names or features as codes are not given, or an index
            that is open for reading.
        """
        words = checked_codes(self.bits, codes, "codes")
        rows: dict[str, Array] = {"codes": words}
        if names is not None:
            if len(names) != len(words):
                raise ValueError(f"names must be {len(words)}, one a code, got {len(names)}")
            unnamed = self.count - self._store.rows("name_ends")
            rows |= name_rows(names, unnamed, self._store.rows("names"))
        if self.features:
            shape = (len(words), self.features)
            if features is None or np.shape(features) != shape:
                got = None if features is None else np.shape(features)
                raise ValueError(f"features must have shape {shape}, got {got}")
            rows["features"] = np.asarray(features, np.float32)
        elif features is not None:
            raise ValueError("features must be None: the index was made without")
        first = self.count
        self._store.append(rows)
        self._see()
        return np.arange(first, self.count)

    def remove(self, numbers: npt.ArrayLike) -> None:
        """Remove codes by their numbers, which no other code gets.

        Raises
        ------
        ValueError
            A number that no code has, or whose code was removed before; nothing is removed.
        """
        wanted = np.atleast_1d(np.asarray(numbers, np.int64))
        self._check_numbers(wanted)
        if self._gone is not None and self._gone[wanted].any():
            gone = int(wanted[self._gone[wanted]][0])
            raise ValueError(f"numbers must be of codes that are there, got {gone}")
        if len(np.unique(wanted)) < len(wanted):
            raise ValueError("numbers must differ from each other")
        self._store.append({"removed": wanted[:, np.newaxis]})
        self._see()

    def names(self, numbers: npt.ArrayLike) -> list[str]:
        """Return the names of codes."""
        wanted = np.atleast_1d(np.asarray(numbers, np.int64))
        self._check_numbers(wanted)
        data, ends = self._store.column("names"), self._store.column("name_ends")
        return read_names(data[:, 0], ends[:, 0], wanted.tolist())

    @property
    def named(self) -> int:
        """All codes from this number on were added without names."""
        return self._store.rows("name_ends")

    def removed(self) -> Numbers:
        """Return the numbers of the removed codes, ascending."""
        return np.flatnonzero(self._gone) if self._gone is not None else np.empty(0, np.int64)

    def feature_rows(self, numbers: Numbers) -> npt.NDArray[np.float32]:
        """Return the full features of codes, shape (len(numbers), features)."""
        self._check_numbers(numbers)
        rows: npt.NDArray[np.float32] = self._store.column("features")[numbers]
        return rows

    def _check_numbers(self, numbers: Numbers) -> None:
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self.count):
            raise ValueError(
                f"numbers must be in 0 .. {self.count - 1}, got {numbers.min()} .. {numbers.max()}"
            )

    # --- searching -------------------------------------------------------------------------------

    def nearest(
        self,
        queries: Array,
        k: int = 10,
        *,
        radius: int | None = None,
        query_features: Array | None = None,
        metric: str = "euclidean",
        feature_scale: Array | None = None,
        candidates: int | None = None,
    ) -> Nearest:
        """Find the k nearest codes of each query.

        Parameters
        ----------
        queries : array of uint8, shape (queries, bits / 8)
        k : int
            If there are fewer codes, the results have fewer columns.
        radius : int, optional
            Codes farther than this do not count; missing results have number -1.
        query_features : array, shape (queries, features), optional
            Order the candidates by the distance of their full features, and return the k nearest by
            these; their distances are then float32.
        metric : {"euclidean", "cosine"}
            Of the full features.
        feature_scale : array, shape (features,), optional
            Features are multiplied by it before they are compared.
        candidates : int, optional
            How many codes are looked at in full; by default 10 k.

        Returns
        -------
        Nearest
            distances and numbers, shape (queries, min(k, len(self))).

        Raises
        ------
        TypeError, ValueError
            Queries of another length, k < 1, features that do not fit.
        """
        asked = checked_codes(self.bits, queries, "queries")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        looked_at = 10 * k if candidates is None else candidates
        wanted = min(k if query_features is None else max(k, looked_at), max(len(self), 1))
        search = partial(self._nearest, self._in_tables(), wanted, radius)
        found = merging.nearest_in_groups(asked, self.count, search)
        if query_features is None:
            return found
        return rerank(self, found, query_features, min(k, len(self)), metric, feature_scale)

    def _nearest(self, begin: int, wanted: int, radius: int | None, asked: Words) -> Nearest:
        parts = []
        if self._tables is not None:
            bits = self._bits_of(0, begin)
            parts.append(self._tables.nearest(asked, wanted, radius=radius, removed=bits))
        if begin < self.count or not parts:
            found = hamming_nearest(
                self._codes[begin:], asked, wanted, radius=radius, removed=self._bits_of(begin)
            )
            numbers = found.numbers + np.where(found.numbers >= 0, begin, 0)
            parts.append(Nearest(found.distances, numbers))
        return merging.merge_nearest(parts, min(wanted, len(self)))

    def within(self, queries: Array, radius: int) -> Within:
        """Find all codes within a distance of each query.

        Returns
        -------
        Within
            The results of query i are ``distances[offsets[i] : offsets[i + 1]]`` and numbers alike.

        Raises
        ------
        TypeError, ValueError
            Queries of another length, radius < 0.
        """
        asked = checked_codes(self.bits, queries, "queries")
        search = partial(self._within, self._in_tables(), radius)
        return merging.within_in_groups(asked, self.count, search)

    def _within(self, begin: int, radius: int, asked: Words) -> Within:
        parts = []
        if self._tables is not None:
            parts.append(self._tables.within(asked, radius, removed=self._bits_of(0, begin)))
        if begin < self.count or not parts:
            bits = self._bits_of(begin)
            found = hamming_within(self._codes[begin:], asked, radius, removed=bits)
            parts.append(Within(found.offsets, found.distances, found.numbers + begin))
        return merging.merge_within(parts)

    def _in_tables(self) -> int:
        """How many of the codes are in tables, after filling them if that is due."""
        due = self.search == "tables" or (self.search == "auto" and self.count >= TABLES_FROM)
        if not due:
            self._tables = None
            return 0
        known = 0 if self._tables is None else len(self._tables)
        if self._tables is None or (self.count - known) * REBUILD_SHARE > self.count:
            known = self.count // 8 * 8  # whole bytes of the bits that say what was removed
            self._tables = MultiIndex(self._codes[:known], bits=self.bits)
        return known

    def _bits_of(self, begin: int, end: int | None = None) -> npt.NDArray[np.uint8] | None:
        if self._removed_bits is None:
            return None
        last = self.count if end is None else end
        return self._removed_bits[begin // 8 : (last + 7) // 8]
