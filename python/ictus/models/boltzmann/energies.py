"""The terms of a machine's energies, from visible states and the inputs of the hidden units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import device_of, to_device, to_host

Array = NDArray[Any]


def visible_energy(v: Array, visible_type: str, bias: Array, variance: Array | None) -> Array:
    """Return the energy of the visible units alone, shape (rows,); the bias may be one a row."""
    if visible_type != "gaussian":
        energy: Array = -(v * bias).sum(axis=1)
        return energy
    squares = np.square(v - bias)
    energy = (squares if variance is None else squares / variance).sum(axis=1) / 2
    return energy


def hidden_free_energy(x: Array, hidden_type: str) -> Array:
    """Return ``-log sum_h exp(x.h - ...)`` of hidden units with the inputs x, shape (rows,).

    Rectified units each stand for Bernoulli units with inputs x - 1/2, x - 3/2, ... (Nair & Hinton
    2010); the sum of their softplus terms is taken as its integral, ``-Li2(-exp(x))``, whose
    derivative is the mean that the unit has in training, ``log(1 + exp(x))``.
    """
    x = x.astype(np.float64)
    energy: Array
    if hidden_type == "gaussian":
        energy = -np.square(x).sum(axis=1) / 2
        return energy
    if hidden_type == "bernoulli":
        energy = -np.logaddexp(0, x).sum(axis=1)
        return energy
    from scipy.special import spence

    device, x = device_of(x).name, to_host(x)  # SciPy's function is the host's

    # Li2(z) = spence(1 - z); above 0 by Li2(-e^x) + Li2(-e^-x) = -pi^2 / 6 - x^2 / 2.
    tail = spence(1.0 + np.exp(-np.abs(x)))
    integral = np.where(x > 0, np.square(x) / 2 + np.pi**2 / 6 + tail, -tail)
    return to_device(device, -integral.sum(axis=1))  # type: ignore[no-any-return]
