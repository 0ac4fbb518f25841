"""Error bounds, from the machine epsilon and the length of a sum; never a global constant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def epsilon(dtype: npt.DTypeLike) -> float:
    """The unit roundoff: half the distance from 1 to the next number."""
    return float(np.finfo(dtype).eps) / 2


def sum_bound(
    length: int, magnitude: npt.ArrayLike, dtype: npt.DTypeLike, extra: float = 2.0
) -> npt.NDArray[np.float64]:
    """Bound of the error of a sum of `length` rounded products, in any order.

    `magnitude` is the sum of their absolute values (Higham, "Accuracy and stability of numerical
    algorithms", section 3.1: gamma_n). `extra` counts the roundings before and after the sum.
    """
    n = (length + extra) * epsilon(dtype)
    smallest = float(np.finfo(dtype).smallest_subnormal)
    return n / (1 - n) * np.asarray(magnitude, np.float64) + (length + 1) * smallest


def assert_within(
    actual: npt.ArrayLike, expected: npt.ArrayLike, bound: npt.ArrayLike, what: str = "result"
) -> None:
    """Fails where |actual - expected| > bound, or where one of them alone is NaN or infinite."""
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert a.shape == e.shape, f"{what}: shape {a.shape}, expected {e.shape}"
    finite = np.isfinite(e)
    np.testing.assert_array_equal(a[~finite], e[~finite], err_msg=what)
    error = np.abs(a[finite] - e[finite])
    limit = np.broadcast_to(np.asarray(bound, np.float64), a.shape)[finite]
    bad = ~(error <= limit)
    if bad.any():
        worst = int(np.argmax(np.where(bad, error / np.maximum(limit, 1e-300), 0)))
        raise AssertionError(
            f"{what}: {int(bad.sum())} of {a.size} elements out of bounds; worst: "
            f"{a[finite][worst]!r}, expected {e[finite][worst]!r} within {limit[worst]:.3g}"
        )


def ulps(actual: npt.NDArray[np.floating], exact: npt.NDArray[np.floating]) -> np.ndarray:
    """How many units in the last place of the result's type `actual` is from `exact`.

    `exact` has a wider type. 0 where both are the same infinity or both NaN (an exact value that
    rounds to infinity counts as infinite), infinity where only one is.
    """
    dtype = actual.dtype
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = exact.astype(dtype)
        unit = np.spacing(np.abs(rounded)).astype(exact.dtype)
        below = np.spacing(np.nextafter(np.abs(rounded), dtype.type(0))).astype(exact.dtype)
        # Just above a power of two that `exact` itself does not reach, the finer spacing counts.
        unit = np.where(np.abs(exact) < np.abs(rounded), below, unit)
        distance = np.abs(actual.astype(exact.dtype) - exact) / unit
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    special = ~np.isfinite(actual) | ~np.isfinite(rounded)
    return np.where(special, np.where(same, 0.0, np.inf), distance).astype(np.float64)
