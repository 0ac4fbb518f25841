"""Where a network lies: its vectors on the CPU or on a GPU, and the room of its passes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ictus.kernels._device import named_device, to_device
from ictus.nn.layer import Array, Layer, Shape
from ictus.nn.parameters import parameter_count
from ictus.nn.sequences import SequenceCache
from ictus.nn.shapes import Passes


class ThreadCaches(threading.local):
    """What passes keep: each thread has its own, so threads may share a network."""

    def __init__(
        self, layers: Sequence[Layer], shape: Shape, dtype: np.dtype[Any], arrays: Any
    ) -> None:
        self.passes = Passes(layers, shape, dtype, arrays)
        self.sequences: list[SequenceCache] = []


class Placement:
    """The part of a chain of layers that knows where its numbers are."""

    layers: list[Layer]
    input_shape: Shape
    dtype: np.dtype[Any]

    def views(self, flat: Array) -> list[list[Array]]:
        """Return, for each layer, the views of a flat vector in the shapes of its parameters."""
        raise NotImplementedError

    def _views_of(self, numbers: Array) -> list[list[Array]]:
        raise NotImplementedError

    def _place(self, device: str, numbers: Array) -> None:
        """Take a vector on a device for the network's numbers."""
        self._device = named_device(device)
        count = parameter_count(self.layers)
        self.numbers: Array = numbers
        self.parameters: Array = self.numbers[:count]
        self.state: Array = self.numbers[count:]
        self.gradient: Array = self._device.arrays.zeros(count, self.dtype)
        self._views = self._views_of(self.numbers)
        self._gradient_views = self.views(self.gradient)
        self._of_thread = ThreadCaches(
            self.layers, self.input_shape, self.dtype, self._device.arrays
        )

    @property
    def device(self) -> str:
        """Where the numbers lie and passes run: "cpu" or "cuda"."""
        return self._device.name

    def to(self, device: str) -> Self:
        """Move the network to a device, with its parameters and state; return it.

        Passes then run there: on arrays of the device, or on NumPy arrays, which are copied there.
        Predictions and activations come back to where the examples were. Model files and
        checkpoints do not depend on the device.

        Parameters
        ----------
        device : {"cpu", "cuda"}

        Raises
        ------
        RuntimeError
            "cuda" where this build has no CUDA kernels, CuPy is missing, or no GPU answers.
        ValueError
            Another name.
        """
        if named_device(device).name != self.device:
            self._place(device, to_device(device, self.numbers))
        return self

    def put_numbers(self, numbers: Array) -> None:
        """Copy a vector, wherever it lies, to ``numbers``."""
        self.numbers[...] = to_device(self.device, numbers)
