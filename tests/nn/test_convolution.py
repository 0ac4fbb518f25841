"""Convolution and pooling layers: gradients, R-operator, Gauss-Newton products, shapes, errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ictus
from ictus.nn import (
    Activation,
    AveragePool,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Network,
)
from ictus.nn.activated import sum_bias_gradient
from ictus.train import Trainer
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator


@st.composite
def networks(draw, axes=2):
    """A small network over images or sequences of float64, and a batch for it."""
    conv = Conv2D if axes == 2 else Conv1D
    groups = draw(st.sampled_from([1, 1, 2]))
    channels = groups * draw(st.integers(1, 3))
    size = [draw(st.integers(6, 9)) for _ in range(axes)]
    options = {
        "stride": draw(st.sampled_from([1, 1, 2])),
        "dilation": draw(st.sampled_from([1, 1, 2])),
        "padding": draw(st.sampled_from(["valid", "same", 1])),
        "groups": groups,
        "pool": draw(st.sampled_from([None, None, 1, 2])),
        "dropout": draw(st.sampled_from([0.0, 0.3])),
    }
    activation = draw(st.sampled_from(["tanh", "sigmoid", "relu", "softplus"]))
    pool = draw(st.sampled_from([MaxPool, AveragePool]))
    pooling = draw(
        st.sampled_from([{}, {"stride": 1}, {"padding": 1, "stride": 2}, {"dilation": 2}])
    )
    layers = [
        conv(
            groups * draw(st.integers(1, 3)),
            draw(st.sampled_from([1, 2, 3])),
            activation,
            **options,
        ),
        pool(draw(st.sampled_from([1, 2])) if "padding" not in pooling else 2, **pooling),
        conv(3, 2, "tanh", padding="same"),
    ]
    ends = {
        "dense": [Flatten(), Dense(3)],
        "global": [conv(3, 1), AveragePool(None), Flatten()],
        "places": [Activation("sigmoid"), Dropout(0.2), conv(3, 1)],
    }
    layers += ends[draw(st.sampled_from(sorted(ends)))]
    loss = draw(st.sampled_from(["softmax_cross_entropy", "squared_error"]))
    shape = (*size, channels)
    try:
        network = Network(shape, layers, loss, dtype=np.float64, seed=draw(st.integers(0, 99)))
    except ValueError as error:
        assert "must fit the p" in str(error)  # padded image, or places
        return None
    generator = np.random.default_rng(network.seed)
    # Units that see nothing but padding would be at the kink of a rectifier with a bias of zero.
    network.parameters[...] = 0.5 * generator.standard_normal(network.parameter_count)
    x = generator.normal(size=(3, *shape))
    outputs = network.output_shape
    if loss == "softmax_cross_entropy":
        y = generator.integers(0, 3, (3, *outputs[:-1]))
    else:
        y = generator.normal(size=(3, *outputs))
    return network, x, network.checked_targets(y, x)


@pytest.mark.parametrize("axes", [1, 2])
@settings(max_examples=25)
@given(data=st.data())
def test_derivatives(axes, data):
    case = data.draw(networks(axes))
    if case is None:
        return
    network, x, y = case
    check_gradient(network, x, y)
    check_r_operator(network, x)
    check_gauss_newton(network, x)


def lenet(**options):
    return Network(
        (12, 12, 1),
        [
            Conv2D(6, 3, "relu", padding="same"),
            MaxPool(2),
            Conv2D(16, 3, "relu", dropout=0.2),
            MaxPool(2),
            Flatten(),
            Dense(12, "tanh"),
            Dense(4),
        ],
        **options,
    )


def data(rows=40, shape=(12, 12, 1), classes=4):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(rows, *shape)).astype(np.float32)
    return x, generator.integers(0, classes, rows)


class TestPooled:
    def test_the_same_as_a_pooling_layer(self):
        x, y = data(21, (13, 14, 3))
        rest = [Conv2D(8, 2, "relu"), Flatten(), Dense(4)]
        fused = Network((13, 14, 3), [Conv2D(6, 3, "tanh", pool=(2, 3)), *rest], seed=2)
        rest = [Conv2D(8, 2, "relu"), Flatten(), Dense(4)]
        layers = [Conv2D(6, 3, "tanh"), MaxPool((2, 3)), *rest]
        apart = Network((13, 14, 3), layers, seed=2)
        assert fused.layers[0].output_shape((13, 14, 3)) == (5, 4, 6)
        np.testing.assert_array_equal(fused.parameters, apart.parameters)
        np.testing.assert_allclose(fused.predict(x), apart.predict(x), rtol=1e-5)
        losses = [n.loss_and_gradient(x, y) for n in (fused, apart)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        size = abs(apart.gradient).max()
        np.testing.assert_allclose(fused.gradient, apart.gradient, rtol=1e-4, atol=1e-5 * size)

    def test_gradient_after_inference(self):
        # Inference leaves no argmax: what needs it makes it anew.
        x, y = data(5, (9, 8, 2))
        network = Network((9, 8, 2), [Conv2D(3, 2, "relu", pool=2), Flatten(), Dense(4)], seed=1)
        network.loss_and_gradient(x, y)
        expected = network.gradient.copy()
        network.loss_and_gradient(x[:, ::-1].copy(), y)
        network.predict(x)
        network.loss_and_gradient(x, y, training=False)
        np.testing.assert_array_equal(network.gradient, expected)

    def test_configuration_and_errors(self):
        network = Network((9, 8, 2), [Conv2D(3, 2, pool=(2, 1)), Flatten(), Dense(4)])
        same = Network.from_config(network.config())
        assert same.layers[0].pool == (2, 1)
        assert same.output_shape == (4,)
        with pytest.raises(ValueError, match="pool must be an integer of at least 1"):
            Conv2D(3, 2, pool=0)
        with pytest.raises(ValueError, match="pool 9 must fit the places of the convolution"):
            Network((9, 8, 2), [Conv2D(3, 2, pool=9), Flatten(), Dense(4)])


class TestNetwork:
    def test_a_layer_is_the_kernel(self):
        x, _ = data(3, (7, 9, 4))
        layer = Conv2D(6, (3, 2), "tanh", stride=(1, 2), padding=((0, 1), (1, 0)), groups=2)
        network = Network((7, 9, 4), [layer, Conv2D(2, 1)], seed=3)
        weights, bias = network.views(network.parameters)[0]
        bias[...] = np.arange(6)
        expected = ictus.kernels.convolution(
            x, weights, bias=bias, activation="tanh", stride=(1, 2), padding=((0, 1), (1, 0)),
            groups=2,
        )  # fmt: skip
        np.testing.assert_array_equal(network.activations(x, 0), expected)
        assert network.output_shape == (6, 5, 2)

    def test_images_as_rows_without_channels_and_in_parts(self):
        network = lenet()
        x, _ = data()
        p = network.predict(x)
        assert p.shape == (40, 4)
        np.testing.assert_array_equal(network.predict(x.reshape(40, -1)), p)
        np.testing.assert_array_equal(network.predict(x[..., 0]), p)
        np.testing.assert_allclose(network.predict(x, batch_size=7), p, rtol=1e-5)

    def test_images_of_any_size(self):
        layers = [Conv2D(5, 3, "relu"), MaxPool(2), Conv2D(4, 2), AveragePool(None), Flatten()]
        network = Network((None, None, 2), layers, seed=5)
        assert network.output_shape == (4,)
        for size in ((9, 9), (8, 20), (31, 7), (9, 9), (6, 6), (7, 6), (6, 7)):
            x, y = data(3, (*size, 2))
            same = Network((*size, 2), network_layers(network), seed=5)
            np.testing.assert_array_equal(network.predict(x), same.predict(x))
            assert network.loss_and_gradient(x, y) == same.loss_and_gradient(x, y)
            np.testing.assert_array_equal(network.gradient, same.gradient)
        with pytest.raises(ValueError, match=r"on examples of shape \(2, 9, 2\): the window"):
            network.predict(np.zeros((1, 2, 9, 2), np.float32))

    def test_places_have_targets(self):
        network = Network((None, 2), [Conv1D(8, 3, "tanh", padding="same"), Conv1D(3, 1)])
        x, _ = data(4, (10, 2))
        y = np.random.default_rng(2).integers(0, 3, (4, 10))
        assert network.predict(x).shape == (4, 10, 3)
        trainer = Trainer(network, ictus.Adam(0.02), batch_size=2, epochs=200, progress=False)
        history = trainer.fit(x, y, weights=np.array([1.0, 2.0, 1.0, 1.0]))
        assert history["loss"][-1] < 0.2 * history["loss"][0]
        with pytest.raises(ValueError, match=r"y must have shape \(4, 10\) or \(4, 10, 3\)"):
            network.loss(x, y[:, :9])

    def test_the_first_layer_has_no_gradient_of_the_data(self):
        network = lenet()
        x, y = data()
        network.loss_and_gradient(x, y)
        caches = network._passes.of(40, (12, 12, 1))
        caches[0].input_gradient.fill(7)
        network.loss_and_gradient(x, y)
        assert (caches[0].input_gradient == 7).all()

    def test_configuration_pickle_and_model_file(self, tmp_path):
        network = lenet(seed=4)
        x, _ = data()
        path = tmp_path / "lenet.ictus"
        ictus.save(path, network)
        for copy in (pickle.loads(pickle.dumps(network)), ictus.load(path)):
            assert copy.config() == network.config()
            np.testing.assert_array_equal(copy.predict(x), network.predict(x))

    @pytest.mark.parametrize("accumulate", [False, True])
    @pytest.mark.parametrize("rows", [1024, 1030, 1037, 3])
    def test_bias_gradients_of_many_places(self, rows, accumulate):
        grad = np.random.default_rng(1).normal(size=(rows, 6)).astype(np.float32)
        into = np.ones(6, np.float32)
        sum_bias_gradient(grad, into, accumulate)
        expected = grad.astype(np.float64).sum(0) + accumulate
        np.testing.assert_allclose(into, expected, rtol=1e-4, atol=1e-4)

    def test_max_norm_sees_a_filter_as_one_unit(self):
        network = lenet()
        x, y = data()
        network.parameters *= 5
        Trainer(network, ictus.SGD(0.01, max_norm=0.5), epochs=1, progress=False).fit(x, y)
        weights = network.views(network.parameters)[2][0]
        assert np.sqrt((weights**2).sum(axis=(0, 1, 2))).max() <= 0.5 + 1e-6
        assert network.weight_matrices[1].shape == (54, 16)

    @pytest.mark.usefixtures("keep_threads")
    def test_training_is_the_same_for_any_number_of_threads_and_resumed(self, tmp_path):
        x, y = data(100)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            network = lenet(seed=2)
            Trainer(network, epochs=3, batch_size=30, progress=False).fit(x, y)
            results.append(network.parameters.copy())
        path = tmp_path / "checkpoint"
        for epochs in (1, 3):
            network = lenet(seed=2)
            trainer = Trainer(
                network, epochs=epochs, batch_size=30, progress=False, checkpoint=path
            )
            trainer.resume()
            trainer.fit(x, y)
        for other in (*results[1:], network.parameters):
            np.testing.assert_array_equal(results[0], other)

    def test_initial_weights_have_the_rule_s_deviation(self):
        network = Network((9, 9, 30), [Conv2D(40, 5, "relu"), Conv2D(50, 3, "tanh"), Conv2D(2, 1)])
        he, glorot = (views[0] for views in network.views(network.parameters)[:2])
        assert abs(he.std() / np.sqrt(2 / (25 * 30)) - 1) < 0.02
        assert abs(abs(glorot).max() / np.sqrt(6 / (9 * (40 + 50))) - 1) < 0.01


def network_layers(network):
    from ictus.nn.kinds import layers_from_config

    return layers_from_config(network.config()["layers"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(0, 3), "Conv2D: filters must be a positive integer, got 0"),
        (lambda: Conv2D(4, 0), "Conv2D: window must be an integer of at least 1"),
        (lambda: Conv2D(4, 3, stride=0), "Conv2D: stride must be"),
        (lambda: Conv2D(4, 3, dilation=0), "Conv2D: dilation must be"),
        (lambda: Conv2D(4, 3, padding="full"), "Conv2D: padding must be valid, same or numbers"),
        (lambda: Conv2D(4, 3, padding=-1), "Conv2D: padding must not be negative"),
        (lambda: Conv2D(4, 3, groups=3), "groups must divide the filters, got 3 for 4"),
        (lambda: Conv2D(4, 3, dropout=1), r"Conv2D: dropout must be in \[0, 1\)"),
        (lambda: Conv2D(4, 3, "sine"), "Conv2D: activation must be one of"),
        (lambda: Conv2D(4, 3, initialization="x"), "Conv2D: initialization must be one of"),
        (lambda: MaxPool(0), "MaxPool: window must be"),
        (lambda: AveragePool(2, stride=0), "AveragePool: stride must be"),
        (lambda: Network((5, 5, 3), [Conv2D(4, 6)]), "Conv2D on examples .* its height is 6"),
        (lambda: Network((5, 3), [Conv2D(4, 2)]), r"Conv2D takes examples of shape \(height, w"),
        (lambda: Network((5, 5, 3), [Conv1D(4, 2)]), r"Conv1D takes examples of shape \(time, ch"),
        (lambda: Network(5, [Conv1D(4, 2)]), r"Conv1D takes examples of shape \(time, channels\)"),
        (lambda: Network((5, 5, 3), [Conv2D(4, 2, groups=2)]), "groups must divide the channels"),
        (lambda: Network((5, 5, 3), [Dense(4)]), "Dense takes vectors, .*: put a Flatten layer"),
        (lambda: Network((None, 5, 3), [Flatten()]), "Flatten needs examples of a fixed size"),
        (lambda: Network((5, 5, 3), [Conv2D(4, 2, "relu")]), "last Conv2D layer must be linear"),
        (lambda: Network((5, 0, 3), [Conv2D(4, 2)]), "input_size must be .time, channels. or"),
        (lambda: Network((5, 5, None), [Conv2D(4, 2)]), "input_size must be .time, channels. or"),
        (lambda: lenet().predict(np.zeros((2, 12, 11, 1))), "x must have shape .rows, 12, 12, 1"),
        (lambda: lenet().predict(np.zeros((2, 12, 12, 2))), "x must have shape .rows, 12, 12, 1"),
        (lambda: Trainer(lenet()).fit(np.zeros((2, 9, 12)), [0, 1]), "x must have shape .rows, 12"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
