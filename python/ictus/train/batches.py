"""Minibatches of a data set: a deterministic order, and a position that a checkpoint can keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Batch = tuple[Array, Array, Array | None]


class BatchOrder:
    """Which rows each minibatch has: depends on ``seed`` and the epoch alone.

    Parameters
    ----------
    size : int
        Number of examples.
    batch_size : int
        1 is stochastic gradient descent, n (or more) is batch descent. The last minibatch of an
        epoch may be smaller.
    shuffle : bool
    seed : int
    """

    def __init__(self, size: int, *, batch_size: int, shuffle: bool = True, seed: int = 0) -> None:
        if int(batch_size) != batch_size or batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
        self.size = size
        self.batch_size = min(int(batch_size), max(size, 1))
        self.shuffle = bool(shuffle)
        self.seed = int(seed)

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def rows(self, number: int, first: int = 0) -> Iterator[slice | Array]:
        """Yield the rows of each minibatch of epoch ``number``, from the minibatch ``first`` on."""
        order = None
        if self.shuffle:
            generator = np.random.Generator(np.random.PCG64([self.seed, number]))
            order = generator.permutation(self.size)
        for index in range(first, len(self)):
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
            yield rows if order is None else order[rows]

    def epoch(self, number: int, first: int = 0) -> Iterator[Any]:
        """Yield the minibatches of epoch ``number``, from the minibatch ``first`` on.

        A minibatch is a tuple of arrays with a row an example; it may be overwritten by the next.
        """
        raise NotImplementedError


class Source(Protocol):
    """Examples that are taken by their rows, as a tuple of arrays with a row an example."""

    size: int

    def take(self, rows: slice | Array) -> tuple[Array, ...]:
        """Return some rows; the next call may overwrite them."""


class SourceBatches(BatchOrder):
    """Minibatches of what is taken from a source; `order` is as of :class:`BatchOrder`."""

    def __init__(self, source: Source, **order: Any) -> None:
        super().__init__(source.size, **order)
        self.source = source

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Array, ...]]:
        for rows in self.rows(number, first):
            yield self.source.take(rows)


class Batches(BatchOrder):
    """Cuts arrays into minibatches.

    Parameters
    ----------
    x : array or memory map, shape (n, ...)
        Examples. Memory maps are read a minibatch at a time.
    y : array, shape (n,) or (n, k)
        Targets.
    weights : array, shape (n,), optional
        Weights of the examples.
    batch_size, shuffle, seed
        See :class:`BatchOrder`.
    dtype : dtype
        What the examples become.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        weights: Array | None = None,
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(len(x), batch_size=batch_size, shuffle=shuffle, seed=seed)
        self.x, self.y, self.weights = x, y, weights
        self.dtype = np.dtype(dtype)
        self._in_place = not shuffle and x.dtype == self.dtype and x.flags.c_contiguous

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        room = np.empty((self.batch_size, *self.x.shape[1:]), self.dtype)
        for rows in self.rows(number, first):
            if isinstance(rows, slice):
                x = self.x[rows]
                if not self._in_place:
                    x = np.ascontiguousarray(x, self.dtype)
            else:
                x = room[: len(rows)]
                if self.x.dtype == self.dtype:
                    np.take(self.x, rows, axis=0, out=x, mode="clip")
                else:
                    x[...] = self.x[rows]
            yield x, self.y[rows], None if self.weights is None else self.weights[rows]
