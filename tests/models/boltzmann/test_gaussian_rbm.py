"""The Gaussian RBM estimator on real data, its variances, files and errors."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import GaussianRBM


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return StandardScaler().fit_transform(data.data).astype(np.float32), data.target


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"learn_variance": True}, {"hidden_type": "rectified"}])
def test_scikit_learn_contract(options):
    results = check_estimator(GaussianRBM(**options), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.01},
        {"learning_rate": 0.002, "learn_variance": True},
        {"learning_rate": 0.002, "hidden_type": "rectified"},
        {"learning_rate": 0.001, "hidden_type": "rectified", "learn_variance": True},
        {"learning_rate": 0.01, "persistent": True, "momentum": 0.0},
    ],
)
def test_standardised_digits(digits, options):
    X, _ = digits
    model = GaussianRBM(100, n_iter=40, random_state=0, **options).fit(X)
    assert np.isfinite(model.rbm_.parameters).all()
    # 61 of 64 features vary, with variance 1: the error of the mean is 61 / 64.
    # Persistent chains do not train the reconstruction as such.
    bound = 0.65 if options.get("persistent") else 0.55
    assert np.square(model.reconstruct(X) - X).mean() < bound
    errors = model.history_["reconstruction_error"]
    assert errors[-1] < 1.02 * min(errors), "still learning, not drifting away"
    if options.get("learn_variance"):
        assert model.variance_.min() >= 0.0999
        assert model.variance_.max() < 2.0
        assert np.median(model.variance_) < 0.9


def test_rectified_features_serve_a_classifier(digits):
    X, y = digits
    model = make_pipeline(
        GaussianRBM(100, hidden_type="rectified", learning_rate=0.002, n_iter=30, random_state=0),
        StandardScaler(),
        RidgeClassifier(),
    )
    assert model.fit(X[:1400], y[:1400]).score(X[1400:], y[1400:]) > 0.88


def test_completion_and_denoising_reduce_the_error(digits):
    X, _ = digits
    model = GaussianRBM(
        150, learning_rate=0.005, n_iter=80, learn_variance=True, random_state=0
    ).fit(X[:1400])
    test = X[1400:]
    known = np.ones(64, bool)
    known[32:48] = False
    completed = model.complete(test, known)
    np.testing.assert_array_equal(completed[:, known], test[:, known])
    mean = X[:1400].mean(axis=0)
    error = np.square(completed - test)[:, ~known].mean()
    assert error < 0.85 * np.square(mean - test)[:, ~known].mean()
    holes = np.where(known, test, np.nan)
    assert np.square(model.complete(holes) - test)[:, ~known].mean() < 1.1 * error
    noisy = test + np.random.default_rng(0).normal(0, 0.7, test.shape).astype(np.float32)
    clean = model.denoise(noisy, noise=0.7)
    assert np.square(clean - test).mean() < 0.75 * np.square(noisy - test).mean()


def test_score_is_the_log_likelihood_but_for_a_constant(digits):
    X, _ = digits
    model = GaussianRBM(30, learning_rate=0.01, n_iter=20, random_state=0).fit(X[:1400])
    noise = np.random.default_rng(0).normal(size=(300, 64))
    assert model.score_samples(X[1400:]).mean() > model.score_samples(noise).mean() + 5
    assert model.sample(4, steps=10).shape == (4, 64)
    assert model.gibbs(X[:3]).shape == (3, 64)


def test_model_file(digits, tmp_path):
    X, _ = digits
    model = GaussianRBM(20, n_iter=3, learn_variance=True, random_state=0).fit(X)
    ictus.save(tmp_path / "model", model)
    other = ictus.load(tmp_path / "model")
    assert other.get_params() == model.get_params()
    np.testing.assert_array_equal(other.transform(X), model.transform(X))
    np.testing.assert_array_equal(other.variance_, model.variance_)
    assert not hasattr(other, "h_samples_")


def test_verbose_line(digits, capsys):
    GaussianRBM(5, n_iter=2, verbose=1, random_state=0).fit(digits[0])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("[GaussianRBM] Iteration 2, minus free energy = -")


def test_bad_parameters(digits):
    with pytest.raises(ValueError, match="variance_bounds must be positive"):
        GaussianRBM(learn_variance=True, variance_bounds=(2.0, 1.0)).fit(digits[0])
    with pytest.raises(ictus.DivergenceError, match=r"diverged: a bias of .* lower learn"):
        GaussianRBM(50, learning_rate=5.0, hidden_type="rectified", random_state=0).fit(digits[0])
