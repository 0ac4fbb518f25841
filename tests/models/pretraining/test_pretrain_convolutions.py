"""Greedy pre-training of convolution layers: by machines and by autoencoders."""

import numpy as np
import pytest

from ictus.models import ConvolutionalMachine, ConvolutionalTrainer, pretrain, unroll
from ictus.nn import Conv1D, Conv2D, ConvTranspose2D, Dense, Flatten, MaxPool, Network, Upsample


@pytest.fixture(scope="module")
def images():
    """Noise and one bright bar, across or down, (120, 10, 9, 1), in [0, 1]."""
    generator = np.random.default_rng(0)
    x = 0.2 * generator.random((120, 10, 9, 1))
    for number, image in enumerate(x):
        place = generator.integers(1, 8)
        image[(place, slice(None)) if number % 2 else (slice(None), place)] += 0.7
    return x.astype(np.float32)


def network_of(activation="relu", **options):
    layers = [
        Conv2D(6, 3, activation, padding="same"),
        MaxPool(2),
        Conv2D(4, (2, 3), activation),
        Flatten(),
        Dense(8, activation),
        Dense(2),
    ]
    return Network((10, 9, 1), layers, seed=1, **options)


def test_a_machine_gives_the_first_layer_its_weights(images):
    network = network_of("sigmoid", dtype="float64")
    (found,) = pretrain(network, images, layers=1, epochs=2, batch_size=20)
    machine = ConvolutionalMachine((10, 9), 6, 3, padding="same", dtype="float64", seed=1)
    options = {"sparsity_target": 0.05, "sparsity_cost": 0.1, "batch_size": 20, "epochs": 2}
    ConvolutionalTrainer(machine, learning_rate=1.0, seed=1, progress=False, **options).fit(images)
    weights, bias = network.views(network.parameters)[0]
    np.testing.assert_allclose(weights, machine.weights, rtol=1e-12)
    np.testing.assert_allclose(bias, machine.hidden_bias, rtol=1e-12)
    assert found.layer == 0 and found.decoder_weights.shape == weights.shape


def test_standardisation_is_folded_into_the_weights(images):
    x = 5 * images.astype(np.float64) - 3
    network = Network((10, 9, 1), [Conv2D(6, 3, "relu"), Flatten(), Dense(2)], dtype="float64")
    pretrain(network, x, epochs=1, learning_rate=0.05)
    scaled = (x - x.mean()) / x.std()
    machine = ConvolutionalMachine((10, 9), 6, 3, block=1, visible_type="gaussian", dtype="float64")
    options = {"sparsity_target": 0.05, "sparsity_cost": 0.1, "epochs": 1, "progress": False}
    ConvolutionalTrainer(machine, learning_rate=0.05, **options).fit(scaled)
    inputs = machine.hidden_inputs(scaled)
    np.testing.assert_allclose(network.activations(x, 0), np.maximum(inputs, 0), atol=1e-9)


@pytest.mark.parametrize("method", ["rbm", "autoencoder"])
def test_all_layers_from_the_data_up(images, method, tmp_path):
    network = network_of()
    start = network.parameters.copy()
    options = {"epochs": 2, "batch_size": 20, "checkpoint": tmp_path / "training"}
    found = pretrain(network, images, method=method, **options)
    assert [one.layer for one in found] == [0, 2, 4]
    for one in found:
        old, new = network.views(start)[one.layer][0], network.views(network.parameters)[one.layer]
        assert not np.array_equal(old, new[0])
        errors = one.history["reconstruction_error" if method == "rbm" else "loss"]
        assert len(errors) == 2 and np.isfinite(errors).all()
    np.testing.assert_array_equal(
        network.views(start)[5][0], network.views(network.parameters)[5][0]
    )
    again = network_of()
    pretrain(again, images, method=method, **options)  # from the checkpoints
    np.testing.assert_array_equal(again.parameters, network.parameters)


def test_denoising_autoencoders_learn_and_unroll(images):
    encoder = [Conv2D(6, 3, "relu", padding="same"), MaxPool(2), Conv2D(8, 3, "relu")]
    decoder = [ConvTranspose2D(6, 3, "relu"), Upsample(2), ConvTranspose2D(1, 3, padding="same")]
    network = Network((10, 8, 1), [*encoder, *decoder], "binary_cross_entropy", seed=1)
    x = np.ascontiguousarray(images[:, :, :8])
    found = pretrain(
        network,
        x,
        method="autoencoder",
        layers=2,
        epochs=8,
        learning_rate=0.01,
        batch_size=20,
        corruption="masking",
    )
    first = found[0].history["loss"]
    assert first[-1] < 0.9 * first[0]
    before = network.loss(x, x)
    unroll(network, found)
    assert network.loss(x, x) < before
    views = network.views(network.parameters)
    np.testing.assert_array_equal(views[5][0], found[0].decoder_weights)
    np.testing.assert_array_equal(views[3][1], found[1].decoder_bias)
    wrong = [*encoder, ConvTranspose2D(6, 2, "relu"), ConvTranspose2D(1, 3, padding="same")]
    with pytest.raises(ValueError, match="unroll: layer 3 must have weights of shape"):
        unroll(Network((10, 8, 1), wrong, "squared_error"), found)


def test_convolutions_in_time():
    x = np.random.default_rng(0).random((40, 12, 5)).astype(np.float32)
    for method in ("rbm", "autoencoder"):
        layers = [Conv1D(7, 4, "relu", padding=2), MaxPool(2), Flatten(), Dense(2)]
        network = Network((12, 5), layers, seed=1)
        (found,) = pretrain(network, x, method=method, epochs=1)
        assert found.decoder_weights.shape == (1, 4, 5, 7)


@pytest.mark.parametrize(
    ("layer", "method", "message"),
    [
        (Conv2D(2, 2, "relu", stride=2), "rbm", "Conv2D must have stride 1, got 2"),
        (Conv2D(2, 2, "relu", dilation=2), "autoencoder", "Conv2D must have dilation 1, got 2"),
        (Conv2D(2, 2, "relu"), "supervised", "method must be one of rbm, autoencoder for conv"),
        (Conv2D(2, 2), "rbm", "no detection units for the activation 'identity'"),
    ],
)
def test_what_cannot_be_trained(images, layer, method, message):
    network = Network((10, 9, 1), [layer, Flatten(), Dense(2)])
    with pytest.raises(ValueError, match=f"pretrain: .*{message}"):
        pretrain(network, images, method=method)
