"""The mean-covariance machine: energy, gradients and updates, at every level; chains are in
test_hybrid_monte_carlo.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import mean_covariance as kernels
from tests import reference, strategies, tolerance
from tests import reference_mean_covariance as exact

# visible units, factors, covariance units (None: no pooling), mean units
shapes = st.tuples(
    strategies.sizes,
    strategies.sizes,
    st.none() | strategies.sizes,
    st.just(0) | strategies.sizes,
)


def native(machine: exact.Machine, dtype: type) -> kernels.MeanCovarianceArrays:
    return kernels.MeanCovarianceArrays(
        *[None if x is None else np.array(x, dtype, order="C") for x in machine.arrays]
    )


def model_of(machine: exact.Machine, dtype: type) -> kernels.MeanCovarianceModel:
    return kernels.mean_covariance_model(native(machine, dtype), machine.s)


def input_errors(m: exact.Machine, v: np.ndarray, dtype: type) -> tuple[np.ndarray, ...]:
    """First-order bounds of the errors of u, and of the inputs of both kinds of hidden units."""
    e = tolerance.epsilon(dtype)
    u, n = exact.factor_outputs(m, v)
    of_u = e * (2 * v.shape[1] + 8) * (np.abs(v / n) @ np.abs(m.C))
    pooling = np.abs(m.pooling)
    of_covariance = (np.abs(u) * of_u + e * (u.shape[1] + 8) * u**2) @ pooling + e * 8 * np.abs(m.c)
    of_mean = e * (v.shape[1] + 8) * (np.abs(v) @ np.abs(m.W) + np.abs(m.b))
    return of_u, of_covariance, of_mean


def energy_error(m: exact.Machine, v: np.ndarray, dtype: type) -> np.ndarray:
    """Softplus has slope at most 1; the sums of its values and of the visible terms round too."""
    _, of_covariance, of_mean = input_errors(m, v, dtype)
    u, _ = exact.factor_outputs(m, v)
    magnitude = (
        reference.softplus(m.c + u**2 / 2 @ m.pooling).sum(axis=1)
        + reference.softplus(v @ m.W + m.b).sum(axis=1)
        + (v**2).sum(axis=1)
        + np.abs(v) @ np.abs(m.a)
    )
    terms = v.shape[1] + len(m.c) + len(m.b) + 16
    return (
        of_covariance.sum(axis=1)
        + of_mean.sum(axis=1)
        + tolerance.epsilon(dtype) * terms * magnitude
    )


def gradient_error(m: exact.Machine, v: np.ndarray, dtype: type) -> np.ndarray:
    """Errors of the probabilities (slope at most 1/4) and of u, carried through both products."""
    e = tolerance.epsilon(dtype)
    of_u, of_covariance, of_mean = input_errors(m, v, dtype)
    u, n = exact.factor_outputs(m, v)
    covariance, mean = exact.hidden_means(m, v)
    pooling = np.abs(m.pooling).T
    pulls = covariance @ pooling
    of_pull = ((of_covariance / 4 + e * (len(m.c) + 8) * covariance) @ pooling) * np.abs(u)
    of_pull += pulls * of_u
    terms = u.shape[1] + len(m.b) + v.shape[1] + 16
    pull = pulls * np.abs(u)
    through = (of_pull + e * terms * pull) @ np.abs(m.C).T / n
    along = (np.abs(u) * (of_pull + e * terms * pull) + pull * of_u).sum(axis=1, keepdims=True)
    shrink = (np.abs(u) * pull).sum(axis=1, keepdims=True) / (n**2 * v.shape[1])
    return (
        through
        + np.abs(v) * (along / (n**2 * v.shape[1]) + 16 * e * (1 + shrink))
        + (of_mean / 4 + e * terms * mean) @ np.abs(m.W).T
        + 16 * e * np.abs(m.a)
    )


@given(rows=st.sampled_from([0, 1, 3, 31, 33, 70]), shape=shapes, dtype=strategies.scalars)
def test_energy_means_and_gradient(
    each_level: str, rows: int, shape: tuple[int, int, int | None, int], dtype: type
) -> None:
    machine = exact.random_machine(*shape, dtype=dtype)
    model = model_of(machine, dtype)
    covariance_units = shape[1] if shape[2] is None else shape[2]
    assert model.shape == (shape[0], shape[1], covariance_units, shape[3])
    v = strategies.arrange(strategies.matrix(rows, shape[0], dtype, 1, 2.0), "padded")
    x = v.astype(np.float64)
    _, of_covariance, of_mean = input_errors(machine, x, dtype)
    covariance, mean = kernels.hidden_means(model, v)
    expected_covariance, expected_mean = exact.hidden_means(machine, x)
    few = 8 * tolerance.epsilon(dtype)
    tolerance.assert_within(covariance, expected_covariance, of_covariance / 4 + few)
    tolerance.assert_within(mean, expected_mean, of_mean / 4 + few)
    energies = kernels.free_energy(model, v)
    tolerance.assert_within(
        energies, exact.free_energy(machine, x), energy_error(machine, x, dtype)
    )
    gradient = kernels.free_energy_gradient(model, v)
    tolerance.assert_within(gradient, exact.gradient(machine, x), gradient_error(machine, x, dtype))


def test_rows_do_not_depend_on_their_batch(each_level: str) -> None:
    """Also beyond the 1024 rows that a pass takes at a time."""
    machine = exact.random_machine(7, 20, 9, 5)
    model = model_of(machine, np.float32)
    v = strategies.matrix(1500, 7, np.float32)
    whole = kernels.free_energy(model, v)
    parts = [kernels.free_energy(model, v[i : i + 1]) for i in (0, 40, 1023, 1024, 1499)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[[0, 40, 1023, 1024, 1499]])


def central_difference(machine: exact.Machine, name: str, v: np.ndarray) -> np.ndarray:
    """The mean free energy's derivative by each element of a parameter, by the kernel itself."""
    array = getattr(machine, name)
    result = np.empty_like(array)
    step = 1e-5
    for index in np.ndindex(array.shape):
        before, ends = array[index], []
        for sign in (1, -1):
            array[index] = before + sign * step
            model = model_of(machine, np.float64)
            ends.append(kernels.free_energy(model, v).mean())
        array[index] = before
        result[index] = (ends[0] - ends[1]) / (2 * step)
    return result


