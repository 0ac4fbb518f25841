"""Hessian-free training under the trainers: it learns, logs, resumes to the same bits, refuses."""

import numpy as np
import pytest

import ictus
from ictus.nn import LSTM, Dense, Dropout, Network, Noise, Recurrent, SequenceNetwork
from ictus.optim import SGD, HessianFree
from ictus.train import DivergenceError, EarlyStopping, SequenceTrainer, Trainer
from ictus.train.objective import NetworkObjective

SPARSE = {"initialization": "sparse"}


def autoencoder(seed=0, dtype=np.float32):
    layers = [Dense(12, "sigmoid", **SPARSE), Dense(3, **SPARSE)]
    layers += [Dense(12, "sigmoid", **SPARSE), Dense(16, **SPARSE)]
    return Network(16, layers, "binary_cross_entropy", dtype=dtype, seed=seed)


def patterns(count=120, seed=0):
    """Three hidden causes, each with a pattern of 16 units."""
    generator = np.random.default_rng(seed)
    causes = generator.standard_normal((count, 3)) @ generator.standard_normal((3, 16))
    return (1 / (1 + np.exp(-2 * causes))).astype(np.float32)


def train(network, x, epochs=12, **options):
    own = {k: options.pop(k) for k in ("damping", "l2", "preconditioner") if k in options}
    optimizer = HessianFree(**own)
    return Trainer(network, optimizer, **{"batch_size": len(x), **options}).fit(x, x, epochs=epochs)


def test_beats_gradient_descent_on_a_deep_autoencoder():
    x = patterns()
    second, first = autoencoder(), autoencoder()
    history = train(second, x, 30)
    Trainer(first, SGD(0.3, 0.9, nesterov=True), batch_size=20).fit(x, x, epochs=60)
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert second.loss(x, x) == pytest.approx(history["loss"][-1], rel=1e-6)
    entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum(axis=1).mean()
    assert second.loss(x, x) - entropy < 0.6 * (first.loss(x, x) - entropy)


def test_factors_of_earlier_iterations_serve_those_after():
    x, network = patterns(), autoencoder()
    optimizer = HessianFree(factor_every=3, factor_decay=0.5, cg_steps=4, averaging=0.9)
    seen = []

    def note(trainer, epoch):
        seen.append((optimizer.state["moments"].copy(), *optimizer.state["moment_numbers"]))

    trainer = Trainer(network, optimizer, batch_size=len(x), callbacks=[note])
    losses = trainer.fit(x, x, epochs=30)["loss"]
    assert losses[-1] < 0.9 * losses[0]
    for i in range(1, 30):
        assert (seen[i][1] == seen[i - 1][1]) == (i % 3 != 0)
        same = np.array_equal(seen[i][0], seen[i - 1][0])
        assert same == (i % 3 != 0)
    # 120, then 120 + 0.5 * 120, ...
    assert [seen[i][1] for i in (0, 3, 6)] == [120, 180, 210]
    assert seen[3][2] == trainer.history["damping"][3]


def test_the_history_has_the_log():
    history = train(autoencoder(), patterns(), 3, damping=2.0, l2=1e-3)
    names = ("loss", "damping", "reduction_ratio", "cg_steps", "cg_chosen", "step_length")
    for name in (*names, "penalty", "gradient_norm", "curvature_examples", "seconds"):
        assert len(history[name]) == 3, name
    assert history["damping"][0] == 2.0
    assert min(history["penalty"]) > 0


@pytest.mark.usefixtures("keep_threads")
@pytest.mark.parametrize("batch_size", [50, 120])
@pytest.mark.parametrize(
    "rule",
    [
        {"preconditioner": "fisher"},
        {"factor_every": 4, "factor_decay": 0.7, "averaging": 0.8},
        {"factor_decay": 0.7},
    ],
    ids=["diagonal", "factors kept, averages", "factors averaged"],
)
def test_resumes_to_the_same_bits(tmp_path, batch_size, rule):
    x = patterns()
    options = {"batch_size": batch_size, "epochs": 6}
    validation = (x[:20], x[:20])
    whole, half, other = (autoencoder() for _ in range(3))

    def trainer(network, **more):
        optimizer = HessianFree(curvature_size=30, **rule)
        more["early_stopping"] = EarlyStopping(5)
        return Trainer(network, optimizer, **options, **more)

    ictus.set_num_threads(1)
    first = trainer(whole)
    first.fit(x, x, validation=validation)
    ictus.set_num_threads(3)
    path = tmp_path / "state.safetensors"
    trainer(half, checkpoint=path).fit(x, x, validation=validation, epochs=2)
    second = trainer(other, checkpoint=path)
    assert second.resume()
    second.fit(x, x, validation=validation)
    np.testing.assert_array_equal(other.parameters, whole.parameters)
    assert second.history["damping"] == first.history["damping"]
    assert second.history["cg_steps"] == first.history["cg_steps"]


