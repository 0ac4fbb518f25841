"""What the kernel functions of recurrent layers share: padded and ragged batches, and the call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus._core import Sequences
from ictus.kernels._device import (
    contiguous,
    device_of,
    empty,
    is_array,
    native_module,
    zeros,
)

Array = NDArray[Any]


def check_lengths(function: str, lengths: Any, count: int, longest: int) -> Array:
    """Return the lengths of a padded batch as int64.

    Raises
    ------
    ValueError
        Another number of lengths, or a length that is not in ``1 .. longest``.
    """
    values = np.asarray(lengths)
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise ValueError(
            f"{function}: lengths must be {count} integers, got shape {values.shape} of "
            f"{values.dtype}"
        )
    bad = (values < 1) | (values > longest)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"{function}: lengths must be in 1 .. {longest}, got {values[first]} for sequence "
            f"{first}"
        )
    return np.ascontiguousarray(values, np.int64)


def frames_of(function: str, x: Any, lengths: Any) -> tuple[Array, Sequences, Array | None]:
    """Return the frames of a batch (batch, time, features), one sequence after another.

    Also their Sequences, and which (sequence, step) are frames where some are padding.
    """
    if not is_array(x) or x.ndim != 3:
        got = x.shape if is_array(x) else type(x).__name__
        raise ValueError(f"{function}: x must have shape (batch, time, features), got {got}")
    count, time, features = x.shape
    if lengths is None:
        lengths = np.full(count, time, np.int64)
    values = check_lengths(function, lengths, count, time)
    sequences = native_module(x).Sequences(values)
    if (values == time).all():
        return contiguous(x).reshape(count * time, features), sequences, None
    used = device_of(x).arrays.asarray(np.arange(time) < values[:, None])
    return x[used], sequences, used


def run(
    function: str, layer: Any, states: int, x: Any, lengths: Any, initial_state: Any
) -> tuple[Array, Array]:
    """Run a layer over a batch: outputs (batch, time, directions * units), final state."""
    frames, sequences, used = frames_of(function, x, lengths)
    columns = layer.directions * layer.units
    y = empty(frames, (len(frames), columns))
    final = empty(frames, (states, layer.directions, sequences.count, layer.units))
    layer.forward(sequences, frames, y, initial_state, final, None, None, None)
    if used is None:
        return y.reshape(*x.shape[:2], columns), final
    padded = zeros(frames, (*x.shape[:2], columns))
    padded[used] = y
    return padded, final
