"""Penalties on the outputs of a layer's units, which the layer adds to loss and gradient."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ictus.kernels._device import empty, native_module
from ictus.nn.layer import Array, Cache

#: Activations whose outputs are probabilities, or are after ``(y + 1) / 2``: lowest value, range.
BOUNDED = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 2.0)}
#: Mean activities are kept this far from 0 and 1, where the divergence is infinite.
MARGIN = 1e-6


class Sparsity:
    """Kullback-Leibler divergence of units' mean activities from a target (Ng 2011, CS294A).

    ``cost * sum_j [t log(t / p_j) + (1 - t) log((1 - t) / (1 - p_j))]`` with p_j the mean output
    of unit j over the minibatch, of tanh units scaled to [0, 1], and t the target.

    Parameters
    ----------
    activation : {"sigmoid", "tanh"}
    target : float in (0, 1)
    cost : float, positive
    """

    def __init__(self, activation: str, target: float, cost: float) -> None:
        self.target, self.cost = target, cost
        self._lowest, self._range = BOUNDED[activation]

    @staticmethod
    def of(owner: str, activation: str, target: float, cost: float) -> Sparsity | None:
        """Return the penalty of a layer's arguments, None for cost 0.

        Raises
        ------
        ValueError
            A value outside its range, or an activation that has no bounds; names `owner`.
        """
        if not isinstance(cost, Real) or not 0 <= cost < np.inf:
            raise ValueError(f"{owner}: sparsity_cost must not be negative, got {cost!r}")
        if not isinstance(target, Real) or not 0 < target < 1:
            raise ValueError(f"{owner}: sparsity_target must be in (0, 1), got {target!r}")
        if not cost:
            return None
        if activation not in BOUNDED:
            raise ValueError(
                f"{owner}: sparsity_cost needs the activation sigmoid or tanh, got {activation!r}"
            )
        return Sparsity(activation, float(target), float(cost))

    def _activities(self, cache: Cache) -> tuple[Array, Array]:
        """Mean activity of each unit, in float64 and bounded, and whether it was within bounds."""
        y = cache.y
        sums = empty(y, y.shape[1:])
        native_module(y).column_sums(y, sums)
        p = (sums / np.float64(len(y)) - self._lowest) / self._range
        return np.clip(p, MARGIN, 1 - MARGIN), (p > MARGIN) & (p < 1 - MARGIN)

    def value(self, cache: Cache, scale: float) -> float:
        """Return the penalty; ``scale`` times the rows is its factor, as of the losses."""
        p, _ = self._activities(cache)
        t = self.target
        divergence = t * np.log(t / p) + (1 - t) * np.log((1 - t) / (1 - p))
        return float(self.cost * scale * len(cache.y) * divergence.sum())

    def add_gradient(self, grad: Array, cache: Cache) -> None:
        """Add the gradient with respect to the outputs."""
        p, within = self._activities(cache)
        slope = (1 - self.target) / (1 - p) - self.target / p
        factor = self.cost * cache.penalty_scale / self._range
        grad += np.where(within, factor * slope, 0.0).astype(grad.dtype)

    def config(self) -> dict[str, Any]:
        return {"sparsity_target": self.target, "sparsity_cost": self.cost}


class Contraction:
    """Squared Frobenius norm of the Jacobian of a layer's outputs (Rifai et al. 2011, equation 1).

    ``weight * sum_ij (f'(a_j) W_ij)^2``, the mean over the examples: the features change little
    with the inputs. Of a sigmoid layer equation 9.

    Parameters
    ----------
    weight : float, positive
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight

    @staticmethod
    def of(owner: str, weight: float) -> Contraction | None:
        """Return the penalty of a layer's argument, None for weight 0; ValueError if negative."""
        if not isinstance(weight, Real) or not 0 <= weight < np.inf:
            raise ValueError(f"{owner}: contraction must not be negative, got {weight!r}")
        return Contraction(float(weight)) if weight else None

    def value(self, weights: Array, cache: Cache, scale: float, activation: int) -> float:
        """Return the penalty and keep, for the gradient, sums of squared slopes."""
        norms = np.einsum("ij,ij->j", weights, weights)
        squares = np.empty_like(norms)
        native_module(cache.y).squared_slopes(cache.y, squares, activation)
        cache.penalty = norms, squares
        return float(self.weight * scale * (norms @ squares.astype(np.float64)))

    def add_gradient(self, grad: Array, cache: Cache, activation: int) -> None:
        """Add the gradient with respect to the units' inputs, at given weights."""
        norms, _ = cache.penalty
        factors = (self.weight * cache.penalty_scale) * norms
        native_module(cache.y).add_contraction(
            cache.y, factors.astype(grad.dtype), grad, activation
        )

    def add_weights_gradient(self, weights: Array, gradient: Array, cache: Cache) -> None:
        """Add the gradient with respect to the weights, at given slopes."""
        _, squares = cache.penalty
        factors = (2 * self.weight * cache.penalty_scale) * squares
        gradient += weights * factors.astype(gradient.dtype)
