"""The estimators: scikit-learn's own checks, and what they promise beyond them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as PeerClassifier
from sklearn.neural_network import MLPRegressor as PeerRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from ictus import MLPClassifier, MLPRegressor


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "peer"), [(MLPClassifier(), PeerClassifier()), (MLPRegressor(), PeerRegressor())]
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
        {"optimizer": "sgd", "dropout": 0.3, "max_norm": 3.0},
        {"optimizer": "rmsprop", "activation": "tanh"},
        {"activation": "sigmoid", "learning_rate": 0.01},
        {"early_stopping": True, "max_epochs": 60},
        {"hidden_units": (), "learning_rate": 0.01},
        {"hidden_units": (50, 30), "input_dropout": 0.1, "learning_rate_decay": 0.95},
    ],
)
def test_learns_digits(digits, options):
    X, y = digits
    model = MLPClassifier(random_state=0, **{"max_epochs": 60, **options}).fit(X[:1400], y[:1400])
    assert model.score(X[1400:], y[1400:]) > 0.88
    probabilities = model.predict_proba(X[:50])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(X[:50]))


def test_features_serve_another_classifier(digits):
    X, y = digits
    model = MLPClassifier((60, 40), max_epochs=15, random_state=0).fit(X[:1400], y[:1400])
    assert model.transform(X, layer=0).shape == (len(X), 60)
    features = model.transform(X)
    assert features.shape == (len(X), 40)
    other = LogisticRegression(max_iter=2000).fit(features[:1400], y[:1400])
    assert other.score(features[1400:], y[1400:]) > 0.88
    assert list(model.get_feature_names_out())[:2] == ["mlpclassifier0", "mlpclassifier1"]
    with pytest.raises(ValueError, match=r"layer must be in -2 .. 1 for 2 hidden layers, got 2"):
        model.transform(X, layer=2)


def test_same_seed_same_bits(digits):
    X, y = digits
    options = {"dropout": 0.5, "max_epochs": 3}
    a = MLPClassifier(random_state=7, **options).fit(X, y).predict_proba(X)
    b = clone(MLPClassifier(random_state=7, **options)).fit(X, y).predict_proba(X)
    c = MLPClassifier(random_state=8, **options).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_partial_fit_goes_on_and_keeps_its_classes(digits):
    X, y = digits
    model = MLPClassifier((50,), learning_rate=0.005, random_state=0)
    model.partial_fit(X[:500], np.minimum(y[:500], 4), classes=np.arange(10))
    for _ in range(25):
        model.partial_fit(X[:1400], y[:1400])
    assert model.score(X[1400:], y[1400:]) > 0.88
    assert model.n_iter_ == 26
    with pytest.raises(ValueError, match="classes differ from those of the first call"):
        model.partial_fit(X, y, classes=np.arange(9))
    with pytest.raises(ValueError, match="classes that were not named at first"):
        model.partial_fit(X, y + 1)


def test_in_pipeline_search_and_cross_validation(digits):
    X, y = digits[0][:400], digits[1][:400]
    model = MLPClassifier((30,), learning_rate=0.01, max_epochs=40, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.8
    search = GridSearchCV(
        MLPClassifier((30,), max_epochs=40, random_state=0), {"dropout": [0.0, 0.2]}, cv=2
    )
    assert search.fit(X, y).best_score_ > 0.7


def test_several_labels():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((600, 6))
    y = (X[:, :3] + 0.1 * generator.standard_normal((600, 3)) > 0).astype(int)
    model = MLPClassifier((40,), max_epochs=40, random_state=0).fit(X[:500], y[:500])
    assert (model.predict(X[500:]) == y[500:]).mean() > 0.9
    assert model.predict_proba(X).shape == (600, 3)


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression(outputs):
    X, y = make_regression(400, 8, n_targets=outputs, noise=1.0, random_state=0)
    y = y / y.std(axis=0)
    model = MLPRegressor((60,), learning_rate=0.01, random_state=0, max_epochs=100)
    model.fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.9
    assert model.predict(X).shape == y.shape


def test_checkpoint_goes_on_to_the_same_bits(digits, tmp_path):
    X, y = digits
    whole = MLPClassifier((30,), max_epochs=4, dropout=0.2, random_state=3).fit(X, y)
    path = tmp_path / "checkpoint"
    MLPClassifier((30,), max_epochs=2, dropout=0.2, random_state=3, checkpoint=path).fit(X, y)
    parts = MLPClassifier((30,), max_epochs=4, dropout=0.2, random_state=3, checkpoint=path)
    parts.fit(X, y)
    np.testing.assert_array_equal(whole.predict_proba(X), parts.predict_proba(X))


def test_unknown_parameter():
    with pytest.raises(TypeError, match="hiden_units"):
        MLPClassifier(hiden_units=(3,))


def test_sparse_input_is_refused_clearly(digits):
    from scipy.sparse import csr_matrix

    with pytest.raises(TypeError, match=r"[Ss]parse"):
        MLPClassifier().fit(csr_matrix(digits[0]), digits[1])
