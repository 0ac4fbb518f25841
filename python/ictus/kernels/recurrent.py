"""The simple recurrent layer: whole sequences, and the layer's passes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ictus._core import RecurrentLayer, RecurrentStream
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels._recurrent import run
from ictus.kernels.activation import activation_number

__all__ = ["RecurrentLayer", "RecurrentStream", "recurrent"]

Array = NDArray[Any]


@takes_arrays
def recurrent(
    x: Array,
    input_weights: Array,
    recurrent_weights: Array,
    bias: Array,
    *,
    activation: str = "tanh",
    lengths: Any = None,
    initial_state: Array | None = None,
) -> tuple[Array, Array]:
    """Return the outputs of a simple recurrent layer (Elman 1990), and its final state.

    ``h' = f(x W + h U + b)``.

    Parameters
    ----------
    x : array, shape (batch, time, features)
        Sequences, float32 or float64, padded to the longest.
    input_weights : array, shape (features, directions * units)
    recurrent_weights : array, shape (directions, units, units)
        With two directions, the second reads each sequence from its end.
    bias : array, shape (directions * units,)
    activation : {"tanh", "relu"}
        f.
    lengths : array of int, shape (batch,), optional
        Frames of each sequence; all of them if not given. What lies behind is not read.
    initial_state : array, shape (1, directions, batch, units), optional
        Outputs h before the first step; zeros if not given.

    Returns
    -------
    y : array, shape (batch, time, directions * units)
        Zeros behind a sequence's end.
    final_state : array, shape (1, directions, batch, units)

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides; a length that is not in ``1 .. time``.
    """
    number = activation_number("recurrent", activation)
    layer = native_module(x).RecurrentLayer(input_weights, recurrent_weights, bias, None, number)
    return run("recurrent", layer, 1, x, lengths, initial_state)
