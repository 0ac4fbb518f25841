"""Estimators on a device: the numbers of the CPU, from and to NumPy arrays."""

import numpy as np
import pytest

from ictus import (
    Autoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    ConvolutionalAutoencoder,
    MLPClassifier,
    SequenceClassifier,
    SequenceGenerator,
    SequenceLabeler,
    SequenceRegressor,
)
from ictus.io.model_file import load, save
from tests.devices import close

ROWS = 40


def images(rows=ROWS):
    generator = np.random.default_rng(5)
    y = np.arange(rows) % 3
    x = generator.random((rows, 8, 8)) * 0.5
    x[np.arange(rows), y, y] += 0.5
    return x.astype(np.float32), y


def models(estimator, device, **options):
    options |= {"max_epochs": 3, "batch_size": 16, "random_state": 0}
    return [estimator(device=where, **options) for where in ("cpu", device)]


def losses(model):
    return model.history_["loss"]


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (ConvNetClassifier, {"filters": (4,), "hidden_units": (6,), "spatial_dropout": 0.1}),
        (ConvNetClassifier, {"filters": (4, 4), "batch_norm": True, "early_stopping": True}),
        (ConvNetRegressor, {"filters": (3,), "hidden_units": ()}),
    ],
)
def test_convolutional_networks(device, tmp_path, estimator, options):
    x, y = images()
    fitted = [each.fit(x, y) for each in models(estimator, device, **options)]
    close(losses(fitted[1]), losses(fitted[0]))
    assert fitted[1].network_.device == device
    close(fitted[1].predict(x), fitted[0].predict(x), 1e-3)
    close(fitted[1].transform(x), fitted[0].transform(x), 1e-3)
    save(tmp_path / "model.ictus", fitted[1])
    close(load(tmp_path / "model.ictus").predict(x), fitted[1].predict(x), 1e-3)


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (Autoencoder, {"hidden_units": (16, 8), "corruption": "masking", "tied": True}),
        (Autoencoder, {"hidden_units": (8,), "contraction": 0.01, "sparsity_cost": 0.1}),
        (Autoencoder, {"hidden_units": (8,), "code_noise": 1.0, "loss": "squared_error"}),
        (Autoencoder, {"hidden_units": (9, 8), "pretrain": "autoencoder", "pretraining_epochs": 2}),
        (ConvolutionalAutoencoder, {"filters": (4, 2), "corruption": "salt_and_pepper"}),
        (ConvolutionalAutoencoder,
         {"filters": (4,), "pretrain": "autoencoder", "pretraining_epochs": 1}),
    ],
)  # fmt: skip
def test_autoencoders(device, estimator, options):
    x = images()[0]
    x = x if estimator is ConvolutionalAutoencoder else x.reshape(ROWS, -1)
    fitted = [each.fit(x) for each in models(estimator, device, **options)]
    close(losses(fitted[1]), losses(fitted[0]))
    close(fitted[1].reconstruct(x), fitted[0].reconstruct(x), 1e-3)
    codes = fitted[0].transform(x)
    close(fitted[1].transform(x), codes, 1e-3)
    close(fitted[1].inverse_transform(codes), fitted[0].inverse_transform(codes), 1e-3)
    close(fitted[1].residual_, fitted[0].residual_, 1e-3)
    known = np.ones(x.shape[1:], bool)
    known[:2] = False
    close(fitted[1].complete(x, known), fitted[0].complete(x, known), 1e-3)


@pytest.mark.parametrize("method", ["autoencoder", "supervised"])
def test_pretraining(device, method):
    x, y = images()
    options = {"hidden_units": (10, 8), "activation": "sigmoid", "pretraining_epochs": 2}
    fitted = [
        each.fit(x.reshape(ROWS, -1), y)
        for each in models(MLPClassifier, device, pretrain=method, **options)
    ]
    for one, other in zip(fitted[1].pretraining_, fitted[0].pretraining_, strict=True):
        close(one["loss"], other["loss"])
    close(losses(fitted[1]), losses(fitted[0]))
