"""The Autoencoder estimator: contract, variants on digits, completion, samples, bits, files."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import Autoencoder, load, save
from ictus.models._parameters import AUTOENCODER
from ictus.nn import TiedDense
from tests.models.pretraining.test_pretrain import interrupt_after_epochs


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


@pytest.fixture(scope="module")
def denoiser(digits):
    X, _ = digits
    model = Autoencoder((128,), corruption="masking", corruption_level=0.3, max_epochs=40,
                        learning_rate=0.003, random_state=0)  # fmt: skip
    return model.fit(X[:1500])


def error(a, b):
    return float(np.square(a - b).sum(axis=1).mean())


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract():
    results = check_estimator(Autoencoder(max_epochs=10), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert not [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied": True},
        {"hidden_units": (80, 30), "activation": "tanh", "tied": True},
        {"hidden_units": (80, 30), "activation": "relu", "code_activation": "identity"},
        {"corruption": "masking", "corruption_level": 0.1},
        {"corruption": "gaussian", "corruption_level": 0.1, "tied": True},
        {"corruption": "salt_and_pepper", "corruption_level": 0.05},
        {"contraction": 0.003, "tied": True},
        {"sparsity_target": 0.1, "sparsity_cost": 0.03},
        {"loss": "squared_error", "activation": "relu"},
        {"hidden_units": (80, 30), "pretrain": "rbm", "code_activation": "identity"},
        {"hidden_units": (80, 30), "pretrain": "autoencoder", "tied": True},
        {"optimizer": "sgd", "learning_rate": 0.05, "learning_rate_decay": 0.98},
    ],
)
def test_reconstructs_unseen_digits(digits, options):
    """Better by half than the mean; the best 10 principal components have an error of 2.6."""
    X, _ = digits
    options = {"hidden_units": (40,), "max_epochs": 60, "learning_rate": 0.004} | options
    model = Autoencoder(random_state=0, **options).fit(X[:1400])
    baseline = error(X[1400:], X[:1400].mean(axis=0))
    found = model.reconstruct(X[1400:])
    assert error(X[1400:], found) < 0.5 * baseline
    np.testing.assert_allclose(model.inverse_transform(model.transform(X[1400:])), found, atol=1e-5)
    assert model.score(X[1400:]) == -model.network_.loss(X[1400:], X[1400:])


def test_linear_autoencoder_finds_the_principal_subspace(digits):
    """Baldi & Hornik 1989: the error of the best linear code is that of PCA."""
    X, _ = digits
    X = (X - X.mean(axis=0)).astype(np.float64)
    schedule = {"learning_rate": 0.01, "learning_rate_decay": 0.99, "max_epochs": 400, "tol": 0.0}
    model = Autoencoder((5,), "identity", loss="squared_error", random_state=0, **schedule).fit(X)
    pca = PCA(5).fit(X)
    best = error(X, pca.inverse_transform(pca.transform(X)))
    assert best <= error(X, model.reconstruct(X)) < 1.01 * best


def test_penalties_do_what_they_are_for(digits):
    X, _ = digits
    options = {"hidden_units": (60,), "max_epochs": 40, "random_state": 0, "learning_rate": 0.01}
    plain = Autoencoder(**options).fit(X)
    sparse = Autoencoder(sparsity_target=0.05, sparsity_cost=5.0, **options).fit(X)
    assert abs(sparse.transform(X).mean() - 0.05) < 0.02 < plain.transform(X).mean()
    contractive = Autoencoder(contraction=0.1, **options).fit(X)

    def jacobian(model):
        h = model.transform(X)
        return np.square((h * (1 - h))[:, None] * model.network_.weight_matrices[0]).sum()

    assert jacobian(contractive) < 0.2 * jacobian(plain)


class TestNoise:
    def test_denoises(self, digits, denoiser):
        X = digits[0][1500:]
        noisy = ictus.kernels.corrupt(X, "masking", 0.3, seed=9)
        assert error(denoiser.denoise(noisy), X) < 0.5 * error(noisy, X)
        twice = denoiser.reconstruct(denoiser.reconstruct(noisy))
        np.testing.assert_array_equal(denoiser.denoise(noisy, steps=2), twice)

    def test_completes(self, digits, denoiser):
        X = digits[0][1500:]
        known = np.arange(64) < 40
        given = np.where(known, X, np.nan)
        filled = denoiser.complete(given)
        np.testing.assert_array_equal(filled[:, known], X[:, known])
        mean = np.where(known, X, denoiser.mean_)
        assert error(filled, X) < 0.7 * error(mean, X)
        np.testing.assert_array_equal(denoiser.complete(X, known), filled)
        each = np.broadcast_to(known, X.shape)
        np.testing.assert_array_equal(denoiser.complete(X, each), filled)

    def test_samples_look_like_digits(self, digits, denoiser):
        """Each is nearer to some digit than draws of independent pixels are."""
        X, _ = digits
        state = denoiser.network_.draw_count
        samples = denoiser.sample(40, steps=60, mean=True)
        assert denoiser.network_.draw_count == state
        independent = np.random.default_rng(0).random((40, 64)) < denoiser.mean_

        def distance(a):
            return np.sqrt(np.square(a[:, None] - X).sum(2)).min(axis=1).mean()

        assert distance(samples) < 0.7 * distance(independent)
        assert not np.array_equal(samples, denoiser.sample(40, steps=60, mean=True))  # goes on
        assert set(np.unique(denoiser.sample(5, steps=3))) == {0, 1}
        one_step = denoiser.sample(1500, steps=1, start=X[:1500], mean=True)
        assert error(one_step, X[:1500]) < error(denoiser.mean_, X[:1500])

    def test_samples_of_real_numbers_have_the_spread_of_the_data(self, digits):
        X = digits[0] * 4 - 2
        model = Autoencoder((100,), corruption="gaussian", corruption_level=1.0, max_epochs=30,
                            learning_rate=0.003, random_state=0).fit(X)  # fmt: skip
        assert model.network_.loss_name == "squared_error"
        samples = model.sample(300, steps=20)
        assert abs(samples.mean() - X.mean()) < 0.2
        assert 0.6 < samples.std() / X.std() < 1.4


class TestBits:
    def test_noise_drives_a_code_to_bits_that_keep_the_class(self, digits):
        X, y = digits
        model = Autoencoder((100, 32), code_noise=3.0, max_epochs=150, tol=0.0,
                            learning_rate=0.003, random_state=0).fit(X[:1400])  # fmt: skip
        codes = model.transform(X)
        assert np.minimum(codes, 1 - codes).mean() < 0.06
        bits = model.encode_bits(X)
        assert bits.shape == (len(X), 4) and bits.dtype == np.uint8
        np.testing.assert_array_equal(np.unpackbits(bits, axis=1), codes > 0.5)
        rounded = model.inverse_transform((codes > 0.5).astype(np.float32))
        np.testing.assert_array_equal(model.decode_bits(bits), rounded)
        unpacked = np.unpackbits(bits, axis=1)
        other = LogisticRegression(max_iter=2000).fit(unpacked[:1400], y[:1400])
        assert other.score(unpacked[1400:], y[1400:]) > 0.75

    def test_tanh_codes(self, digits):
        X, _ = digits
        model = Autoencoder((16,), "tanh", max_epochs=5, random_state=0).fit(X)
        signs = np.where(model.transform(X) > 0, 1.0, -1.0).astype(np.float32)
        np.testing.assert_array_equal(
            model.decode_bits(model.encode_bits(X)), model.inverse_transform(signs)
        )


@pytest.mark.usefixtures("keep_threads")
def test_same_seed_same_bits_for_any_number_of_threads(digits):
    X, _ = digits
    options = {"hidden_units": (60, 20), "corruption": "gaussian", "tied": True, "max_epochs": 2}
    options |= {"contraction": 0.01, "sparsity_cost": 0.1, "pretrain": "rbm"}
    model = Autoencoder(random_state=7, pretraining_epochs=2, **options)
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        results.append(clone(model).fit(X).network_.parameters)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert not np.array_equal(results[0], clone(model).set_params(random_state=8).fit(X).transform)


@pytest.mark.parametrize("pretraining", ["rbm", "autoencoder"])
@pytest.mark.parametrize("stop_at", [2, 4, 5, 7])
def test_resumes_in_every_phase_to_the_same_bits(
    digits, tmp_path, monkeypatch, pretraining, stop_at
):
    X, _ = digits
    options = {"hidden_units": (30, 10), "corruption": "masking", "pretrain": pretraining}
    options |= {"pretraining_epochs": 2, "max_epochs": 3, "random_state": 3}
    expected = Autoencoder(**options).fit(X)
    interrupt_after_epochs(monkeypatch, stop_at)
    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        Autoencoder(checkpoint=path, **options).fit(X)
    monkeypatch.undo()
    again = Autoencoder(checkpoint=path, **options).fit(X)
    np.testing.assert_array_equal(again.network_.parameters, expected.network_.parameters)
    np.testing.assert_array_equal(again.sample(3, steps=2), expected.sample(3, steps=2))
    assert again.n_iter_ == 3 and len(again.pretraining_) == 2


def test_model_file_round_trip(digits, tmp_path):
    X, _ = digits
    for options in (
        {"corruption": "salt_and_pepper", "tied": True, "hidden_units": (30, 16)},
        {"corruption": "masking", "code_noise": 1.0, "hidden_units": (30, 16)},
    ):
        model = Autoencoder(max_epochs=3, random_state=0, **options).fit(X)
        save(tmp_path / "model.ictus", model)
        again = load(tmp_path / "model.ictus")
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        np.testing.assert_array_equal(again.encode_bits(X), model.encode_bits(X))
        np.testing.assert_array_equal(again.sample(3, steps=4), model.sample(3, steps=4))
        assert any(isinstance(layer, TiedDense) for layer in again.network_.layers) == (
            "tied" in options
        )
        assert again.partial_fit(X).n_iter_ == 4


BAD = {
    "hidden_units": [(), (0,), "a", None],
    "activation": ["swish", None],
    "code_activation": ["swish", 3],
    "tied": ["yes", None],
    "corruption": ["pink", 3],
    "corruption_level": [-0.1, None, np.nan],
    "contraction": [-1, "x"],
    "sparsity_target": [0, 1, None],
    "sparsity_cost": [-1, None],
    "code_noise": [-1, None],
    "loss": ["softmax_cross_entropy", None],
    "pretrain": ["supervised", True],
    "pretraining_epochs": [-1, 1.5],
    "pretraining_learning_rate": [0, "x"],
}


def test_every_parameter_has_a_range():
    parameters = set(Autoencoder().get_params()) - {"random_state", "checkpoint"}
    assert parameters == set(AUTOENCODER)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_bad_parameters(digits, name, value):
    with pytest.raises(ValueError, match=f"Autoencoder: {name} must be .*, got "):
        Autoencoder(**{name: value}).fit(digits[0])


SMALL = np.random.default_rng(0).random((30, 5)).astype(np.float32)


def fitted(**options):
    return Autoencoder(**({"hidden_units": (8,), "max_epochs": 1} | options)).fit(SMALL)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fitted(corruption="masking", corruption_level=1.5),
            r"Autoencoder: level of masking noise must be in \[0, 1\], got 1.5",
        ),
        (lambda: fitted(activation="relu", sparsity_cost=1), "sparsity_cost must be 0 where no"),
        (lambda: fitted(code_noise=1.0, contraction=1.0), "contraction must be 0 with code_noise"),
        (
            lambda: Autoencoder(loss="binary_cross_entropy").fit(SMALL * 3 - 1),
            r"X must be in \[0, 1\] for the loss binary_cross_entropy, got values from -",
        ),
        (lambda: fitted().partial_fit(SMALL - 1), r"X must be in \[0, 1\] for the loss"),
        (lambda: fitted().score(SMALL - 1), r"X must be in \[0, 1\] for the loss"),
        (lambda: fitted(activation="tanh", pretrain="rbm"), "no hidden units for .* 'tanh'"),
        (lambda: fitted(hidden_units=(12,)).encode_bits(SMALL), "multiple of 8 units, .* has 12"),
        (lambda: fitted(activation="relu").encode_bits(SMALL), "code_activation is 'relu'"),
        (
            lambda: fitted().decode_bits(np.zeros((3, 2), np.uint8)),
            r"bits must be uint8 of shape \(n_samples, 1\), got uint8 of shape \(3, 2\)",
        ),
        (lambda: fitted().decode_bits(np.zeros((3, 1))), "bits must be uint8"),
        (lambda: fitted().inverse_transform(np.ones((2, 9))), r"codes of shape \(n_samples, 8\)"),
        (lambda: fitted().inverse_transform(np.full((2, 8), np.nan)), "finite codes"),
        (lambda: fitted().transform(SMALL[:, :3]), "3 features, but Autoencoder is expecting 5"),
        (lambda: fitted().complete(SMALL, np.ones((2, 5), bool)), r"known must be bool of shape"),
        (lambda: fitted().complete(SMALL, np.ones(5)), "known must be bool .* got float64"),
        (lambda: fitted().complete(SMALL * np.nan, np.ones(5, bool)), "finite where it is known"),
        (lambda: fitted().complete(SMALL, steps=0), "steps must be a positive integer, got 0"),
        (lambda: fitted().denoise(SMALL, steps=0), "steps must be a positive integer, got 0"),
        (lambda: fitted().sample(3), "sample needs a model that was trained with corruption"),
        (lambda: fitted(corruption="masking").sample(0), "n_samples must be a positive integer"),
        (
            lambda: fitted(corruption="masking").sample(3, start=SMALL[:2]),
            r"start must have shape \(3, 5\), got \(2, 5\)",
        ),
    ],
)
def test_bad_use(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_not_fitted():
    for name in ("transform", "inverse_transform", "reconstruct", "denoise", "complete"):
        with pytest.raises(NotFittedError):
            getattr(Autoencoder(), name)(SMALL)
    for name in ("score", "encode_bits", "decode_bits", "sample"):
        with pytest.raises(NotFittedError):
            getattr(Autoencoder(), name)(SMALL)
