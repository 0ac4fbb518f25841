"""Chains of the mean-covariance machine: dynamics, draws, decisions, and what they converge to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels as arrays
from ictus.kernels import mean_covariance as kernels
from tests import reference_mean_covariance as exact
from tests import strategies
from tests.kernels.test_mean_covariance import model_of, shapes

SEED, STREAM = 0x0123_4567_89AB_CDEF, 2**40 + 7


@given(shape=shapes, rows=st.sampled_from([1, 7, 33, 70]), steps=st.integers(1, 6))
def test_leapfrog(
    each_level: str, shape: tuple[int, int, int | None, int], rows: int, steps: int
) -> None:
    machine = exact.random_machine(*shape)
    model = model_of(machine, np.float64)
    v, p = (strategies.matrix(rows, shape[0], np.float64, s) for s in (1, 2))
    expected_v, expected_p = exact.leapfrog(machine, v, p, steps, 0.1)
    energies = exact.energy(machine, v, p), exact.energy(machine, expected_v, expected_p)
    before, after = kernels.leapfrog(model, v, p, leapfrog_steps=steps, step_size=0.1)
    for mine, theirs in ((v, expected_v), (p, expected_p)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)
    for mine, theirs in zip((before, after), energies, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("covariance", [None, 12])
def test_leapfrog_can_be_turned_back(each_level: str, covariance: int | None) -> None:
    machine = exact.random_machine(10, 15, covariance, 8)
    model = model_of(machine, np.float64)
    v, p = (strategies.matrix(40, 10, np.float64, s) for s in (1, 2))
    start_v, start_p = v.copy(), p.copy()
    kernels.leapfrog(model, v, p, leapfrog_steps=20, step_size=0.2)
    assert np.abs(v - start_v).max() > 1
    p *= -1
    kernels.leapfrog(model, v, p, leapfrog_steps=20, step_size=0.2)
    np.testing.assert_allclose(v, start_v, atol=1e-11)
    np.testing.assert_allclose(-p, start_p, atol=1e-11)


def test_energy_is_conserved_to_second_order(each_level: str) -> None:
    """Over the same time, half the step leaves a quarter of the error (Neal 2011, section 2.3)."""
    machine = exact.random_machine(10, 15, 12, 8)
    model = model_of(machine, np.float64)
    errors = []
    for steps in (10, 20, 40, 80):
        v, p = (strategies.matrix(60, 10, np.float64, s) for s in (1, 2))
        before, after = kernels.leapfrog(model, v, p, leapfrog_steps=steps, step_size=2 / steps)
        errors.append(np.abs(after - before).mean())
    ratios = [a / b for a, b in itertools.pairwise(errors)]
    np.testing.assert_allclose(ratios, 4, rtol=0.1)
    assert errors[-1] < 1e-3


@given(
    shape=shapes,
    rows=st.sampled_from([1, 6, 33, 70]),
    trajectories=st.integers(1, 3),
    first_row=st.integers(0, 2**33),
)
def test_chain_draws_and_decides_as_the_reference(
    each_level: str,
    shape: tuple[int, int, int | None, int],
    rows: int,
    trajectories: int,
    first_row: int,
) -> None:
    machine = exact.random_machine(*shape)
    v = strategies.matrix(rows, shape[0], np.float64, 1)
    expected, acceptance, margin = exact.hybrid_monte_carlo(
        machine, v, trajectories, 4, 0.3, np.float64, SEED, STREAM, first_row
    )
    got, energy = kernels.hybrid_monte_carlo(
        model_of(machine, np.float64),
        v,
        trajectories=trajectories,
        leapfrog_steps=4,
        step_size=0.3,
        seed=SEED,
        stream=STREAM,
        first_row=first_row,
    )
    clear = margin > 1e-9  # elsewhere a rounding may decide
    assert clear.sum() >= rows - 1
    np.testing.assert_allclose(v[clear], expected[clear], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(got[clear], acceptance[clear], rtol=0, atol=1e-9)
    now = exact.free_energy(machine, v)
    np.testing.assert_allclose(energy, now, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rejection_is_by_row_and_keeps_bits(each_level: str, dtype: type) -> None:
    """With a long step some rows stay exactly where they are, and the others move."""
    machine = exact.random_machine(12, 20, 9, 5, dtype=dtype)
    v = strategies.matrix(200, 12, dtype, 1)
    start, p = v.copy(), np.empty_like(v)
    arrays.normal(out=p, seed=3, stream=8)
    model = model_of(machine, dtype)
    acceptance, _ = kernels.hybrid_monte_carlo(
        model, v, leapfrog_steps=5, step_size=0.9, seed=3, stream=8
    )
    moved_v = start.copy()
    before, after = kernels.leapfrog(model, moved_v, p, leapfrog_steps=5, step_size=0.9)
    probability = np.minimum(1, np.exp(before.astype(np.float64) - after))
    # The energies that leapfrog returns are rounded to the dtype.
    rounding = 8 * np.abs(before).max() * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(acceptance, probability, rtol=rounding, atol=1e-7)
    stays = (v == start).all(axis=1)
    # Two entries to the same steps: compilers may fuse their multiply-adds differently.
    bound = 64 * float(np.finfo(dtype).eps) * np.abs(moved_v).max()
    np.testing.assert_allclose(v[~stays], moved_v[~stays], rtol=0, atol=bound)
    assert 10 < stays.sum() < 150
    expected = (1 - probability).sum()
    deviation = np.sqrt((probability * (1 - probability)).sum())
    assert abs(stays.sum() - expected) < 4 * deviation


def test_a_chain_that_leaves_the_numbers_is_refused(each_level: str) -> None:
    machine = exact.random_machine(5, 6, 4, 3, dtype=np.float32)
    v = strategies.matrix(40, 5, np.float32)
    start = v.copy()
    acceptance, energy = kernels.hybrid_monte_carlo(
        model_of(machine, np.float32), v, step_size=1e20
    )
    np.testing.assert_array_equal(v, start)
    assert (acceptance == 0).all() and np.isfinite(energy).all()


def test_parts_and_threads_give_the_same_bits(each_level: str, keep_threads: None) -> None:
    machine = exact.random_machine(9, 14, None, 6)
    model = model_of(machine, np.float32)
    start = strategies.matrix(1100, 9, np.float32)
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        v = start.copy()
        kernels.hybrid_monte_carlo(model, v, trajectories=2, leapfrog_steps=3, step_size=0.2)
        results.append(v)
    parts = start.copy()
    for first in range(0, 1100, 275):
        part = parts[first : first + 275]
        kernels.hybrid_monte_carlo(
            model, part, trajectories=2, leapfrog_steps=3, step_size=0.2, first_row=first
        )
    for other in (results[1], results[2], parts):
        np.testing.assert_array_equal(results[0], other)


def moments_of_chains(
    machine: exact.Machine, dtype: type, step_size: float, chains: int = 4000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means of v and of its products over independent chains, with their standard errors."""
    v = strategies.matrix(chains, len(machine.a), dtype, 7, 2.0)
    kernels.hybrid_monte_carlo(
        model_of(machine, dtype),
        v,
        trajectories=60,
        leapfrog_steps=10,
        step_size=step_size,
        seed=11,
    )
    x = v.astype(np.float64)
    products = (x[:, :, None] * x[:, None, :]).reshape(chains, -1)
    root = np.sqrt(chains)
    return x.mean(0), x.std(0) / root, products.mean(0), products.std(0) / root


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_without_filters(each_level: str, dtype: type) -> None:
    """C = 0: a mixture of Gaussians with means a + W h, of weights exp(b.h + |a + W h|^2 / 2)."""
    machine = exact.random_machine(3, 2, 2, 3, seed=5)
    machine.C[...] = 0
    machine.W *= 3
    states = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    means = machine.a + states @ machine.W.T
    weights = np.exp(states @ machine.b + (means**2).sum(1) / 2)
    weights /= weights.sum()
    first = weights @ means
    second = (weights[:, None, None] * means[:, :, None] * means[:, None, :]).sum(0) + np.eye(3)
    mean, mean_error, product, product_error = moments_of_chains(machine, dtype, 0.25)
    assert (np.abs(mean - first) < 4.5 * mean_error).all()
    assert (np.abs(product - second.ravel()) < 4.5 * product_error).all()


