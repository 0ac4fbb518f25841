"""Estimators with each optimiser, hessian-free above all: training, options, files, refusals."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ictus import (
    Autoencoder,
    ConvolutionalAutoencoder,
    MLPClassifier,
    MLPRegressor,
    SequenceClassifier,
    SequenceGenerator,
    SequenceLabeler,
    load,
    save,
)

HESSIAN_FREE = {"optimizer": "hessian-free", "random_state": 0}


def digits():
    x, y = load_digits(n_class=4, return_X_y=True)
    return (x / 16).astype(np.float32), y


def sequences(count=30):
    generator = np.random.default_rng(0)
    x = [generator.standard_normal((n, 2)) for n in generator.integers(4, 10, count)]
    return x, np.array([int(one[0, 0] > 0) for one in x])


def test_classifier(tmp_path):
    x, y = digits()
    model = MLPClassifier((20,), "tanh", max_epochs=8, **HESSIAN_FREE).fit(x, y)
    assert model.score(x, y) > 0.99
    assert model.history_["curvature_examples"][0] == len(x)
    assert model.history_["loss"] == sorted(model.history_["loss"], reverse=True)
    path = tmp_path / "model.ictus"
    save(path, model)
    again = load(path)
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    assert again.optimizer == "hessian-free"
    again.partial_fit(x, y)


def test_regressor_and_options():
    x, _ = digits()
    y = x[:, 20] - x[:, 30]
    options = {"damping": 0.1, "curvature_size": 100, "preconditioner": "fisher"}
    model = MLPRegressor((15,), "tanh", max_epochs=15, optimizer_options=options, **HESSIAN_FREE)
    assert model.fit(x, y).score(x, y) > 0.95
    assert model.history_["damping"][0] == 0.1
    assert set(model.history_["curvature_examples"]) == {100.0}


def test_autoencoder_in_a_file(tmp_path):
    x, _ = digits()
    options = {"damping": 3.0}
    model = Autoencoder((10,), max_epochs=3, optimizer_options=options, **HESSIAN_FREE).fit(x)
    path = tmp_path / "model.ictus"
    save(path, model)
    assert load(path).optimizer_options == options


def test_sequences():
    x, y = sequences()
    options = {"structural_damping": 0.03, "damping": 0.3}
    model = SequenceClassifier(
        (8,), "recurrent", max_epochs=20, optimizer_options=options, **HESSIAN_FREE
    ).fit(x, y)
    assert model.score(x, y) > 0.9
    labels = [(one[:, 1] > 0).astype(int) for one in x]
    labeler = SequenceLabeler((5,), max_epochs=8, **HESSIAN_FREE).fit(x, labels)
    assert labeler.score(x, labels) > 0.9
    generator = SequenceGenerator((6,), max_epochs=3, **HESSIAN_FREE).fit(["abab", "ababab"] * 5)
    assert len(generator.history_["loss"]) == 3


def test_options_of_first_order_rules():
    x, y = digits()
    options = {"nesterov": True, "dampened": True}
    model = MLPClassifier((5,), optimizer="sgd", optimizer_options=options, max_epochs=1).fit(x, y)
    assert model._trainer.optimizer.nesterov


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l1": 0.1}, "MLPClassifier: l1 must be 0 with the optimizer hessian-free, got 0.1"),
        ({"max_norm": 2.0}, "max_norm must be None with the optimizer hessian-free, got 2.0"),
        ({"dropout": 0.5}, "hessian-free training needs a loss without random draws"),
        (
            {"optimizer_options": {"nesterov": True}},
            "optimizer_options of hessian-free must be among .*damping.*, got 'nesterov'",
        ),
        ({"optimizer_options": {"damping": -1}}, "HessianFree: damping must be positive, got -1"),
    ],
)
def test_refuses(arguments, message):
    x, y = digits()
    with pytest.raises(ValueError, match=message):
        MLPClassifier((5,), **HESSIAN_FREE, **arguments).fit(x, y)


def test_convolutional_autoencoder():
    x, _ = digits()
    images = x[:150].reshape(-1, 8, 8)
    model = ConvolutionalAutoencoder((4,), max_epochs=4, **HESSIAN_FREE).fit(images)
    assert model.history_["loss"] == sorted(model.history_["loss"], reverse=True)
    assert model.history_["curvature_examples"][0] == 150
