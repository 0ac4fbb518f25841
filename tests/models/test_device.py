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
        # By SGD: Adam moves the biases before a normalisation, whose gradients are rounding alone.
        (ConvNetClassifier,
         {"filters": (4, 4), "batch_norm": True, "early_stopping": True, "optimizer": "sgd"}),
        (ConvNetRegressor, {"filters": (3,), "hidden_units": ()}),
    ],
)  # fmt: skip
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


def sequences(count=12):
    generator = np.random.default_rng(2)
    x = [generator.standard_normal((n, 3)).astype(np.float32) for n in 3 + np.arange(count) % 5]
    return x, [(one.cumsum(axis=0)[:, 0] > 0).astype(int) for one in x]


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (SequenceLabeler, {"bidirectional": True, "class_weight": "balanced", "dropout": 0.1}),
        (SequenceLabeler, {"cell": "gru", "truncate": 4, "early_stopping": True}),
        (SequenceClassifier, {"cell": "recurrent"}),
        (SequenceRegressor, {}),
    ],
)
def test_estimators_of_sequences(device, tmp_path, estimator, options):
    x, y = sequences()
    if estimator is SequenceClassifier:
        y = [one[-1] for one in y]
    if estimator is SequenceRegressor:
        y = [one.mean() for one in x]
    fitted = [each.fit(x, y) for each in models(estimator, device, units=(6,), **options)]
    close(losses(fitted[1]), losses(fitted[0]))
    for one, other in zip(fitted[1].predict(x), fitted[0].predict(x), strict=True):
        close(one, other, 1e-3)
    save(tmp_path / "model.ictus", fitted[1])
    again = load(tmp_path / "model.ictus")
    for one, other in zip(again.predict(x), fitted[1].predict(x), strict=True):
        close(one, other, 1e-3)


def test_a_generator_of_symbols(device):
    texts = ["abcabc", "abc", "abcabcabc", "cba"]
    fitted = [each.fit(texts) for each in models(SequenceGenerator, device, units=(8,))]
    close(losses(fitted[1]), losses(fitted[0]))
    close(fitted[1].log_likelihood(texts), fitted[0].log_likelihood(texts))
    samples = [each.sample(random_state=0, max_length=20) for each in fitted]
    assert samples[1] == samples[0]
