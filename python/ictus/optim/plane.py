"""The lowest point of the damped quadratic in the plane of a new direction and the last step.

Martens & Grosse 2015, section 7: with a preconditioner as good as Kronecker factors this is
conjugate gradients with one step an iteration, and needs no product but only quadratic forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ictus.kernels.conjugate_gradient import inner_product
from ictus.optim.conjugate_gradient import Inverse, Solution
from ictus.optim.optimizer import Array

#: Sine of the angle between the directions, squared, below which they are one.
PARALLEL = 1e-6


def solve_in_plane(
    forms: Callable[[Sequence[Array]], Array],
    gradient: Array,
    last: Array,
    inverse: Inverse | None,
    damping: float,
    penalty: tuple[float, Array],
) -> Solution:
    """Return the minimum of ``q(x) = g x + x (G + damping + l2 in segments) x / 2`` in a plane.

    Parameters
    ----------
    forms : callable
        The matrix of the numbers ``u G v`` for all pairs u, v of some directions.
    gradient, last : array, shape (n,)
        The plane is that of the preconditioned gradient and of `last`.
    inverse : array, shape (n,), or callable, optional
        See :meth:`ConjugateGradient.solve`.
    damping : float
    penalty : (float, array of int64, shape (m, 2))
        l2, and the segments where it applies.
    """
    l2, segments = penalty
    new = np.empty_like(gradient)
    if callable(inverse):
        inverse(gradient, new)
    else:
        np.multiply(gradient, 1 if inverse is None else inverse, out=new)
    directions = [new, last] if last.any() else [new]
    matrix = np.array(forms(directions), np.float64)
    for i, u in enumerate(directions):
        for j, v in enumerate(directions):
            matrix[i, j] += damping * inner_product(u, v)
            for begin, end in segments if l2 else ():
                part = u[begin:end]
                matrix[i, j] += l2 * inner_product(part, part if u is v else v[begin:end])
    slopes = np.array([inner_product(gradient, u) for u in directions])
    solution = Solution(reason="plane")
    if not (np.isfinite(matrix).all() and np.isfinite(slopes).all()):
        solution.reason = "not finite"
        return solution
    if matrix[0, 0] <= 0:
        solution.reason = "negative curvature"
        return solution
    if slopes[0] <= 0:
        solution.reason = "negative preconditioner"
        return solution
    factors = [-slopes[0] / matrix[0, 0], 0.0]
    if len(directions) == 2:
        determinant = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] ** 2
        if determinant > PARALLEL * matrix[0, 0] * matrix[1, 1]:
            factors = list(np.linalg.solve(matrix, -slopes))
    step = new * new.dtype.type(factors[0])
    step += last * last.dtype.type(factors[1])
    value = 0.5 * math.fsum(f * s for f, s in zip(factors, slopes, strict=False))
    solution.iterates.append((0, step, value))
    return solution
