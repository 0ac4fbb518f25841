"""Conjugate gradients: the solution, its quadratic, where it ends, what it keeps."""

import numpy as np
import pytest

from ictus.optim import ConjugateGradient


def problem(size=40, dtype=np.float64, seed=0):
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal((size, size))
    matrix = (factor @ factor.T / size).astype(dtype)
    return matrix, generator.standard_normal(size).astype(dtype)


def product_with(matrix):
    return lambda v, out: np.dot(matrix, v, out=out)


def quadratic(matrix, gradient, x):
    return gradient @ x + 0.5 * x @ matrix @ x


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_solves_the_damped_system(preconditioned, started):
    matrix, gradient = problem()
    segments = np.array([[3, 20]])
    diagonal = np.full(40, 0.2)
    diagonal[3:20] += 0.5
    whole = matrix + np.diag(diagonal)
    inverse = 1 / np.diag(whole) ** 0.75 if preconditioned else None
    start = np.linspace(-1, 1, 40) if started else np.zeros(40)
    solver = ConjugateGradient(200, tolerance=1e-13)
    found = solver.solve(
        product_with(matrix), gradient, start, inverse, damping=0.2, l2=0.5, segments=segments
    )
    step, x, value = found.iterates[-1]
    assert step == found.steps
    np.testing.assert_allclose(x, np.linalg.solve(whole, -gradient), atol=1e-6)
    assert value == pytest.approx(quadratic(whole, gradient, x), rel=1e-12)
    assert start[0] == (-1 if started else 0)  # not changed


def test_keeps_iterates_at_growing_distances_and_ends_by_relative_progress():
    matrix, gradient = problem(100)
    found = ConjugateGradient(1000).solve(product_with(matrix), gradient, np.zeros(100))
    assert found.reason == "progress"
    steps = [step for step, _, _ in found.iterates]
    assert steps[:5] == [5, 7, 9, 11, 15]  # the first steps after 5 * 1.3^n
    values = [value for _, _, value in found.iterates]
    assert values == sorted(values, reverse=True)
    for _, x, value in found.iterates:
        assert value == pytest.approx(quadratic(matrix, gradient, x), rel=1e-10)
    later = ConjugateGradient(1000, tolerance=1e-8).solve(
        product_with(matrix), gradient, np.zeros(100)
    )
    assert later.steps > found.steps


def test_ends_at_the_most_steps():
    matrix, gradient = problem(100)
    found = ConjugateGradient(8).solve(product_with(matrix), gradient, np.zeros(100))
    assert (found.steps, found.reason) == (8, "steps")
    assert [step for step, _, _ in found.iterates] == [5, 7, 8]


def test_ends_where_curvature_is_negative_with_what_it_has():
    matrix = np.diag([1.0, 2.0, -3.0])
    found = ConjugateGradient(50).solve(product_with(matrix), np.ones(3), np.zeros(3))
    assert found.reason == "negative curvature"
    assert all(value < 0 for _, _, value in found.iterates)
    at_once = ConjugateGradient(50).solve(product_with(-np.eye(3)), np.ones(3), np.zeros(3))
    assert (at_once.reason, at_once.iterates) == ("negative curvature", [])


def test_says_when_a_product_is_not_finite():
    found = ConjugateGradient(50).solve(lambda v, out: out.fill(np.nan), np.ones(3), np.zeros(3))
    assert found.reason == "not finite"


def test_an_exact_start_is_kept():
    found = ConjugateGradient(50).solve(product_with(np.eye(3)), np.ones(3), -np.ones(3))
    assert found.reason == "residual"


def test_allocates_vectors_once():
    matrix, gradient = problem(100)
    solver = ConjugateGradient(60)
    first = solver.solve(product_with(matrix), gradient, np.zeros(100))
    places = [x.ctypes.data for _, x, _ in first.iterates]
    second = solver.solve(product_with(matrix), gradient, np.zeros(100))
    assert [x.ctypes.data for _, x, _ in second.iterates] == places


def test_a_preconditioner_may_be_a_function():
    matrix, gradient = problem()
    diagonal = 1 / np.diag(matrix)
    results = []
    for inverse in (diagonal, lambda v, out: np.multiply(diagonal, v, out=out)):
        solver = ConjugateGradient(8, tolerance=0)
        found = solver.solve(product_with(matrix), gradient, np.zeros(40), inverse, damping=0.1)
        results.append(found.iterates)
    for (step, x, value), (other_step, other, other_value) in zip(*results, strict=True):
        assert step == other_step
        np.testing.assert_allclose(x, other, rtol=1e-9, atol=1e-12)
        assert value == pytest.approx(other_value, rel=1e-12)


def test_a_preconditioner_that_is_not_positive_ends_it():
    matrix, gradient = problem()
    calls = []

    def inverse(v, out):  # positive at first
        calls.append(1)
        np.multiply(v, 1.0 if len(calls) < 4 else -1.0, out=out)

    found = ConjugateGradient(30, tolerance=0).solve(
        product_with(matrix), gradient, np.zeros(40), inverse
    )
    assert (found.reason, found.steps, len(found.iterates)) == ("negative preconditioner", 3, 1)
    assert found.iterates[0][2] < 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_start_that_is_worse_than_none_is_shortened(sign):
    matrix, gradient = problem()
    start = -sign * 50 * gradient  # too far downhill, or uphill
    assert quadratic(matrix, gradient, start) > 0
    found = ConjugateGradient(1).solve(product_with(matrix), gradient, start)
    length = gradient @ gradient / (gradient @ matrix @ gradient)
    best = -length * gradient if sign == 1 else np.zeros(40)
    expected = ConjugateGradient(1).solve(product_with(matrix), gradient, best)
    np.testing.assert_allclose(found.iterates[0][1], expected.iterates[0][1], rtol=1e-9)
    assert found.iterates[0][2] <= quadratic(matrix, gradient, best) < 1e-12
