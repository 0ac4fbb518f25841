"""Training by contrastive divergence: what is learned, resuming, guards, histories."""

import pickle
import signal

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ictus
from ictus.models import RBM, DivergenceTrainer
from ictus.train import CheckpointError, Constant, DivergenceError, GapStopping, Linear
from tests.models.enumeration import divergence, visible_distribution


@pytest.fixture(scope="module")
def digits():
    return (load_digits().data / 16).astype(np.float32)


def patterns(rows=2000, seed=0):
    """Binary data that no independent units explain: shifted bars, some bits flipped."""
    generator = np.random.default_rng(seed)
    bars = np.array(
        [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1]]
    )
    x = bars[generator.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])].astype(float)
    return np.where(generator.random(x.shape) < 0.03, 1 - x, x)


def empirical(x, states):
    codes = {tuple(state): i for i, state in enumerate(states)}
    return np.bincount([codes[tuple(row)] for row in x], minlength=len(states)) / len(x)


def make_trainer(rbm, **options):
    defaults = {"batch_size": 50, "epochs": 6, "seed": 3, "progress": False}
    return DivergenceTrainer(rbm, **(defaults | options))


METHODS = {
    "CD-1": {"steps": 1},
    "CD-10": {"steps": 10},
    "PCD": {"persistent": True, "momentum": 0.0},
    "PCD, fast weights": {"persistent": True, "fast_weights": True, "momentum": 0.0},
}


class TestLearning:
    @pytest.mark.parametrize("method", METHODS)
    def test_learns_the_distribution(self, method):
        x = patterns()
        rbm = RBM(6, 8, seed=1)
        rbm.initialize_biases(x)
        states, q = visible_distribution(rbm)
        p = empirical(x, states)
        assert divergence(p, q) > 1.0
        rate = Linear(0.2, 0.0, 300)
        make_trainer(rbm, epochs=300, learning_rate=rate, **METHODS[method]).fit(x)
        # Sampling noise of 2000 examples over 63 free states alone makes about 0.016.
        assert divergence(p, visible_distribution(rbm)[1]) < (0.2 if method == "CD-1" else 0.08)

    def test_learns_categories(self):
        generator = np.random.default_rng(0)
        first = generator.integers(0, 3, 3000)
        second = np.where(generator.random(3000) < 0.9, (first + 1) % 3, first)
        x = np.hstack([np.eye(3)[first], np.eye(3)[second]])
        rbm = RBM(6, 6, visible_type="softmax", group_size=3, seed=1)
        make_trainer(rbm, epochs=60, persistent=True, learning_rate=Linear(0.1, 0, 60)).fit(x)
        states, q = visible_distribution(rbm)
        assert divergence(empirical(x, states), q) < 0.05

    def test_learns_the_variance(self):
        generator = np.random.default_rng(0)
        x = generator.normal([1.0, -2.0, 0.0], [0.5, 1.0, 2.0], (4000, 3))
        rbm = RBM(3, 2, visible_type="gaussian", learn_variance=True, seed=1)
        trainer = make_trainer(
            rbm, epochs=60, learning_rate=0.01, variance_learning_rate=0.02, initialize_biases=False
        )
        trainer.fit(x)
        np.testing.assert_allclose(rbm.variance, [0.25, 1.0, 4.0], rtol=0.15)
        np.testing.assert_allclose(rbm.visible_bias, [1.0, -2.0, 0.0], atol=0.15)

    def test_a_learned_variance_is_bounded(self):
        x = np.zeros((200, 3))  # the likelihood has no bound
        rbm = RBM(3, 2, visible_type="gaussian", learn_variance=True)
        make_trainer(rbm, epochs=30, variance_learning_rate=0.5, variance_bounds=(0.1, 2.0)).fit(x)
        np.testing.assert_allclose(rbm.variance, 0.1, rtol=1e-5)

    @pytest.mark.parametrize(
        ("visible_type", "hidden_type", "rate"),
        [
            ("bernoulli", "bernoulli", 0.1),
            ("bernoulli", "rectified", 0.02),
            ("bernoulli", "gaussian", 0.01),
            ("gaussian", "bernoulli", 0.02),
            ("gaussian", "rectified", 0.005),
        ],
    )
    def test_real_digits_are_reconstructed(self, digits, visible_type, hidden_type, rate):
        x = digits if visible_type == "bernoulli" else standardised(digits)
        options = {"visible_type": visible_type, "hidden_type": hidden_type, "seed": 1}
        rbm = RBM(x.shape[1], 60, learn_variance=visible_type == "gaussian", **options)
        history = make_trainer(rbm, epochs=25, learning_rate=rate).fit(x)
        baseline = x.var(axis=0).mean()
        assert history["reconstruction_error"][-1] < 0.5 * baseline
        assert np.isfinite(rbm.parameters).all()
        assert np.isfinite(rbm.free_energy(x)).all()

    def test_sparsity_target_is_approached(self, digits):
        means = {}
        for cost in (0.0, 1.0):
            rbm = RBM(64, 50, seed=1)
            make_trainer(rbm, epochs=15, sparsity_target=0.3, sparsity_cost=cost).fit(digits)
            means[cost] = rbm.mean_hiddens(digits).mean()
        assert means[0.0] < 0.15
        assert means[1.0] == pytest.approx(0.3, abs=0.08)

    def test_sparse_matrices_are_the_same_examples(self, digits):
        from scipy.sparse import csr_matrix

        a, b = RBM(64, 20), RBM(64, 20)
        make_trainer(a, epochs=2).fit(digits)
        make_trainer(b, epochs=2).fit(csr_matrix(digits))
        np.testing.assert_array_equal(a.parameters, b.parameters)

    def test_weight_decay_shrinks_weights_not_biases(self, digits):
        found = {}
        for l2 in (0.0, 0.05):
            rbm = RBM(64, 30, seed=1)
            make_trainer(rbm, l2=l2).fit(digits)
            found[l2] = np.abs(rbm.weights).mean(), np.abs(rbm.visible_bias).mean()
        assert found[0.05][0] < 0.5 * found[0.0][0]
        assert found[0.05][1] > 0.8 * found[0.0][1]


