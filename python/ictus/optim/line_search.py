"""How far to go along a direction: the first length, shrinking, that brings enough."""

from __future__ import annotations

from collections.abc import Callable

#: Factor of a step, share of the linear decrease, tries (Martens 2010).
SHRINKAGE, SUFFICIENT, TRIES = 0.8, 0.01, 60


def search(
    loss_at: Callable[[float], float], loss: float, slope: float, length: float, full: float
) -> tuple[float, float]:
    """Return a length and the loss there; 0 and the loss at 0 where none is good.

    Parameters
    ----------
    loss_at : callable
        The loss at a length.
    loss, slope : float
        At length 0.
    length : float
        Tried first.
    full : float
        The loss at length 1.
    """
    for _ in range(TRIES):
        there = full if length == 1.0 else loss_at(length)
        if there <= loss + SUFFICIENT * length * slope and there < loss:
            return length, there
        length *= SHRINKAGE
    return 0.0, loss