class TestSequences:
    def data(self, count=40):
        """The class of a sequence is the sign of its first frame."""
        generator = np.random.default_rng(0)
        x = [generator.standard_normal((n, 2)) for n in generator.integers(4, 12, count)]
        return x, np.array([int(one[0, 0] > 0) for one in x])

    @pytest.mark.parametrize("layer", [Recurrent, LSTM])
    def test_learns_what_comes_first(self, layer):
        x, y = self.data()
        network = SequenceNetwork(2, [layer(10, output="last"), Dense(2)], seed=1)
        optimizer = HessianFree(damping=0.3, structural_damping=0.03)
        trainer = SequenceTrainer(network, optimizer, batch_size=len(x), epochs=25)
        trainer.fit(x, y)
        assert (network.predict(x).argmax(axis=1) == y).mean() > 0.95

    def test_curvature_of_some_sequences_and_weights_of_steps(self):
        x, _ = self.data()
        y = [(one[:, 1] > 0).astype(int) for one in x]
        weights = [np.linspace(0, 1, len(one)) for one in x]
        network = SequenceNetwork(2, [LSTM(5), Dense(2)], seed=1)
        optimizer = HessianFree(damping=0.3, curvature_size=9)
        trainer = SequenceTrainer(network, optimizer, batch_size=len(x), epochs=4)
        history = trainer.fit(x, y, weights=weights)
        assert history["curvature_examples"] == [9.0] * 4
        joined = [np.concatenate(each) for each in (y, weights)]
        loss = network.loss_and_gradient(
            network.check_input(x), joined[0], joined[1].astype(np.float32)
        )
        assert history["loss"][-1] == pytest.approx(loss, rel=1e-5)

    def test_refuses_truncation(self):
        network = SequenceNetwork(2, [LSTM(5), Dense(2)])
        with pytest.raises(ValueError, match="truncate must be None with hessian-free"):
            SequenceTrainer(network, HessianFree(), truncate=5)


class TestObjective:
    def test_in_parts_as_in_one(self, monkeypatch):
        from ictus.train import objective

        x = patterns().astype(np.float64)
        network = autoencoder(dtype=np.float64)
        weights = np.linspace(0.5, 1.5, len(x))
        results = []
        for rows in (1000, 17):
            monkeypatch.setattr(objective, "ROWS", rows)
            whole = NetworkObjective(network, (x, x, weights))
            gradient, product, squares = (np.empty(network.parameter_count) for _ in range(3))
            value = whole.loss_and_gradient(gradient)
            assert whole.loss() == pytest.approx(value, rel=1e-12)
            curvature = whole.curvature(50, [1, 2])
            curvature.product(gradient, product)
            curvature.mean_squared_gradients("empirical_fisher", [1], squares)
            results.append((gradient, product, squares, [value, curvature.loss()]))
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)
        network.loss_and_gradient(x, x, weights)
        np.testing.assert_allclose(results[0][0], network.gradient, rtol=1e-9, atol=1e-13)

    def test_sequences_in_parts_as_in_one(self, monkeypatch):
        from ictus.train import objective

        generator = np.random.default_rng(0)
        network = SequenceNetwork(2, [LSTM(3), Dense(2)], "squared_error", dtype=np.float64)
        x = network.check_input([generator.standard_normal((n, 2)) for n in (5, 2, 9, 3, 4)])
        y = generator.standard_normal((23, 2))
        results = []
        for frames in (1000, 8):
            monkeypatch.setattr(objective, "FRAMES", frames)
            whole = NetworkObjective(network, (x, y, None))
            gradient, product = (np.empty(network.parameter_count) for _ in range(2))
            value = whole.loss_and_gradient(gradient)
            curvature = whole.curvature(3, [1, 2])
            curvature.product(gradient, product)
            results.append((gradient, product, [value, whole.loss(), curvature.loss()]))
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)

    def test_examples_of_the_curvature_are_drawn_anew(self):
        x = patterns()
        objective = NetworkObjective(autoencoder(), (x, x, None))
        losses = [objective.curvature(20, [0, step]).loss() for step in (1, 1, 2)]
        assert losses[0] == losses[1] != losses[2]


class TestEnds:
    def test_at_a_minimum_with_a_warning(self):
        x = np.zeros((20, 4))
        network = Network(4, [Dense(4, initialization="gaussian", scale=0.0)], "squared_error")
        trainer = Trainer(network, HessianFree(), batch_size=20, epochs=50)
        with pytest.warns(RuntimeWarning, match="ends in epoch 1: zero gradient"):
            history = trainer.fit(x, x)
        assert (history.stopped, history.epochs) == ("zero gradient", 1)

    def test_where_no_step_helps_with_the_best_weights(self):
        x = patterns(20)
        network = Network(16, [Dense(16)], "squared_error", seed=1)
        trainer = Trainer(network, HessianFree(), batch_size=20, epochs=500)
        with pytest.warns(RuntimeWarning, match="no step reduces the loss, damping 1e[+]12"):
            history = trainer.fit(x, x)
        assert history.stopped == "no step reduces the loss"
        assert network.loss(x, x) == pytest.approx(min(history["loss"]), rel=1e-5, abs=1e-12)


class TestRefuses:
    @pytest.mark.parametrize(
        ("layers", "message"),
        [
            ([Dropout(0.2), Dense(2)], "layer 0 is Dropout"),
            ([Dense(3, "relu", dropout=0.5), Dense(2)], "layer 0 is Dense"),
            ([Noise("masking", 0.1), Dense(2)], "layer 0 is Noise"),
            ([Dense(3, "sigmoid", contraction=0.1), Dense(2)], "layer 0 has one"),
        ],
    )
    def test_networks_whose_loss_is_drawn_or_penalised(self, layers, message):
        with pytest.raises(ValueError, match=message):
            Trainer(Network(4, layers), HessianFree())

    def test_a_breakdown_leaves_the_weights_and_says_so(self):
        x = patterns()
        network = autoencoder()
        network.parameters[-1] = np.nan
        before = network.parameters.copy()
        with pytest.raises(DivergenceError, match=r"training diverged: loss nan.*larger damping"):
            Trainer(network, HessianFree(), batch_size=len(x)).fit(x, x)
        np.testing.assert_array_equal(network.parameters, before)
