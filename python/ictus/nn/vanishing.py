"""A penalty that keeps the gradients of a simple recurrent layer from vanishing over time."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
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
        """Return ``e = d / m``, ``e U^T f'``, f' and the ratios n / m of all frames.

        Gradients that have all but vanished are as good as others, so they are brought to length 1
        first. Ratios are 1, where the penalty has its minimum, for the first step of each sequence,
        before which there is none, and where there is no gradient.
        """
        m = np.sqrt(np.square(d, dtype=np.float64).sum(axis=1, keepdims=True))
        m[m == 0] = 1
        e = (d / m).astype(d.dtype)
        slopes = 1 - np.square(cache.previous)
        v = np.empty_like(d)
        native_module(e).gemm(e, recurrent.T, v, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
        v *= slopes
        ratios = np.sqrt(np.square(v).sum(axis=1, dtype=np.float64))
        ratios[(ratios == 0) | ~cache.previous.any(axis=1)] = 1.0
        return e, v, slopes, ratios

    def value(self, cache: Any, d: Array, recurrent: Array) -> float:
        """Return the penalty, weight included."""
        ratios = self.terms(cache, d, recurrent)[3]
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
        e, v, slopes, ratios = self.terms(cache, d, recurrent)
        v *= slopes
        v *= (2 * self.weight / len(d) * (ratios - 1) / ratios).astype(v.dtype)[:, None]
        native_module(v).gemm(v.T, e, gradient, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