@pytest.mark.parametrize(("covariance", "strength"), [(None, 2), (2, 3)])
def test_moments_by_integration(each_level: str, covariance: int | None, strength: int) -> None:
    """Two visible units: exp(-F) is summed over a fine grid."""
    machine = exact.random_machine(2, 3, covariance, 2, seed=8)
    machine.C *= strength
    machine.c += strength - 1
    axis = np.linspace(-9, 9, 721)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(-exact.free_energy(machine, grid))
    density /= density.sum()
    first = density @ grid
    second = (grid * density[:, None]).T @ grid
    gaussian = machine.a + 0  # what the moments would be without hidden units
    assert np.abs(second - np.outer(gaussian, gaussian) - np.eye(2)).max() > 0.3
    mean, mean_error, product, product_error = moments_of_chains(machine, np.float64, 0.2)
    assert (np.abs(mean - first) < 4.5 * mean_error).all()
    assert (np.abs(product - second.ravel()) < 4.5 * product_error).all()


def test_bad_arguments() -> None:
    model = model_of(exact.random_machine(5, 6, 4, 3), np.float64)
    v = np.zeros((7, 5))
    with pytest.raises(ValueError, match="trajectories must be positive, got 0"):
        kernels.hybrid_monte_carlo(model, v, trajectories=0, step_size=0.1)
    with pytest.raises(ValueError, match="step_size must be positive, got 0"):
        kernels.hybrid_monte_carlo(model, v, step_size=0.0)
    with pytest.raises(ValueError, match="first_row must be not negative, got -1"):
        kernels.hybrid_monte_carlo(model, v, step_size=0.1, first_row=-1)
    with pytest.raises(ValueError, match="visible must be C-contiguous"):
        kernels.hybrid_monte_carlo(model, np.zeros((5, 7)).T, step_size=0.1)
    read_only = np.zeros((7, 5))
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="visible must be writeable"):
        kernels.hybrid_monte_carlo(model, read_only, step_size=0.1)
    with pytest.raises(ValueError, match="momentum must not overlap visible"):
        kernels.leapfrog(model, v, v, step_size=0.1)