@pytest.mark.parametrize("covariance", [None, 5])
@pytest.mark.parametrize("mean", [0, 4])
def test_gradients_by_finite_differences(
    each_level: str, covariance: int | None, mean: int
) -> None:
    """Central differences of h = 1e-5 in double: errors of the order h^2 and 1e-16 / h."""
    machine = exact.random_machine(6, 7, covariance, mean, seed=3)
    if machine.P is not None:
        machine.P -= 0.01  # stays negative when a difference is taken
    model = model_of(machine, np.float64)
    v = strategies.matrix(11, 6, np.float64, 2)
    gradient = kernels.parameter_gradient(model, v)
    for name, native_gradient in zip("CPWacb", gradient, strict=True):
        if native_gradient is not None:
            expected = central_difference(machine, name, v)
            np.testing.assert_allclose(native_gradient, expected, rtol=0, atol=2e-9, err_msg=name)
    by_state = np.empty_like(v)
    for j in range(6):
        step = np.zeros(6)
        step[j] = 1e-5
        ends = [kernels.free_energy(model, v + sign * step) for sign in (1, -1)]
        by_state[:, j] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(kernels.free_energy_gradient(model, v), by_state, rtol=0, atol=2e-9)


@given(shape=shapes, rows=st.sampled_from([1, 5, 33, 1100]))
def test_parameter_gradient(
    each_level: str, shape: tuple[int, int, int | None, int], rows: int
) -> None:
    machine = exact.random_machine(*shape)
    v = strategies.matrix(rows, shape[0], np.float64, 4)
    gradient = kernels.parameter_gradient(model_of(machine, np.float64), v)
    expected = exact.parameter_gradient(machine, v)
    for mine, theirs in zip(gradient, expected.arrays, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)


class Training:
    """A native model with velocities, and its reference beside it."""

    def __init__(self, machine: exact.Machine, dtype: type, **options: np.ndarray | None) -> None:
        self.parameters = native(machine, dtype)
        self.velocity = native(machine, dtype)
        for array in self.velocity:
            if array is not None:
                array *= dtype(0.01)
        self.before = exact.Machine(
            *[None if x is None else x.astype(np.float64) for x in self.velocity]
        )
        self.model = kernels.mean_covariance_model(self.parameters, machine.s)
        self.divergence = kernels.MeanCovarianceDivergence(self.model, self.velocity, **options)


