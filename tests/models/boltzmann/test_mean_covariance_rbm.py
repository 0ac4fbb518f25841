"""The estimator: scikit-learn's contract, features, files."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import ictus
from ictus import MeanCovarianceRBM

QUICK = {"n_iter": 2, "batch_size": 32, "random_state": 0}


@parametrize_with_checks([MeanCovarianceRBM(8, 4, leapfrog_steps=3, **QUICK)])
def test_scikit_learn_contract(estimator, check) -> None:
    check(estimator)


def data(rows: int = 200, columns: int = 10) -> np.ndarray:
    return np.random.default_rng(0).laplace(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("pooling", ["fixed", "learned", "topographic"])
def test_features(pooling: str) -> None:
    x = data()
    model = MeanCovarianceRBM(9, 5, pooling=pooling, pooling_epoch=0, **QUICK).fit(x)
    whole = model.transform(x)
    assert whole.shape == (200, 14) and whole.dtype == np.float32
    assert ((whole > 0) & (whole < 1)).all()
    covariance = model.set_params(features="covariance").transform(x)
    mean = model.set_params(features="mean").transform(x)
    np.testing.assert_array_equal(np.hstack([covariance, mean]), whole)
    assert list(model.get_feature_names_out()) == [f"mean{i}" for i in range(5)]
    assert model.components_.shape == (9, 10) and model.mean_components_.shape == (5, 10)
    assert model.score_samples(x).shape == (200,)
    assert model.sample(3, 4).shape == (3, 10)
    assert model.reconstruct(x).shape == x.shape
    if pooling == "topographic":
        assert ((model.machine_.pooling != 0).sum(axis=0) <= 9).all()


def test_reconstruction_denoising_and_completion() -> None:
    """Ten features of three sources, of deviation 1: the model must know how they hang together."""
    g = np.random.default_rng(0)
    x = (g.standard_normal((600, 3)) @ g.standard_normal((3, 10))).astype(np.float32)
    x /= x.std(axis=0)
    x, test = x[:500], x[500:]
    model = MeanCovarianceRBM(32, 32, n_iter=60, batch_size=50, random_state=0).fit(x)

    def error(made: np.ndarray, where: np.ndarray | bool = True) -> float:
        return float(np.square(made - test).mean(where=where))

    assert error(model.reconstruct(test)) < error(np.zeros_like(test))
    noisy = test + 0.7 * g.standard_normal(test.shape).astype(np.float32)
    # The best that can be done feature by feature is to shrink.
    assert error(model.denoise(noisy, noise=0.7)) < error(noisy / (1 + 0.7**2))
    known = g.random(test.shape) > 0.2
    completed = model.complete(test, known)
    np.testing.assert_array_equal(completed[known], test[known])
    assert error(completed, ~known) < 0.25 * error(np.zeros_like(test), ~known)
    np.testing.assert_array_equal(model.complete(np.where(known, test, np.nan)), completed)
    with pytest.raises(ValueError, match=r"known must have shape \(100, 10\) or \(10,\), got"):
        model.complete(test, known[:5])
    with pytest.raises(ValueError, match="noise must be positive, got 0"):
        model.denoise(test, noise=0)


def test_same_seed_same_bits_and_partial_fit() -> None:
    x = data()
    a = MeanCovarianceRBM(8, 4, **QUICK).fit(x)
    b = clone(a).fit(x)
    np.testing.assert_array_equal(a.machine_.parameters, b.machine_.parameters)
    c = clone(a)
    for _ in range(2):
        c.partial_fit(x)
    np.testing.assert_array_equal(a.machine_.parameters, c.machine_.parameters)


def test_in_a_pipeline_behind_whitening() -> None:
    x = data()
    y = (np.abs(x[:, 0]) > 0.7).astype(int)
    steps = (PCA(0.99, whiten=True), MeanCovarianceRBM(16, 4, **QUICK), LogisticRegression())
    assert make_pipeline(*steps).fit(x, y).predict(x).shape == (200,)


def test_model_file(tmp_path) -> None:
    x = data()
    model = MeanCovarianceRBM(9, 4, pooling="topographic", features="mean", **QUICK).fit(x)
    ictus.save(tmp_path / "model.ictus", model)
    copy = ictus.load(tmp_path / "model.ictus")
    assert copy.get_params() == model.get_params()
    np.testing.assert_array_equal(copy.transform(x), model.transform(x))
    np.testing.assert_array_equal(copy.score_samples(x), model.score_samples(x))
    assert copy.step_size_ == model.step_size_


def test_checkpoint_goes_on(tmp_path) -> None:
    x = data()
    path = tmp_path / "checkpoint"
    MeanCovarianceRBM(8, 4, **(QUICK | {"n_iter": 1}), checkpoint=path).fit(x)
    resumed = MeanCovarianceRBM(8, 4, **QUICK, checkpoint=path).fit(x)
    whole = MeanCovarianceRBM(8, 4, **QUICK).fit(x)
    np.testing.assert_array_equal(resumed.machine_.parameters, whole.machine_.parameters)


def test_early_stopping_holds_out_examples() -> None:
    model = MeanCovarianceRBM(8, 4, early_stopping=True, **QUICK).fit(data())
    assert len(model.history_["free_energy_gap"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "none"}, "pooling must be one of fixed, learned, topographic, got 'none'"),
        ({"features": "both"}, "features must be one of all, covariance, mean, got 'both'"),
        ({"pooling": "topographic"}, "covariance_units must be a square of at least 9"),
        ({"covariance_units": 0}, "factors must be a positive integer"),
        ({"early_stopping": True, "validation_fraction": 1.5}, "validation_fraction must be in"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeanCovarianceRBM(**({"covariance_units": 8, "mean_units": 4} | QUICK | options)).fit(
            data()
        )


def test_not_fitted() -> None:
    with pytest.raises(Exception, match="not fitted"):
        MeanCovarianceRBM().transform(data())