def standardised(x):
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 0.1)).astype(np.float32)


class TestHistory:
    def test_recipe_of_the_practical_guide(self, digits):
        history = make_trainer(RBM(64, 30), epochs=8).fit(digits)
        assert history["momentum"] == [0.5] * 5 + [0.9] * 3
        assert history["learning_rate"] == [0.1] * 8
        assert 1e-4 < history["update_ratio"][-1] < history["update_ratio"][0]
        errors = history["reconstruction_error"]
        assert errors[-1] < 0.7 * errors[0]
        assert "free_energy_gap" not in history

    def test_free_energy_gap_shows_overfitting_and_ends_training(self, digits):
        rbm = RBM(64, 100, seed=1)
        trainer = make_trainer(
            rbm, epochs=500, batch_size=10, learning_rate=0.05, early_stopping=GapStopping(2.0, 3)
        )
        kept = []
        trainer.callbacks.append(lambda t, e: kept.append(rbm.parameters.copy()) and None)
        history = trainer.fit(digits[:300], validation=digits[1000:1300])
        gaps = history["free_energy_gap"]
        assert history.stopped == "early stopping"
        assert history.epochs < 500
        assert all(gap > 2.0 for gap in gaps[-3:])
        best = trainer.early_stopping.best_epoch
        assert gaps[best - 1] <= 2.0
        np.testing.assert_array_equal(rbm.parameters, kept[best - 1])
        difference = np.subtract(history["validation_free_energy"], history["free_energy"])
        np.testing.assert_allclose(gaps, difference, atol=1e-12)


class TestGuards:
    def test_divergence_gives_back_the_last_epoch(self, digits):
        x = 30 * standardised(digits)
        rbm = RBM(64, 30, visible_type="gaussian", hidden_type="rectified")
        trainer = make_trainer(rbm, learning_rate=1e-6, epochs=1)
        trainer.fit(x)
        good = rbm.parameters.copy(), trainer.velocity.copy()
        trainer.learning_rate = Constant(10.0)
        message = r"diverged: a bias of .* in epoch 2, minibatch \d+, with learning rate 10"
        with np.errstate(all="ignore"), pytest.raises(DivergenceError, match=message):
            trainer.fit(x, epochs=3)
        np.testing.assert_array_equal(rbm.parameters, good[0])
        np.testing.assert_array_equal(trainer.velocity, good[1])
        trainer.learning_rate = Constant(1e-6)
        trainer.fit(x, epochs=1)
        assert np.isfinite(rbm.parameters).all()

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (1.5, r"x must be in \[0, 1\] for bernoulli visible units, got 1.5 in row 7"),
            (-0.25, r"x must be in \[0, 1\] for bernoulli visible units, got -0.25 in row 7"),
            (np.nan, "x must be finite, row 7 is not"),
            (np.inf, "x must be finite, row 7 is not"),
        ],
    )
    def test_values_that_units_cannot_take(self, value, message):
        x = np.zeros((20, 4))
        x[7, 2] = value
        with pytest.raises(ValueError, match=message):
            make_trainer(RBM(4, 3)).fit(x)
        with pytest.raises(ValueError, match=f"validation {message}"):
            make_trainer(RBM(4, 3)).fit(np.zeros_like(x), validation=x)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda r: make_trainer(r).fit(np.zeros((5, 3))), r"x must have shape \(rows, 4\), g"),
            (
                lambda r: make_trainer(r).fit(np.zeros((0, 4))),
                "x must have at least one row, got 0",
            ),
            (lambda r: make_trainer(r, steps=0), "steps must be a positive integer, got 0"),
            (lambda r: make_trainer(r, particles=0), "particles must be a positive integer, got 0"),
            (lambda r: make_trainer(r, fast_weights=True), "fast_weights need persistent chains"),
            (lambda r: make_trainer(r, learning_rate=-1), r"learning_rate must be in \[0, inf\)"),
            (lambda r: make_trainer(r, momentum=1.0), r"momentum must be in \[0, 1\)"),
            (lambda r: make_trainer(r, l1=-1.0), "l1 must not be negative, got -1.0"),
            (
                lambda r: make_trainer(r, sparsity_target=2.0),
                r"sparsity_target must be in \[0, 1\]",
            ),
            (
                lambda r: make_trainer(r, variance_bounds=(1, 0.1)),
                "variance_bounds must be positive",
            ),
            (lambda r: make_trainer(r, batch_size=0).fit(np.zeros((5, 4))), "batch_size must be a"),
            (
                lambda r: make_trainer(r, early_stopping=GapStopping(1.0)).fit(np.zeros((5, 4))),
                "early stopping needs validation examples",
            ),
            (lambda r: GapStopping(0.0), "GapStopping: limit must be positive, got 0.0"),
            (
                lambda r: make_trainer(RBM(4, 3, visible_type="softmax", group_size=2)).fit(
                    np.ones((5, 4))
                ),
                "each group of 2 units of x must have the sum 1, row 0 has 2",
            ),
        ],
    )
    def test_bad_arguments(self, call, message):
        with pytest.raises(ValueError, match=message):
            call(RBM(4, 3))


