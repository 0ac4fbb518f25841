"""Long short-term memory: whole sequences, and the layer's passes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ictus._core import LSTMLayer, LSTMStream
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels._recurrent import run

__all__ = ["LSTMLayer", "LSTMStream", "lstm"]

Array = NDArray[Any]


@takes_arrays
def lstm(
    x: Array,
    input_weights: Array,
    recurrent_weights: Array,
    bias: Array,
    peepholes: Array | None = None,
    *,
    lengths: Any = None,
    initial_state: Array | None = None,
) -> tuple[Array, Array]:
    """Return the outputs of a layer of long short-term memory, and its final state.

    Hochreiter & Schmidhuber 1997, with forget gates (Gers et al. 2000) and optional peepholes (Gers
    et al. 2002). Gates lie in the order input, forget, output, candidate::

        i = sigmoid(x Wi + h Ui + bi + pi * c)    f = sigmoid(x Wf + h Uf + bf + pf * c)
        g = tanh(x Wg + h Ug + bg)                c' = f * c + i * g
        o = sigmoid(x Wo + h Uo + bo + po * c')   h' = o * tanh(c')

    Parameters
    ----------
    x : array, shape (batch, time, features)
        Sequences, float32 or float64, padded to the longest.
    input_weights : array, shape (features, directions * 4 * units)
    recurrent_weights : array, shape (directions, units, 4 * units)
        With two directions, the second reads each sequence from its end.
    bias : array, shape (directions * 4 * units,)
    peepholes : array, shape (directions, 3, units), optional
        In the order pi, pf, po.
    lengths : array of int, shape (batch,), optional
        Frames of each sequence; all of them if not given. What lies behind is not read.
    initial_state : array, shape (2, directions, batch, units), optional
        Outputs h and cell states c before the first step; zeros if not given.

    Returns
    -------
    y : array, shape (batch, time, directions * units)
        Zeros behind a sequence's end.
    final_state : array, shape (2, directions, batch, units)

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides; a length that is not in ``1 .. time``.
    """
    layer = native_module(x).LSTMLayer(input_weights, recurrent_weights, bias, peepholes)
    return run("lstm", layer, 2, x, lengths, initial_state)
