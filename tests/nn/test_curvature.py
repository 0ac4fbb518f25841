"""Gauss-Newton products against the explicitly formed matrix, in double precision."""

import tracemalloc

import numpy as np
import pytest

from ictus.nn import (
    GRU,
    LSTM,
    AveragePool,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GaussNewton,
    MaxPool,
    Network,
    Recurrent,
    SequenceNetwork,
    TiedDense,
)

LOSSES = ["softmax_cross_entropy", "binary_cross_entropy", "squared_error"]
DENSE = {
    "dense": lambda: [Dense(5, "tanh"), Dense(4, "sigmoid"), Dense(3)],
    "rectified": lambda: [Dense(6, "relu"), Dense(4, "softplus"), Dense(3)],
}
SEQUENCES = {
    "recurrent": lambda: [Recurrent(4), Dense(3)],
    "recurrent, last": lambda: [Recurrent(4, output="last"), Dense(3)],
    "lstm": lambda: [LSTM(3, peepholes=True), Dense(3)],
    "lstm, last": lambda: [LSTM(3, output="last"), Dense(3)],
    "gru": lambda: [GRU(3), Dense(4, "tanh"), Dense(3)],
    "two directions": lambda: [Bidirectional(LSTM(2)), Recurrent(3, skip=True), Dense(3)],
}


def make(chain, loss):
    if chain in DENSE:
        network = Network(4, DENSE[chain](), loss, dtype=np.float64, seed=3)
    else:
        network = SequenceNetwork(2, SEQUENCES[chain](), loss, dtype=np.float64, seed=3)
    generator = np.random.default_rng(5)
    network.parameters += 0.1 * generator.standard_normal(network.parameter_count)
    return network


def data(network, lengths=(5, 1, 7, 3)):
    generator = np.random.default_rng(1)
    if isinstance(network, SequenceNetwork):
        return [generator.standard_normal((n, network.input_size)) for n in lengths]
    return generator.standard_normal((12, network.input_size))


def jacobian(function, parameters):
    """By central differences of fourth order: an error of some 1e-11."""
    columns = []
    for i in range(parameters.size):
        kept, step, values = parameters[i], 1e-3, []
        for factor in (-2, -1, 1, 2):
            parameters[i] = kept + factor * step
            values.append(function().ravel())
        parameters[i] = kept
        columns.append((values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step))
    return np.stack(columns, axis=1)


def output_hessian(loss, p):
    """Hessian of the loss with respect to the logits of one row with outputs p."""
    if loss == "softmax_cross_entropy":
        return np.diag(p) - np.outer(p, p)
    return np.diag(p * (1 - p)) if loss == "binary_cross_entropy" else np.eye(len(p))


def explicit(network, x, weights, scale):
    """``scale sum w J^T H J`` with J column by column from the R-operator."""
    columns = [network.jvp(x, e).ravel() for e in np.eye(network.parameter_count)]
    j = np.stack(columns, axis=1).reshape(-1, network.output_size, network.parameter_count)
    outputs = network.predict(x)
    p = outputs if isinstance(outputs, np.ndarray) else np.concatenate(outputs)
    weights = np.ones(len(p)) if weights is None else weights
    return scale * sum(
        w * a.T @ output_hessian(network.loss_name, q) @ a
        for w, a, q in zip(weights, j, p, strict=True)
    )


