"""Preconditioners of conjugate gradients: a diagonal, or Kronecker factors kept for a while.

Martens 2010, section 4.7; Martens & Grosse 2015, sections 5 and 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ictus.optim.conjugate_gradient import Inverse
from ictus.optim.iteration import Curvature, Objective
from ictus.optim.optimizer import Array

if TYPE_CHECKING:
    from ictus.optim.hessian_free import HessianFree

#: See :class:`ictus.optim.HessianFree`.
PRECONDITIONERS = ("auto", "none", "empirical_fisher", "fisher", "kronecker")


class Preconditioning:
    """Makes the preconditioner of each iteration.

    Parameters
    ----------
    rule : HessianFree
        Whose settings, step and state it goes by. The state keeps ``moments``, and
        ``moment_numbers`` (their examples, and their damping), from one iteration to the next.
    """

    def __init__(self, rule: HessianFree) -> None:
        self._rule = rule
        self._inverse: Inverse | None = None
        self._diagonal: Array | None = None

    def forget(self) -> None:
        """Drop the inverse that is kept: the state behind it may have been changed."""
        self._inverse = None

    def renew(self) -> None:
        """Make the inverse that is kept anew, for the present damping: it has failed."""
        self.forget()
        numbers = self._rule.state.get("moment_numbers")
        if numbers is not None:
            numbers[1] = self._rule.damping + self._rule.l2

    def inverse(
        self, objective: Objective, curvature: Curvature, seed: list[int], segments: Array
    ) -> Inverse | None:
        """Return the inverse of the preconditioner, None for none.

        Parameters
        ----------
        objective, curvature
        seed : list of int
            Of targets that are drawn.
        segments : array of int64, shape (m, 2)
            Where the weights are among the parameters.
        """
        rule = self._rule
        kind = objective.preconditioner() if rule.preconditioner == "auto" else rule.preconditioner
        if kind == "none":
            return None
        if kind == "kronecker":
            return self._kronecker(curvature, seed)
        like = objective.parameters
        if self._diagonal is None or self._diagonal.shape != like.shape:
            self._diagonal = np.empty_like(like)
        diagonal = self._diagonal
        curvature.mean_squared_gradients(kind, seed, diagonal)
        diagonal += rule.damping
        for begin, end in segments if rule.l2 else ():
            diagonal[begin:end] += rule.l2
        np.power(diagonal, -rule.exponent, out=diagonal)
        return diagonal

    def _kronecker(self, curvature: Curvature, seed: list[int]) -> Inverse:
        rule, state = self._rule, self._rule.state
        damping = rule.damping + rule.l2
        if rule.factor_every == 1 and rule.factor_decay == 0.0:
            factors = curvature.kronecker(seed)
            return factors.preconditioner(factors.count, damping)
        moments = state.get("moments")
        if moments is not None and (rule.steps - 1) % rule.factor_every:
            if self._inverse is None:  # training goes on from a checkpoint
                factors = curvature.kronecker(None)
                factors.moments[...] = moments
                self._inverse = factors.preconditioner(*state["moment_numbers"])
            return self._inverse
        factors = curvature.kronecker(seed)
        count = factors.count
        if moments is None:
            state["moments"], state["moment_numbers"] = factors.moments.copy(), np.zeros(2)
        elif rule.factor_decay:
            factors.moments += factors.moments.dtype.type(rule.factor_decay) * moments
            count += rule.factor_decay * float(state["moment_numbers"][0])
        state["moments"][...] = factors.moments
        state["moment_numbers"][...] = count, damping
        self._inverse = factors.preconditioner(count, damping)
        return self._inverse
