"""A step of preconditioned conjugate gradients apart from the product, in three passes, in place.

They solve ``A x = -g`` (Shewchuk 1994, section 10; Martens 2010, algorithm 2). All vectors are
contiguous and of the same dtype, float32 or float64; sums are in double precision.
"""

from __future__ import annotations

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays


@takes_arrays
def cg_damp(
    direction: FloatArray,
    product: FloatArray,
    *,
    damping: float,
    l2: float = 0.0,
    segments: Array | None = None,
) -> float:
    """Add the damping to a curvature product and return ``direction @ product``.

    ``product += (damping + l2 inside segments) * direction``.

    Parameters
    ----------
    direction, product : array, shape (n,)
        The product is changed in place.
    damping, l2 : float
        Not negative.
    segments : array of int64, shape (m, 2), optional
        Ranges of weights, ascending.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, overlap, or a value outside its range.
    """
    value: float = native_module(product).cg_damp(direction, product, damping, l2, segments)
    return value


def inner_product(a: Array, b: Array) -> float:
    """Return the inner product of two vectors, summed in double."""
    native = native_module(a)
    return float(native.sum_of_squares(a) if a is b else native.cg_damp(a, b, 0.0, 0.0, None))


@takes_arrays
def cg_advance(
    alpha: float,
    direction: FloatArray,
    product: FloatArray,
    gradient: FloatArray,
    x: FloatArray,
    residual: FloatArray,
    inverse: FloatArray | None = None,
) -> tuple[float, float]:
    """Move the solution ``alpha`` along the direction.

    ``x += alpha * direction; residual -= alpha * product``.

    Parameters
    ----------
    alpha : float
    direction, product, gradient : array, shape (n,)
        The product is that of A and the direction.
    x, residual : array, shape (n,)
        Changed in place.
    inverse : array, shape (n,), optional
        Inverse of the diagonal preconditioner.

    Returns
    -------
    tuple of float
        ``residual . (inverse residual)``, and ``x . (residual - gradient)``: minus twice the
        quadratic ``x A x / 2 + gradient x``.
    """
    sums: tuple[float, float] = native_module(x).cg_advance(
        alpha, direction, product, inverse, gradient, x, residual
    )
    return sums


@takes_arrays
def cg_turn(
    beta: float, residual: FloatArray, direction: FloatArray, inverse: FloatArray | None = None
) -> None:
    """Make the next direction: ``direction = inverse * residual + beta * direction``."""
    native_module(direction).cg_turn(beta, residual, inverse, direction)
