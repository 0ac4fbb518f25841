"""Losses of an epoch that stay on a GPU until somebody asks: no minibatch waits for its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import named_device, to_device, to_host

Array = NDArray[Any]


class DeferredLosses:
    """Sums of the mean losses of minibatches, one for each number of rows that they have.

    Parameters
    ----------
    device : str
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._totals: dict[int, Array] = {}

    def of(self, rows: int) -> Array:
        """Return the number on the device that mean losses of so many rows are added to."""
        if rows not in self._totals:
            zeros = named_device(self._device).arrays.zeros
            self._totals[rows] = zeros((1,), np.float64)
        return self._totals[rows]

    def sum(self) -> float:
        """Return the sum of the losses of all rows so far; waits for it.

        When and how often it is asked for changes no bit of it.
        """
        return float(sum(rows * value for rows, value in self.state()))

    def clear(self) -> None:
        """Begin a new epoch."""
        self._totals = {}

    def state(self) -> list[list[Any]]:
        """Return plain data that :meth:`load` takes."""
        totals = sorted(self._totals.items())
        return [[rows, float(to_host(total)[0])] for rows, total in totals]

    def load(self, state: list[list[Any]]) -> None:
        """Go on from what :meth:`state` gave."""
        self._totals = {
            int(rows): to_device(self._device, np.array([value])) for rows, value in state
        }
