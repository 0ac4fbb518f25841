"""Noise, Activation, TiedDense and penalties: gradients and R-operators in double precision."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import ictus
from ictus import kernels
from ictus.nn import Activation, Dense, Dropout, Network, Noise, SequenceNetwork, TiedDense
from ictus.optim import SGD

PENALTIES = {
    "none": {},
    "contraction": {"contraction": 0.3},
    "sparsity": {"sparsity_target": 0.2, "sparsity_cost": 0.7},
    "both": {"contraction": 0.2, "sparsity_target": 0.1, "sparsity_cost": 0.4},
}


def autoencoder(kind, activation="sigmoid", penalty="none", seed=3):
    more = PENALTIES[penalty]
    first, second = Dense(7, activation, **more), Dense(4, activation, **more)
    layers = {
        "free": [first, second, Dense(7, activation), Dense(5)],
        "tied": [first, second, TiedDense(1, activation), TiedDense(0)],
        "tied to one twice": [
            first,
            TiedDense(0, activation),
            Dense(7, activation),
            TiedDense(0),
        ],
        "tied after noise": [Noise("masking", 0.4), first, TiedDense(1)],
        "gaussian inside": [Dense(4), Noise("gaussian", 0.5), Activation(activation), Dense(5)],
        "salt inside": [Dense(4), Noise("salt_and_pepper", 0.4), Activation(activation), Dense(5)],
        "masking inside": [Dense(4), Noise("masking", 0.4), Dropout(0.2), Dense(5)],
    }
    if kind == "sparse activation":
        sparse = Activation(activation, sparsity_target=0.2, sparsity_cost=0.7)
        layers[kind] = [Dense(4), sparse, Dense(5)]
    network = Network(5, layers[kind], "squared_error", dtype=np.float64, seed=seed)
    network.parameters += 0.1 * np.random.default_rng(seed).standard_normal(network.parameter_count)
    return network


def data(rows=6, columns=5, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns))


def check_gradient(network, x, accumulate=False):
    """Central differences along random directions: relative error at most 1e-6."""

    def value():
        before = network.draw_count
        loss = network.loss_and_gradient(x, x)
        network.draw_count = before
        return loss

    value()
    gradient = network.gradient.copy()
    generator = np.random.default_rng(1)
    start = network.parameters.copy()
    for _ in range(3):
        direction = generator.standard_normal(network.parameter_count)
        exact = gradient @ direction
        for step in (1e-5, 1e-6, 1e-7):  # a smaller step where a rectifier's kink is near
            network.parameters[...] = start + step * direction
            up = value()
            network.parameters[...] = start - step * direction
            down = value()
            network.parameters[...] = start
            slope = (up - down) / (2 * step)
            if abs(slope - exact) <= 1e-6 * max(abs(exact), np.linalg.norm(gradient), 1e-3):
                break
        else:
            pytest.fail(f"derivative {exact}, central difference {slope}")


def check_r_operator(network, x):
    direction = np.random.default_rng(1).standard_normal(network.parameter_count)
    product = network.jvp(x, direction)
    start, step = network.parameters.copy(), 1e-6
    network.parameters[...] = start + step * direction
    up = network.forward(x)
    network.parameters[...] = start - step * direction
    difference = (up - network.forward(x)) / (2 * step)
    network.parameters[...] = start
    assert np.linalg.norm(product - difference) < 1e-6 * np.linalg.norm(product)


KINDS = ["free", "tied", "tied to one twice", "tied after noise", "gaussian inside"]
KINDS += ["salt inside", "masking inside"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "identity"])
def test_gradient_and_r_operator(kind, activation):
    network = autoencoder(kind, activation)
    check_gradient(network, data())
    check_r_operator(network, data())


@pytest.mark.parametrize("kind", ["free", "tied", "tied to one twice", "tied after noise"])
@pytest.mark.parametrize(
    ("activation", "penalty"),
    [
        *itertools.product(["sigmoid", "tanh"], ["contraction", "sparsity", "both"]),
        *itertools.product(["relu", "softplus", "identity"], ["contraction"]),
    ],
)
def test_gradient_with_penalties(kind, activation, penalty):
    network = autoencoder(kind, activation, penalty)
    check_gradient(network, data())
    check_r_operator(network, data())


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_gradient_of_a_sparse_activation_layer(activation):
    network = autoencoder("sparse activation", activation)
    check_gradient(network, data())
    check_r_operator(network, data())


def test_gauss_newton_product_of_a_tied_network_equals_the_explicit_matrix():
    network = autoencoder("tied", "tanh", "contraction")
    x = data()
    jacobian = np.stack([network.jvp(x, e).ravel() for e in np.eye(network.parameter_count)], 1)
    direction = np.random.default_rng(2).standard_normal(network.parameter_count)
    product = network.gauss_newton_product(x, direction)
    np.testing.assert_allclose(product, jacobian.T @ (jacobian @ direction) / len(x), atol=1e-12)


class TestPenalties:
    def test_values_are_those_of_the_papers(self):
        """The squared Frobenius norm of the explicit Jacobian; the divergence of mean outputs."""
        x = data()
        network = autoencoder("free", "sigmoid")
        plain = network.loss_and_gradient(x, x)
        h = network.activations(x, 0)
        weights = network.weight_matrices[0]
        jacobians = (h * (1 - h))[:, None, :] * weights  # (rows, inputs, units)
        norm = np.square(jacobians).sum(axis=(1, 2)).mean()
        p, t = h.mean(axis=0), 0.1
        divergence = (t * np.log(t / p) + (1 - t) * np.log((1 - t) / (1 - p))).sum()
        layers = [Dense(7, "sigmoid", contraction=0.2, sparsity_target=t, sparsity_cost=0.4)]
        layers += [Dense(4, "sigmoid"), Dense(7, "sigmoid"), Dense(5)]
        penalized = Network(5, layers, "squared_error", dtype=np.float64)
        penalized.parameters[...] = network.parameters
        value = penalized.loss_and_gradient(x, x)
        assert abs(value - plain - 0.2 * norm - 0.4 * divergence) < 1e-12
        assert abs(penalized.loss(x, x) - plain) < 1e-12  # measured without penalties

    def test_dead_units_have_a_finite_penalty(self):
        layers = [Dense(3, "sigmoid", bias=-1e4, sparsity_cost=1.0), Dense(5)]
        network = Network(5, layers, "squared_error", dtype=np.float64)
        assert np.isfinite(network.loss_and_gradient(data(), data()))
        assert np.isfinite(network.gradient).all()

    def test_parts_of_a_batch_add_up(self):
        network = autoencoder("tied", "tanh", "contraction")
        x = data(rows=9)
        whole = network.loss_and_gradient(x, x)
        expected = network.gradient.copy()
        value = 0.0
        for rows in (slice(0, 4), slice(4, 9)):
            value += network.loss_and_gradient(
                x[rows], x[rows], scale=1 / 9, accumulate=rows.start > 0
            )
        assert abs(value - whole) < 1e-12
        np.testing.assert_allclose(network.gradient, expected, atol=1e-14)

    def test_layers_of_a_sequence_network_have_penalties_too(self):
        layers = [Dense(4, "sigmoid", contraction=0.5), Dense(5)]
        network = SequenceNetwork(5, layers, "squared_error", dtype=np.float64, seed=1)
        flat = Network(5, [Dense(4, "sigmoid", contraction=0.5), Dense(5)], "squared_error",
                       dtype=np.float64, seed=1)  # fmt: skip
        x = data(rows=9)
        batch = network.check_input([x[:4], x[4:]])
        loss = network.loss_and_gradient(batch, batch.frames.copy())
        frames = batch.frames.copy()
        assert abs(loss - flat.loss_and_gradient(frames, frames)) < 1e-12
        np.testing.assert_allclose(network.gradient, flat.gradient, atol=1e-14)


class TestTied:
    def test_weights_are_there_once(self):
        network = autoencoder("tied")
        assert network.parameter_count == 5 * 7 + 7 + 7 * 4 + 4 + 7 + 5
        assert [w.shape for w in network.weight_matrices] == [(5, 7), (7, 4)]
        assert network.weight_segments.tolist() == [[0, 35], [42, 70]]

    def test_same_function_as_a_free_network_with_the_same_weights(self):
        tied, free = autoencoder("tied"), autoencoder("free")
        first, second = tied.weight_matrices
        biases = [tied.parameters[a:b] for a, b in [(35, 42), (70, 74), (74, 81), (81, 86)]]
        for views, weights, bias in zip(
            free.views(free.parameters), [first, second, second.T, first.T], biases, strict=True
        ):
            views[0][...], views[1][...] = weights, bias
        np.testing.assert_allclose(tied.forward(data()), free.forward(data()), rtol=1e-12)

    def test_penalties_and_max_norm_of_the_optimiser_see_the_weights_once(self):
        network = autoencoder("tied")
        optimizer = SGD(0.1, l2=0.5, max_norm=0.4)
        optimizer.prepare(network.parameters, network.weight_segments, network.weight_matrices)
        before = network.weight_matrices[0].copy()
        optimizer.step(network.parameters, np.zeros_like(network.parameters))
        expected = before * 0.95
        expected *= np.minimum(1, 0.4 / np.linalg.norm(expected, axis=0))
        np.testing.assert_allclose(network.weight_matrices[0], expected)

    def test_configuration_and_pickle_round_trip(self):
        for kind in ("tied", "gaussian inside", "sparse activation", "tied after noise"):
            network = autoencoder(kind, penalty="both")
            again = Network.from_config(network.config(), network.parameters)
            assert again.config() == network.config()
            x = data()
            assert again.loss_and_gradient(x, x) == network.loss_and_gradient(x, x)
            copy = pickle.loads(pickle.dumps(network))
            np.testing.assert_array_equal(copy.forward(x), network.forward(x))


class TestNoise:
    @pytest.mark.parametrize("corruption", ["masking", "gaussian", "salt_and_pepper"])
    def test_in_training_alone_and_as_the_kernel_draws(self, corruption):
        layers = [Noise(corruption, 0.4, low=-1, high=2), Activation("identity"), Dense(5)]
        network = Network(5, layers, "squared_error", dtype=np.float64, seed=4)
        weights, bias = network.views(network.parameters)[2]
        weights[...], bias[...] = np.eye(5), 0
        x = data(rows=50)
        np.testing.assert_array_equal(network.forward(x), x)
        network.draw_count = 3
        noisy = kernels.corrupt(x, corruption, 0.4, low=-1, high=2, seed=4, stream=2 * 3 * 3)
        np.testing.assert_allclose(network.forward(x, training=True), noisy, atol=1e-15)

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        x = data(200, 300).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            encoder = Dense(250, "sigmoid", contraction=0.1, sparsity_cost=0.1)
            layers = [Noise("masking", 0.3), encoder, Noise("gaussian", 0.3), TiedDense(1)]
            network = Network(300, layers, "squared_error", seed=5)
            results.append((network.loss_and_gradient(x, x), network.gradient.copy()))
        for loss, gradient in results[1:]:
            assert loss == results[0][0]
            np.testing.assert_array_equal(gradient, results[0][1])


def network_with(*layers, size=5):
    return lambda: Network(size, layers, "squared_error")


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: Noise("pink"), "Noise: corruption must be one of masking, .* got 'pink'"),
        (lambda: Noise("masking", 1.1), r"level of masking noise must be in \[0, 1\], got 1.1"),
        (lambda: Noise("gaussian", -1), "level of gaussian noise must be not negative, got -1"),
        (lambda: Noise("masking", True), "level of masking noise must be .* got True"),
        (lambda: Noise(low=np.inf), "Noise: low must be a finite number, got inf"),
        (lambda: Activation("gelu"), "activation must be one of .* got 'gelu'"),
        (lambda: Activation("relu", sparsity_cost=1), "needs the activation sigmoid or tanh"),
        (lambda: TiedDense(-1), "TiedDense: layer must be a non-negative integer, got -1"),
        (lambda: TiedDense(0, "gelu"), "activation must be one of .* got 'gelu'"),
        (lambda: TiedDense(0).connect(3), "must be in a network"),
        (network_with(TiedDense(0)), r"number of a Dense layer below, got 0 \(none\)"),
        (network_with(Dense(3), TiedDense(4)), r"number of a Dense layer below, got 4 \(none\)"),
        (network_with(Dropout(0.1), Dense(3), TiedDense(0)), r"layer below, got 0 \(Dropout\)"),
        (
            network_with(Dense(3, "tanh"), Dense(2, "tanh"), TiedDense(0)),
            "input must have 3 features, the units of layer 0, got 2",
        ),
        (network_with(Dense(3), TiedDense(0, "tanh")), "last TiedDense layer must be linear"),
        (lambda: Dense(3, contraction=-1), "Dense: contraction must not be negative, got -1"),
        (lambda: Dense(3, sparsity_cost=-1), "Dense: sparsity_cost must not be negative, got -1"),
        (lambda: Dense(3, sparsity_target=1), r"sparsity_target must be in \(0, 1\), got 1"),
        (lambda: Dense(3, "relu", sparsity_cost=1), "needs the activation sigmoid or tanh"),
        (lambda: Dense(3, "tanh", dropout=0.1, contraction=1), "dropout must be 0 with contr"),
    ],
)
def test_bad_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()
