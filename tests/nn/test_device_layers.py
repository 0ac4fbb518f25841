"""Layers over images and sequences on a device: the losses and gradients of the CPU."""

import numpy as np
import pytest

from ictus.kernels._device import to_device
from ictus.nn import (
    Activation,
    Affine,
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    MeanCovariance,
    Network,
    Noise,
    SpatialDropout,
    Standardize,
    Subsampling,
    TiedDense,
    Upsample,
    part_outputs,
)
from ictus.optim import SGD, Adam
from tests.devices import close

CLASSES = 3

#: Input shape and layers of networks that have all kinds of layers between them.
CHAINS = {
    "convolutions": (
        (10, 9, 1),
        lambda: [
            Conv2D(6, 3, "relu", padding="same", dropout=0.2),
            MaxPool(2),
            SpatialDropout(0.3),
            Conv2D(8, (2, 3), "tanh", stride=(2, 1), groups=2),
            BatchNorm("softplus"),
            Flatten(),
            Dense(CLASSES),
        ],
    ),
    "pooled": (
        (12, 10, 2),
        lambda: [
            Conv2D(5, 3, "tanh", pool=2),
            Conv2D(4, 2, "relu", pool=(2, 1), dropout=0.1),
            AveragePool(None),
            Flatten(),
            Dense(CLASSES),
        ],
    ),
    "sequences": (
        (20, 3),
        lambda: [
            Standardize(),
            Conv1D(6, 4, "relu", dilation=2, padding=1),
            MaxPool(2),
            Conv1D(6, 3, padding="same"),
            LayerNorm(),
            Activation("tanh"),
            Flatten(),
            Dense(CLASSES),
        ],
    ),
    "lenet": (
        (10, 10, 1),
        lambda: [
            Conv2D(4, 3, "tanh"),
            Subsampling(2),
            LocalResponseNorm(3, alpha=0.1),
            Affine(1.2, 0.1),
            Conv2D(6, 3, "sigmoid"),
            Flatten(),
            Dense(CLASSES),
        ],
    ),
    "any size": (
        (None, 8, 1),
        lambda: [Conv2D(5, 3, "relu"), MaxPool(None), Flatten(), Dense(CLASSES)],
    ),
    "mean-covariance": ((12,), lambda: [MeanCovariance(7, 3), Dense(CLASSES)]),
}


def examples(shape, rows=24):
    generator = np.random.default_rng(8)
    shape = tuple(n or 7 for n in shape)
    x = generator.standard_normal((rows, *shape)).astype(np.float32)
    return x, generator.integers(0, CLASSES, rows)


def losses_of(network, x, y, rule, steps=20, batch=8):
    rule.prepare(network.parameters, network.weight_segments, network.weight_matrices)
    losses = []
    for step in range(steps):
        first = step * batch % len(x)
        rows = slice(first, first + batch)
        losses.append(network.loss_and_gradient(x[rows], y[rows]))
        rule.step(network.parameters, network.gradient)
    return losses


@pytest.mark.parametrize("chain", CHAINS)
def test_twenty_steps_equal_those_of_the_cpu(device, chain):
    shape, layers = CHAINS[chain]
    x, y = examples(shape)
    networks = [Network(shape, layers(), seed=3), Network(shape, layers(), seed=3).to(device)]
    losses = [losses_of(each, x, y, SGD(0.05, momentum=0.5)) for each in networks]
    close(losses[1], losses[0])
    assert len(set(losses[0])) == len(losses[0])
    close(networks[1].predict(x), networks[0].predict(x), 1e-3)
    close(networks[1].numbers.get(), networks[0].numbers, 1e-3)
    direction = np.random.default_rng(0).standard_normal(networks[0].parameter_count)
    direction = direction.astype(np.float32)
    tangents = [n.jvp(x, to_device(n.device, direction)) for n in networks]
    close(tangents[1].get(), tangents[0], 1e-3)


def autoencoder():
    return [
        Noise("gaussian", 0.1),
        Conv2D(4, 3, "relu", stride=2, padding=1),
        ConvTranspose2D(3, 4, "tanh", stride=2, padding=1, dropout=0.1),
        AveragePool(2),
        Upsample(2),
        Conv2D(1, 3, padding="same"),
    ]


def tied():
    return [
        Noise("masking", 0.2),
        Dense(9, "sigmoid", contraction=0.1),
        Activation("tanh", sparsity_cost=0.1),
        TiedDense(1),
    ]


@pytest.mark.parametrize(("shape", "layers"), [((8, 8, 1), autoencoder), ((12,), tied)])
def test_reconstructions_equal_those_of_the_cpu(device, shape, layers):
    x = examples(shape)[0]
    networks = [Network(shape, layers(), "squared_error", seed=2) for _ in range(2)]
    networks[1].to(device)
    y = networks[0].checked_targets(x, x)
    losses = [losses_of(each, x, y, Adam(0.01)) for each in networks]
    close(losses[1], losses[0])
    close(networks[1].predict(x), networks[0].predict(x), 1e-3)


@pytest.mark.parametrize("padding", ["valid", "edge"])
def test_a_network_slides_over_arrays_of_both(device, padding):
    network = Network((6, 8, 1), [Conv2D(5, 3, "relu"), MaxPool(2), Flatten(), Dense(CLASSES)])
    x = examples((20, 8, 1), 1)[0][0]
    expected = network.slide(x, padding=padding, at_once=6)
    network.to(device)
    close(network.slide(x, padding=padding, at_once=6), expected)
    there = network.slide(to_device(device, x), padding=padding)
    assert not isinstance(there, np.ndarray)
    close(there, expected)


def test_gradients_of_inputs_and_parts_of_a_network_lie_where_they_were_asked_for(device):
    shape, layers = CHAINS["convolutions"]
    x = examples(shape)[0]
    network = Network(shape, layers(), seed=4)
    codes = network.activations(x, 3).reshape(len(x), -1)
    of_y = np.random.default_rng(1).standard_normal((len(x), CLASSES))
    expected = network.input_gradient(x, of_y, guided=True)
    outputs = part_outputs(network, codes, 4, 6)
    network.to(device)
    close(network.input_gradient(x, of_y, guided=True), expected)
    close(part_outputs(network, codes, 4, 6), outputs)
    there = network.input_gradient(to_device(device, x), of_y, guided=True)
    parts = part_outputs(network, to_device(device, codes), 4, 6)
    assert not isinstance(there, np.ndarray) and not isinstance(parts, np.ndarray)
    close(there, expected)
    close(parts, outputs)
