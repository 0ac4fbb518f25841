"""The training loop: learning, stopping, divergence, interruption, and the same bits again."""

import itertools
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import ictus
from ictus.nn import Dense, Dropout, Network
from ictus.optim import SGD, Adam, RMSprop
from ictus.train import (
    CheckpointError,
    Convergence,
    DivergenceError,
    EarlyStopping,
    Exponential,
    Linear,
    Trainer,
)


def blobs(rows=300, seed=0):
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    centres = np.array([[2.0, 0, 0, 1], [0, 2, 1, 0], [-1, -1, 0, 2]])
    x = centres[y] + 0.8 * generator.standard_normal((rows, 4))
    return x.astype(np.float32), y


def make_network(seed=1, dropout=0.2, dtype=np.float32):
    layers = [Dropout(0.1), Dense(20, "relu", dropout=dropout), Dense(3)]
    return Network(4, layers, seed=seed, dtype=dtype)


# Each rule, with penalties, clipping and bounds spread over them.
OPTIMIZERS = {
    "sgd": lambda: SGD(0.1, momentum=0.5, l2=1e-3, max_norm=3.0),
    "nesterov": lambda: SGD(0.1, momentum=0.5, nesterov=True, clip_norm=1.0),
    "rmsprop": lambda: RMSprop(0.01, momentum=0.5, l1=1e-4),
    "adam": lambda: Adam(0.01, clip_value=0.5),
}


def make_trainer(network=None, optimizer="sgd", **options):
    defaults = {
        "batch_size": 32,
        "epochs": 6,
        "seed": 4,
        "learning_rate": Exponential(0.1, 0.9),
        "momentum": Linear(0.5, 0.9, 4),
        "progress": False,
    }
    network = make_network() if network is None else network
    return Trainer(network, OPTIMIZERS[optimizer](), **(defaults | options))


class TestLearning:
    @pytest.mark.parametrize(
        "make_optimizer", [lambda: SGD(0.2, 0.9), lambda: RMSprop(0.01), lambda: Adam(0.01)]
    )
    @pytest.mark.parametrize("batch_size", [1, 50, 10_000])
    def test_learns_blobs(self, make_optimizer, batch_size):
        optimizer = make_optimizer()
        optimizer.learning_rate *= 0.05 if batch_size == 1 else 1
        x, y = blobs()
        network = make_network(dropout=0.0)
        epochs = 200 if batch_size == 10_000 else 15
        trainer = Trainer(network, optimizer, batch_size=batch_size, epochs=epochs, progress=False)
        before = network.loss(x, y)
        history = trainer.fit(x, y)
        assert history["loss"][-1] < 0.4 * before
        x_new, y_new = blobs(seed=9)
        assert (network.predict(x_new).argmax(1) == y_new).mean() > 0.85

    def test_schedules_reach_the_optimizer(self):
        trainer = make_trainer(epochs=3)
        history = trainer.fit(*blobs())
        np.testing.assert_allclose(history["learning_rate"], [0.1, 0.09, 0.081])
        assert 0.5 < trainer.optimizer.momentum < 0.9

    def test_weights_count_examples_several_times(self):
        x, y = blobs(60)
        weights = np.arange(60) % 3
        options = {"batch_size": 10_000, "shuffle": False, "epochs": 5}
        weighted = make_network(dropout=0.0, dtype=np.float64)
        weighted.layers[0].rate = 0.0
        repeated = make_network(dropout=0.0, dtype=np.float64)
        repeated.layers[0].rate = 0.0
        make_trainer(weighted, **options).fit(x, y, weights=weights)
        rows = np.repeat(np.arange(60), weights)
        make_trainer(repeated, **options).fit(x[rows], y[rows])
        np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-9, atol=1e-12)

    def test_memory_map_and_other_dtypes(self, tmp_path):
        x, y = blobs()
        np.save(tmp_path / "x.npy", x)
        expected = make_trainer(epochs=2).fit(x, y)
        for other in (np.load(tmp_path / "x.npy", mmap_mode="r"), x.astype(np.float64)):
            assert make_trainer(epochs=2).fit(other, y)["loss"] == expected["loss"]

    @pytest.mark.usefixtures("keep_threads", "each_level")
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_same_bits_for_any_number_of_threads(self, name):
        generator = np.random.default_rng(0)
        x = generator.standard_normal((300, 200)).astype(np.float32)
        y = generator.integers(0, 10, 300)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            layers = [Dropout(0.2), Dense(300, "relu", dropout=0.5), Dense(10)]
            network = Network(200, layers, seed=2)
            optimizer = OPTIMIZERS[name]()
            Trainer(network, optimizer, batch_size=100, epochs=3, progress=False).fit(x, y)
            results.append(network.parameters.copy())
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