RESUMED = {
    "CD-2": {"steps": 2},
    "PCD": {"persistent": True, "fast_weights": True, "particles": 20},
    "sparse": {"sparsity_cost": 0.1},
}


class TestResuming:
    @pytest.mark.parametrize("method", RESUMED)
    @pytest.mark.parametrize("visible_type", ["bernoulli", "gaussian"])
    def test_interrupted_training_ends_with_the_same_bits(
        self, digits, tmp_path, method, visible_type
    ):
        x = digits[:230]

        def trainer(path):
            gaussian = visible_type == "gaussian"
            rbm = RBM(64, 20, visible_type=visible_type, learn_variance=gaussian, seed=5)
            rate = Linear(0.005, 0.0, 6)
            return make_trainer(rbm, checkpoint=path, learning_rate=rate, **RESUMED[method])

        whole = trainer(tmp_path / "whole")
        whole.fit(x, validation=digits[300:350])
        for stop in (1, 5, 8, 10, 13, 15, 20, 25, 29, None):
            part = trainer(tmp_path / "parts")
            part.resume()
            if stop is not None:
                self.interrupt_after(part, stop)
            part.fit(x, validation=digits[300:350])
            assert part.history.interrupted == (stop is not None)
        np.testing.assert_array_equal(part.rbm.parameters, whole.rbm.parameters)
        np.testing.assert_array_equal(part.velocity, whole.velocity)
        for name in set(whole.history) - {"seconds"}:
            assert part.history[name] == whole.history[name]
        np.testing.assert_array_equal(part.rbm.sample(3, 5), whole.rbm.sample(3, 5))

    @staticmethod
    def interrupt_after(trainer, updates):
        step = trainer._step

        def counted(batch):
            loss = step(batch)
            if trainer.epoch * 5 + trainer.batch + 1 == updates:
                signal.raise_signal(signal.SIGINT)
            return loss

        trainer._step = counted

    def test_checkpoint_of_another_training_is_refused(self, digits, tmp_path):
        path = tmp_path / "checkpoint"
        make_trainer(RBM(64, 20), checkpoint=path, epochs=1).fit(digits)
        for trainer, what in (
            (make_trainer(RBM(64, 21), checkpoint=path), "machine"),
            (make_trainer(RBM(64, 20), checkpoint=path, steps=2), "steps"),
            (make_trainer(RBM(64, 20), checkpoint=path, persistent=True), "particles"),
            (make_trainer(RBM(64, 20), checkpoint=path, seed=4), "seed"),
        ):
            with pytest.raises(CheckpointError, match=f"another training: its {what} differs"):
                trainer.resume()

    def test_a_pickled_trainer_goes_on(self, digits):
        rbm = RBM(64, 20)
        trainer = make_trainer(rbm, persistent=True, epochs=2)
        trainer.fit(digits)
        other = pickle.loads(pickle.dumps(trainer))
        trainer.fit(digits, epochs=1)
        other.fit(digits, epochs=1)
        np.testing.assert_array_equal(other.rbm.parameters, rbm.parameters)

    @pytest.mark.usefixtures("keep_threads")
    @pytest.mark.parametrize("method", RESUMED)
    def test_same_bits_for_any_number_of_threads(self, method):
        x = (np.random.default_rng(0).random((200, 300)) < 0.3).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            rbm = RBM(300, 150, seed=2)
            make_trainer(rbm, epochs=2, **RESUMED[method]).fit(x)
            results.append(np.append(rbm.parameters, rbm.sample(20, 3).ravel()))
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])
