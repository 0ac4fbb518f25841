"""The softmax RBM estimator: codes and one-hot data, categories learned, files and errors."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import SoftmaxRBM
from tests.models.enumeration import visible_distribution

OPTIONS = {"learning_rate": 0.1, "n_iter": 60, "batch_size": 50, "random_state": 0}


def rhymes(rows=2000, seed=0):
    """Three features of four categories: the second follows the first, the third is free."""
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 4, rows)
    free, other = generator.integers(0, 4, (2, rows))
    second = np.where(generator.random(rows) < 0.95, (first + 1) % 4, other)
    return np.stack([first, second, free], axis=1)


@pytest.fixture(scope="module")
def fitted():
    return SoftmaxRBM(16, **OPTIONS).fit(rhymes())


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract():
    results = check_estimator(SoftmaxRBM(), on_fail=None, on_skip=None)
    assert len(results) > 40
    failed = [r for r in results if r["status"] == "failed"]
    # A check of scikit-learn 1.6 subtracts a mean from integers itself.
    own = "Cannot cast ufunc 'subtract' output"
    assert not [r["check_name"] for r in failed if own not in str(r["exception"])]


def test_codes_and_one_hot_are_the_same(fitted):
    codes = rhymes()
    one_hot = np.eye(4)[codes].reshape(len(codes), -1)
    other = SoftmaxRBM(16, n_categories=4, encoding="one-hot", **OPTIONS).fit(one_hot)
    assert fitted.n_categories_ == 4
    np.testing.assert_array_equal(other.components_, fitted.components_)
    np.testing.assert_array_equal(other.transform(one_hot), fitted.transform(codes))
    assert fitted.reconstruct(codes).shape == codes.shape
    np.testing.assert_allclose(
        other.reconstruct(one_hot).reshape(-1, 3, 4).sum(axis=2), 1, rtol=1e-6
    )


def test_completes_what_follows(fitted):
    test = rhymes(300, seed=1)
    known = np.array([True, False, True])
    completed = fitted.complete(test, known)
    assert completed.dtype.kind == "i"
    np.testing.assert_array_equal(completed[:, [0, 2]], test[:, [0, 2]])
    assert (completed[:, 1] == (test[:, 0] + 1) % 4).mean() > 0.9
    holes = np.where(known, test, np.nan)
    np.testing.assert_array_equal(fitted.complete(holes)[:, 0], test[:, 0])
    samples = fitted.sample(500, steps=100)
    assert (samples[:, 1] == (samples[:, 0] + 1) % 4).mean() > 0.8
    noisy = test.copy()
    noisy[::2, 1] = (noisy[::2, 1] + 1) % 4
    clean = fitted.denoise(noisy, noise=0.3)
    assert (clean[:, 1] != test[:, 1]).mean() < 0.7 * (noisy[:, 1] != test[:, 1]).mean()


def test_pseudo_likelihood_by_enumeration():
    model = SoftmaxRBM(3, learning_rate=0.1, n_iter=5, dtype="float64", random_state=0)
    codes = rhymes(100)[:, :2]
    model.fit(codes)
    states, p = visible_distribution(model.rbm_)
    joint = p.reshape(4, 4)  # the states are in the order of the codes
    assert states.shape == (16, 8)
    given_first = joint / joint.sum(axis=1, keepdims=True)
    given_second = joint / joint.sum(axis=0, keepdims=True)
    a, b = codes.T
    expected = np.log(given_first[a, b]) + np.log(given_second[a, b])
    np.testing.assert_allclose(model.score_samples(codes), expected, rtol=1e-10)


def test_model_file(fitted, tmp_path):
    ictus.save(tmp_path / "model", fitted)
    other = ictus.load(tmp_path / "model")
    codes = rhymes(20, seed=3)
    assert other.n_categories_ == 4
    np.testing.assert_array_equal(other.transform(codes), fitted.transform(codes))
    np.testing.assert_array_equal(other.score_samples(codes), fitted.score_samples(codes))


ONE_HOT = np.eye(4)[rhymes(20)].reshape(20, -1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.transform([[0, 1, 4]]), "codes below n_categories 4, got 4"),
        (lambda m: SoftmaxRBM(n_categories=3).fit(rhymes()), "codes below n_categories 3, got 3"),
        (lambda m: SoftmaxRBM().fit([[0, -1], [1, 1]]), "integer codes from 0 on, got -1"),
        (lambda m: SoftmaxRBM().fit([[0, 0.5], [1, 1]]), "integer codes from 0 on, got 0.5"),
        (lambda m: SoftmaxRBM(encoding="one-hot").fit(ONE_HOT), "n_categories must be given"),
        (lambda m: SoftmaxRBM(encoding="onehot").fit(ONE_HOT), "encoding must be codes or one-hot"),
        (lambda m: SoftmaxRBM(n_categories=0).fit(rhymes()), "n_categories must be a positive int"),
        (
            lambda m: SoftmaxRBM(n_categories=5, encoding="one-hot").fit(ONE_HOT),
            "12 columns are no multiple of 5",
        ),
        (
            lambda m: SoftmaxRBM(n_categories=4, encoding="one-hot").fit(ONE_HOT / 2),
            "each group of 4 units of x must have the sum 1, row 0 has 0.5",
        ),
        (lambda m: m.complete(rhymes(5), np.ones(3)), "known must be a mask of bool"),
    ],
)
def test_bad_input(fitted, call, message):
    with pytest.raises(ValueError, match=message):
        call(fitted)
