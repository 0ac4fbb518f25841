"""Decoding of a bar pointer: Viterbi and forward algorithm without a transition matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import empty, native_module
from ictus.kernels._foreign import takes_arrays


@dataclass(frozen=True, eq=False)
class BarPointer:
    """The structure that the kernels need (Krebs, Böck & Widmer, ISMIR 2015).

    State (beat, interval, position) is number ``beat * sum(lengths) + sum(lengths[:interval]) +
    position``; a frame moves the position on by one, and after the last the next beat begins, in
    any interval. On a GPU its arrays lie where the densities do; each call looks at the three of
    integers, and waits for them.

    Parameters
    ----------
    lengths : array of int32, shape (intervals,)
        How many frames a beat of each interval lasts.
    beat_states : array of int32, shape (beats, intervals)
        The states of a beat with a position below this observe the beat's own column.
    beat_columns : array of int32, shape (beats,)
        That column of the densities; all other states observe column 0.
    transitions : array, shape (intervals, intervals)
        From, to: probabilities for ``forward``, their logarithms for ``advance``.
    """

    lengths: npt.NDArray[np.int32]
    beat_states: npt.NDArray[np.int32]
    beat_columns: npt.NDArray[np.int32]
    transitions: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """(beats, intervals)."""
        return len(self.beat_columns), len(self.lengths)

    @property
    def states(self) -> int:
        """The number of states."""
        return len(self.beat_columns) * int(np.sum(self.lengths))

    def _arrays(self) -> tuple[Array, Array, Array, Array]:
        return self.lengths, self.beat_states, self.beat_columns, self.transitions


@takes_arrays
def viterbi_advance(
    model: BarPointer,
    densities: FloatArray,
    scores: FloatArray,
    origins: npt.NDArray[np.uint16] | None = None,
) -> npt.NDArray[np.uint16]:
    """Carry the scores of all states over some frames; return where beats came from.

    Parameters
    ----------
    model : BarPointer
        With logarithms as transitions, -inf where there is none.
    densities : array, shape (frames, columns)
        Logarithms of the probability densities.
    scores : array, shape (states,)
        Log probabilities of the best ways before the first frame; replaced by those after the last.
    origins : array of uint16, shape (frames, beats, intervals), optional
        Written: the interval before position 0 of each beat and interval.

    Raises
    ------
    TypeError, ValueError
        An array of the wrong dtype or shape, or a model that contradicts itself.
    """
    if origins is None:
        origins = empty(densities, (len(densities), *model.shape), np.uint16)
    native_module(densities).viterbi_advance(*model._arrays(), densities, scores, origins)
    return origins


@takes_arrays
def viterbi_trace(
    model: BarPointer,
    origins: npt.NDArray[np.uint16],
    states: npt.NDArray[np.int32],
    path: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.int32]:
    """Follow states of the last frame back to before the first.

    Parameters
    ----------
    model : BarPointer
        That of the forward pass.
    origins : array of uint16, shape (frames, beats, intervals)
        What :func:`viterbi_advance` returned for these frames.
    states : array of int32, shape (count,)
        Replaced by the states before the first frame from which the best paths lead to them.
    path : array of int32, shape (frames,), optional
        Gets the path to the first of the states.

    Returns
    -------
    array
        ``states``.
    """
    native_module(origins).viterbi_trace(*model._arrays(), origins, states, path)
    return states


@takes_arrays
def viterbi_forward(
    model: BarPointer, densities: FloatArray, probabilities: FloatArray
) -> npt.NDArray[Any]:
    """Carry the probabilities of all states over some frames; return the likeliest state of each.

    Parameters
    ----------
    model : BarPointer
        With probabilities as transitions.
    densities : array, shape (frames, columns)
        Probability densities, not logarithms.
    probabilities : array, shape (states,)
        Given all frames before the first; replaced by those given all frames. Where a frame is
        impossible in every state, all states are equally probable again.

    Returns
    -------
    array of int32, shape (frames,)
        The most probable state of each frame given this frame and all before.
    """
    states: npt.NDArray[Any] = empty(densities, (len(densities),), np.int32)
    native_module(densities).viterbi_forward(*model._arrays(), densities, probabilities, states)
    return states