RATES = (0.02, 0.01, 0.03, 0.04, 0.05, 0.06)
DYNAMICS = {"trajectories": 2, "leapfrog_steps": 3, "step_size": 0.1, "seed": 5, "stream": 9}


@given(
    shape=shapes,
    persistent=st.booleans(),
    equalised=st.booleans(),
    masked=st.booleans(),
    dtype=strategies.scalars,
)
def test_update(
    each_level: str,
    shape: tuple[int, int, int | None, int],
    persistent: bool,
    equalised: bool,
    masked: bool,
    dtype: type,
) -> None:
    machine = exact.random_machine(*shape, dtype=dtype)
    data = strategies.matrix(37, shape[0], dtype, 1)
    chain = strategies.matrix(21, shape[0], dtype, 2) if persistent else data.copy()
    particles = chain.copy() if persistent else None
    length = np.array([1.5], dtype) if equalised else None
    mask = None
    if masked and machine.P is not None:
        mask = (np.random.default_rng(0).random(machine.P.shape) < 0.5).astype(dtype)
    expected_acceptance, expected_energy = kernels.hybrid_monte_carlo(
        model_of(machine, dtype), chain, **DYNAMICS
    )
    training = Training(
        machine, dtype, particles=particles, filter_length=length, pooling_mask=mask
    )
    acceptance, chain_energy = np.empty(len(chain), dtype), np.empty(len(chain), dtype)
    data_energy = np.empty(len(data), dtype)
    expected_data_energy = kernels.free_energy(training.model, data)
    training.divergence.update(
        data,
        rates=RATES,
        momentum=0.5,
        l1=0.001,
        l2=0.002,
        length_decay=0.9,
        acceptance=acceptance,
        data_energy=data_energy,
        chain_energy=chain_energy,
        **DYNAMICS,
    )
    np.testing.assert_array_equal(acceptance, expected_acceptance)
    np.testing.assert_array_equal(chain_energy, expected_energy)
    np.testing.assert_array_equal(data_energy, expected_data_energy)
    if particles is not None:
        np.testing.assert_array_equal(particles, chain)
    rule = exact.Rule(RATES, 0.5, 0.001, 0.002, 0.9)
    new, velocity, new_length = exact.update(
        machine,
        training.before,
        rule,
        data.astype(np.float64),
        chain.astype(np.float64),
        None if length is None else 1.5,
        mask,
    )
    scale = 16 * tolerance.epsilon(dtype)
    terms = 37 + sum(n for n in shape if n)
    for mine, theirs in zip(training.velocity, velocity.arrays, strict=True):
        if theirs is not None:
            tolerance.assert_within(mine, theirs, scale * terms * 0.1)  # 0.1: rates and velocities
    for mine, theirs in zip(training.parameters, new.arrays, strict=True):
        if theirs is not None:
            bound = scale * terms * (0.1 + np.abs(theirs))
            tolerance.assert_within(mine, theirs, bound)
    if length is not None:
        tolerance.assert_within(length, [new_length], scale * terms)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pooling_stays_what_it_must_be(each_level: str, dtype: type) -> None:
    """A large rate drives elements of P across zero and whole columns to zero."""
    machine = exact.random_machine(6, 9, 7, 3, dtype=dtype)
    machine.P[:, 2] = 0  # a unit that sees nothing stays so
    mask = np.ones((9, 7), dtype)
    mask[:, 2] = 0
    training = Training(machine, dtype, pooling_mask=mask)
    data = strategies.matrix(20, 6, dtype, 1, 3.0)
    for step in range(5):
        training.divergence.update(data, rates=(0, 5.0, 0, 0, 0, 0), step_size=0.05, stream=step)
    pooling = training.parameters.pooling
    assert pooling is not None
    assert (pooling <= 0).all() and (pooling == 0).any()
    sums = pooling.sum(axis=0)
    np.testing.assert_allclose(np.delete(sums, 2), -1, atol=20 * tolerance.epsilon(dtype))
    assert sums[2] == 0


def test_pooling_without_a_rate_keeps_its_bits(each_level: str) -> None:
    machine = exact.random_machine(6, 9, 7, 3)
    training = Training(machine, np.float64)
    before = machine.P.copy()
    data = strategies.matrix(20, 6, np.float64)
    training.divergence.update(data, rates=(0.1, 0, 0.1, 0.1, 0.1, 0.1))
    np.testing.assert_array_equal(training.parameters.pooling, before)


