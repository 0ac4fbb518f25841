"""Data-parallel training over MPI: each process works on its share of every batch.

A communicator is mpi4py's (or anything with its ``Get_rank``, ``Get_size`` and ``Allreduce``). All
processes hold the whole data and the same network; gradients, curvature products and losses are
summed, so that all take the same steps. The result is that of one process up to rounding; of two
processes, with Hessian-free training, to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Processes:
    """The processes of a training; without a communicator one alone.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional

    Raises
    ------
    TypeError
        No communicator.
    """

    def __init__(self, comm: Any = None) -> None:
        if comm is not None and not all(
            hasattr(comm, name) for name in ("Get_rank", "Get_size", "Allreduce")
        ):
            raise TypeError(f"comm must be a communicator of mpi4py or None, got {comm!r}")
        self.comm = comm
        self.rank = 0 if comm is None else int(comm.Get_rank())
        self.count = 1 if comm is None else int(comm.Get_size())

    @property
    def alone(self) -> bool:
        """Whether there is one process."""
        return self.count == 1

    def share(self, size: int) -> slice:
        """Return which of `size` examples are this process's: a range, as even as can be."""
        return slice(self.rank * size // self.count, (self.rank + 1) * size // self.count)

    def shares(self, size: int, halved: bool) -> list[tuple[int, slice]]:
        """Return this process's shares of `size` examples and their numbers among all shares.

        Each process has one. One alone has two halves, where it has a communicator or `halved`: it
        sums each by itself, as two processes would, and comes to their bits.
        """
        if self.count == 1 and (halved or self.comm is not None):
            return [(0, slice(0, size // 2)), (1, slice(size // 2, size))]
        return [(self.rank, self.share(size))]

    def add_up(self, array: Array) -> Array:
        """Replace the array by its sum over all processes."""
        if self.count > 1:
            total = np.empty_like(array)
            self.comm.Allreduce(array, total)
            array[...] = total
        return array

    def sum(self, value: float) -> float:
        """Return the sum of a number over all processes."""
        if self.count == 1:
            return value
        return float(self.add_up(np.array([value], np.float64))[0])
