"""Checks of the numbers that training of Boltzmann machines takes."""

from __future__ import annotations

import numpy as np

from ictus.train import Constant, Schedule


def schedule(name: str, value: float | Schedule, highest: float) -> Schedule:
    """Return a number as a schedule; ValueError naming it where it is out of range."""
    if isinstance(value, Schedule):
        return value
    if not 0 <= value < highest:
        raise ValueError(f"{name} must be in [0, {highest:g}) or a Schedule, got {value!r}")
    return Constant(float(value))


def not_negative(name: str, value: float) -> float:
    """Return a number as a float; ValueError naming it where it is negative or infinite."""
    if not 0 <= value < np.inf:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return float(value)


def share(name: str, value: float, hidden_type: str = "bernoulli") -> float:
    """Return a share as a float; ValueError naming it where it is outside [0, 1].

    The activities of units other than Bernoulli have no bounds.
    """
    if hidden_type == "bernoulli" and not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value!r}")
    return float(value)
