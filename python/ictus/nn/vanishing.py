"""A penalty that keeps the gradients of a simple recurrent layer from vanishing over time."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ictus import _core
from ictus.nn.layer import Array


class VanishingPenalty:
    """Omega of Pascanu, Mikolov & Bengio 2013, section 3.3.

    "On the difficulty of training recurrent neural networks".

    The mean over the steps t with a step after them of ``(n_t / m_t - 1)^2``; with d the gradient
    of the loss with respect to the units' inputs at t + 1, m is the length of d, and n that of
    ``d U^T * f'`` at t. Its gradient with respect to U takes d and the states as given.

    Parameters
    ----------
    weight : float, positive
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight

    @staticmethod
    def of(layer: Any, weight: float) -> VanishingPenalty | None:
        """Return the penalty of a layer's argument, None for weight 0.

        Raises
        ------
        ValueError
            A negative weight, or a layer of other units or of two directions.
        """
        if not isinstance(weight, Real) or not 0 <= weight < np.inf:
            raise ValueError(f"Recurrent: vanishing_penalty must not be negative, got {weight!r}")
        if not weight:
            return None
        if layer.activation != "tanh" or layer.directions != 1:
            raise ValueError(
                "Recurrent: vanishing_penalty needs the activation tanh and one direction, got "
                f"{layer.activation!r} and {layer.directions}"
            )
        return VanishingPenalty(float(weight))

    def terms(self, cache: Any, d: Array, recurrent: Array) -> tuple[Array, Array, Array, Array]:
        """Return ``d U^T f'``, f', the ratios n / m and the lengths m of all frames.

        Ratios are 1, where the penalty has its minimum, for the first step of each sequence, before
        which there is none, and where there is no gradient.
        """
        slopes = 1 - np.square(cache.previous)
        v = np.empty_like(d)
        _core.gemm(d, recurrent.T, v, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
        v *= slopes
        m = np.sqrt(np.square(d).sum(axis=1, dtype=np.float64))
        n = np.sqrt(np.square(v).sum(axis=1, dtype=np.float64))
        ratios = np.divide(n, m, out=np.ones_like(n), where=(m > 0) & (n > 0))
        ratios[~cache.previous.any(axis=1)] = 1.0
        return v, slopes, ratios, m

    def value(self, cache: Any, d: Array, recurrent: Array) -> float:
        """Return the penalty, weight included."""
        _, _, ratios, _ = self.terms(cache, d, recurrent)
        return self.weight * float(np.square(ratios - 1).sum()) / len(d)

    def add_gradient(self, cache: Any, d: Array, recurrent: Array, gradient: Array) -> None:
        """Add the gradient with respect to the recurrent weights.

        Parameters
        ----------
        cache : SequenceCache
            Of the layer after a backward pass.
        d : array, shape (rows, units)
            The gradients with respect to the units' inputs.
        recurrent, gradient : array, shape (units, units)
        """
        v, slopes, ratios, m = self.terms(cache, d, recurrent)
        # d(n/m)/dv = v / (n m), and n = ratio * m.
        denominator = ratios * np.square(m)
        factors = np.divide(
            2 * self.weight / len(d) * (ratios - 1),
            denominator,
            out=np.zeros_like(m),
            where=denominator > 0,
        )
        v *= slopes
        v *= factors.astype(v.dtype)[:, None]
        _core.gemm(v.T, d, gradient, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
