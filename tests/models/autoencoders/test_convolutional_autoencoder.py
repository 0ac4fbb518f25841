"""Convolutional autoencoders: contract, forms of X, denoising, pre-training, files, errors."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import check_estimator

import ictus
from ictus import ConvolutionalAutoencoder

OPTIONS = {"max_epochs": 3, "random_state": 0, "batch_size": 50}


@pytest.fixture(scope="module")
def digits():
    return (load_digits().images / 16).astype(np.float32)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_contract():
    model = ConvolutionalAutoencoder((3,), pool=1, max_epochs=2)
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert len(results) > 40
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


def test_forms_of_x_are_the_same(digits):
    images = digits[:200]
    model = ConvolutionalAutoencoder((8, 4), corruption="masking", **OPTIONS).fit(images)
    flat = ConvolutionalAutoencoder(
        (8, 4), corruption="masking", image_shape=(8, 8), **OPTIONS
    ).fit(images.reshape(200, 64))
    codes = model.transform(images)
    assert codes.shape == (200, 2 * 2 * 4) == (200, model._n_features_out)
    np.testing.assert_array_equal(codes, flat.transform(images.reshape(200, 64)))
    for of, shape in ((model, (8, 8)), (flat, (64,))):
        given = images[:5].reshape(5, *shape)
        reconstructed = of.reconstruct(given)
        assert reconstructed.shape == given.shape
        np.testing.assert_allclose(of.inverse_transform(codes[:5]), reconstructed, atol=1e-6)
        assert of.denoise(given, steps=2).shape == given.shape
        assert of.sample(3, steps=2).shape == (3, *shape)
        known = (np.arange(64) < 32).reshape(shape)
        completed = of.complete(given, known)
        assert completed.shape == given.shape
        np.testing.assert_array_equal(completed[:, known], given[:, known])


def test_noise_is_taken_out(digits):
    options = OPTIONS | {"max_epochs": 12, "learning_rate": 0.005}
    model = ConvolutionalAutoencoder((12,), corruption="gaussian", corruption_level=0.3, **options)
    model.fit(digits[:1200])
    assert model.loss_ < 0.9 * model.history_["loss"][0]
    clean = digits[1200:]
    noisy = clean + 0.3 * np.random.default_rng(0).standard_normal(clean.shape)
    before = np.square(noisy - clean).mean()
    assert np.square(model.denoise(noisy) - clean).mean() < 0.5 * before


@pytest.mark.parametrize("method", ["rbm", "autoencoder"])
def test_pre_training_and_model_files(digits, method, tmp_path):
    options = OPTIONS | {"pretrain": method, "pretraining_epochs": 2, "max_epochs": 1}
    model = ConvolutionalAutoencoder((6, 4), code_activation="sigmoid", **options)
    model.fit(digits[:200])
    assert len(model.pretraining_) == 2
    ictus.save(tmp_path / "m.ictus", model)
    again = ictus.load(tmp_path / "m.ictus")
    np.testing.assert_array_equal(again.transform(digits[:9]), model.transform(digits[:9]))
    bits = again.encode_bits(digits[:9])
    assert bits.shape == (9, 2) and again.decode_bits(bits).shape == (9, 8, 8)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"pool": 3}, (9, 8, 8), "pool must divide the image 1 times, got"),
        ({"filters": (4, 4, 4, 4)}, (9, 8, 8), "pool must divide the image 4 times"),
        ({"image_shape": (4, 4)}, (9, 8, 8), "image_shape must be that of X"),
        ({"kernel_size": 0}, (9, 8, 8), "kernel_size must be a positive integer, or two"),
        ({"filters": ()}, (9, 8, 8), "filters must be a sequence of positive integers, one"),
    ],
)
def test_wrong_arguments(options, shape, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionalAutoencoder(**(OPTIONS | options)).fit(np.zeros(shape))
