"""Looking inside networks: gradients of inputs, occlusion, maximisation, neighbours."""

import numpy as np
import pytest

from ictus import Activation, AveragePool, Conv2D, Dense, Dropout, Flatten, MaxPool, Network
from ictus.models import inspection


def convolutional(dtype=np.float64, size=(8, 7, 2), activation="tanh"):
    layers = [
        Conv2D(4, 3, activation),
        MaxPool(2),
        Conv2D(3, 2, "identity", dropout=0.3),
        Activation("relu"),
        AveragePool(1),
        Flatten(),
        Dense(5, activation),
        Dropout(0.5),
        Dense(3),
    ]
    return Network(size, layers, dtype=dtype, seed=2)


def images(rows=4, size=(8, 7, 2), seed=0):
    return np.random.default_rng(seed).standard_normal((rows, *size))


@pytest.mark.parametrize("layer", [-1, 6, 3, 1, 0])
def test_input_gradients_are_central_differences(layer):
    network, x = convolutional(), images()
    outputs = network.activations(x, layer)
    weights = np.random.default_rng(1).standard_normal(outputs.shape)
    before = network.gradient.copy()
    gradient = network.input_gradient(x, weights, layer)
    np.testing.assert_array_equal(network.gradient, before)
    direction = images(seed=3)
    sides = [
        (network.activations(x + step * direction, layer) * weights).sum() for step in (1e-6, -1e-6)
    ]
    expected = (sides[0] - sides[1]) / 2e-6
    assert abs((gradient * direction).sum() - expected) < 1e-7 * max(1, abs(expected))
    # Parts of a batch have the gradients of the whole.
    parts = [network.input_gradient(x[i : i + 1], weights[i : i + 1], layer) for i in range(4)]
    np.testing.assert_allclose(np.concatenate(parts), gradient, rtol=1e-12, atol=1e-14)


def test_saliency_of_the_chosen_and_of_the_largest_output():
    network, x = convolutional(), images()
    largest = network.forward(x).argmax(axis=1)
    seeds = np.eye(3)[largest]
    expected = network.input_gradient(x, seeds)
    np.testing.assert_array_equal(inspection.saliency(network, x), expected)
    np.testing.assert_array_equal(inspection.saliency(network, x, largest), expected)
    maps = inspection.feature_maps(network, x, 0)
    assert maps.shape == (4, 6, 5, 4)
    ones = np.zeros_like(maps)
    ones[..., 2] = 1
    np.testing.assert_array_equal(
        inspection.saliency(network, x, 2, layer=0), network.input_gradient(x, ones, 0)
    )


def test_guided_backpropagation_cuts_negative_gradients_at_rectifiers():
    network = Network(3, [Dense(4, "relu"), Dense(2)], dtype=np.float64, seed=3)
    x = np.random.default_rng(0).standard_normal((6, 3))
    (first, bias), (second, _) = network.views(network.parameters)
    active = x @ first + bias > 0
    expected = (active * np.maximum(second[:, 1], 0)) @ first.T
    guided = inspection.guided_backpropagation(network, x, 1)
    np.testing.assert_allclose(guided, expected, rtol=1e-12)
    assert not np.allclose(guided, inspection.saliency(network, x, 1))


def test_occlusion_is_the_fall_of_the_output():
    network, x = convolutional(), images(3)
    falls = inspection.occlusion(network, x, [0, 2, 1], patch=(3, 2), stride=(2, 3), value=0.5)
    assert falls.shape == (3, 3, 2)
    covered = x.copy()
    covered[:, 2:5, 3:5] = 0.5
    difference = network.predict(x) - network.predict(covered)
    np.testing.assert_allclose(falls[:, 1, 1], difference[np.arange(3), [0, 2, 1]], rtol=1e-9)
    flat = Network(12, [Dense(4, "tanh"), Dense(2)])
    assert inspection.occlusion(flat, np.ones((2, 3, 4)), patch=2).shape == (2, 2, 3)


