"""Frames of sequences with what came before them: the examples of a conditional machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.examples import as_matrix, check_values

if TYPE_CHECKING:
    from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]


class Windows:
    """Each frame of each sequence, and as its context the frames before it and further inputs.

    What lies before the start of a sequence counts as zeros. The context of a frame is
    ``[frame t - order, ..., frame t - 1, inputs t]``.

    Parameters
    ----------
    sequences : sequence of arrays, each of shape (frames, visible units)
    order : int
        How many frames before it the context holds; 0: none.
    inputs : sequence of arrays, each of shape (frames, n inputs), optional
        Further inputs of each frame.
    dtype : float32 or float64

    Attributes
    ----------
    size : int
        Number of frames.
    context_units : int
    lengths : list of int
        Frames of each sequence.
    """

    def __init__(
        self,
        sequences: Sequence[Any],
        order: int = 1,
        inputs: Sequence[Any] | None = None,
        dtype: Any = np.float32,
    ) -> None:
        if isinstance(order, bool) or int(order) != order or order < 0:
            raise ValueError(f"order must be a non-negative integer, got {order!r}")
        if order == 0 and inputs is None:
            raise ValueError("order must be positive where there are no inputs, got 0")
        self.order = int(order)
        arrays = [np.asarray(sequence) for sequence in sequences]
        if not arrays or arrays[0].ndim != 2:
            raise ValueError("sequences must be arrays of shape (frames, units), at least one")
        self._units = arrays[0].shape[1]
        arrays = [as_matrix(a, self._units, f"sequence {i}") for i, a in enumerate(arrays)]
        self.lengths = [len(array) for array in arrays]
        self.size = sum(self.lengths)
        # Before each sequence lie `order` frames of zeros.
        starts = np.cumsum([0, *self.lengths[:-1]]) + self.order * np.arange(1, len(arrays) + 1)
        self._places = np.concatenate(
            [start + np.arange(n) for start, n in zip(starts, self.lengths, strict=True)]
        )
        total = self.size + self.order * len(arrays)
        self._frames: Array = np.zeros((total, self._units), dtype)
        self._frames[self._places] = np.concatenate(arrays)
        self._inputs = None if inputs is None else self._joined(inputs, dtype)
        extra = 0 if self._inputs is None else self._inputs.shape[1]
        self.context_units = self.order * self._units + extra
        # Row i of this view: the frames i .. i + order - 1, one after another.
        step, item = self._frames.strides
        self._past = np.lib.stride_tricks.as_strided(
            self._frames, (total - self.order + 1, self.order * self._units), (step, item)
        )

    def _joined(self, inputs: Sequence[Any], dtype: Any) -> Array:
        arrays = [np.asarray(each) for each in inputs]
        if [len(array) for array in arrays] != self.lengths:
            raise ValueError(
                f"inputs must have the lengths of the sequences, {self.lengths[:5]}, got "
                f"{[len(array) for array in arrays][:5]}"
            )
        width = arrays[0].shape[-1]
        if any(array.ndim != 2 or array.shape[1] != width for array in arrays):
            raise ValueError("inputs must be arrays of shape (frames, n inputs), all as wide")
        joined = np.concatenate(arrays).astype(dtype)
        if not np.isfinite(joined).all():
            raise ValueError("inputs must be finite")
        return joined

    @property
    def visible(self) -> Array:
        """All frames, shape (size, visible units)."""
        return np.asarray(self._frames[self._places])

    def take(self, rows: slice | Array) -> tuple[Array, ...]:
        """Return frames and their contexts."""
        places = self._places[rows]
        parts = [self._past[places - self.order]] if self.order else []
        if self._inputs is not None:
            parts.append(self._inputs[rows])
        context = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return self._frames[places], context

    def check(self, machine: RBM, name: str, check_range: bool) -> None:
        """Raise ValueError for another dtype, and values that the visible units cannot take."""
        if self._frames.dtype != machine.dtype:
            raise ValueError(
                f"{name} must have dtype {machine.dtype} like the machine, got {self._frames.dtype}"
            )
        kind = machine.visible_type if check_range else "gaussian"
        check_values(self.visible, kind, machine.group_size, name)