@pytest.mark.parametrize("covariance", [None, 40])
def test_same_bits_for_any_number_of_threads(
    each_level: str, keep_threads: None, covariance: int | None
) -> None:
    machine = exact.random_machine(50, 60, covariance, 30, dtype=np.float32)
    data = strategies.matrix(130, 50, np.float32, 1)
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        particles = strategies.matrix(130, 50, np.float32, 2)
        length = np.ones(1, np.float32)
        training = Training(machine, np.float32, particles=particles, filter_length=length)
        for step in range(3):
            training.divergence.update(data, rates=RATES, step_size=0.1, stream=2 * step)
        arrays = [x for x in (*training.parameters, *training.velocity) if x is not None]
        results.append(b"".join(x.tobytes() for x in (*arrays, particles, length)))
    assert results[0] == results[1] == results[2]


def test_not_a_number_shows(each_level: str) -> None:
    machine = exact.random_machine(5, 6, 4, 3)
    v = strategies.matrix(40, 5, np.float64)
    v[33, 2] = np.nan
    model = model_of(machine, np.float64)
    assert np.flatnonzero(np.isnan(kernels.free_energy(model, v))).tolist() == [33]
    assert np.isnan(kernels.free_energy_gradient(model, v)).all(axis=1).sum() == 1


def bad(name: str, **replaced: object) -> kernels.MeanCovarianceArrays:
    return native(exact.random_machine(5, 6, 4, 3), np.float64)._replace(**replaced)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (bad("filters", filters=np.zeros((5, 0))), ValueError, "filters must not be empty"),
        (bad("filters", filters=[[1.0]]), TypeError, "filters must be a NumPy array, got list"),
        (bad("pooling", pooling=-np.ones((5, 4))), ValueError, r"pooling must have shape \(6, "),
        (bad("pooling", pooling=np.ones((6, 4))), ValueError, "no positive element, got 1"),
        (bad("pooling", pooling=None), ValueError, r"covariance_bias must have shape \(6,\), got"),
        (bad("weights", weights=np.zeros((4, 3))), ValueError, r"weights must have shape \(5, "),
        (bad("mean_bias", mean_bias=np.zeros(3, np.float32)), TypeError, "dtype float64, got"),
        (bad("weights", weights=np.zeros((3, 5)).T), ValueError, "weights must be C-contiguous"),
    ],
)
def test_bad_parameters(
    parameters: kernels.MeanCovarianceArrays, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kernels.mean_covariance_model(parameters)


def test_bad_arguments() -> None:
    machine = exact.random_machine(5, 6, 4, 3)
    parameters = native(machine, np.float64)
    model = kernels.mean_covariance_model(parameters)
    v = np.zeros((7, 5))
    with pytest.raises(ValueError, match=r"visible must have shape \(any, 5\), got \(7, 4\)"):
        kernels.free_energy(model, v[:, :4].copy())
    with pytest.raises(TypeError, match="visible must have dtype float64, got float32"):
        kernels.hidden_means(model, v.astype(np.float32))
    with pytest.raises(ValueError, match="gradient must not overlap visible"):
        kernels.free_energy_gradient(model, v, v)
    with pytest.raises(ValueError, match="visible must be of at least one row, got 0"):
        kernels.parameter_gradient(model, v[:0])
    with pytest.raises(ValueError, match="offset must be positive, got 0"):
        kernels.mean_covariance_model(parameters, 0.0)
    divergence = kernels.MeanCovarianceDivergence(model, native(machine, np.float64))
    with pytest.raises(ValueError, match="leapfrog_steps must be positive, got 0"):
        divergence.update(v, rates=RATES, leapfrog_steps=0)
    with pytest.raises(ValueError, match="step_size must be positive, got -1"):
        divergence.update(v, rates=RATES, step_size=-1.0)
    with pytest.raises(ValueError, match=r"acceptance must have shape \(7,\), got \(6,\)"):
        divergence.update(v, rates=RATES, acceptance=np.empty(6))
    wrong = native(machine, np.float64)._replace(mean_bias=np.zeros(2))
    with pytest.raises(ValueError, match=r"velocity of mean_bias must have shape \(3,\)"):
        kernels.MeanCovarianceDivergence(model, wrong)
    with pytest.raises(ValueError, match="particles must be of at least one row"):
        kernels.MeanCovarianceDivergence(model, native(machine, np.float64), particles=v[:0])
