"""Annealed importance sampling against exact partition functions."""

import numpy as np
import pytest

import ictus
from ictus import datasets, kernels
from ictus.models import RBM
from ictus.models.boltzmann.annealing import annealed_importance_sampling, annealing_schedule
from ictus.models.boltzmann.partition import log_partition
from tests.models.boltzmann.test_partition import make_rbm

KINDS = [
    {},
    {"hidden_type": "gaussian"},
    {"visible_type": "softmax", "group_size": 4},
    {"visible_type": "softmax", "group_size": 4, "hidden_type": "gaussian"},
    {"visible_type": "labelled", "group_size": 3},
    {"visible_type": "gaussian"},
    {"visible_type": "gaussian", "learn_variance": True},
]


@pytest.fixture(scope="module")
def digits():
    """Real digits of 8 x 8 pixels, sampled to 0 and 1."""
    grey = datasets.load_small_digits().x_train
    return kernels.bernoulli(grey, seed=1)


@pytest.fixture(scope="module")
def trained(digits):
    """64-20, trained on real digits by persistent contrastive divergence."""
    rbm = RBM(64, 20, seed=1)
    rbm.initialize_biases(digits)
    particles = np.zeros((100, 20), np.float32)
    zeros = (np.zeros_like(a) for a in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    update = kernels.rbm.ContrastiveDivergence(rbm.native, *zeros, particles=particles).update
    generator = np.random.default_rng(0)
    for step in range(2000):
        rate = 0.1 * (1 - step / 2000)
        batch = digits[generator.integers(0, len(digits), 100)]
        update(batch, weight_rate=rate, bias_rate=rate, seed=1, stream=4 * step)
    return rbm


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_enumeration_on_a_trained_machine(trained, digits, seed):
    exact = log_partition(trained)
    rates = digits.mean(axis=0)
    found = annealed_importance_sampling(
        trained, inverse_temperatures=2000, base_rates=rates, seed=seed
    )
    assert found.interval[0] < exact < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.4
    assert found.effective_sample_size > 50
    # Annealing does it: weights of a single step are far from equal.
    single = annealed_importance_sampling(
        trained, inverse_temperatures=[0.0, 1.0], base_rates=rates, seed=seed
    )
    assert single.effective_sample_size < found.effective_sample_size / 3


def test_interval_shrinks_with_more_temperatures_and_chains(trained, digits):
    def width(**options):
        rates = digits.mean(axis=0)
        low, high = annealed_importance_sampling(trained, base_rates=rates, **options).interval
        return high - low

    few = width(inverse_temperatures=100)
    assert width(inverse_temperatures=2000) < few / 2
    assert width(inverse_temperatures=100, chains=1600) < few / 2


@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize("options", KINDS)
def test_every_kind_of_units(options, base):
    rbm = make_rbm(12, 5, scale=0.4, **options)
    exact = log_partition(rbm)
    rates = np.full(12, 0.25) if base else None
    inside = 0
    for seed in range(10):
        found = annealed_importance_sampling(
            rbm, inverse_temperatures=200, base_rates=rates, seed=seed
        )
        low, high = found.interval
        inside += low < exact < high
        assert high - low < 0.6
    assert inside >= 9  # three standard errors


def test_one_temperature_step_is_plain_importance_sampling():
    """Weights have the mean that theory says: Z, unbiased, even from a poor ladder."""
    rbm = make_rbm(6, 4, scale=0.3)
    found = annealed_importance_sampling(rbm, inverse_temperatures=[0.0, 1.0], chains=20_000)
    low, high = found.interval
    assert low < log_partition(rbm) < high
    assert high - low < 0.2


@pytest.mark.usefixtures("keep_threads")
def test_same_bits_for_same_seed_whatever_the_threads(trained):
    results = []
    for threads in (1, 3):
        ictus.set_num_threads(threads)
        found = annealed_importance_sampling(trained, inverse_temperatures=700, seed=5)
        results.append(found.log_weights)
    np.testing.assert_array_equal(*results)
    other = annealed_importance_sampling(trained, inverse_temperatures=700, seed=6)
    assert not np.array_equal(results[0], other.log_weights)


def test_interval_is_open_below_where_weights_say_little():
    rbm = make_rbm(30, 8, scale=3.0)
    found = annealed_importance_sampling(rbm, inverse_temperatures=[0.0, 1.0], chains=10)
    assert found.interval[0] == -np.inf
    assert np.isfinite(found.interval[1])
    assert 1 <= found.effective_sample_size < 2


def test_schedule():
    beta = annealing_schedule()
    assert (beta[0], beta[-1], len(beta)) == (0.0, 1.0, 14_500)
    assert (np.diff(beta) > 0).all()
    assert [int((beta < b).sum()) for b in (0.5, 0.9)] == [500, 4_500]
    for count in (4, 5, 30, 1001):
        beta = annealing_schedule(count)
        assert len(beta) == count
        assert (np.diff(beta) > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 1}, "chains must be an integer of at least 2, got 1"),
        ({"inverse_temperatures": 3}, "count must be an integer of at least 4, got 3"),
        ({"inverse_temperatures": [0.0, 0.5]}, "inverse_temperatures must rise from 0 to 1"),
        ({"inverse_temperatures": [0.0, 0.6, 0.5, 1.0]}, "inverse_temperatures must rise"),
        ({"base_rates": np.zeros(3)}, r"base_rates must have shape \(6,\), got \(3,\)"),
        ({"base_rates": np.full(6, 1.5)}, r"base_rates must be in \[0, 1\], got 1.5"),
        ({"base_rates": np.full(6, np.nan)}, "base_rates must be finite"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        annealed_importance_sampling(RBM(6, 3), **options)


def test_rectified_units_are_refused():
    with pytest.raises(ValueError, match="annealed_importance_sampling: hidden_type must be"):
        annealed_importance_sampling(RBM(6, 3, hidden_type="rectified"))
