"""The mean-covariance machine: parameters, units, samples, reconstruction."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import ictus
from ictus.models import MeanCovarianceMachine
from ictus.models.boltzmann.mean_covariance import topographic_pooling
from tests import reference_mean_covariance as exact
from tests import strategies


def machine(covariance_units: int | None = 7, **options: object) -> MeanCovarianceMachine:
    made = MeanCovarianceMachine(
        6, 14, 5, covariance_units=covariance_units, dtype="float64", seed=4, **options
    )
    made.filters *= 1.5
    made.weights *= 10
    made.visible_bias += 0.3
    return made


def reference(m: MeanCovarianceMachine) -> exact.Machine:
    return exact.Machine(
        m.filters, m.pooling, m.weights, m.visible_bias, m.covariance_bias, m.mean_bias, m.offset
    )


@pytest.mark.parametrize("covariance_units", [None, 7, 20])
def test_units_and_energies(covariance_units: int | None) -> None:
    m = machine(covariance_units)
    v = strategies.matrix(9, 6, np.float64)
    expected = exact.hidden_means(reference(m), v)
    for mine, theirs in zip(m.hidden_means(v), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-13)
    np.testing.assert_allclose(m.free_energy(v), exact.free_energy(reference(m), v))
    np.testing.assert_allclose(m.free_energy_gradient(v), exact.gradient(reference(m), v))


@pytest.mark.parametrize(("factors", "units"), [(14, 7), (14, 14), (14, 4), (5, 9)])
def test_units_share_the_factors_at_first(factors: int, units: int) -> None:
    m = MeanCovarianceMachine(6, factors, 2, covariance_units=units, dtype="float64")
    assert m.pooling is not None
    np.testing.assert_allclose(m.pooling.sum(axis=0), -1)
    assert (m.pooling <= 0).all()
    assert (m.pooling != 0).any(axis=1).all()
    if factors == units:
        np.testing.assert_array_equal(m.pooling, -np.eye(factors))


def test_topographic_pooling() -> None:
    pooling = topographic_pooling(6, window=3, stride=2)
    assert pooling.shape == (36, 9)
    np.testing.assert_allclose(pooling.sum(axis=0), -1)
    assert ((pooling != 0).sum(axis=0) == 9).all()
    sheet = pooling[:, -1].reshape(6, 6) != 0  # the last unit, at (4, 4): its window meets the edge
    np.testing.assert_array_equal(np.flatnonzero(sheet.any(axis=0)), [0, 4, 5])
    with pytest.raises(ValueError, match="stride a divisor of 6, got 3 and 4"):
        topographic_pooling(6, 3, 4)


def test_reconstruction_is_the_mean_of_the_gaussian() -> None:
    """Conjugate: the conditional energy's gradient by v is 0 there, with n and units fixed."""
    m = machine()
    v = strategies.matrix(8, 6, np.float64, 3)
    covariance, mean = m.hidden_means(v)
    r = reference(m)
    n = np.sqrt(np.square(v).mean(axis=1, keepdims=True) + m.offset)
    x = m.reconstruct(v)
    u = x @ r.C / n
    gradient = -(covariance @ r.pooling.T * u) @ r.C.T / n - mean @ r.W.T + x - r.a
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_completion_lowers_the_free_energy_to_a_mode() -> None:
    """With a large offset n hardly depends on v: there the gradient by what is unknown is 0."""
    m = machine(offset=1e6)
    m.filters *= 1e3
    known = np.random.default_rng(1).random((20, 6)) > 0.5
    v = strategies.matrix(20, 6, np.float64, 3)
    start = np.where(known, v, m.visible_bias)
    few, many = m.complete(v, known, steps=2), m.complete(v, known, steps=500)
    assert (m.free_energy(few) <= m.free_energy(start) + 1e-9).all()
    assert (m.free_energy(many) <= m.free_energy(few) + 1e-9).all()
    np.testing.assert_array_equal(many[known], v[known])
    np.testing.assert_allclose(m.free_energy_gradient(many)[~known], 0, atol=1e-4)


def test_samples_have_the_moments_of_the_model() -> None:
    """Without filters and weights the model is N(a, I); chains forget a start far away."""
    m = machine()
    m.filters[...] = 0
    m.weights[...] = 0
    samples = m.sample(2000, trajectories=30, start=np.full((2000, 6), 5.0))
    error = 1 / np.sqrt(2000)
    assert np.abs(samples.mean(axis=0) - m.visible_bias).max() < 5 * error
    assert np.abs(np.cov(samples.T) - np.eye(6)).max() < 5 * np.sqrt(2) * error


def test_draws_go_on_and_start_anew() -> None:
    m = machine()
    first, second = m.sample(4, 3), m.sample(4, 3)
    assert not np.array_equal(first, second)
    again = machine()
    np.testing.assert_array_equal(again.sample(4, 3), first)


def test_config_pickle_and_model_file(tmp_path) -> None:
    m = machine(pooling=None)
    m.sample(2, 2)
    v = strategies.matrix(9, 6, np.float64)
    copies = [pickle.loads(pickle.dumps(m))]
    copies.append(MeanCovarianceMachine.from_config(m.config(), m.parameters))
    ictus.save(tmp_path / "m.ictus", m)
    copies.append(ictus.load(tmp_path / "m.ictus"))
    for copy in copies:
        assert copy.config() == m.config()
        np.testing.assert_array_equal(copy.free_energy(v), m.free_energy(v))
    assert copies[0].draw_count == m.draw_count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": 0}, "factors must be a positive integer, got 0"),
        ({"offset": 0.0}, "offset must be positive"),
        ({"pooling": np.zeros((3, 2))}, r"pooling must have shape \(14, covariance_units\)"),
        ({"pooling": np.ones((14, 2))}, "pooling must have no positive element"),
        ({"pooling": -np.ones((14, 2)), "covariance_units": 3}, r"shape \(14, 3\), got \(14, 2\)"),
        ({"dtype": "int32"}, "dtype must be float32 or float64"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeanCovarianceMachine(**({"visible_units": 6, "factors": 14, "mean_units": 5} | options))


def test_bad_states() -> None:
    m = machine()
    with pytest.raises(ValueError, match=r"v must have shape \(rows, 6\), got \(3, 5\)"):
        m.hidden_means(np.zeros((3, 5)))
    v = np.zeros((3, 6))
    v[1, 2] = np.inf
    with pytest.raises(ValueError, match="v must be finite, row 1 is not"):
        m.free_energy(v)
    with pytest.raises(ValueError, match="start must have 4 rows, got 3"):
        m.sample(4, start=np.zeros((3, 6)))