class TestStopping:
    def test_convergence(self):
        trainer = make_trainer(epochs=500, convergence=Convergence(1e-3, 4), momentum=None)
        history = trainer.fit(*blobs())
        assert history.stopped == "converged"
        assert history.epochs < 500

    def test_early_stopping_gives_back_the_best_weights(self):
        x, y = blobs(40)
        noisy = np.random.default_rng(0).permutation(y)
        network = make_network(dropout=0.0)
        seen = []
        trainer = make_trainer(
            network,
            epochs=200,
            learning_rate=None,
            early_stopping=EarlyStopping(patience=5),
            callbacks=[lambda t, e: seen.append(network.parameters.copy()) and None],
        )
        history = trainer.fit(x, noisy, validation=blobs(200, seed=3))
        assert history.stopped == "early stopping"
        best = int(np.argmin(history["validation_loss"]))
        assert trainer.early_stopping.best_epoch == best + 1
        assert history.epochs == best + 1 + 5
        np.testing.assert_array_equal(network.parameters, seen[best])

    def test_score_decides_where_given(self):
        scores = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
        trainer = make_trainer(
            epochs=6, early_stopping=EarlyStopping(patience=2), score=lambda *_: next(scores)
        )
        history = trainer.fit(*blobs(), validation=blobs(30))
        assert history["validation_score"] == [0.1, 0.5, 0.4, 0.3]
        assert trainer.early_stopping.best_epoch == 2

    def test_callback_ends_training(self):
        history = make_trainer(callbacks=[lambda trainer, epoch: epoch == 2]).fit(*blobs())
        assert history.epochs == 2
        assert history.stopped == "callback"

    def test_divergence_names_place_and_keeps_good_weights(self):
        network = make_network(dropout=0.0)
        trainer = make_trainer(network, learning_rate=None, epochs=3)
        trainer.fit(*blobs(), epochs=1)
        good = network.parameters.copy()
        trainer.optimizer.learning_rate = 1e30
        message = r"diverged: .* in epoch 2, minibatch \d+, with learning rate 1e\+30"
        with np.errstate(all="ignore"), pytest.raises(DivergenceError, match=message):
            trainer.fit(*blobs())
        np.testing.assert_array_equal(network.parameters, good)
        # The optimiser's velocity was put back, too: a lower rate goes on from there.
        trainer.optimizer.learning_rate = 0.1
        assert trainer.fit(*blobs())["loss"][-1] < 1.0
        assert np.isfinite(network.parameters).all()

    def test_numbers_beyond_float32(self):
        x, y = blobs()
        with pytest.raises(ValueError, match="x must be finite in float32, row 3 is not"):
            make_trainer().fit(np.where(np.arange(300)[:, None] == 3, 1e200, x.astype("f8")), y)
        network = make_network(dtype=np.float64)
        make_trainer(network).fit(x.astype(np.float64) * 1e100, y, epochs=0)


def train_with_interruptions(path, points, **options):
    """Trains to the end; at each of `points` (minibatches so far) a new trainer takes over."""
    x, y = blobs()
    for point in [*points, None]:
        trainer = make_trainer(
            checkpoint=path,
            early_stopping=EarlyStopping(patience=50),
            convergence=Convergence(0.0, 50),
            **options,
        )
        trainer.resume()
        if point is None:
            trainer.fit(x, y, validation=blobs(50, seed=7))
            return trainer
        count = trainer.epoch * 10 + trainer.batch
        step = trainer.optimizer.step

        def counted(*arguments, step=step, point=point):
            nonlocal count
            step(*arguments)
            count += 1
            if count == point:
                signal.raise_signal(signal.SIGINT)

        trainer.optimizer.step = counted
        history = trainer.fit(x, y, validation=blobs(50, seed=7))
        assert history.interrupted
        assert trainer.epoch * 10 + trainer.batch == point
    return None


