"""Greedy pre-training: what each method trains, what it leaves, its checkpoints, the unrolling."""

import numpy as np
import pytest

from ictus import MLPClassifier, MLPRegressor
from ictus.models import RBM, DivergenceTrainer, pretrain, unroll
from ictus.nn import Activation, Dense, Dropout, Network, Noise, TiedDense
from ictus.train import CheckpointError


@pytest.fixture(scope="module")
def images():
    """Four overlapping bars on 6 x 6 pixels, each example two of them, grey."""
    generator = np.random.default_rng(0)
    bars = np.zeros((12, 6, 6))
    for i in range(6):
        bars[i, i], bars[6 + i, :, i] = 1, 1
    chosen = generator.random((600, 12)) < 0.25
    x = np.minimum(1, np.tensordot(chosen, bars, 1)).reshape(600, 36)
    y = chosen[:, :3].astype(int) @ [1, 2, 4]
    return (0.9 * x).astype(np.float32), y


def classifier(activation="sigmoid", **options):
    layers = [Dropout(0.1), Dense(20, activation, dropout=0.2), Dense(12, activation), Dense(8)]
    return Network(36, layers, seed=1, **options)


class TestMachines:
    def test_weights_are_those_of_the_machines(self, images):
        x, _ = images
        network = classifier()
        output = network.views(network.parameters)[3][0].copy()
        found = pretrain(network, x, epochs=[3, 2], learning_rate=[0.1, 0.05], l2=1e-3, seed=5)
        machine = RBM(36, 20, seed=5)
        rule = {"learning_rate": 0.1, "l2": 1e-3, "epochs": 3, "seed": 5, "progress": False}
        DivergenceTrainer(machine, **rule).fit(x)
        weights, bias = network.views(network.parameters)[1]
        np.testing.assert_array_equal(weights, machine.weights)
        np.testing.assert_array_equal(bias, machine.hidden_bias)
        np.testing.assert_array_equal(found[0].decoder_weights, machine.weights.T)
        second = RBM(20, 12, seed=6)
        rule = {"learning_rate": 0.05, "l2": 1e-3, "epochs": 2, "seed": 6, "progress": False}
        DivergenceTrainer(second, **rule).fit(machine.mean_hiddens(x))
        np.testing.assert_allclose(
            network.views(network.parameters)[2][0], second.weights, atol=1e-6
        )
        assert [each.layer for each in found] == [1, 2]
        assert [each.history.epochs for each in found] == [3, 2]
        np.testing.assert_array_equal(network.views(network.parameters)[3][0], output)
        assert network.draw_count == 0

    def test_standardisation_of_gaussian_units_is_folded_into_the_weights(self, images):
        """The layer's function of raw data is the machine's of standardised data."""
        x = 5 * images[0] - 3
        x[:, 7] = 2.5  # constant
        network = Network(36, [Dense(20, "sigmoid"), Dense(8)], seed=1, dtype=np.float64)
        found = pretrain(network, x, epochs=3)[0]
        deviation = x.std(axis=0, dtype=np.float64)
        deviation[7] = 1
        scaled = (x - x.mean(axis=0, dtype=np.float64)) / deviation
        machine = RBM(36, 20, visible_type="gaussian", seed=1, dtype="float64")
        DivergenceTrainer(machine, learning_rate=0.01, epochs=3, seed=1, progress=False).fit(scaled)
        h = machine.mean_hiddens(scaled)
        np.testing.assert_allclose(network.activations(x, 0), h, atol=1e-6)
        raw = h @ found.decoder_weights + found.decoder_bias
        expected = machine.mean_visibles(h) * deviation + x.mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(raw, expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("activation", "hidden_type"),
        [("sigmoid", "bernoulli"), ("relu", "rectified"), ("identity", "gaussian")],
    )
    def test_hidden_units_follow_the_activation(self, images, activation, hidden_type):
        x, _ = images
        network = Network(36, [Dense(20, activation), Dense(8)], seed=1)
        pretrain(network, x, epochs=2, learning_rate=0.005)
        machine = RBM(36, 20, hidden_type=hidden_type, seed=1)
        DivergenceTrainer(machine, learning_rate=0.005, epochs=2, seed=1, progress=False).fit(x)
        np.testing.assert_array_equal(network.weight_matrices[0], machine.weights)

    def test_code_with_noise_before_its_activation_is_of_bernoulli_units(self, images):
        x, _ = images
        layers = [Dense(20), Noise("gaussian", 1.0), Activation("sigmoid"), Dense(8)]
        network = Network(36, layers, seed=1)
        pretrain(network, x, epochs=1)
        plain = Network(36, [Dense(20, "sigmoid"), Dense(8)], seed=1)
        pretrain(plain, x, epochs=1)
        np.testing.assert_array_equal(network.weight_matrices[0], plain.weight_matrices[0])

    def test_reconstruction_of_the_unrolled_network_is_that_of_the_stack(self, images):
        x, _ = images
        encoder = [Dense(20, "sigmoid"), Dense(5)]
        free = Network(36, [*encoder, Dense(20, "sigmoid"), Dense(36)], "binary_cross_entropy")
        stack = pretrain(free, x, layers=2, epochs=40, learning_rate=[0.1, 0.01])
        before = free.loss(x, x)
        unroll(free, stack)
        assert free.loss(x, x) < before - 2
        first, second = stack
        z = free.activations(x, 1) @ second.decoder_weights + second.decoder_bias
        h = 1 / (1 + np.exp(-z))
        logits = h @ first.decoder_weights + first.decoder_bias
        np.testing.assert_allclose(free.forward(x), logits, atol=1e-4)
        layers = [Dense(20, "sigmoid"), Dense(5), TiedDense(1, "sigmoid"), TiedDense(0)]
        tied = Network(36, layers, "binary_cross_entropy")
        unroll(tied, pretrain(tied, x, layers=2, epochs=40, learning_rate=[0.1, 0.01], tied=True))
        np.testing.assert_allclose(tied.forward(x), free.forward(x), atol=1e-4)


