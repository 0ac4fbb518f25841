"""Networks: gradients, R-operator, Gauss-Newton products (double precision); the flat vector."""

import itertools
import pickle

import numpy as np
import pytest

import ictus
from ictus.nn import Dense, Dropout, Network

ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "softplus"]
LOSSES = ["softmax_cross_entropy", "binary_cross_entropy", "squared_error"]


def make(activation, loss, dropout, input_dropout=0.0, sizes=(5, 7, 4, 3), seed=3):
    layers = [Dropout(input_dropout)] if input_dropout else []
    layers += [Dense(n, activation, dropout=dropout, scale=1.5) for n in sizes[1:-1]]
    network = Network(sizes[0], [*layers, Dense(sizes[-1])], loss, dtype=np.float64, seed=seed)
    # Biases away from zero, so that their gradients and the kinks of rectifiers are met.
    generator = np.random.default_rng(seed)
    network.parameters += 0.1 * generator.standard_normal(network.parameter_count)
    return network


def make_data(loss, rows, inputs, outputs, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, inputs))
    if loss == "softmax_cross_entropy":
        return x, generator.integers(0, outputs, rows)
    y = generator.random((rows, outputs))
    return x, y if loss == "binary_cross_entropy" else 3 * y


def same_draws(network, function):
    """Calls function with the draws of one and the same training pass."""
    before = network.draw_count
    result = function()
    network.draw_count = before
    return result


def relative_error(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b), 1e-12)


# 5 activations x 3 losses x 2 dropouts x 2 input dropouts x 3 weightings x 3 seeds: 540 gradients.
GRADIENT_CASES = list(
    itertools.product(
        ACTIVATIONS, LOSSES, [0.0, 0.4], [0.0, 0.3], ["none", "some", "zero"], range(3)
    )
)


@pytest.mark.parametrize(
    ("activation", "loss", "dropout", "input_dropout", "weighting", "seed"), GRADIENT_CASES
)
def test_gradient(activation, loss, dropout, input_dropout, weighting, seed):
    """Directional derivatives of the loss along random directions: relative error <= 1e-6."""
    network = make(activation, loss, dropout, input_dropout, seed=seed)
    x, y = make_data(loss, 6, 5, 3, seed)
    weights = {"none": None, "some": np.linspace(0.5, 2, 6), "zero": np.eye(6)[0]}[weighting]
    value = lambda: same_draws(network, lambda: network.loss_and_gradient(x, y, weights))  # noqa: E731
    value()
    gradient = network.gradient.copy()
    generator = np.random.default_rng(seed)
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


@pytest.mark.parametrize(("activation", "loss"), list(itertools.product(ACTIVATIONS, LOSSES)))
class TestCurvature:
    def test_r_operator(self, activation, loss):
        network = make(activation, loss, 0.0)
        x, _ = make_data(loss, 6, 5, 3)
        direction = np.random.default_rng(1).standard_normal(network.parameter_count)
        product = network.jvp(x, direction)
        start, step = network.parameters.copy(), 1e-6
        network.parameters[...] = start + step * direction
        up = network.forward(x)
        network.parameters[...] = start - step * direction
        down = network.forward(x)
        assert relative_error(product, (up - down) / (2 * step)) < 1e-6

    def test_gauss_newton_product_equals_the_explicit_matrix(self, activation, loss):
        network = make(activation, loss, 0.0, sizes=(4, 5, 3))
        x, _ = make_data(loss, 6, 4, 3)
        count, rows, outputs = network.parameter_count, 6, 3
        jacobian = np.stack([network.jvp(x, e).ravel() for e in np.eye(count)], axis=1)
        p = network.predict(x)
        matrix = np.zeros((count, count))
        for i in range(rows):
            j = jacobian[i * outputs : (i + 1) * outputs]
            if loss == "softmax_cross_entropy":
                h = np.diag(p[i]) - np.outer(p[i], p[i])
            else:
                h = (
                    np.diag(p[i] * (1 - p[i]))
                    if loss == "binary_cross_entropy"
                    else np.eye(outputs)
                )
            matrix += j.T @ h @ j / rows
        direction = np.random.default_rng(2).standard_normal(count)
        product = network.gauss_newton_product(x, direction)
        assert relative_error(product, matrix @ direction) < 1e-10