class TestResuming:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_interrupted_at_every_minibatch(self, tmp_path, name):
        options = {"optimizer": name, "momentum": None, "epochs": 3}
        whole = train_with_interruptions(tmp_path / "whole", [], **options)
        parts = train_with_interruptions(tmp_path / "parts", range(1, 30), **options)
        np.testing.assert_array_equal(parts.network.parameters, whole.network.parameters)
        assert parts.history["validation_loss"] == whole.history["validation_loss"]

    @pytest.mark.parametrize(
        "points", [[1], [7], [10], [20, 21, 39], [5, 15, 25, 35, 45, 55], [33, 60]]
    )
    def test_interrupted_training_ends_with_the_same_bits(self, tmp_path, points):
        whole = train_with_interruptions(tmp_path / "whole", [])
        parts = train_with_interruptions(tmp_path / "parts", points)
        np.testing.assert_array_equal(parts.network.parameters, whole.network.parameters)
        for name in ("loss", "validation_loss", "learning_rate"):
            assert parts.history[name] == whole.history[name]
        assert parts.early_stopping.best_epoch == whole.early_stopping.best_epoch

    def test_nothing_to_resume(self, tmp_path):
        assert make_trainer(checkpoint=tmp_path / "none").resume() is False

    def test_checkpoint_of_another_training_is_refused(self, tmp_path):
        path = tmp_path / "checkpoint"
        make_trainer(checkpoint=path, epochs=1).fit(*blobs())
        for trainer, what in (
            (make_trainer(checkpoint=path, batch_size=10), "batch_size"),
            (make_trainer(checkpoint=path, seed=5), "seed"),
            (make_trainer(make_network(dropout=0.3), checkpoint=path), "network"),
            (Trainer(make_network(), Adam(), batch_size=32, seed=4, checkpoint=path), "optimizer"),
        ):
            with pytest.raises(CheckpointError, match=f"another training: its {what} differs"):
                trainer.resume()

    def test_damaged_checkpoints_are_refused(self, tmp_path):
        path = tmp_path / "checkpoint"
        make_trainer(checkpoint=path, epochs=1).fit(*blobs())
        data = path.read_bytes()
        for length in range(0, len(data), 64):
            path.write_bytes(data[:length])
            with pytest.raises(CheckpointError, match="is not a checkpoint"):
                make_trainer(checkpoint=path).resume()
        path.write_bytes(b"not a checkpoint at all, but long enough to have a header")
        with pytest.raises(CheckpointError):
            make_trainer(checkpoint=path).resume()

    def test_killed_while_writing_leaves_a_whole_checkpoint(self, tmp_path):
        script = textwrap.dedent(
            """
            import sys, numpy as np
            from ictus.train import save_checkpoint
            for i in range(10**6):
                save_checkpoint(sys.argv[1], {"v": np.full(200_000, i, "f4")}, {"i": i})
                print(i, flush=True)
            """
        )
        from ictus.train import load_checkpoint

        path = tmp_path / "checkpoint"
        for lines in range(1, 9):
            process = subprocess.Popen(
                [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
            )
            for _ in itertools.islice(process.stdout, lines):
                pass
            process.kill()
            process.wait()
            process.stdout.close()
            tensors, state = load_checkpoint(path)
            np.testing.assert_array_equal(tensors["v"], state["i"])


X, Y = blobs(30)
BAD_X = X.copy()
BAD_X[17, 2] = np.nan


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.fit(X[:, :3], Y), r"x must have shape \(rows, 4\), got \(30, 3\)"),
        (lambda t: t.fit(X[0], Y), r"x must have shape \(rows, 4\), got \(4,\)"),
        (lambda t: t.fit(X[:0], Y[:0]), "x must have at least one row, got 0"),
        (lambda t: t.fit(BAD_X, Y), "x must be finite in float32, row 17 is not"),
        (lambda t: t.fit(X, Y[:29]), r"y must have 30 rows like x, got shape \(29,\)"),
        (lambda t: t.fit(X, Y + 1), r"y must hold labels in \[0, 3\), got 3 in row 2"),
        (lambda t: t.fit(X, Y.astype(float)), "y must hold integer labels, got dtype float64"),
        (lambda t: t.fit(X, np.eye(4)[Y]), r"y must have shape \(30, 3\), got \(30, 4\)"),
        (lambda t: t.fit(X, Y, weights=np.ones(29)), r"weights must have shape \(30,\)"),
        (lambda t: t.fit(X, Y, weights=-np.ones(30)), "weights must be finite, not negative"),
        (lambda t: t.fit(X, Y, weights=np.zeros(30)), "not all zero"),
        (lambda t: t.fit(X, Y, validation=(X[:, :2], Y)), "validation x must have shape"),
        (lambda t: make_trainer(batch_size=0).fit(X, Y), "batch_size must be a positive integer"),
        (lambda t: make_trainer(epochs=-1), "epochs must be a non-negative integer, got -1"),
        (lambda t: make_trainer(checkpoint_every=0), "checkpoint_every must be positive"),
        (
            lambda t: make_trainer(early_stopping=EarlyStopping()).fit(X, Y),
            "early stopping needs validation data",
        ),
        (lambda t: EarlyStopping(0), "EarlyStopping: patience must be positive, got 0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_trainer())