def relative_error(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("chain", [*DENSE, *SEQUENCES])
@pytest.mark.parametrize("loss", LOSSES)
class TestProducts:
    def test_equal_the_explicit_matrix_again_and_again(self, chain, loss):
        network = make(chain, loss)
        x = data(network)
        matrix = explicit(network, x, None, 1.0)
        rows = len(network.forward(x))
        curvature = network.gauss_newton(x)
        generator = np.random.default_rng(2)
        out = np.empty(network.parameter_count)
        for _ in range(3):
            v = generator.standard_normal(network.parameter_count)
            assert curvature.product(v, out) is out
            assert relative_error(out, matrix @ v / rows) < 1e-9
            network.forward(x if chain in DENSE else x[:2])  # passes between do no harm

    def test_weighted_in_parts_and_not_kept(self, chain, loss):
        network = make(chain, loss)
        x = data(network)
        rows = len(network.forward(x))
        weights = np.linspace(0.5, 2, rows)
        matrix = explicit(network, x, weights, 0.25)
        cuts = [slice(0, 7), slice(7, 12)]
        if chain in DENSE:
            parts = [(x[cut], weights[cut]) for cut in cuts]
        else:
            sizes = [1] * 4 if network.last_output else [len(one) for one in x]
            own = np.split(weights, np.cumsum(sizes)[:-1])
            numbers = [[2, 3], [0, 1]]  # the larger part first
            parts = [
                (network.check_input([x[i] for i in n]), np.concatenate([own[i] for i in n]))
                for n in numbers
            ]
        v = np.random.default_rng(2).standard_normal(network.parameter_count)
        for kept in (1 << 30, 0):
            curvature = GaussNewton(network, parts, 0.25, kept_bytes=kept)
            for _ in range(2):
                assert relative_error(curvature.product(v), matrix @ v) < 1e-9
            directions = [v, v[::-1].copy(), v**2]
            expected = [[a @ matrix @ b for b in directions] for a in directions]
            assert relative_error(curvature.forms(directions), expected) < 1e-9


@pytest.mark.parametrize("chain", ["recurrent", "recurrent, last", "lstm", "gru"])
def test_structural_damping_is_the_curvature_of_the_hidden_states(chain):
    loss = "squared_error"
    network = make(chain, loss)
    x = data(network)
    v = np.random.default_rng(2).standard_normal(network.parameter_count)
    layer = network.layers[0]
    inner = SequenceNetwork(2, [type(layer)(layer.units, **({"peepholes": True} if chain == "lstm"
                            else {})), Dense(1)], loss, dtype=np.float64)  # fmt: skip
    count = sum(np.prod(shape) for shape in layer.parameter_shapes)

    def states():
        inner.parameters[:count] = network.parameters[:count]
        inner.forward(x)
        return inner._of_thread.sequences[0].y.copy()

    j = jacobian(states, network.parameters)
    h = states().ravel()
    metric = 1 / (1 - h**2) if isinstance(layer, Recurrent) else np.ones_like(h)
    rows = len(network.forward(x))
    plain = network.gauss_newton(x).product(v)
    curvature = network.gauss_newton(x, structural_damping=0.3)
    expected = plain + 0.3 / rows * j.T @ (metric * (j @ v))
    for _ in range(2):
        assert relative_error(curvature.product(v), expected) < 1e-8
    curvature.set_structural_damping(0.0)
    assert relative_error(curvature.product(v), plain) < 1e-12


def test_of_a_tied_network():
    layers = [Dense(3, "sigmoid"), TiedDense(0)]
    network = Network(4, layers, "binary_cross_entropy", dtype=np.float64, seed=1)
    x = data(network)
    v = np.random.default_rng(2).standard_normal(network.parameter_count)
    matrix = explicit(network, x, None, 1 / 12)
    assert relative_error(network.gauss_newton(x).product(v), matrix @ v) < 1e-9


def test_single_precision_agrees():
    double = Network(20, [Dense(30, "tanh"), Dense(10)], dtype=np.float64, seed=1)
    single = Network(20, [Dense(30, "tanh"), Dense(10)], seed=1)
    single.parameters[...] = double.parameters
    x = np.random.default_rng(0).standard_normal((50, 20))
    v = np.random.default_rng(1).standard_normal(double.parameter_count)
    assert relative_error(single.gauss_newton_product(x, v), double.gauss_newton_product(x, v)) < (
        1e-5
    )


def test_refuses():
    network = make("dense", "squared_error")
    x = data(network)
    with pytest.raises(ValueError, match="parts must have at least one part"):
        GaussNewton(network, [], 1.0)
    with pytest.raises(ValueError, match="structural_damping needs a recurrent layer"):
        network.gauss_newton(x, structural_damping=0.1)
    with pytest.raises(ValueError, match=r"direction must have shape \(\d+,\), got \(3,\)"):
        network.gauss_newton(x).product(np.zeros(3))


IMAGES = {
    "convolution": (
        (5, 6, 2),
        lambda: [
            Conv2D(3, 3, "tanh", padding="same"),
            MaxPool(2),
            Conv2D(2, 2, "sigmoid"),
            Flatten(),
            Dense(3),
        ],
    ),
    "convolution in time, an output at each place": (
        (7, 2),
        lambda: [Conv1D(3, 3, "tanh"), AveragePool(2, stride=1), Conv1D(2, 1)],
    ),
}


@pytest.mark.parametrize("chain", IMAGES)
@pytest.mark.parametrize("loss", LOSSES)
def test_of_convolutions(chain, loss):
    shape, layers = IMAGES[chain]
    network = Network(shape, layers(), loss, dtype=np.float64, seed=3)
    x = np.random.default_rng(1).standard_normal((6, *shape))
    count, outputs = network.parameter_count, network.output_size
    columns = [network.jvp(x, e).reshape(-1) for e in np.eye(count)]
    j = np.stack(columns, axis=1).reshape(-1, outputs, count)
    p = network.predict(x).reshape(-1, outputs)
    weights = np.linspace(0.5, 2, 6)
    own = np.repeat(weights, len(p) // 6)
    matrix = sum(w * a.T @ output_hessian(loss, q) @ a for w, a, q in zip(own, j, p, strict=True))
    v = np.random.default_rng(2).standard_normal(count)
    parts = [(x[:4], weights[:4]), (x[4:], weights[4:])]
    for kept in (1 << 30, 0):
        curvature = GaussNewton(network, parts, 0.2, kept_bytes=kept)
        for _ in range(2):
            assert relative_error(curvature.product(v), 0.2 * matrix @ v) < 1e-9
            network.forward(x[:4])


def test_products_allocate_nothing_of_size():
    network = Network(100, [Dense(200, "sigmoid"), Dense(100)], "binary_cross_entropy", seed=1)
    x = np.random.default_rng(0).random((300, 100))
    curvature = network.gauss_newton(x)
    v = np.random.default_rng(1).standard_normal(network.parameter_count).astype(np.float32)
    out = np.empty_like(v)
    curvature.product(v, out)
    tracemalloc.start()
    try:
        curvature.product(v, out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000  # the activations have 360,000 bytes, the parameters 160,000