def test_maximisation_excites_its_units_more_than_examples_do():
    network = convolutional(activation="relu")
    x = images(200)
    for layer, units in ((-1, [0, 1, 2]), (2, [0, 2])):
        made = inspection.activation_maximisation(network, units, layer=layer, steps=40, seed=1)
        assert made.shape == (len(units), 8, 7, 2)
        for number, unit in enumerate(units):
            # Of the same length as an example: the pattern counts.
            scaled = made[number] * np.sqrt(np.square(x).mean() / np.square(made[number]).mean())

            def output(of, unit=unit, layer=layer):
                return network.activations(of, layer)[..., unit].reshape(len(of), -1).mean(axis=1)

            assert output(scaled[None]) > np.quantile(output(x), 0.99)
    again = inspection.activation_maximisation(network, [0], layer=-1, steps=3, seed=1)
    np.testing.assert_array_equal(
        again, inspection.activation_maximisation(network, [0], layer=-1, steps=3, seed=1)
    )
    bounded = inspection.activation_maximisation(network, [1], steps=5, bounds=(0, 1))
    assert bounded.min() >= 0 and bounded.max() <= 1
    dense = Network(12, [Dense(4, "tanh"), Dense(2)])
    assert inspection.activation_maximisation(dense, [1], input_shape=(3, 4)).shape == (1, 3, 4)


def test_units_that_are_off_at_the_start_are_found():
    network = Network(4, [Dense(2, "relu"), Dense(1)], dtype=np.float64, seed=1)
    (weights, bias), _ = network.views(network.parameters)
    bias[...] = -1.0  # off for small inputs
    assert not inspection.saliency(network, np.zeros((1, 4)), 0, layer=0).any()
    made = inspection.activation_maximisation(network, [0, 1], layer=0, steps=200, l2=0.0)
    assert (np.diag(network.activations(made, 0)) > 1).all()
    direction = made[0] / np.linalg.norm(made[0])
    assert direction @ weights[:, 0] > 0.9 * np.linalg.norm(weights[:, 0])


def test_filters_in_the_shape_of_what_they_see():
    network = convolutional()
    views = network.views(network.parameters)
    of_second = inspection.filters(network, 2)
    assert of_second.shape == (3, 2, 2, 4)
    np.testing.assert_array_equal(of_second[1], views[2][0][..., 1])
    dense = Network(12, [Dense(4, "tanh"), Dense(2)])
    assert inspection.filters(dense).shape == (4, 12)
    with pytest.raises(ValueError, match=r"layer must have weights, MaxPool \(layer 1\) has none"):
        inspection.filters(network, 1)


def test_neighbours_and_embeddings():
    network, x = convolutional(), images(40)
    indices, distances = inspection.nearest_neighbours(network, x[:3], x, layer=1, count=4)
    np.testing.assert_array_equal(indices[:, 0], [0, 1, 2])
    assert (distances[:, 0] < 1e-6).all() and (np.diff(distances) >= 0).all()
    features = network.activations(x, -2)
    plane = inspection.embedding(network, x)
    centred = features - features.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.sqrt(np.square(plane).sum(axis=0)), variances, rtol=1e-6)
    assert inspection.embedding(network, x, method="tsne", perplexity=5).shape == (40, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n, x: inspection.filters("net"), TypeError, "model must be a Network"),
        (lambda n, x: inspection.saliency(n, x, 3), ValueError, r"unit must be an integer in \[0"),
        (lambda n, x: inspection.saliency(n, x, 0.5), ValueError, "unit must be an integer"),
        (lambda n, x: inspection.saliency(n, x, layer=9), ValueError, "layer must be in -9 .. 8"),
        (lambda n, x: n.input_gradient(x, np.ones((4, 2))), ValueError, "y_gradient must have sha"),
        (lambda n, x: inspection.saliency(n, x[:, :3]), ValueError, "x must have shape"),
        (lambda n, x: inspection.occlusion(n, x, patch=9), ValueError, "patch must fit the images"),
        (lambda n, x: inspection.occlusion(n, x[0, 0]), ValueError, "x must have shape"),
        (lambda n, x: inspection.embedding(n, x, method="map"), ValueError, "one of pca, tsne"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(convolutional(), images())
