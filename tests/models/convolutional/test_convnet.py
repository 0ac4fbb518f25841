"""The convolutional estimators: scikit-learn's own checks, and what they promise beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as PeerClassifier
from sklearn.neural_network import MLPRegressor as PeerRegressor
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import ConvNetClassifier, ConvNetRegressor


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "peer"),
    [
        (ConvNetClassifier((6,), (20,), max_epochs=60), PeerClassifier()),
        (ConvNetRegressor((6,), (20,), max_epochs=60), PeerRegressor()),
    ],
)
def test_scikit_learn_contract(estimator, peer):
    """All checks pass; what is skipped is skipped for scikit-learn's own estimator too."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failed
    skipped = {r["check_name"] for r in results if r["status"] in ("skipped", "xfail")}
    peers = check_estimator(peer, on_fail=None, on_skip=None)
    assert skipped <= {r["check_name"] for r in peers if r["status"] in ("skipped", "xfail")}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": True, "spatial_dropout": 0.1, "dropout": 0.2},
        {"filters": (8,), "kernel_size": (3, 2), "pool": (2, 1), "padding": "valid"},
        {"filters": (8,), "pool": 1, "hidden_units": (), "optimizer": "sgd", "max_norm": 4.0},
        {"filters": (), "hidden_units": (50,), "learning_rate": 0.01},
    ],
)
def test_learns_digits(digits, options):
    X, y = digits
    model = ConvNetClassifier(random_state=0, **{"max_epochs": 25, **options})
    model.fit(X[:1400], y[:1400])
    assert model.score(X[1400:], y[1400:]) > 0.88
    assert model.network_.input_shape == (8, 8, 1)


def test_images_of_any_layout_are_the_same_model(digits):
    X, y = digits
    options = {"filters": (4,), "hidden_units": (10,), "max_epochs": 1, "random_state": 3}
    rows = ConvNetClassifier(**options).fit(X, y)
    images = ConvNetClassifier(**options).fit(X.reshape(-1, 8, 8), y)
    with_channel = ConvNetClassifier(image_shape=(8, 8), **options).fit(X.reshape(-1, 8, 8, 1), y)
    p = rows.predict_proba(X)
    np.testing.assert_array_equal(images.predict_proba(X.reshape(-1, 8, 8)), p)
    np.testing.assert_array_equal(with_channel.predict_proba(X), p)
    wide = ConvNetClassifier(image_shape=(4, 4, 4), **options).fit(X, y)
    assert wide.network_.input_shape == (4, 4, 4)
    assert ConvNetClassifier(**options).fit(X[:, :60], y).network_.input_shape == (1, 60, 1)


def test_features(digits):
    X, y = digits
    model = ConvNetClassifier((4, 6), (10,), batch_norm=True, max_epochs=1).fit(X, y)
    assert model.transform(X, 0).shape == (len(X), 4 * 4 * 4)
    assert model.transform(X, 1).shape == (len(X), 2 * 2 * 6)
    assert model.transform(X).shape == (len(X), 10)
    assert len(model.get_feature_names_out()) == 10
    assert (model.transform(X, 0) >= 0).all()
    with pytest.raises(ValueError, match=r"layer must be in -3 .. 2 for 3 hidden layers"):
        model.transform(X, 3)


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
def test_model_file_and_grid_search(digits, kind, tmp_path):
    X, y = digits
    images = X.reshape(-1, 8, 8)
    model = kind((4,), (), batch_norm=True, max_epochs=2, random_state=1).fit(images, y)
    path = tmp_path / "model.ictus"
    ictus.save(path, model, {"licence": "CC0"})
    copy = ictus.load(path)
    assert copy.get_params() == model.get_params()
    np.testing.assert_array_equal(copy.predict(images), model.predict(images))
    np.testing.assert_array_equal(copy.network_.state, model.network_.state)
    copy.partial_fit(images, y)
    search = GridSearchCV(clone(model), {"filters": [(2,), (3,)]}, cv=2).fit(X[:200], y[:200])
    assert search.best_estimator_.network_.layers[0].filters in (2, 3)


def test_training_resumes_to_the_same_bits(digits, tmp_path):
    X, y = digits
    options = {"filters": (4,), "hidden_units": (), "batch_norm": True, "random_state": 1}
    whole = ConvNetClassifier(max_epochs=3, **options).fit(X, y)
    path = tmp_path / "checkpoint"
    ConvNetClassifier(max_epochs=1, checkpoint=path, **options).fit(X, y)
    rest = ConvNetClassifier(max_epochs=3, checkpoint=path, **options).fit(X, y)
    np.testing.assert_array_equal(rest.network_.numbers, whole.network_.numbers)


def test_it_slides(digits):
    X, y = digits
    model = ConvNetClassifier((4,), (), padding="valid", max_epochs=1).fit(X, y)
    long = X[:20].reshape(-1, 8, 1)
    out = model.network_.slide(long)
    assert out.shape == (153, 10)
    np.testing.assert_allclose(out[::8], model.predict_proba(X[:20]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": (0,)}, "filters must be a sequence of positive integers"),
        ({"kernel_size": 0}, "kernel_size must be a positive integer, or two of them"),
        ({"pool": (1, 2, 3)}, "pool must be a positive integer, or two of them"),
        ({"padding": "full"}, "padding must be one of same, valid, got 'full'"),
        ({"image_shape": (8,)}, "image_shape must be .height, width. or"),
        (
            {"image_shape": (8, 7)},
            r"image_shape must have the 64 numbers of a row of X",
        ),
        ({"batch_norm": 1}, "batch_norm must be True or False"),
        ({"spatial_dropout": 1.0}, r"spatial_dropout must be a number in \[0, 1\)"),
        ({"padding": "valid", "kernel_size": 9}, "the window must fit the padded image"),
    ],
)
def test_bad_parameters(digits, options, message):
    X, y = digits
    with pytest.raises(ValueError, match=message):
        ConvNetClassifier(**options).fit(X, y)


def test_other_images_than_fitted_are_refused(digits):
    X, y = digits
    model = ConvNetClassifier((2,), (), max_epochs=1).fit(X.reshape(-1, 8, 8), y)
    with pytest.raises(ValueError, match=r"X must have images of shape \(8, 8, 1\), got \(4, 16"):
        model.predict(X.reshape(-1, 4, 16))
    with pytest.raises(ValueError, match="X has 60 features"):
        model.predict(X[:, :60])
