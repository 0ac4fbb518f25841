"""What an optimiser with curvature asks of its objective, and what it tells of an iteration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from ictus.optim.optimizer import Array


class BreakdownError(ArithmeticError):
    """The objective, its gradient or a product is not finite; the parameters are as before."""


class Factors(Protocol):
    """Moments, summed over examples, that make a factored approximation of a curvature matrix."""

    moments: Array
    count: float

    def preconditioner(self, count: float, damping: float) -> Callable[[Array, Array], Array]: ...


class Curvature(Protocol):
    """The Gauss-Newton matrix at the present parameters, on the examples chosen for it."""

    def product(self, direction: Array, out: Array) -> Array: ...
    def forms(self, directions: Sequence[Array]) -> Array: ...
    def loss(self) -> float: ...
    def set_structural_damping(self, value: float) -> None: ...
    def mean_squared_gradients(self, kind: str, seed: list[int], out: Array) -> None: ...
    def kronecker(self, seed: list[int] | None) -> Factors: ...


class Objective(Protocol):
    """What the optimiser needs of a network and its data."""

    parameters: Array
    size: int

    def loss(self) -> float: ...
    def loss_and_gradient(self, out: Array) -> float: ...
    def curvature(self, examples: int, seed: list[int]) -> Curvature: ...
    def preconditioner(self) -> str: ...


@dataclass
class Iteration:
    """The log of one iteration.

    Attributes
    ----------
    loss, new_loss : float
        Mean loss with the penalty before and after.
    penalty : float
        Penalty after, in ``new_loss``.
    damping : float
        Lambda that the iteration used.
    reduction_ratio : float
        Rho: the objective's change by the full step over the quadratic's.
    gradient_norm : float
    cg_steps, cg_chosen : int
        Steps of conjugate gradients, and the step whose iterate backtracking chose.
    cg_reason : str
        Why conjugate gradients ended; see :class:`ictus.optim.conjugate_gradient.Solution`.
    step_length : float
        Of the line search; 0: no step was taken.
    curvature_examples : int
    seconds : float
    """

    loss: float
    new_loss: float = math.nan
    penalty: float = 0.0
    damping: float = 0.0
    reduction_ratio: float = math.nan
    gradient_norm: float = 0.0
    cg_steps: int = 0
    cg_chosen: int = 0
    cg_reason: str = ""
    step_length: float = 0.0
    curvature_examples: int = 0
    seconds: float = 0.0


def log_of(iteration: Iteration) -> dict[str, float]:
    """Return the numbers of an iteration that a history keeps."""
    values = asdict(iteration)
    for name in ("loss", "new_loss", "seconds", "cg_reason"):
        del values[name]
    return {name: float(value) for name, value in values.items()}
