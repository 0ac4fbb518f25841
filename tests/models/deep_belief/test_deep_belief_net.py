"""The deep belief nets as estimators: the contract, learning, phases, files, mistakes."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from ictus import BernoulliRBM, DBNClassifier, DeepBeliefNet, GaussianRBM, SoftmaxRBM, load, save
from ictus.models.deep_belief.deep_estimator import DeepBeliefEstimator

SMALL = {"n_iter": 2, "random_state": 0}
QUICK = {"n_iter": 20, "batch_size": 20, "learning_rate": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


@pytest.fixture(scope="module")
def tuned(digits):
    X, y = digits
    options = {"fine_tune_epochs": 20, "dropout": 0.2, "fine_tune_batch_size": 20}
    return DBNClassifier((64, 100), **QUICK, **options).fit(X[:1400], y[:1400])


@pytest.fixture(scope="module")
def dreaming(digits):
    X, y = digits
    options = {"fine_tune": "up-down", "fine_tune_epochs": 3, "fine_tune_batch_size": 20}
    return DBNClassifier((80, 160), **QUICK, **options).fit(X[:1400], y[:1400])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [DeepBeliefNet, DBNClassifier])
def test_scikit_learn_contract(kind):
    """All checks pass, but for those whose data Bernoulli units cannot take."""
    options = {"n_iter": 3, "batch_size": 10}
    if kind is DBNClassifier:
        options |= {"fine_tune_epochs": 40, "fine_tune_batch_size": 10}
    results = check_estimator(
        kind((20, 15), visible_type="gaussian", **options), on_fail=None, on_skip=None
    )
    assert len(results) > 40
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failed
    for result in check_estimator(kind((20, 15), **options), on_fail=None, on_skip=None):
        if result["status"] == "failed":
            assert "must be in [0, 1]" in repr(result["exception"])


def test_backpropagation_learns_digits(digits, tuned):
    X, y = digits
    assert tuned.score(X[1400:], y[1400:]) > 0.88
    p = tuned.predict_proba(X[:50])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.log(p), tuned.predict_log_proba(X[:50]), rtol=1e-5)
    assert len(tuned.histories_) == 3


def test_the_associative_memory_learns_digits(digits, dreaming):
    X, y = digits
    assert dreaming.score(X[1400:], y[1400:]) > 0.8
    assert not hasattr(dreaming, "network_")
    np.testing.assert_allclose(dreaming.predict_proba(X[:50]).sum(axis=1), 1, rtol=1e-5)


def test_samples_of_a_class_look_like_it(digits, dreaming):
    X, y = digits
    judge = LogisticRegression(max_iter=100, tol=1e-2).fit(X, y)
    wanted = np.repeat(np.arange(10), 20)
    samples = dreaming.sample(200, steps=200, mean=True, label=wanted)
    assert (judge.predict(samples) == wanted).mean() > 0.6


def test_denoising_and_completion(digits, dreaming):
    X = digits[0][1400:1500]
    binary = (X > 0.5).astype(np.float32)
    flipped = np.random.default_rng(0).random(X.shape) < 0.1
    noisy = np.where(flipped, 1 - binary, binary)
    error = np.square(dreaming.denoise(noisy, noise=0.1) - binary).mean()
    assert error < 0.7 * np.square(noisy - binary).mean()
    known = np.arange(64) < 32
    found = dreaming.complete(X, known, steps=60)
    np.testing.assert_array_equal(found[:, known], X[:, known])
    constant = digits[0][:1400].mean(axis=0)
    hidden = ~known
    error = np.square(found[:, hidden] - X[:, hidden]).mean()
    assert error < np.square(constant[hidden] - X[:, hidden]).mean()
    missing = np.where(known, X, np.nan)
    assert np.isfinite(dreaming.complete(missing, steps=4)).all()


def test_features_serve_another_classifier(digits):
    X, y = digits
    model = make_pipeline(DeepBeliefNet((64, 48), **QUICK), KNeighborsClassifier())
    assert model.fit(X[:1400], y[:1400]).score(X[1400:], y[1400:]) > 0.8
    net = model[0]
    assert net.transform(X[:5]).shape == (5, 48)
    assert net.transform(X[:5], layer=0).shape == (5, 64)
    assert list(net.get_feature_names_out())[:2] == ["deepbeliefnet0", "deepbeliefnet1"]
    assert net.components_.shape == (64, 64)
    assert -0.05 < net.score(X[1400:]) < 0
    error = np.square(net.reconstruct(X) - X).mean()
    assert net.score(X) == pytest.approx(-error, rel=1e-5)


def test_features_of_a_tuned_net_are_the_network_s(digits, tuned):
    X = digits[0][:20]
    np.testing.assert_array_equal(tuned.transform(X), tuned.network_.activations(X, 1))
    assert tuned.transform(X, layer=0).shape == (20, 64)
    with pytest.raises(ValueError, match=r"layer must be in -2 .. 1, got 2"):
        tuned.transform(X, layer=2)


@pytest.mark.parametrize("fine_tune", ["backpropagation", "up-down", None])
def test_the_same_seed_gives_the_same_bits_and_files_keep_them(digits, tmp_path, fine_tune):
    X, y = digits[0][:200], np.array(list("abcdefghij"))[digits[1][:200]]
    options = {"fine_tune": fine_tune, "fine_tune_epochs": 2, **SMALL}
    model = DBNClassifier((16, 12), **options).fit(X, y)
    again = DBNClassifier((16, 12), **options).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    path = tmp_path / "net.ictus"
    save(path, model)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    np.testing.assert_array_equal(loaded.reconstruct(X), model.reconstruct(X))
    assert loaded.get_params() == model.get_params()
    assert loaded.sample(2, label="c").shape == (2, 64)


def test_a_value_for_each_layer(digits):
    X = digits[0][:100]
    model = DeepBeliefNet(
        (16, 12), learning_rate=(0.1, None), k=(1, 2), l2=[0, 1e-3], n_iter=(1, 3), random_state=0
    ).fit(X)
    assert [history.epochs for history in model.histories_] == [1, 3]
    by_hand = DeepBeliefNet(layers=model._layers, random_state=0).fit(X)
    np.testing.assert_array_equal(by_hand.machine_.parameters, model.machine_.parameters)


LAYERS = {
    "gaussian": [GaussianRBM(10, n_iter=2, learn_variance=True), BernoulliRBM(8, n_iter=2)],
    "rectified": [
        GaussianRBM(10, n_iter=2, hidden_type="rectified"),
        GaussianRBM(8, n_iter=2, hidden_type="rectified"),
    ],
    "softmax": [SoftmaxRBM(10, n_iter=2), BernoulliRBM(8, n_iter=2)],
    "one-hot": [SoftmaxRBM(10, n_iter=2, n_categories=4, encoding="one-hot"), BernoulliRBM(8)],
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("fine_tune", [None, "up-down"])
def test_any_machine_of_the_house_as_a_layer(name, fine_tune, tmp_path):
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 8))
    if name in ("softmax", "one-hot"):
        X = generator.integers(0, 4, (60, 8)).astype(float)
    if name == "one-hot":
        X = np.eye(4)[X.astype(int)].reshape(60, 32)
    model = DeepBeliefNet(
        layers=LAYERS[name], fine_tune=fine_tune, fine_tune_epochs=1,
        fine_tune_learning_rate=1e-3, random_state=0,
    ).fit(X)  # fmt: skip
    assert model.transform(X).shape == (60, 8)
    assert model.sample(3, steps=2).shape == (3, X.shape[1])
    known = np.arange(X.shape[1]) < 4
    np.testing.assert_array_equal(model.complete(X, known, steps=4)[:, known], X[:, known])
    if name == "softmax":
        assert model.reconstruct(X).dtype.kind == "i"
    save(tmp_path / "net.ictus", model)
    loaded = load(tmp_path / "net.ictus")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert [type(each) for each in loaded.layers] == [type(each) for each in LAYERS[name]]


class StopError(Exception):
    """Where a test interrupts training."""


@pytest.mark.parametrize("phase", ["layer0", "layer1", "last"])
@pytest.mark.parametrize("fine_tune", ["backpropagation", "up-down"])
def test_training_goes_on_from_its_checkpoints(digits, tmp_path, monkeypatch, phase, fine_tune):
    """Interrupted in any phase: the same bits as without."""
    X, y = digits[0][:120], digits[1][:120]
    options = {"n_iter": 3, "fine_tune_epochs": 3, "fine_tune": fine_tune, "random_state": 0}
    whole = DBNClassifier((16, 12), **options).fit(X, y)
    path = tmp_path / "net"
    from ictus.train.loop import TrainingLoop

    finish = TrainingLoop._finish_epoch
    phase = fine_tune if phase == "last" else phase

    def stop(self, *arguments):
        result = finish(self, *arguments)
        if self.epoch == 2 and str(self.checkpoint).endswith(phase):
            raise StopError
        return result

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "_finish_epoch", stop)
        with pytest.raises(StopError):
            DBNClassifier((16, 12), checkpoint=path, **options).fit(X, y)
    resumed = DBNClassifier((16, 12), checkpoint=path, **options).fit(X, y)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(resumed.machine_.parameters, whole.machine_.parameters)
    assert [h.epochs for h in resumed.histories_] == [3, 3, 3]
    with pytest.raises(ValueError, match="belongs to another training"):
        DBNClassifier((16, 12), checkpoint=path, **options).fit(X[::-1].copy(), y)


X = np.random.default_rng(0).random((20, 6))
Y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_units": ()}, "hidden_units must be a sequence of positive integers"),
        ({"hidden_units": (3, 0)}, "hidden_units must be a sequence of positive integers"),
        ({"visible_type": "softmax"}, "visible_type must be bernoulli or gaussian"),
        ({"learning_rate": (0.1, 0.1, 0.1)}, "learning_rate must be one value, or 2 for 2 layers"),
        ({"learning_rate": (0.1, -0.1)}, "learning_rate must be a positive number, got -0.1"),
        ({"k": 0}, "k must be a positive integer, got 0"),
        ({"n_iter": -1}, "n_iter must be a non-negative integer"),
        ({"batch_size": "a"}, "batch_size must be a positive integer, got 'a'"),
        ({"layers": []}, "layers must be a sequence of RBM estimators"),
        ({"layers": [3]}, "layers must hold RBM estimators, got 3"),
        ({"layers": [BernoulliRBM(early_stopping=True)]}, "layers must not stop early"),
        (
            {"layers": [GaussianRBM(4, hidden_type="rectified"), BernoulliRBM(3)]},
            "layer 1 must have gaussian visible units above rectified ones",
        ),
        ({"fine_tune": "adam"}, "fine_tune must be one of"),
        ({"fine_tune_epochs": -1}, "fine_tune_epochs must be a non-negative integer"),
        ({"fine_tune_learning_rate": 0}, "fine_tune_learning_rate must be a positive number"),
        ({"fine_tune": "up-down", "fine_tune_steps": 0}, "steps must be a positive integer"),
        ({"dtype": "float16"}, "dtype must be one of auto, float32, float64"),
    ],
)
def test_bad_parameters(options, message):
    for model in (DeepBeliefNet, DBNClassifier):
        with pytest.raises(ValueError, match=message):
            model(**{"hidden_units": (4, 3), **SMALL, **options}).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_units": False, "fine_tune": None}, "fine_tune must be 'backpropagation' without"),
        ({"label_units": 1}, "label_units must be True or False"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\)"),
        ({"max_norm": 0}, "max_norm must be a positive number or None"),
        (
            {"layers": [GaussianRBM(4)]},
            "the top layer must have bernoulli visible units beside its labels, got gaussian",
        ),
    ],
)
def test_bad_parameters_of_the_classifier(options, message):
    with pytest.raises(ValueError, match=message):
        DBNClassifier(**{"hidden_units": (4, 3), **SMALL, **options}).fit(X, Y)


def test_without_label_units(digits):
    model = DBNClassifier((4, 3), label_units=False, fine_tune_epochs=1, **SMALL).fit(X, Y)
    assert model.machine_.labels == 0
    assert model.predict(X).shape == (20,)
    with pytest.raises(ValueError, match="label must be None: the net has no label units"):
        model.sample(2, label=1)


def test_bad_data():
    fitted = DBNClassifier((4, 3), fine_tune_epochs=1, **SMALL).fit(X, np.where(Y, "b", "a"))
    with pytest.raises(ValueError, match="label must be one of a, b, got c"):
        fitted.sample(2, label="c")
    with pytest.raises(ValueError, match="label must be one of a, b, got c"):
        fitted.sample(2, label=["a", "c"])
    with pytest.raises(ValueError, match="known must be a mask of bool"):
        fitted.complete(X, np.ones(5, bool))
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        DeepBeliefNet((4, 3), **SMALL).fit(X + 1)
    with pytest.raises(ValueError, match="Unknown label type"):
        DBNClassifier((4, 3), **SMALL).fit(X, X[:, 0])
    for model in (DeepBeliefNet(), DBNClassifier()):
        assert isinstance(model, DeepBeliefEstimator)
        for use in (model.sample, lambda m=model: m.transform(X), lambda m=model: m.denoise(X)):
            with pytest.raises(NotFittedError):
                use()
