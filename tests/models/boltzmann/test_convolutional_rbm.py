"""The convolutional RBM estimator: contract, forms of X, features, stacks, files, errors."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import ConvolutionalRBM

OPTIONS = {"kernel_size": 3, "n_iter": 3, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract():
    model = ConvolutionalRBM(4, kernel_size=2, padding="same", visible_type="gaussian", n_iter=2)
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert len(results) > 40
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


def test_forms_of_x_are_the_same(digits):
    images = digits[0][:300]
    model = ConvolutionalRBM(6, **OPTIONS).fit(images)
    flat = clone(model).set_params(image_shape=(8, 8)).fit(images.reshape(300, 64))
    np.testing.assert_array_equal(model.components_, flat.components_)
    features = model.transform(images)
    np.testing.assert_array_equal(features, flat.transform(images.reshape(300, 64)))
    assert features.shape == (300, 3 * 3 * 6) and features.dtype == np.float32
    assert len(model.get_feature_names_out()) == features.shape[1]
    maps = model.set_params(flatten=False).transform(images)
    assert maps.shape == (300, 3, 3, 6)
    np.testing.assert_array_equal(maps.reshape(300, -1), features)
    assert model.detection(images).shape == (300, 6, 6, 6)
    for of, shape in ((model, (8, 8)), (flat, (64,))):
        assert of.sample(2, steps=3).shape == (2, *shape)
        assert of.reconstruct(images).shape == (300, *shape)
        assert of.denoise(images[:4], steps=4).shape == (4, *shape)
        known = np.arange(64).reshape(8, 8) < 32
        completed = of.complete(images[:4], known, steps=4)
        assert completed.shape == (4, *shape)
        np.testing.assert_array_equal(
            completed.reshape(4, 64)[:, :32], images[:4, :4].reshape(4, 32)
        )


def test_filters_are_learned_and_their_features_serve_a_classifier(digits):
    X, y = digits
    scores = []
    for epochs in (0, 6):
        options = {"learning_rate": 5.0, "sparsity_cost": 0.1, "sparsity_target": 0.03}
        model = ConvolutionalRBM(24, **(OPTIONS | options | {"n_iter": epochs})).fit(X[:1200])
        classifier = RidgeClassifier(0.1).fit(model.transform(X[:1200]), y[:1200])
        scores.append(classifier.score(model.transform(X[1200:]), y[1200:]))
    assert scores[1] > scores[0] + 0.05
    errors = model.history_["reconstruction_error"]
    assert errors[-1] < 0.85 * errors[0]
    assert (model.score_samples(X[1200:]) > model.score_samples(1 - X[1200:])).mean() > 0.99


def test_a_pipeline_is_a_convolutional_deep_belief_net(digits):
    X, _ = digits
    first = ConvolutionalRBM(8, flatten=False, **OPTIONS)
    second = ConvolutionalRBM(10, kernel_size=2, n_iter=2, random_state=1)
    net = make_pipeline(first, second).fit(X[:400])
    assert net.transform(X[:5]).shape == (5, 1 * 1 * 10)
    assert net[1].components_.shape == (10, 2, 2, 8)


def test_early_stopping_checkpoint_and_partial_fit(digits, tmp_path):
    X = digits[0][:200]
    options = OPTIONS | {"early_stopping": True, "checkpoint": tmp_path / "training"}
    model = ConvolutionalRBM(6, **options).fit(X)
    assert "free_energy_gap" in model.history_
    again = ConvolutionalRBM(6, **options).fit(X)  # there is nothing left to do
    np.testing.assert_array_equal(again.components_, model.components_)
    online = ConvolutionalRBM(6, **OPTIONS)
    for _ in range(3):
        online.partial_fit(X)
    assert online.history_["reconstruction_error"][-1] < online.history_["reconstruction_error"][0]


def test_model_files(digits, tmp_path):
    X = digits[0][:100]
    model = ConvolutionalRBM(6, persistent=True, **OPTIONS).fit(X)
    ictus.save(tmp_path / "m.ictus", model)
    again = ictus.load(tmp_path / "m.ictus")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.h_samples_, model.h_samples_)
    assert again.sample(2, steps=2).shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"image_shape": (4, 5)}, (9, 64), "image_shape must be that of X"),
        ({"image_shape": (4, 16)}, (9, 8, 8), "image_shape must be that of X"),
        ({"kernel_size": 9}, (9, 8, 8), "the window must fit the padded image"),
        ({"n_components": 0}, (9, 8, 8), "n_components must be a positive integer"),
        ({"visible_type": "softmax"}, (9, 8, 8), "visible_type must be one of bernoulli, gaussian"),
        ({}, (9, 2, 2, 2, 2), "dim"),
    ],
)
def test_wrong_arguments(options, shape, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionalRBM(**({"n_components": 4} | OPTIONS | options)).fit(np.zeros(shape))


def test_values_out_of_range():
    with pytest.raises(ValueError, match=r"must be in \[0, 1\] for bernoulli visible units, got 7"):
        ConvolutionalRBM(4, **OPTIONS).fit(np.full((9, 8, 8), 7.0))