class TestNetwork:
    def test_views_share_the_flat_vector(self):
        network = make("tanh", "squared_error", 0.0)
        network.parameters[...] = np.arange(network.parameter_count)
        first = network.weight_matrices[0]
        assert first[0, 0] == 0
        first[0, 0] = -5
        assert network.parameters[0] == -5
        segments = network.weight_segments
        assert segments.tolist()[0] == [0, 35]
        assert sum(e - b for b, e in segments) == sum(w.size for w in network.weight_matrices)

    def test_float32_agrees_with_float64(self):
        layers = [Dense(40, "tanh"), Dense(30, "relu"), Dense(10)]
        double = Network(20, layers, dtype=np.float64, seed=1)
        single = Network(20, [Dense(40, "tanh"), Dense(30, "relu"), Dense(10)], seed=1)
        single.parameters[...] = double.parameters
        x, y = make_data("softmax_cross_entropy", 50, 20, 10)
        loss = double.loss_and_gradient(x, y)
        assert abs(single.loss_and_gradient(x.astype("f4"), y) - loss) < 1e-5
        assert relative_error(single.gradient, double.gradient) < 1e-5

    def test_predict_applies_the_output_function(self):
        x, _ = make_data("squared_error", 9, 5, 3)
        for loss in LOSSES:
            network = make("tanh", loss, 0.0)
            z = network.forward(x)
            expected = {
                "softmax_cross_entropy": np.exp(z) / np.exp(z).sum(1, keepdims=True),
                "binary_cross_entropy": 1 / (1 + np.exp(-z)),
                "squared_error": z,
            }[loss]
            np.testing.assert_allclose(network.predict(x, batch_size=4), expected, rtol=1e-12)

    def test_activations_of_each_layer(self):
        network = make("tanh", "squared_error", 0.0)
        x, _ = make_data("squared_error", 9, 5, 3)
        w, b = network.weight_matrices[0], network.parameters[35:42]
        np.testing.assert_allclose(network.activations(x, 0, batch_size=4), np.tanh(x @ w + b))
        np.testing.assert_array_equal(network.activations(x, -1), network.forward(x))
        with pytest.raises(ValueError, match=r"layer must be in -3 .. 2, got 3"):
            network.activations(x, 3)

    def test_accumulated_parts_equal_the_whole_batch(self):
        network = make("relu", "softmax_cross_entropy", 0.5, 0.2)
        x, y = make_data("softmax_cross_entropy", 24, 5, 3)
        whole = same_draws(network, lambda: network.loss_and_gradient(x, y))
        expected = network.gradient.copy()
        value = 0.0
        for first in (0, 10, 17):
            rows = slice(first, {0: 10, 10: 17, 17: 24}[first])
            value += same_draws(
                network,
                lambda rows=rows, first=first: network.loss_and_gradient(
                    x[rows], y[rows], scale=1 / 24, accumulate=first > 0, first_row=first
                ),
            )
        assert abs(value - whole) < 1e-12
        np.testing.assert_allclose(network.gradient, expected, atol=1e-14)

    def test_dropout_is_off_outside_training_and_new_in_each_pass(self):
        network = make("relu", "squared_error", 0.5, 0.2)
        x, y = make_data("squared_error", 8, 5, 3)
        np.testing.assert_array_equal(network.forward(x), network.forward(x))
        values = [network.loss_and_gradient(x, y) for _ in range(3)]
        assert len(set(values)) == 3
        assert network.draw_count == 3

    def test_expectation_of_dropout_is_the_plain_output(self):
        network = Network(30, [Dropout(0.3), Dense(2)], "squared_error", dtype=np.float64)
        x = np.ones((20_000, 30))
        outputs = network.forward(x, training=True)
        plain = network.forward(x)[0]
        spread = outputs.std(axis=0) / np.sqrt(len(x))
        assert np.all(np.abs(outputs.mean(axis=0) - plain) < 5 * spread)

    def test_configuration_and_pickle_round_trip(self):
        network = make("softplus", "binary_cross_entropy", 0.3, 0.1)
        x, _ = make_data("binary_cross_entropy", 4, 5, 3)
        again = Network.from_config(network.config(), network.parameters)
        np.testing.assert_array_equal(again.forward(x), network.forward(x))
        copy = pickle.loads(pickle.dumps(network))
        copy.parameters[0] += 1  # its views are views again
        assert copy.weight_matrices[0][0, 0] == copy.parameters[0]

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        x, y = make_data("softmax_cross_entropy", 200, 300, 10)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            layers = [Dropout(0.2), Dense(250, "relu", dropout=0.5), Dense(10)]
            network = Network(300, layers, seed=5)
            loss = network.loss_and_gradient(x.astype(np.float32), y)
            results.append((loss, network.gradient.copy()))
        for loss, gradient in results[1:]:
            assert loss == results[0][0]
            np.testing.assert_array_equal(gradient, results[0][1])

    def test_steady_state_allocates_nothing_that_grows(self):
        import tracemalloc

        network = Network(200, [Dense(300, "relu", dropout=0.5), Dense(10)])
        x = np.zeros((500, 200), np.float32)
        y = np.zeros(500, np.int64)
        for _ in range(3):
            network.loss_and_gradient(x, y)
        tracemalloc.start()
        network.loss_and_gradient(x, y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20_000  # one activation of this batch alone has 600,000 bytes


def config_with(**changes):
    return Network(3, [Dense(2)]).config() | changes


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: Network(0, [Dense(2)]), "input_size must be a positive integer, got 0"),
        (lambda: Network(3, []), "layers must be a sequence of layers"),
        (lambda: Network(3, ["dense"]), "layers must be a sequence of layers"),
        (lambda: Network(3, [Dense(2)], "hinge"), "loss must be one of .* got 'hinge'"),
        (lambda: Network(3, [Dense(2)], dtype=int), "dtype must be float32 or float64"),
        (lambda: Network(3, [Dense(2, "relu")]), "last Dense layer must be linear"),
        (lambda: Network(3, [Dense(2, dropout=0.5)]), "last Dense layer must be linear"),
        (lambda: Dense(0), "units must be a positive integer, got 0"),
        (lambda: Dense(2.5), "units must be a positive integer, got 2.5"),
        (lambda: Dense(2, "relo"), "activation must be one of .* got 'relo'"),
        (lambda: Dense(2, dropout=1.0), r"dropout must be in \[0, 1\), got 1.0"),
        (lambda: Dense(2, initialization="zero"), "initialization must be one of"),
        (lambda: Dropout(-0.1), r"rate must be in \[0, 1\), got -0.1"),
        (lambda: Network.from_config({}), "not the configuration of a network"),
        (lambda: Network.from_config(config_with(layers=[{"kind": "x"}])), "not the configuration"),
        (lambda: Network.from_config(config_with(layers=[{"kind": "dense"}])), "not the config"),
        (lambda: Network.from_config(config_with(extra=1)), "not the configuration of a network"),
        (lambda: Network.from_config(config_with(), np.zeros(7)), r"must have shape \(8,\)"),
        (
            lambda: Network(3, [Dense(2)]).forward(np.ones((2, 4))),
            r"shape \(rows, 3\), got \(2, 4\)",
        ),
        (lambda: Network(3, [Dense(2)]).forward(np.ones(3)), r"shape \(rows, 3\), got \(3,\)"),
        (
            lambda: Network(3, [Dense(2)]).loss(np.ones((2, 3)), [0, 2]),
            r"labels in \[0, 2\), got 2",
        ),
        (lambda: Network(3, [Dense(2)]).loss(np.ones((2, 3)), [0.5, 1]), "integer labels"),
        (
            lambda: Network(3, [Dense(2)]).loss(np.ones((0, 3)), []),
            "integer labels|at least one row",
        ),
        (
            lambda: Network(3, [Dense(2)]).jvp(np.ones((2, 3)), np.ones(3)),
            "direction must have shape",
        ),
    ],
)
def test_bad_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()
