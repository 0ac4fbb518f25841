"""Training of the mean-covariance RBM: what it learns, resuming, stopping, divergence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ictus
from ictus.models import HybridDivergenceTrainer, MeanCovarianceMachine
from ictus.train import CheckpointError, DivergenceError, GapStopping


def data(rows: int = 400, seed: int = 0) -> np.ndarray:
    """Six units that are heavy-tailed along skew directions: structure beyond the covariance."""
    g = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    return (g.laplace(size=(rows, 6)) / np.sqrt(2) @ directions).astype(np.float32)


def trained(epochs: int = 3, units: int | None = 4, **options) -> HybridDivergenceTrainer:
    machine = MeanCovarianceMachine(6, 8, 3, covariance_units=units, seed=2)
    options = {"batch_size": 50, "pooling_epoch": 1, "seed": 5} | options
    trainer = HybridDivergenceTrainer(machine, epochs=epochs, **options)
    trainer.fit(data())
    return trainer


def log_likelihood(machine: MeanCovarianceMachine, x: np.ndarray, axis: np.ndarray) -> float:
    """Exact up to the grid, for two visible units."""
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    area = (axis[1] - axis[0]) ** 2
    energies = -machine.free_energy(grid).astype(np.float64)
    log_z = np.log(np.exp(energies - energies.max()).sum() * area) + energies.max()
    return float((-machine.free_energy(x).astype(np.float64)).mean() - log_z)


@pytest.mark.parametrize("units", [None, 4])
def test_likelihood_rises_above_that_of_a_gaussian(units: int | None) -> None:
    """On two heavy-tailed units the covariance units must beat the best Gaussian."""
    g = np.random.default_rng(0)
    mixing = np.linalg.qr(g.standard_normal((2, 2)))[0]
    x = (g.standard_t(3, (3000, 2)) / np.sqrt(3) @ mixing).astype(np.float32)
    x = x[np.abs(x).max(axis=1) < 12]
    test, x = x[:500], x[500:]
    covariance = np.cov(x.T)
    gaussian = -0.5 * (
        np.log(np.linalg.det(2 * np.pi * covariance))
        + (test @ np.linalg.inv(covariance) * test).sum(axis=1).mean()
    )
    machine = MeanCovarianceMachine(2, 8, 4, covariance_units=units, seed=1)
    axis = np.linspace(-20, 20, 801)
    before = log_likelihood(machine, test, axis)
    trainer = HybridDivergenceTrainer(
        machine, batch_size=100, epochs=30, learning_rate=0.1, pooling_epoch=3
    )
    trainer.fit(x)
    after = log_likelihood(machine, test, axis)
    assert after > before
    assert after > gaussian


def test_history_and_projections() -> None:
    trainer = trained(epochs=4)
    history = trainer.history
    for name in ("energy_difference", "acceptance", "step_size", "filter_length"):
        assert len(history[name]) == 4 and np.isfinite(history[name]).all()
    machine = trainer.machine
    lengths = np.sqrt(np.square(machine.filters).sum(axis=0))
    np.testing.assert_allclose(lengths, trainer.filter_length[0], rtol=1e-5)
    np.testing.assert_allclose(machine.pooling.sum(axis=0), -1, rtol=1e-5)
    assert (machine.pooling <= 0).all()


def test_step_size_follows_the_acceptance() -> None:
    """From far too short a step, and from far too long a one."""
    for step_size in (0.1, 2.0):
        trainer = trained(
            epochs=50, target_acceptance=0.8, step_size=step_size, step_size_bounds=(0.001, 3.0)
        )
        assert abs(np.mean(trainer.history["acceptance"][-15:]) - 0.8) < 0.05


def test_pooling_waits_for_its_epoch_and_keeps_zeros() -> None:
    start = MeanCovarianceMachine(6, 8, 3, covariance_units=4, seed=2).pooling.copy()
    np.testing.assert_array_equal(trained(epochs=2, pooling_epoch=2).machine.pooling, start)
    learned = trained(epochs=3, learning_rate=1.0).machine.pooling
    assert (learned[start == 0] != 0).any()
    masked = trained(epochs=3, learning_rate=1.0, keep_zeros=True).machine.pooling
    assert (masked[start == 0] == 0).all() and not np.array_equal(masked, start)


@pytest.mark.parametrize("persistent", [True, False])
def test_resuming_gives_the_same_bits(tmp_path, persistent: bool) -> None:
    whole = trained(epochs=4, persistent=persistent, momentum=0.5)
    path = tmp_path / "checkpoint"
    trained(epochs=2, persistent=persistent, momentum=0.5, checkpoint=path)
    machine = MeanCovarianceMachine(6, 8, 3, covariance_units=4, seed=2)
    rest = HybridDivergenceTrainer(
        machine,
        epochs=4,
        batch_size=50,
        pooling_epoch=1,
        seed=5,
        persistent=persistent,
        momentum=0.5,
        checkpoint=path,
    )
    assert rest.resume()
    rest.fit(data())
    np.testing.assert_array_equal(machine.parameters, whole.machine.parameters)
    np.testing.assert_array_equal(rest.velocity, whole.velocity)
    assert rest.step_size == whole.step_size
    assert rest.history["energy_difference"] == whole.history["energy_difference"]
    other = HybridDivergenceTrainer(machine, leapfrog_steps=10, batch_size=50, seed=5)
    with pytest.raises(CheckpointError, match="belongs to another training"):
        other.resume(path)


def test_same_bits_for_any_number_of_threads(keep_threads: None) -> None:
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        results.append(trained(epochs=2).machine.parameters)
    for a, b in itertools.pairwise(results):
        np.testing.assert_array_equal(a, b)


def test_divergence_is_an_error_and_gives_the_weights_back() -> None:
    machine = MeanCovarianceMachine(6, 8, 3, seed=2)
    trainer = HybridDivergenceTrainer(machine, learning_rate=1e30, batch_size=50, epochs=3)
    before = machine.parameters.copy()
    with pytest.raises(DivergenceError, match="training diverged"):
        trainer.fit(data())
    np.testing.assert_array_equal(machine.parameters, before)


def test_early_stopping_by_the_free_energy_gap() -> None:
    """Thirty examples and many units: held-out ones soon have the higher free energy."""
    machine = MeanCovarianceMachine(6, 60, 60, seed=2)
    trainer = HybridDivergenceTrainer(
        machine,
        learning_rate=0.5,
        learning_rate_decay=0,
        batch_size=10,
        epochs=300,
        early_stopping=GapStopping(0.5, 3),
    )
    history = trainer.fit(data(30), validation=data(300, seed=9))
    assert history.stopped == "early stopping"
    assert history["free_energy_gap"][-1] > 0.5
    with pytest.raises(ValueError, match="early stopping needs validation examples"):
        HybridDivergenceTrainer(machine, early_stopping=GapStopping(0.5)).fit(data())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -1.0}, r"learning_rate must be in \[0, inf\), got -1"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1"),
        ({"leapfrog_steps": 0}, "leapfrog_steps must be a positive integer, got 0"),
        ({"step_size_bounds": (0.5, 0.1)}, "step_size_bounds must be positive, in order"),
        ({"particles": 2.5}, "particles must be a positive integer, got 2.5"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HybridDivergenceTrainer(MeanCovarianceMachine(6, 8, 3), **options)


def test_bad_examples() -> None:
    trainer = HybridDivergenceTrainer(MeanCovarianceMachine(6, 8, 3))
    with pytest.raises(ValueError, match=r"x must have shape \(rows, 6\), got \(3, 5\)"):
        trainer.fit(np.zeros((3, 5)))
    x = data()
    x[7, 1] = np.nan
    with pytest.raises(ValueError, match="x must be finite, row 7 is not"):
        trainer.fit(x)
