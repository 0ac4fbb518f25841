"""Training with parallel tempering: likelihood on real digits, and resuming to the same bits."""

import numpy as np
import pytest

from ictus import datasets, kernels
from ictus.models import RBM
from ictus.models.boltzmann.partition import log_likelihood
from ictus.models.boltzmann.tempered_divergence import TemperedTrainer
from ictus.train import CheckpointError, Linear


@pytest.fixture(scope="module")
def digits():
    return kernels.bernoulli(datasets.load_small_digits().x_train, seed=1)


def make_trainer(digits, **options):
    options = {"epochs": 4, "learning_rate": 0.1, "inverse_temperatures": 5} | options
    return TemperedTrainer(
        RBM(64, 16, seed=3),
        base_rates=digits.mean(axis=0),
        momentum=0.0,
        progress=False,
        seed=2,
        **options,
    )


def test_raises_the_likelihood(digits):
    trainer = make_trainer(digits, epochs=60, learning_rate=Linear(0.3, 0.0, 60))
    trainer.rbm.initialize_biases(digits)
    before = log_likelihood(trainer.rbm, digits).mean
    trainer.fit(digits)
    after = log_likelihood(trainer.rbm, digits).mean
    assert after > before + 3
    assert (trainer.tempering.swap_rates > 0.2).all()


def test_resumes_to_the_same_bits(digits, tmp_path):
    whole = make_trainer(digits)
    whole.fit(digits)
    file = tmp_path / "checkpoint"
    make_trainer(digits, checkpoint=file).fit(digits, epochs=2)
    rest = make_trainer(digits, checkpoint=file)
    assert rest.resume()
    rest.fit(digits)
    np.testing.assert_array_equal(rest.rbm.parameters, whole.rbm.parameters)
    for name, array in whole.tempering.state().items():
        np.testing.assert_array_equal(rest.tempering.state()[name], array)
    with pytest.raises(CheckpointError, match="inverse_temperatures differs"):
        make_trainer(digits, checkpoint=file, inverse_temperatures=6).resume()


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="temperature"):
        TemperedTrainer(RBM(4, 3), temperature=3)
    with pytest.raises(ValueError, match="hidden_type must be bernoulli or gaussian"):
        TemperedTrainer(RBM(4, 3, hidden_type="rectified"))
