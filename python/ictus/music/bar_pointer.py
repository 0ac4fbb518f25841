"""The state space of tempo and position in a bar, and what its states observe."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ictus.kernels.viterbi import BarPointer

# A tempo change less probable than this is impossible [Krebs, Böck & Widmer 2015; their code].
SMALLEST_PROBABILITY = float(np.spacing(1.0))


def beat_intervals(
    shortest: float, longest: float, number: int | None = None
) -> npt.NDArray[np.int32]:
    """Whole numbers of frames that a beat may last.

    Parameters
    ----------
    shortest, longest : float
        In frames; rounded to the nearest, the even one of two.
    number : int, optional
        If fewer than the whole numbers between: so many intervals with logarithmic spacing.

    Raises
    ------
    ValueError
        ``shortest`` is below one frame or above ``longest``, or ``number`` is below 1.
    """
    first, last = round(shortest), round(longest)
    if first < 1 or last < first:
        raise ValueError(
            f"beat_intervals: from {shortest} to {longest} frames; expected at least one frame and "
            f"an ascending range"
        )
    if number is not None and number < 1:
        raise ValueError(f"beat_intervals: number must be at least 1, got {number}")
    if number is None or number > last - first:
        return np.arange(first, last + 1, dtype=np.int32)
    points = number
    while True:  # rounding makes some equal: as many points as leave `number` different ones
        spaced = np.logspace(np.log2(shortest), np.log2(longest), points, base=2)
        intervals = np.unique(np.round(spaced))
        if len(intervals) >= number:
            return intervals.astype(np.int32)
        points += 1


def tempo_transitions(
    intervals: npt.NDArray[np.int32], transition_lambda: float
) -> npt.NDArray[np.float64]:
    """Probability of each interval (column) after each (row).

    Proportional to ``exp(-transition_lambda * |to / from - 1|)`` [Krebs, Böck & Widmer, ISMIR
    2015, equation 7]; below the distance of 1 to the next float64 it counts as 0.
    """
    length = intervals.astype(np.float64)
    p = np.exp(-transition_lambda * np.abs(length / length[:, np.newaxis] - 1.0))
    p[p <= SMALLEST_PROBABILITY] = 0
    return np.asarray(p / np.sum(p, axis=1)[:, np.newaxis], np.float64)


@lru_cache(maxsize=32)
def bar_pointer(
    shortest: float,
    longest: float,
    *,
    number: int | None = None,
    beats: int = 1,
    transition_lambda: float = 100.0,
    observation_lambda: float = 16.0,
    logarithms: bool = True,
) -> BarPointer:
    """The model of bars with `beats` beats between `shortest` and `longest` frames.

    The first ``1 / observation_lambda`` of a beat's positions observe a beat: column 1 of the
    densities, or column 2 on the first beat of bars that have several.
    """
    intervals = beat_intervals(shortest, longest, number)
    zones = np.empty((beats, len(intervals)), np.int32)
    for i, length in enumerate(intervals):
        positions = np.linspace(0, 1, length, endpoint=False)
        for beat in range(beats):
            # Positions in the bar are floats that start at the beat's number: this is how the
            # reference rounds, and on the border of the zone that decides.
            zones[beat, i] = np.count_nonzero((positions + beat) % 1 < 1.0 / observation_lambda)
    columns = np.ones(beats, np.int32)
    if beats > 1:
        columns[0] = 2
    transitions = tempo_transitions(intervals, transition_lambda)
    if logarithms:
        with np.errstate(divide="ignore"):
            transitions = np.log(transitions)
    return BarPointer(intervals, zones, columns, transitions)


def beat_log_densities(
    activations: npt.NDArray[np.floating], observation_lambda: float
) -> npt.NDArray[np.float64]:
    """Log densities of what is no beat (column 0) and a beat (column 1), or also a downbeat (2).

    Parameters
    ----------
    activations : array, shape (frames,) or (frames, 2)
        Probability of a beat; or of a beat that is no downbeat, and of a downbeat.
    observation_lambda : float
        What is no beat has the density ``(1 - probability) / (observation_lambda - 1)`` [Böck,
        Krebs & Widmer, ISMIR 2014].

    Returns
    -------
    array, shape (frames, columns + 1)
        Computed in the dtype of the activations, as the reference does.
    """
    a = activations if activations.ndim == 2 else activations[:, np.newaxis]
    log_densities = np.empty((len(a), a.shape[1] + 1))
    with np.errstate(divide="ignore"):
        rest = np.maximum(1.0 - np.sum(a, axis=1), 0)
        log_densities[:, 0] = np.log(rest / (observation_lambda - 1))
        log_densities[:, 1:] = np.log(a)
    return log_densities
