"""Parallel tempering against exact distributions, where plain Gibbs sampling fails."""

import numpy as np
import pytest

import ictus
from ictus.models import RBM
from ictus.models.boltzmann.gibbs import Chains
from ictus.models.boltzmann.tempering import ParallelTempering
from tests.models.boltzmann.test_partition import make_rbm
from tests.models.enumeration import divergence, visible_distribution


def bimodal(dtype="float64"):
    """Two modes, all units off or all on, with a wall between them; the second three times as
    probable as the first."""
    rbm = RBM(8, 4, dtype=dtype)
    rbm.weights[...] = 4.0
    rbm.visible_bias[...] = -8.0
    rbm.hidden_bias[...] = -16.0
    rbm.visible_bias[0] += np.log(3.0)
    return rbm


def frequencies(states):
    """How often each state of binary units occurs, in the order of enumeration."""
    units = states.shape[1]
    numbers = (states @ (1 << np.arange(units)[::-1])).astype(int)
    return np.bincount(numbers, minlength=2**units) / len(states)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_crosses_between_modes(dtype):
    rbm = bimodal(dtype)
    _, exact = visible_distribution(rbm)
    assert exact[-1] > 0.7
    assert exact[0] > 0.2
    assert exact[1:-1].max() < 0.02

    plain = Chains(rbm, np.zeros((2000, 8), rbm.dtype))
    plain.run(400)
    assert frequencies(plain.visible)[-1] < 0.05

    tempered = ParallelTempering(rbm, chains=2000, inverse_temperatures=8)
    tempered.states[...] = 0
    tempered.step(400)
    found = frequencies(tempered.visible)
    # Of 2000 independent draws: the share of a mode is within 4 standard errors.
    for mode in (0, -1):
        assert abs(found[mode] - exact[mode]) < 4 * np.sqrt(exact[mode] / 2000)
    assert (tempered.swap_rates > 0.1).all()


@pytest.mark.parametrize(
    "options", [{}, {"visible_type": "softmax", "group_size": 2}, {"hidden_type": "gaussian"}]
)
def test_draws_from_the_machine(options):
    rbm = make_rbm(6, 4, scale=1.0, **options)
    if rbm.hidden_type == "gaussian":
        from ictus.models.boltzmann.partition import log_likelihood
        from tests.models.enumeration import visible_states

        states = visible_states(rbm)
        exact = np.exp(log_likelihood(rbm, states).per_example)
    else:
        states, exact = visible_distribution(rbm)
    tempered = ParallelTempering(rbm, chains=4000, inverse_temperatures=5, seed=2)
    tempered.step(60)
    found = (tempered.visible[:, None] == states[None]).all(axis=2).mean(axis=0)
    assert found.sum() == pytest.approx(1)
    # The mean of 2 n KL is the degrees of freedom (Wilks); its deviation sqrt(2 df).
    degrees = len(states) - 1
    assert 2 * 4000 * divergence(found, exact) < degrees + 4 * np.sqrt(2 * degrees)


def test_draws_of_gaussian_units_have_the_moments_of_the_machine():
    rbm = make_rbm(3, 4, scale=0.7, visible_type="gaussian", learn_variance=True)
    rbm.visible_bias[0] = 2.0
    from tests.models.enumeration import binary_states

    h = binary_states(4)
    means = rbm.visible_bias + h @ rbm.weights.T
    log_p = h @ rbm.hidden_bias + ((means**2 - rbm.visible_bias**2) / (2 * rbm.variance)).sum(1)
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    mean = p @ means
    variance = p @ means**2 - mean**2 + rbm.variance
    tempered = ParallelTempering(rbm, chains=4000, inverse_temperatures=6)
    tempered.step(50)
    error = (tempered.visible.mean(axis=0) - mean) / np.sqrt(variance / 4000)
    assert np.abs(error).max() < 4
    np.testing.assert_allclose(tempered.visible.var(axis=0), variance, rtol=0.12)


@pytest.mark.usefixtures("keep_threads")
def test_same_bits_for_same_seed_in_any_parts_and_threads():
    rbm = make_rbm(50, 40, dtype="float32", scale=0.3)
    results = []
    for threads, parts in ((1, [20]), (3, [20]), (2, [7, 0, 13])):
        ictus.set_num_threads(threads)
        tempered = ParallelTempering(rbm, chains=30, inverse_temperatures=[0, 0.3, 0.7, 1], seed=4)
        for steps in parts:
            tempered.step(steps)
        hidden = np.empty((30, 40), np.float32)
        tempered.sample_hiddens(hidden)
        results.append((tempered.visible, hidden, tempered.swap_rates))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 0}, "chains must be a positive integer, got 0"),
        ({"inverse_temperatures": 1}, "at least"),
        ({"inverse_temperatures": [0.0, 0.9]}, "ParallelTempering: inverse_temperatures must rise"),
        ({"base_rates": [0.5]}, r"ParallelTempering: base_rates must have shape \(6,\)"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ParallelTempering(RBM(6, 3), **options)
    with pytest.raises(ValueError, match="steps must be 0 or more, got -1"):
        ParallelTempering(RBM(6, 3)).step(-1)
