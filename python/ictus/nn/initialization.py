"""Initial weights: the rules of the literature, by name.

Each rule gives the standard deviation of zero-mean weights from the number of inputs and outputs of
a unit, except the sparse one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rule = Callable[[np.random.Generator, int, int, float], Array]

#: Incoming connections of a unit in sparse initialisation (Martens 2010, section 5).
SPARSE_CONNECTIONS = 15


def _normal(generator: np.random.Generator, inputs: int, units: int, deviation: float) -> Array:
    return generator.normal(0.0, deviation, (inputs, units))


def glorot(generator: np.random.Generator, inputs: int, units: int, scale: float) -> Array:
    """Uniform within ``scale * sqrt(6 / (inputs + units))`` (Glorot & Bengio 2010, eq. 16)."""
    bound = scale * np.sqrt(6.0 / (inputs + units))
    return generator.uniform(-bound, bound, (inputs, units))


def he(generator: np.random.Generator, inputs: int, units: int, scale: float) -> Array:
    """Normal with variance ``2 scale**2 / inputs``, for rectifiers (He et al. 2015, eq. 10)."""
    return _normal(generator, inputs, units, scale * np.sqrt(2.0 / inputs))


def lecun(generator: np.random.Generator, inputs: int, units: int, scale: float) -> Array:
    """Normal with variance ``scale**2 / inputs`` (LeCun et al. 1998, "Efficient BackProp")."""
    return _normal(generator, inputs, units, scale / np.sqrt(inputs))


def gaussian(generator: np.random.Generator, inputs: int, units: int, scale: float) -> Array:
    """Normal with standard deviation ``0.01 * scale`` (Hinton 2010, section 8)."""
    return _normal(generator, inputs, units, 0.01 * scale)


def sparse(generator: np.random.Generator, inputs: int, units: int, scale: float) -> Array:
    """Exactly 15 incoming weights a unit, normal with deviation ``scale``; the others zero.

    Martens 2010, section 5. Units with fewer inputs are fully connected.
    """
    weights = np.zeros((inputs, units))
    count = min(SPARSE_CONNECTIONS, inputs)
    for unit in range(units):
        chosen = generator.choice(inputs, count, replace=False)
        weights[chosen, unit] = generator.normal(0.0, scale, count)
    return weights


#: The rules by name.
INITIALIZATIONS: dict[str, Rule] = {
    "glorot": glorot,
    "he": he,
    "lecun": lecun,
    "gaussian": gaussian,
    "sparse": sparse,
}


def initialize_weights(
    name: str, generator: np.random.Generator, inputs: int, units: int, scale: float = 1.0
) -> Array:
    """Return initial weights, shape (inputs, units), float64, by the rule `name`.

    Parameters
    ----------
    name : {"glorot", "he", "lecun", "gaussian", "sparse"}
    generator : numpy.random.Generator
        What draws.
    inputs, units : int
    scale : float
        Factor of the deviation.

    Raises
    ------
    ValueError
        Where there is no such rule.
    """
    if name not in INITIALIZATIONS:
        known = ", ".join(INITIALIZATIONS)
        raise ValueError(f"initialization must be one of {known}, got {name!r}")
    return INITIALIZATIONS[name](generator, inputs, units, scale)
