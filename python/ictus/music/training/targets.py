"""Annotated times as what a network should say at each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events

Array = NDArray[Any]


def event_targets(
    times: Array, frames: int, rate: float, *, neighbours: tuple[float, ...] = (0.5,)
) -> Array:
    """Return a target of 1 at the frame nearest to each time, and less at its neighbours.

    Parameters
    ----------
    times : array
        Seconds.
    frames : int
    rate : float
        Frames a second.
    neighbours : tuple of float
        Targets of the frames at distance 1, 2, ... on both sides (target widening).

    Returns
    -------
    array, shape (frames,), float32
    """
    target = np.zeros(frames, np.float32)
    centre = np.round(np.asarray(times) * rate).astype(np.int64)
    for distance, value in enumerate((1.0, *neighbours)):
        for side in {-distance, distance}:
            at = centre + side
            at = at[(at >= 0) & (at < frames)]
            np.maximum.at(target, at, np.float32(value))
    return target


def onset_targets(
    times: Array, frames: int, rate: float, *, neighbour_weight: float | None = 0.25
) -> tuple[Array, Array]:
    """Return targets (frames, 1) and weights (frames,) of an onset detector.

    1 at the frame nearest to each time. With `neighbour_weight` the frames beside it are also 1,
    and weigh less: the "fuzzier" targets of Schlüter & Böck 2014, section 4.3.

    Parameters
    ----------
    times : array, shape (n,)
        Seconds.
    frames : int
    rate : float
        Frames in a second.
    neighbour_weight : float, optional
        None: one frame an onset.
    """
    exact = event_targets(times, frames, rate, neighbours=())
    weights = np.ones(frames, np.float32)
    if neighbour_weight is None:
        return exact[:, None], weights
    wide = event_targets(times, frames, rate, neighbours=(1.0,))
    weights[wide > exact] = neighbour_weight
    return wide[:, None], weights


def beat_targets(events: Events, frames: int, rate: float, **widening: Any) -> Array:
    """Return the targets of a beat tracker, shape (frames, 1); see :func:`event_targets`."""
    return event_targets(events.times, frames, rate, **widening)[:, None]


def downbeat_targets(events: Events, frames: int, rate: float, **widening: Any) -> Array:
    """Return probabilities of (no beat, beat that is no downbeat, downbeat), shape (frames, 3).

    The classes of Böck, Krebs & Widmer 2016.

    Parameters
    ----------
    events : Events
        Beats with their numbers in the bar.
    frames : int
    rate : float
        Frames in a second.
    **widening
        As of :func:`beat_targets`.

    Raises
    ------
    ValueError
        The annotation has no numbers of beats in their bars.
    """
    numbers = events.numbers
    if numbers is None:
        raise ValueError("downbeats need the number of each beat in its bar in the annotation")
    other = event_targets(events.times[numbers != 1], frames, rate, **widening)
    down = event_targets(events.times[numbers == 1], frames, rate, **widening)
    total = np.maximum(other + down, 1.0)
    other, down = other / total, down / total
    return np.column_stack([1.0 - other - down, other, down])
