"""Squared slopes of activation functions and the gradient of a contractive penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference, strategies, tolerance

NAMES = list(reference.ACTIVATIONS)


def slopes(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f' and f'' at z."""
    s, t = reference.sigmoid(z), np.tanh(z)
    return {
        "identity": (np.ones_like(z), np.zeros_like(z)),
        "sigmoid": (s * (1 - s), s * (1 - s) * (1 - 2 * s)),
        "tanh": (1 - t**2, -2 * t * (1 - t**2)),
        "relu": ((z > 0).astype(np.float64), np.zeros_like(z)),
        "softplus": (s, s * (1 - s)),
    }[name]


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    name=st.sampled_from(NAMES),
    layout=strategies.row_layouts,
)
def test_against_the_formulas(
    each_level: str, rows: int, columns: int, dtype: type, name: str, layout: str
) -> None:
    z = strategies.matrix(rows, columns, np.float64, seed=8)
    y = strategies.arrange(reference.ACTIVATIONS[name](z).astype(dtype), layout)
    factors = np.abs(strategies.matrix(1, columns, dtype, seed=9)[0])
    grad_values = strategies.matrix(rows, columns, dtype, seed=10)
    grad = strategies.arrange(grad_values, layout)
    first, second = slopes(name, z)
    eps = tolerance.epsilon(dtype)
    tolerance.assert_within(
        kernels.squared_slopes(y, name), (first**2).sum(axis=0), 8 * eps * rows * np.ones(columns)
    )
    assert kernels.add_contraction(y, factors, grad, name) is grad
    exact = grad_values + 2 * factors.astype(np.float64) * first * second
    tolerance.assert_within(grad, exact, 12 * eps * (1 + np.abs(grad_values) + factors))
    if layout == "padded":
        assert np.isnan(grad.base[:, columns:]).all()  # type: ignore[union-attr, index]


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_the_penalty(each_level: str, name: str) -> None:
    """Central differences of sum_ij factor_j f'(z_ij)^2, which squared_slopes gives."""
    z = strategies.matrix(7, 5, np.float64, seed=1)
    factors = np.array([0.5, 2.0, 0.0, 1.0, 3.0])
    f = reference.ACTIVATIONS[name]
    penalty = lambda z: factors @ kernels.squared_slopes(f(z), name)  # noqa: E731
    grad = kernels.add_contraction(f(z), factors, np.zeros_like(z), name)
    direction = strategies.matrix(7, 5, np.float64, seed=2)
    step = 1e-6
    slope = (penalty(z + step * direction) - penalty(z - step * direction)) / (2 * step)
    assert abs(slope - (grad * direction).sum()) < 1e-8 * max(1.0, abs(slope))


def test_empty(each_level: str) -> None:
    y = np.empty((0, 3), np.float32)
    np.testing.assert_array_equal(kernels.squared_slopes(y, "tanh"), np.zeros(3))
    assert kernels.add_contraction(y, np.ones(3, "f4"), y.copy(), "tanh").shape == (0, 3)


def test_same_bits_for_any_number_of_threads(each_level: str, keep_threads: None) -> None:
    y = reference.sigmoid(strategies.matrix(401, 517, np.float32, seed=12))
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        grad = kernels.add_contraction(y, y[0].copy(), np.zeros_like(y), "sigmoid")
        results.append((kernels.squared_slopes(y, "sigmoid"), grad))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


Y = np.zeros((4, 6), np.float32)
SIX = np.ones(6, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: kernels.squared_slopes(Y, "gelu"),
            ValueError,
            "squared_slopes: activation must be one of",
        ),
        (
            lambda: kernels.squared_slopes(Y, "tanh", SIX[:5]),
            ValueError,
            "squared_slopes: out must have shape (6,), got (5,)",
        ),
        (
            lambda: kernels.add_contraction(Y, SIX[:5], Y.copy(), "tanh"),
            ValueError,
            "add_contraction: factors must have shape (6,), got (5,)",
        ),
        (
            lambda: kernels.add_contraction(Y, SIX, np.zeros((4, 6)), "tanh"),
            TypeError,
            "add_contraction: grad must have dtype float32, got float64",
        ),
        (
            lambda: kernels.add_contraction(Y, SIX, Y, "tanh"),
            ValueError,
            "add_contraction: grad must not overlap y",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
