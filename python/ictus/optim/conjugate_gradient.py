"""Preconditioned conjugate gradients on a damped quadratic, ended as in Martens 2010."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ictus.kernels._device import native_module
from ictus.optim.optimizer import Array

Product = Callable[[Array, Array], Array]
#: A diagonal, or what writes the product of its inverse with a vector to another.
Inverse = Array | Product


@dataclass
class Solution:
    """What conjugate gradients found.

    Attributes
    ----------
    iterates : list of (step, x, value)
        Solutions kept on the way, the last one at the end: the step they were reached at, and the
        quadratic's value there, relative to that at 0.
    steps : int
    reason : str
        Why it ended: "progress" (too little of it), "steps", "residual", "negative curvature",
        "negative preconditioner" or "not finite".
    """

    iterates: list[tuple[int, Array, float]] = field(default_factory=list)
    steps: int = 0
    reason: str = "steps"


@dataclass
class ConjugateGradient:
    """Minimises ``q(x) = g x + x (A + damping + l2 in segments) x / 2``.

    Parameters
    ----------
    max_steps, min_steps : int
    tolerance : float
        Ends where the last k steps brought less than ``k * tolerance`` of the value, with
        ``k = max(10, 0.1 * steps)`` (Martens 2010, section 4.4).
    first_kept, kept_ratio : float
        Iterates are kept at the steps ``first_kept * kept_ratio**n`` (section 4.6).
    """

    max_steps: int = 250
    min_steps: int = 1
    tolerance: float = 5e-4
    first_kept: float = 5.0
    kept_ratio: float = 1.3

    def __post_init__(self) -> None:
        self._rooms: dict[str, Array] = {}
        self._kept: list[Array] = []

    def _room(self, name: str, like: Array) -> Array:
        room = self._rooms.get(name)
        if room is None or room.shape != like.shape or room.dtype != like.dtype:
            room = self._rooms[name] = np.empty_like(like)
        return room

    def _keep(self, solution: Solution, x: Array, value: float) -> None:
        number = len(solution.iterates)
        if number == len(self._kept) or self._kept[number].shape != x.shape:
            self._kept[number:] = [np.empty_like(x)]
        kept = self._kept[number]
        kept[...] = x
        solution.iterates.append((solution.steps, kept, value))

    def solve(
        self,
        product: Product,
        gradient: Array,
        start: Array,
        inverse: Inverse | None = None,
        *,
        damping: float = 0.0,
        l2: float = 0.0,
        segments: Array | None = None,
        report: Callable[[int, float], None] | None = None,
    ) -> Solution:
        """Return the solutions on the way from ``start``, or from the best point on the way there.

        Parameters
        ----------
        product : callable
            ``product(v, out)`` writes ``A v`` to ``out``.
        gradient, start : array, shape (n,)
        inverse : array, shape (n,), or callable, optional
            Inverse of the preconditioner: its diagonal, or ``inverse(v, out)`` writes its product
            with v to ``out``.
        damping, l2 : float
        segments : array of int64, shape (m, 2), optional
            Where l2 applies.
        report : callable, optional
            Called as ``report(step, value)``.
        """
        x, r, p, ap = (self._room(name, gradient) for name in ("x", "residual", "p", "product"))
        self._start(product, gradient, start, damping, l2, segments)
        p[...] = 0
        advance, turn = self._steps(inverse, gradient, p, ap, x, r)
        rho, doubled = advance(0.0, False)
        turn(0.0)
        solution = Solution()
        values = [-0.5 * doubled]
        keep_at = self.first_kept
        for step in range(1, self.max_steps + 1):
            product(p, ap)
            curvature = native_module(p).cg_damp(p, ap, damping, l2, segments)
            if not (math.isfinite(curvature) and math.isfinite(rho)):
                solution.reason = "not finite"
                break
            if rho <= 0.0:
                # A preconditioner that is not positive definite: rounding alone can make it so.
                solution.reason = "residual" if rho == 0.0 else "negative preconditioner"
                break
            if curvature <= 0.0:
                solution.reason = "negative curvature"
                break
            before = rho
            last = step == self.max_steps
            rho, doubled = advance(before / curvature, last)
            values.append(-0.5 * doubled)
            solution.steps = step
            if report is not None:
                report(step, values[-1])
            done = self._enough_progress(values, step)
            if done or step >= keep_at or last:
                self._keep(solution, x, values[-1])
                while keep_at <= step:
                    keep_at *= self.kept_ratio
            if done:
                solution.reason = "progress"
                break
            if not last:
                turn(rho / before)
        if solution.steps and (not solution.iterates or solution.iterates[-1][0] != solution.steps):
            self._keep(solution, x, values[-1])
        return solution

    def _start(
        self,
        product: Product,
        gradient: Array,
        start: Array,
        damping: float,
        l2: float,
        segments: Array | None,
    ) -> None:
        """Set x, and the residual ``-(g + A x)``, at the start or at a better point before it."""
        x, r, ap = (self._room(name, gradient) for name in ("x", "residual", "product"))
        x[...] = start
        if start.any():
            product(x, ap)
            curvature = native_module(x).cg_damp(x, ap, damping, l2, segments)
            slope = native_module(gradient).cg_damp(gradient, x, 0.0, 0.0, None)  # their product
            if slope + 0.5 * curvature > 0:
                # Worse than 0: as far along it as is best.
                factor = -slope / curvature if slope < 0 else 0.0
                x *= x.dtype.type(factor)
                ap *= x.dtype.type(factor)
        else:
            ap[...] = 0
        np.add(gradient, ap, out=r)
        np.negative(r, out=r)

    def _steps(
        self, inverse: Inverse | None, gradient: Array, p: Array, ap: Array, x: Array, r: Array
    ) -> tuple[Callable[[float, bool], tuple[float, float]], Callable[[float], None]]:
        """The step along p, which returns ``r M^-1 r`` and twice the value, and the turn of p.

        After the last step the first of them is not asked for.
        """
        if not callable(inverse):
            return (
                lambda alpha, last: native_module(p).cg_advance(
                    alpha, p, ap, inverse, gradient, x, r
                ),
                lambda beta: native_module(r).cg_turn(beta, r, inverse, p),
            )
        z = self._room("preconditioned", gradient)

        def advance(alpha: float, last: bool) -> tuple[float, float]:
            squares, doubled = native_module(p).cg_advance(alpha, p, ap, None, gradient, x, r)
            if last:
                return squares, doubled
            inverse(r, z)
            return native_module(r).cg_damp(r, z, 0.0, 0.0, None), doubled  # their product

        return advance, lambda beta: native_module(z).cg_turn(beta, z, None, p)

    def _enough_progress(self, values: list[float], step: int) -> bool:
        k = max(10, step // 10)
        if step < self.min_steps or step <= k or values[-1] >= 0:
            return False
        return (values[-1] - values[-1 - k]) / values[-1] < k * self.tolerance
