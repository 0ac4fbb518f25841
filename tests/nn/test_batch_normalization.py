"""BatchNorm, SpatialDropout and Subsampling: derivatives, running state, checkpoints, files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import ictus
from ictus.nn import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    MaxPool,
    Network,
    SpatialDropout,
    Subsampling,
)
from ictus.train import EarlyStopping, Trainer
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator

CHAINS = {
    "vectors": ((7,), [Dense(6), BatchNorm("tanh"), Dense(5, "relu"), BatchNorm(), Dense(3)]),
    "images": (
        (6, 7, 2),
        [Conv2D(5, 3), BatchNorm("relu"), MaxPool(2), SpatialDropout(0.4), Flatten(), Dense(3)],
    ),
    "first": (
        (8, 3),
        [BatchNorm("sigmoid"), SpatialDropout(0.3), Conv1D(4, 3), Flatten(), Dense(3)],
    ),
    "subsampling": (
        (8, 9, 3),
        [Subsampling((2, 3), "sigmoid", stride=2), Conv2D(4, 2, "tanh"), Subsampling(2, padding=1),
         Flatten(), Dense(3)],
    ),
    "sequences": ((9, 2), [Conv1D(3, 2), Subsampling(2), BatchNorm(momentum=0.5), Conv1D(3, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("chain", sorted(CHAINS))
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_derivatives(chain, loss):
    shape, layers = CHAINS[chain]
    network = Network(shape, layers, loss, dtype=np.float64, seed=3)
    generator = np.random.default_rng(4)
    network.parameters += 0.3 * generator.standard_normal(network.parameter_count)
    x = generator.normal(size=(6, *shape))
    outputs = (6, *network.output_shape)
    y = generator.integers(0, 3, outputs[:-1])
    if loss == "squared_error":
        y = generator.normal(size=outputs)
    y = network.checked_targets(y, x)
    for _ in range(3):  # running statistics that are not the initial ones
        network.forward(x, training=True)
    check_gradient(network, x, y)
    check_r_operator(network, x)
    check_gauss_newton(network, x)


def images(rows=60):
    generator = np.random.default_rng(5)
    y = generator.integers(0, 3, rows)
    x = generator.normal(size=(rows, 8, 8, 2)) + 3
    x[np.arange(rows), y * 2, :, 0] += 2
    return x.astype(np.float32), y


def make(seed=1):
    layers = [
        Conv2D(6, 3),
        BatchNorm("relu"),
        SpatialDropout(0.1),
        MaxPool(2),
        Flatten(),
        Dense(8),
        BatchNorm("tanh"),
        Dense(3),
    ]
    return Network((8, 8, 2), layers, seed=seed)


class TestState:
    def test_training_moves_it_and_inference_does_not(self):
        network, (x, y) = make(), images()
        assert network.state.size == 2 * (6 + 8)
        assert network.numbers.size == network.parameter_count + network.state.size
        start = network.state.copy()
        network.predict(x)
        network.loss_and_gradient(x, y, training=False)
        np.testing.assert_array_equal(network.state, start)
        network.loss_and_gradient(x, y)
        assert (network.state != start).all()
        network.initialize()
        np.testing.assert_array_equal(network.state, start)

    def test_running_statistics_become_those_of_the_data(self):
        network = Network(4, [BatchNorm(momentum=0.1), Dense(2)])
        x = (5 + 2 * np.random.default_rng(0).normal(size=(500, 4))).astype(np.float32)
        for _ in range(200):
            network.forward(x, training=True)
        mean, variance = network.state.reshape(2, 4)
        np.testing.assert_allclose(mean, x.mean(0), rtol=1e-4)
        np.testing.assert_allclose(variance, x.var(0, ddof=1), rtol=1e-4)
        np.testing.assert_allclose(network.activations(x, 0).std(0), 1, rtol=1e-2)

    def test_training_resumes_to_the_same_bits(self, tmp_path):
        x, y = images()
        whole = make()
        Trainer(whole, epochs=4, batch_size=20, progress=False).fit(x, y)
        path = tmp_path / "checkpoint"
        for epochs in (2, 4):
            network = make()
            trainer = Trainer(
                network, epochs=epochs, batch_size=20, progress=False, checkpoint=path
            )
            assert trainer.resume() == (epochs == 4)
            trainer.fit(x, y)
        np.testing.assert_array_equal(network.numbers, whole.numbers)

    def test_the_best_epoch_has_its_own_statistics(self):
        network, (x, y) = make(), images()
        seen = []
        trainer = Trainer(
            network,
            epochs=6,
            batch_size=20,
            progress=False,
            early_stopping=EarlyStopping(6),
            callbacks=[lambda trainer, epoch: seen.append(network.numbers.copy())],
        )
        history = trainer.fit(x, y, validation=(x[:20], np.roll(y[:20], 1)))
        best = int(np.argmin(history["validation_loss"]))
        np.testing.assert_array_equal(network.numbers, seen[best])

    def test_divergence_puts_it_back(self):
        network, (x, y) = make(), images()
        trainer = Trainer(network, ictus.SGD(1e20), epochs=2, batch_size=20, progress=False)
        start = network.numbers.copy()
        with pytest.raises(ictus.DivergenceError), np.errstate(all="ignore"):
            trainer.fit(x, y)
        np.testing.assert_array_equal(network.numbers, start)

    def test_pickle_and_model_file(self, tmp_path):
        network, (x, y) = make(), images()
        Trainer(network, epochs=2, batch_size=20, progress=False).fit(x, y)
        path = tmp_path / "model.ictus"
        ictus.save(path, network)
        for copy in (pickle.loads(pickle.dumps(network)), ictus.load(path)):
            np.testing.assert_array_equal(copy.numbers, network.numbers)
            np.testing.assert_array_equal(copy.predict(x), network.predict(x))


def test_whole_maps_are_dropped():
    network = Network((5, 6, 40), [SpatialDropout(0.25), Flatten(), Dense(2)])
    x = np.ones((50, 5, 6, 40), np.float32)
    h, caches = network._passes.enter(x)
    network._forward(h, caches, True, 0)
    maps = caches[0].y.reshape(50, 30, 40)
    assert (maps == maps[:, :1]).all()
    assert set(np.unique(maps)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((maps[:, 0] == 0).mean() - 0.25) < 0.03


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: BatchNorm("sine"), "BatchNorm: activation must be one of"),
        (lambda: BatchNorm(momentum=1.5), r"BatchNorm: momentum must be in \[0, 1\], got 1.5"),
        (lambda: BatchNorm(epsilon=0), "BatchNorm: epsilon must be a positive number, got 0"),
        (lambda: SpatialDropout(1.0), r"SpatialDropout: rate must be in \[0, 1\), got 1.0"),
        (lambda: Subsampling(2, "sine"), "Subsampling: activation must be one of"),
        (lambda: Network(4, [Subsampling(2), Dense(2)]), "Subsampling takes examples of shape"),
    ],
)
def test_bad_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()