class TestOtherMethods:
    @pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
    @pytest.mark.parametrize("tied", [False, True])
    def test_autoencoders_reconstruct(self, images, activation, tied):
        x, _ = images
        layers = [Dense(24, activation), Dense(36)]
        network = Network(36, layers, "binary_cross_entropy", seed=2)
        constant = x.mean(axis=0).clip(1e-3, 0.999)
        bound = -(x * np.log(constant) + (1 - x) * np.log(1 - constant)).sum(1).mean()
        stack = pretrain(
            network, x, method="autoencoder", epochs=20, learning_rate=0.01, tied=tied,
            corruption="masking", corruption_level=0.2,
        )  # fmt: skip
        unroll(network, stack)
        assert network.loss(x, x) < bound - 2

    def test_supervised_layers_reach_the_classes(self, images):
        x, y = images
        network = classifier("relu")
        found = pretrain(network, x, y, method="supervised", epochs=15, learning_rate=0.01)
        assert all(each.history["loss"][-1] < 0.8 * each.history["loss"][0] for each in found)
        assert found[0].decoder_weights is None
        # The features separate what the inputs do not do better: a linear output suffices.
        h = network.activations(x, 2)
        targets = np.eye(8)[y]
        design = np.column_stack([h, np.ones(len(h))])
        fitted = design @ np.linalg.lstsq(design, targets, rcond=None)[0]
        assert (fitted.argmax(1) == y).mean() > 0.9

    def test_same_seed_same_bits(self, images):
        x, y = images
        for method in ("rbm", "autoencoder", "supervised"):
            weights = []
            for _ in range(2):
                network = classifier()
                pretrain(network, x, y, method, epochs=2)
                weights.append(network.parameters.copy())
            np.testing.assert_array_equal(*weights)


