"""Minibatches of a data set: a deterministic order, and a position that a checkpoint can keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Batch = tuple[Array, Array, Array | None]


class Batches:
    """Cuts arrays into minibatches, in an order that depends on ``seed`` and the epoch alone.

    Parameters
    ----------
    x : array or memory map, shape (n, ...)
        Examples. Memory maps are read a minibatch at a time.
    y : array, shape (n,) or (n, k)
        Targets.
    weights : array, shape (n,), optional
        Weights of the examples.
    batch_size : int
        1 is stochastic gradient descent, n (or more) is batch descent. The last minibatch of an
        epoch may be smaller.
    shuffle : bool
    seed : int
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
        if int(batch_size) != batch_size or batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
        self.x, self.y, self.weights = x, y, weights
        self.size = len(x)
        self.batch_size = min(int(batch_size), max(self.size, 1))
        self.shuffle = bool(shuffle)
        self.seed = int(seed)
        self.dtype = np.dtype(dtype)
        self._in_place = not shuffle and x.dtype == self.dtype and x.flags.c_contiguous

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the minibatches of epoch ``number``, from the minibatch ``first`` on.

        A yielded minibatch may be overwritten by the next.
        """
        order = None
        if self.shuffle:
            generator = np.random.Generator(np.random.PCG64([self.seed, number]))
            order = generator.permutation(self.size)
        room = np.empty((self.batch_size, *self.x.shape[1:]), self.dtype)
        for index in range(first, len(self)):
            rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
            if order is None:
                x, y = self.x[rows], self.y[rows]
                if not self._in_place:
                    x = np.ascontiguousarray(x, self.dtype)
                yield x, y, None if self.weights is None else self.weights[rows]
                continue
            chosen = order[rows]
            x = room[: len(chosen)]
            if self.x.dtype == self.dtype:
                np.take(self.x, chosen, axis=0, out=x, mode="clip")
            else:
                x[...] = self.x[chosen]
            yield x, self.y[chosen], None if self.weights is None else self.weights[chosen]
