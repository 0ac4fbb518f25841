"""Exact log Z and log-likelihoods against brute force in float64."""

import numpy as np
import pytest
from scipy.special import logsumexp

from ictus.models import RBM, ConditionalMachine
from ictus.models.boltzmann import partition
from ictus.models.boltzmann.partition import log_likelihood, log_partition
from tests.models.enumeration import binary_states, energies, visible_states


def make_rbm(visible, hidden, *, seed=0, scale=0.8, dtype="float64", **options):
    rbm = RBM(visible, hidden, dtype=dtype, **options)
    rbm.parameters[...] = scale * np.random.default_rng(seed).standard_normal(rbm.parameter_count)
    return rbm


@pytest.mark.parametrize(
    ("visible", "hidden", "options"),
    [
        (7, 3, {}),
        (3, 7, {}),
        (4, 9, {}),
        (9, 5, {}),
        (9, 4, {"visible_type": "softmax", "group_size": 3}),
        (6, 12, {"visible_type": "softmax", "group_size": 3}),
        (5, 3, {"visible_type": "softmax", "group_size": 1}),
        (8, 4, {"visible_type": "labelled", "group_size": 3}),
        (6, 12, {"visible_type": "labelled", "group_size": 4}),
    ],
)
@pytest.mark.parametrize("rows", [2048, 7])  # all at once, and in blocks
def test_discrete_units(visible, hidden, options, rows, monkeypatch):
    monkeypatch.setattr(partition, "_ROWS", rows)
    rbm = make_rbm(visible, hidden, **options)
    expected = logsumexp(-energies(rbm, visible_states(rbm), binary_states(hidden)))
    assert log_partition(rbm) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("learn_variance", [False, True])
def test_gaussian_visible_units(learn_variance):
    """The density integrates to one: a fine grid over two units."""
    rbm = make_rbm(2, 3, visible_type="gaussian", learn_variance=learn_variance)
    step = 0.05
    axis = np.arange(-15, 15, step)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    joint = -energies(rbm, grid, binary_states(3))
    assert log_partition(rbm) == pytest.approx(logsumexp(joint) + 2 * np.log(step), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"visible_type": "softmax", "group_size": 2},
        {"visible_type": "labelled", "group_size": 3},
    ],
)
def test_gaussian_hidden_units(options):
    """The integral over a fine grid of two hidden units, without its constant."""
    rbm = make_rbm(6, 2, hidden_type="gaussian", **options)
    step = 0.05
    axis = np.arange(-15, 15, step)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    joint = -energies(rbm, visible_states(rbm), grid)
    expected = logsumexp(joint) + 2 * np.log(step) - np.log(2 * np.pi)
    assert log_partition(rbm) == pytest.approx(expected, rel=1e-12)


def test_a_million_states():
    """20 hidden units that are independent of each other: log Z is a sum."""
    rbm = RBM(40, 20)
    rbm.weights[...] = 0
    rbm.visible_bias[...] = np.random.default_rng(0).standard_normal(40)
    rbm.hidden_bias[...] = np.random.default_rng(1).standard_normal(20)
    biases = np.concatenate([rbm.visible_bias, rbm.hidden_bias]).astype(np.float64)
    assert log_partition(rbm) == pytest.approx(np.logaddexp(0, biases).sum(), rel=1e-13)


@pytest.mark.parametrize(
    ("visible", "options"), [(8, {}), (8, {"visible_type": "softmax", "group_size": 4})]
)
@pytest.mark.parametrize("hidden_type", ["bernoulli", "gaussian"])
def test_probabilities_add_up_to_one(visible, options, hidden_type):
    rbm = make_rbm(visible, 5, hidden_type=hidden_type, **options)
    found = log_likelihood(rbm, visible_states(rbm))
    assert np.exp(found.per_example).sum() == pytest.approx(1, rel=1e-12)
    assert found.mean == pytest.approx(found.per_example.mean(), rel=1e-12)
    assert found.interval == (found.mean, found.mean)
    assert found.log_z == log_partition(rbm)


def test_estimated_likelihood_has_the_interval_of_log_z():
    rbm = make_rbm(10, 6)
    data = visible_states(rbm)[::7]
    exact = log_likelihood(rbm, data, method="exact")
    found = log_likelihood(rbm, data, method="ais", inverse_temperatures=300, seed=3)
    low, high = found.interval
    assert low < exact.mean < high
    assert low < found.mean < high
    assert found.mean != exact.mean


def test_method_auto_takes_what_the_size_allows():
    data = np.zeros((2, 30))
    few, many = make_rbm(30, 8), make_rbm(30, 25, scale=0.1)
    assert log_likelihood(few, data).interval[0] == log_likelihood(few, data).mean
    low, high = log_likelihood(many, data, inverse_temperatures=50).interval
    assert low < high


def test_what_cannot_be_enumerated_is_refused():
    with pytest.raises(ValueError, match="30 bernoulli visible and 25 bernoulli hidden units"):
        log_partition(RBM(30, 25))
    with pytest.raises(ValueError, match="4 gaussian visible and 3 gaussian hidden units"):
        log_partition(RBM(4, 3, visible_type="gaussian", hidden_type="gaussian"))
    with pytest.raises(ValueError, match="hidden_type must be bernoulli or gaussian, got rectif"):
        log_partition(RBM(4, 3, hidden_type="rectified"))
    with pytest.raises(ValueError, match="log_partition: rbm must not be conditional"):
        log_partition(ConditionalMachine(4, 3, 2))
    with pytest.raises(ValueError, match="log_likelihood: rbm must not be conditional"):
        log_likelihood(ConditionalMachine(4, 3, 2), np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({}, np.full((1, 4), 0.5), "data must be 0 or 1 in every unit, got 0.5"),
        ({}, np.zeros((2, 5)), r"must have shape \(rows, 4\), got \(2, 5\)"),
        ({}, np.zeros((0, 4)), "data must have at least one row"),
        ({}, np.full((1, 4), np.nan), "must be finite"),
        (
            {"visible_type": "softmax", "group_size": 2},
            np.ones((1, 4)),
            "one unit on in each softmax group, got 2",
        ),
    ],
)
def test_data_that_are_no_states_are_refused(options, data, message):
    with pytest.raises(ValueError, match=message):
        log_likelihood(RBM(4, 3, **options), data)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method must be auto, exact or ais, got 'csl'"):
        log_likelihood(RBM(4, 3), np.zeros((1, 4)), method="csl")
