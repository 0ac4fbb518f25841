"""Hessian-free optimisation: Newton's method with conjugate gradients on the Gauss-Newton matrix.

Martens 2010, "Deep learning via Hessian-free optimization"; for recurrent networks Martens &
Sutskever 2011; all of it in Martens & Sutskever 2012, "Training deep and recurrent networks with
Hessian-free optimization".
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.optim.conjugate_gradient import ConjugateGradient, Solution
from ictus.optim.iteration import BreakdownError, Curvature, Iteration, Objective
from ictus.optim.line_search import search
from ictus.optim.optimizer import Array, Optimizer, check_range
from ictus.optim.plane import solve_in_plane
from ictus.optim.preconditioning import PRECONDITIONERS, Preconditioning

#: Damping beyond this means that no step of any length reduces the objective.
LARGEST_DAMPING = 1e12

Report = Callable[[str], None]


class HessianFree(Optimizer):
    """Hessian-free optimisation (Martens 2010; Martens & Sutskever 2011, 2012).

    Each iteration minimises the damped quadratic ``g d + d (G + damping) d / 2`` by preconditioned
    conjugate gradients, chooses one of their iterates, searches along it, and adapts the damping.
    The gradient is that of the whole batch that the trainer gives, best of all examples; the
    Gauss-Newton matrix G is that of some of them.

    Parameters
    ----------
    learning_rate : float
        Length of the step that the line search tries first, in units of the one found.
    damping : float
        The initial lambda, beside the curvature of the mean loss.
    damping_factor : float
        Lambda is multiplied by it where the reduction ratio is below 1/4, divided where it is
        above 3/4 (Levenberg-Marquardt; Martens 2010, section 4.1).
    damping_floor : float
        Of lambda.
    curvature_size : int, optional
        Examples of the Gauss-Newton matrix, drawn anew in each iteration; if not given, all up to
        1000, and a tenth of more, but no fewer than 1000.
    cg_steps : int
        The most steps of conjugate gradients. 0: instead of them the best point in the plane of the
        preconditioned gradient and the last step (Martens & Grosse 2015, section 7).
    cg_tolerance : float
        Of relative progress: they end where the last k steps brought less than ``k`` times it.
    momentum : float in [0, 1]
        Conjugate gradients start from this much of their last solution.
    preconditioner : {"auto", "none", "empirical_fisher", "fisher", "kronecker"}
        kronecker: a Kronecker-factored approximation of G (Martens & Grosse 2015), of networks of
        Dense layers; few steps of conjugate gradients suffice with it. The others are a diagonal
        ``(d + damping + l2)**exponent``, d the mean over the curvature's examples of squared
        gradients: empirical_fisher, of the loss (Martens 2010, section 4.7); fisher, of targets
        drawn from the network's outputs, an estimate of the diagonal of G (compare Chapelle &
        Erhan 2011). auto: kronecker for networks of dense layers (empirical_fisher where one has
        more than 2048 inputs or units), else none.
    exponent : float
        Of the diagonals.
    factor_decay : float in [0, 1)
        What the moments behind the Kronecker factors weigh when those of new examples are added: an
        exponential average over iterations (Martens & Grosse 2015, section 5). 0: new ones alone.
    factor_every : int
        Kronecker factors are made, and inverted, in every so manieth iteration.
    averaging : float in [0, 1)
        The network has an exponential average of the iterates with this decay (a lower one at
        first), while training goes on from the last (Martens & Grosse 2015, section 13): where
        gradients are of minibatches it is nearer to the minimum. 0: the iterate itself.
    structural_damping : float
        Mu of recurrent networks: the hidden states may not move far either; its weight is damping
        times mu (Martens & Sutskever 2011, section 3.1).
    l2 : float
        Penalty ``l2 / 2`` times the sum of squared weights.
    backtracking : bool
        Whether the iterate with the lowest loss on the curvature's examples is chosen (Martens
        2010, section 4.6), not the last.
    seed : int
        Of the choice of examples.

    Attributes
    ----------
    iteration : Iteration or None
        The log of the last one.
    """

    name = "hessian-free"
    scheduled = ("learning_rate", "momentum", "damping")

    def __init__(
        self,
        learning_rate: float = 1.0,
        *,
        damping: float = 1.0,
        damping_factor: float = 1.5,
        damping_floor: float = 1e-12,
        curvature_size: int | None = None,
        cg_steps: int = 250,
        cg_tolerance: float = 5e-4,
        momentum: float = 0.95,
        preconditioner: str = "auto",
        exponent: float = 0.75,
        factor_decay: float = 0.0,
        factor_every: int = 1,
        averaging: float = 0.0,
        structural_damping: float = 0.0,
        l2: float = 0.0,
        backtracking: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(learning_rate, l2=l2)
        self.damping = check_range(self, "damping", damping, lambda x: x > 0, "positive")
        self.damping_factor = check_range(
            self, "damping_factor", damping_factor, lambda x: x > 1, "above 1"
        )
        self.damping_floor = check_range(
            self, "damping_floor", damping_floor, lambda x: x > 0, "positive"
        )
        size = 1 if curvature_size is None else curvature_size
        for name, value, least in (
            ("curvature_size", size, 1),
            ("cg_steps", cg_steps, 0),
            ("factor_every", factor_every, 1),
        ):
            if int(value) != value or value < least:
                raise ValueError(
                    f"HessianFree: {name} must be an integer of at least {least}, got {value!r}"
                )
        self.curvature_size = None if curvature_size is None else int(curvature_size)
        self.cg_steps = int(cg_steps)
        self.cg_tolerance = check_range(
            self, "cg_tolerance", cg_tolerance, lambda x: x >= 0, "not negative"
        )
        self.momentum = check_range(self, "momentum", momentum, lambda x: 0 <= x <= 1, "in [0, 1]")
        if preconditioner not in PRECONDITIONERS:
            known = ", ".join(PRECONDITIONERS)
            raise ValueError(
                f"HessianFree: preconditioner must be one of {known}, got {preconditioner!r}"
            )
        self.preconditioner = preconditioner
        self.exponent = check_range(self, "exponent", exponent, lambda x: x > 0, "positive")
        self.factor_decay = check_range(
            self, "factor_decay", factor_decay, lambda x: 0 <= x < 1, "in [0, 1)"
        )
        self.factor_every = int(factor_every)
        self.averaging = check_range(
            self, "averaging", averaging, lambda x: 0 <= x < 1, "in [0, 1)"
        )
        self.structural_damping = check_range(
            self, "structural_damping", structural_damping, lambda x: x >= 0, "not negative"
        )
        if structural_damping and not cg_steps:
            raise ValueError("HessianFree: structural_damping needs cg_steps above 0")
        self.backtracking, self.seed = bool(backtracking), int(seed)
        self.iteration: Iteration | None = None
        self.vectors = ("solution", "iterate") if averaging else ("solution",)
        self._preconditioning = Preconditioning(self)
        self._conjugate_gradient = ConjugateGradient(self.cg_steps, tolerance=self.cg_tolerance)
        self._rooms: dict[str, Array] = {}

    def prepare(self, parameters: Array, segments: Array, matrices: Sequence[Array]) -> None:
        averaged = self.state.get("iterate")
        fits = averaged is not None and averaged.shape == parameters.shape
        super().prepare(parameters, segments, matrices)
        if self.averaging and not fits:
            self.state["iterate"][...] = parameters
        self._preconditioning.forget()

    def _update(self, parameters: Array, gradient: Array, gradient_scale: float) -> None:
        raise TypeError("HessianFree needs an objective with curvature: call iterate, not step")

    def _room(self, name: str, like: Array) -> Array:
        room = self._rooms.get(name)
        if room is None or room.shape != like.shape or room.dtype != like.dtype:
            room = self._rooms[name] = np.empty_like(like)
        return room

    @property
    def exhausted(self) -> str:
        """Why more iterations would change nothing, if so: a zero gradient, or the damping."""
        if self.iteration is not None and self.iteration.cg_reason == "zero gradient":
            return "zero gradient"
        if self.damping >= LARGEST_DAMPING:
            return "no step reduces the loss"
        return ""

    # --- one iteration ---------------------------------------------------------------------------

    def iterate(self, objective: Objective, report: Report | None = None) -> Iteration:
        """Make one iteration: the objective's parameters move, or stay where nothing is better.

        Parameters
        ----------
        objective : Objective
        report : callable, optional
            Gets a line on how conjugate gradients come on.

        Raises
        ------
        BreakdownError
            The loss, the gradient or a curvature product is not finite. The parameters are those
            before.
        """
        parameters = objective.parameters
        before = start = self._room("start", parameters)
        before[...] = parameters
        if self.averaging:
            start = self.state["iterate"]
            parameters[...] = start
        try:
            log = self._iterate(objective, start, report)
        except BaseException:  # Ctrl-C among them
            parameters[...] = before
            self._preconditioning.forget()
            raise
        if self.averaging:
            start[...] = parameters
            # The last tenth of the iterates at first (Shamir & Zhang 2013, section 4).
            decay = parameters.dtype.type(min((self.steps - 1) / (self.steps + 9), self.averaging))
            before -= parameters
            before *= decay
            parameters += before
        return log

    def _iterate(self, objective: Objective, start: Array, report: Report | None) -> Iteration:
        began = time.perf_counter()
        gradient = self._room("gradient", start)
        loss = objective.loss_and_gradient(gradient) + self._penalty(start)
        self._add_penalty_gradient(start, gradient)
        norm = math.sqrt(native_module(gradient).sum_of_squares(gradient))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise BreakdownError(f"loss {loss}, length of the gradient {norm}")
        log = self.iteration = Iteration(loss, loss, damping=self.damping, gradient_norm=norm)
        log.penalty = self._penalty(start)
        self.steps += 1
        if norm == 0.0:
            log.cg_reason = "zero gradient"
            return log
        seed = [self.seed, self.steps]
        examples = self._curvature_examples(objective.size)
        curvature = objective.curvature(examples, seed)
        log.curvature_examples = examples
        solution = self._solve(objective, curvature, gradient, seed, report)
        log.cg_steps, log.cg_reason = solution.steps, solution.reason
        if solution.reason == "not finite":
            raise BreakdownError("a curvature product is not finite")
        if not solution.iterates:  # negative curvature at once: the damping is far too low
            self._change_damping(self.damping_factor**4)
            self._preconditioning.renew()
            return log
        self.state["solution"][...] = solution.iterates[-1][1]
        log.cg_chosen, direction, value = self._choose(objective, curvature, start, solution)
        self._search(objective, curvature, start, gradient, direction, value, log)
        log.seconds = time.perf_counter() - began
        return log

    def _curvature_examples(self, size: int) -> int:
        wanted = max(1000, size // 10) if self.curvature_size is None else self.curvature_size
        return min(wanted, size)

    def _solve(
        self,
        objective: Objective,
        curvature: Curvature,
        gradient: Array,
        seed: list[int],
        report: Report | None,
    ) -> Solution:
        inverse = self._preconditioning.inverse(objective, curvature, seed, self._segments)
        if self.cg_steps == 0:
            last, l2 = self.state["solution"], (self.l2, self._segments)
            return solve_in_plane(curvature.forms, gradient, last, inverse, self.damping, l2)
        curvature.set_structural_damping(self.structural_damping * self.damping)
        solver = self._conjugate_gradient  # the numbers may have been changed between iterations
        solver.max_steps, solver.tolerance = self.cg_steps, self.cg_tolerance
        first = self._room("first", gradient)
        np.multiply(self.state["solution"], gradient.dtype.type(self.momentum), out=first)
        solution = solver.solve(
            curvature.product,
            gradient,
            first,
            inverse,
            damping=self.damping,
            l2=self.l2,
            segments=self._segments,
            report=None
            if report is None
            else lambda step, value: report(f"conjugate gradients {step}, {value:.5g}"),
        )
        curvature.set_structural_damping(0.0)
        return solution

    def _choose(
        self, objective: Objective, curvature: Curvature, start: Array, solution: Solution
    ) -> tuple[int, Array, float]:
        """Go back among the iterates while the loss on the curvature's examples falls."""
        step, direction, value = solution.iterates[-1]
        if not self.backtracking or len(solution.iterates) == 1:
            return step, direction, value
        lowest = self._loss_at(objective, start, direction, 1.0, curvature.loss)
        for earlier in reversed(solution.iterates[:-1]):
            loss = self._loss_at(objective, start, earlier[1], 1.0, curvature.loss)
            if loss >= lowest:
                break
            lowest = loss
            step, direction, value = earlier
        return step, direction, value

    def _search(
        self,
        objective: Objective,
        curvature: Curvature,
        start: Array,
        gradient: Array,
        direction: Array,
        value: float,
        log: Iteration,
    ) -> None:
        """Adapt the damping by the full step, then search along it."""
        slope = float(np.dot(gradient.astype(np.float64), direction))
        model = self._undamped(curvature, direction, value)
        full = self._loss_at(objective, start, direction, 1.0, objective.loss)
        if model < 0:
            log.reduction_ratio = (full - log.loss) / model
        length, loss = search(
            lambda length: self._loss_at(objective, start, direction, length, objective.loss),
            log.loss,
            slope,
            self.learning_rate,
            full,
        )
        objective.parameters[...] = start
        if length:
            objective.parameters += direction * direction.dtype.type(length)
        log.step_length, log.new_loss = length, loss
        log.penalty = self._penalty(objective.parameters)
        self._adapt(log)

    def _undamped(self, curvature: Curvature, direction: Array, value: float) -> float:
        """Return the quadratic without damping (Martens & Sutskever 2012, section 8.5)."""
        squares = native_module(direction).sum_of_squares(direction)
        model = value - 0.5 * self.damping * squares
        if self.structural_damping:
            product = self._room("product", direction)
            plain = float(np.dot(curvature.product(direction, product), direction))
            curvature.set_structural_damping(self.structural_damping * self.damping)
            damped = float(np.dot(curvature.product(direction, product), direction))
            curvature.set_structural_damping(0.0)
            model -= 0.5 * (damped - plain)
        return float(model)

    def _adapt(self, log: Iteration) -> None:
        ratio = log.reduction_ratio
        if not ratio >= 0.25 or not log.step_length:  # also where it is not a number
            self._change_damping(self.damping_factor)
        elif ratio > 0.75:
            self._change_damping(1.0 / self.damping_factor)

    def _change_damping(self, factor: float) -> None:
        self.damping = min(max(self.damping * factor, self.damping_floor), LARGEST_DAMPING)

    def _loss_at(
        self,
        objective: Objective,
        start: Array,
        direction: Array,
        length: float,
        loss: Callable[[], float],
    ) -> float:
        parameters = objective.parameters
        np.multiply(direction, direction.dtype.type(length), out=parameters)
        parameters += start
        value = loss() + self._penalty(parameters)
        return value if math.isfinite(value) else math.inf

    # --- penalty ---------------------------------------------------------------------------------

    def _penalty(self, parameters: Array) -> float:
        if not self.l2:
            return 0.0
        squares = native_module(parameters).sum_of_squares
        return float(0.5 * self.l2 * sum(squares(parameters[b:e]) for b, e in self._segments))

    def _add_penalty_gradient(self, parameters: Array, gradient: Array) -> None:
        for begin, end in self._segments if self.l2 else ():
            gradient[begin:end] += gradient.dtype.type(self.l2) * parameters[begin:end]

    def config(self) -> dict[str, Any]:
        settings = inspect.signature(HessianFree.__init__).parameters
        return {"name": self.name} | {x: getattr(self, x) for x in settings if x != "self"}
