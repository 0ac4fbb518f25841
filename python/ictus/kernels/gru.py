"""Gated recurrent units: whole sequences, and the layer's passes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ictus._core import GRULayer, GRUStream
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels._recurrent import run

__all__ = ["GRULayer", "GRUStream", "gru"]

Array = NDArray[Any]


@takes_arrays
def gru(
    x: Array,
    input_weights: Array,
    recurrent_weights: Array,
    bias: Array,
    recurrent_bias: Array,
    *,
    lengths: Any = None,
    initial_state: Array | None = None,
) -> tuple[Array, Array]:
    """Return the outputs of gated recurrent units (Cho et al. 2014), and the final state.

    The reset gate acts behind the recurrent product. Gates lie in the order reset, update,
    candidate::

        r = sigmoid(x Wr + h Ur + br)             z = sigmoid(x Wz + h Uz + bz)
        n = tanh(x Wn + bn + r * (h Un + bh))     h' = (1 - z) * n + z * h

    Parameters
    ----------
    x : array, shape (batch, time, features)
        Sequences, float32 or float64, padded to the longest.
    input_weights : array, shape (features, directions * 3 * units)
    recurrent_weights : array, shape (directions, units, 3 * units)
        With two directions, the second reads each sequence from its end.
    bias : array, shape (directions * 3 * units,)
    recurrent_bias : array, shape (directions, units)
        bh, inside the reset gate's product.
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
    layer = native_module(x).GRULayer(input_weights, recurrent_weights, bias, recurrent_bias)
    return run("gru", layer, 1, x, lengths, initial_state)