class TestEstimators:
    @pytest.mark.parametrize("method", ["rbm", "autoencoder", "supervised"])
    def test_training_goes_on_from_pretrained_layers(self, images, method):
        x, y = images
        options = {"activation": "sigmoid", "max_epochs": 0, "random_state": 3}
        model = MLPClassifier((20, 12), pretrain=method, pretraining_epochs=2, **options).fit(x, y)
        assert [history.epochs for history in model.pretraining_] == [2, 2]
        network = MLPClassifier((20, 12), **options).fit(x, y).network_
        targets = np.searchsorted(model.classes_, y)
        pretrain(network, x, targets, method, epochs=2)
        np.testing.assert_array_equal(model.network_.parameters, network.parameters)

    def test_regression(self, images):
        x, _ = images
        model = MLPRegressor((20,), pretrain="rbm", max_epochs=30, random_state=0)
        assert model.fit(x, x[:, 0] + x[:, 1]).score(x, x[:, 0] + x[:, 1]) > 0.9

    @pytest.mark.parametrize("stop_at", [1, 3, 5])
    def test_resumes_in_every_phase_to_the_same_bits(self, images, tmp_path, monkeypatch, stop_at):
        x, y = images
        options = {"activation": "sigmoid", "pretrain": "rbm", "pretraining_epochs": 2}
        options |= {"max_epochs": 2, "random_state": 3}
        expected = MLPClassifier((20, 12), **options).fit(x, y)
        interrupt_after_epochs(monkeypatch, stop_at)
        path = tmp_path / "checkpoint"
        with pytest.raises(KeyboardInterrupt):
            MLPClassifier((20, 12), checkpoint=path, **options).fit(x, y)
        monkeypatch.undo()
        again = MLPClassifier((20, 12), checkpoint=path, **options).fit(x, y)
        np.testing.assert_array_equal(again.network_.parameters, expected.network_.parameters)
        assert again.n_iter_ == 2 and len(again.pretraining_) == 2
        with pytest.raises(CheckpointError, match="its data differs"):
            MLPClassifier((20, 12), checkpoint=path, **options).fit(x[::-1], y)


def interrupt_after_epochs(monkeypatch, count):
    """The process ends, as if killed, once `count` checkpoints are written in all phases."""
    from ictus.train import TrainingLoop

    save, written = TrainingLoop.save, []

    def counting(self, path):
        save(self, path)
        written.append(path)
        if len(written) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLoop, "save", counting)


X = np.random.default_rng(0).random((20, 36)).astype(np.float32)


def autoencoder():
    return Network(36, [Dense(5, "sigmoid"), Dense(36)], "binary_cross_entropy")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pretrain(classifier(), X, method="dream"), "one of rbm, .* got 'dream'"),
        (lambda: pretrain(classifier("tanh"), X), "no hidden units for the activation 'tanh'"),
        (lambda: pretrain(classifier(), X, layers=3), "layers must be at most 2, got 3"),
        (lambda: pretrain(classifier(), X, epochs=[1, 2, 3]), "one value or 2, .* got 3"),
        (lambda: pretrain(classifier(), X, epochs=-1), "epochs must be .* got -1"),
        (lambda: pretrain(classifier(), X, learning_rate=0), "learning_rate must be positive"),
        (lambda: pretrain(classifier(), X, l2=-1), "l2 must not be negative, got -1"),
        (
            lambda: pretrain(classifier(), X, corruption="masking", corruption_level=2),
            r"level of masking noise must be in \[0, 1\], got 2",
        ),
        (lambda: pretrain(classifier(), X, method="supervised"), "y must be given"),
        (lambda: pretrain(classifier(), X[:, :5]), r"shape \(rows, 36\), got \(20, 5\)"),
        (lambda: unroll(classifier(), pretrain(classifier(), X, epochs=0)), "2 decoder layers"),
        (
            lambda: unroll(
                autoencoder(), pretrain(autoencoder(), X, X, method="supervised", epochs=0)
            ),
            "supervised pre-training gives no decoder",
        ),
        (
            lambda: unroll(
                Network(36, [Dense(4, "sigmoid"), Dense(36)]), pretrain(autoencoder(), X, epochs=0)
            ),
            "layer 1 must map 5 to 36, got 4 to 36",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
