"""Networks over sequences: gradients, R-operator, ragged batches, carried states, streams."""

import pickle

import numpy as np
import pytest

from ictus.nn import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Network,
    Recurrent,
    SequenceBatch,
    SequenceNetwork,
)

LENGTHS = [5, 1, 7, 3]
CHAINS = {
    "recurrent": lambda: [Recurrent(4), Dense(3)],
    "relu": lambda: [Recurrent(4, "relu", scale=0.7), Dense(3)],
    "lstm": lambda: [LSTM(4), Dense(3)],
    "peepholes": lambda: [LSTM(4, peepholes=True), Dense(3)],
    "lstm of 1997": lambda: [LSTM(4, forget_gate=False), Dense(3)],
    "lstm of 1997, two directions": lambda: [
        Bidirectional(LSTM(3, forget_gate=False, peepholes=True, output="last")), Dense(3)],
    "gru": lambda: [GRU(4), Dense(3)],
    "two layers": lambda: [LSTM(4), Dense(5, "tanh"), GRU(3), Dense(3)],
    "bidirectional": lambda: [
        Bidirectional(LSTM(3, peepholes=True)), Bidirectional(GRU(2)), Dense(3)],
    "skip": lambda: [
        Dense(3, "tanh"), LSTM(4, skip=True), Bidirectional(GRU(2, skip=True)), Dense(3)],
    "last": lambda: [GRU(3), LSTM(4, output="last"), Dense(3)],
    "last of two directions": lambda: [Bidirectional(Recurrent(4, output="last")), Dense(3)],
}  # fmt: skip


def make(chain, loss="softmax_cross_entropy", dtype=np.float64, inputs=2):
    network = SequenceNetwork(inputs, CHAINS[chain](), loss, dtype=dtype, seed=3)
    network.parameters += 0.1 * np.random.default_rng(5).standard_normal(network.parameter_count)
    return network


def data(network, seed=0, lengths=LENGTHS):
    generator = np.random.default_rng(seed)
    x = [generator.standard_normal((n, network.input_size)) for n in lengths]
    rows = len(x) if network.last_output else sum(lengths)
    if network.loss_name == "softmax_cross_entropy":
        return network.check_input(x), generator.integers(0, network.output_size, rows)
    return network.check_input(x), generator.random((rows, network.output_size))


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error", "binary_cross_entropy"])
def test_gradient(chain, loss):
    network = make(chain, loss)
    x, y = data(network)
    weights = np.random.default_rng(1).random(len(y))
    weights[0] = 0
    network.loss_and_gradient(x, y, weights)
    gradient = network.gradient.copy()
    for number in np.random.default_rng(2).choice(network.parameter_count, 40):
        step = 1e-6
        values = []
        for sign in (1, -1):
            network.parameters[number] += sign * step
            values.append(network.loss_and_gradient(x, y, weights, training=False))
            network.parameters[number] -= sign * step
        assert gradient[number] == pytest.approx((values[0] - values[1]) / (2 * step), abs=2e-9)


@pytest.mark.parametrize("chain", CHAINS)
def test_r_operator(chain):
    network = make(chain)
    x, _ = data(network)
    direction = np.random.default_rng(4).standard_normal(network.parameter_count)
    tangent = network.jvp(x, direction)
    start, step = network.parameters.copy(), 1e-6
    network.parameters[...] = start + step * direction
    high = network.forward(x)
    network.parameters[...] = start - step * direction
    low = network.forward(x)
    np.testing.assert_allclose(tangent, (high - low) / (2 * step), atol=2e-8)


@pytest.mark.parametrize("chain", ["lstm", "bidirectional", "last"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_gauss_newton_product(chain, loss):
    """J^T H J with J from the R-operator and H of the loss, formed in full."""
    network = make(chain, loss)
    x, _ = data(network)
    count = network.parameter_count
    logits = network.forward(x)
    jacobian = np.stack([network.jvp(x, e) for e in np.eye(count)], axis=-1)
    p = network.loss_function.output(logits, np.empty_like(logits))
    matrix = np.zeros((count, count))
    for row in range(len(logits)):
        h = np.eye(3) if loss == "squared_error" else np.diag(p[row]) - np.outer(p[row], p[row])
        matrix += jacobian[row].T @ h @ jacobian[row]
    v = np.random.default_rng(6).standard_normal(count)
    np.testing.assert_allclose(
        network.gauss_newton_product(x, v), matrix @ v / len(logits), atol=1e-11
    )


@pytest.mark.parametrize("chain", CHAINS)
def test_a_batch_equals_its_sequences(chain):
    network = make(chain)
    x, y = data(network)
    parts = x.split(x.frames)
    together = network.predict(parts)
    for number, part in enumerate(parts):
        alone = network.predict([part])
        np.testing.assert_allclose(together[number], alone[0], atol=1e-14)
    # The gradient of the batch's summed loss is the sum of the sequences' gradients.
    network.loss_and_gradient(x, y, scale=1.0)
    whole = network.gradient.copy()
    targets = [y[i : i + 1] for i in range(len(x))] if network.last_output else x.split(y)
    for number, (part, target) in enumerate(zip(parts, targets, strict=True)):
        batch = SequenceBatch(part, [len(part)])
        network.loss_and_gradient(batch, target, scale=1.0, accumulate=number > 0)
    np.testing.assert_allclose(network.gradient, whole, atol=1e-13)


def test_states_are_carried_from_part_to_part():
    network = make("two layers")
    x, _ = data(network, lengths=[9, 9])
    whole = network.forward(x).reshape(2, 9, 3)
    frames = x.frames.reshape(2, 9, -1)
    states = network.zero_states(2)
    parts = []
    for begin, end in ((0, 4), (4, 5), (5, 9)):
        part = SequenceBatch(frames[:, begin:end].reshape(-1, 2).copy(), [end - begin] * 2)
        parts.append(network.forward(part, states=states).reshape(2, -1, 3))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-14)


@pytest.mark.parametrize(
    "chain", ["recurrent", "relu", "lstm", "lstm of 1997", "peepholes", "gru", "two layers"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stream(chain, dtype):
    network = make(chain, dtype=dtype)
    x = np.random.default_rng(7).standard_normal((20, 2)).astype(dtype)
    (whole,) = network.predict([x])
    limit = {"rtol": 0, "atol": 1e-6 if dtype is np.float32 else 1e-14}
    stream = network.stream()
    np.testing.assert_allclose(np.stack([stream(frame) for frame in x]), whole, **limit)
    stream.reset()
    blocks = [stream(x[:1]), stream(x[1:8]), stream(x[8:8]), stream(x[8:])]
    np.testing.assert_allclose(np.concatenate(blocks), whole, **limit)
    states = stream.states
    first = stream(x[0])
    stream.states = states
    np.testing.assert_array_equal(stream(x[0]), first)


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_forget_gates_the_state_is_kept_for_ever(peepholes, dtype):
    """The recurrence of 1997, written out; the state of a closed input gate stays to the bit."""
    layer = LSTM(3, forget_gate=False, peepholes=peepholes)
    network = SequenceNetwork(2, [layer], "squared_error", dtype=dtype, seed=1)
    generator = np.random.default_rng(2)
    network.parameters[...] = 0.5 * generator.standard_normal(network.parameter_count)
    w, u, b, *p = (v.astype(float) for v in network.views(network.parameters)[0])
    p_i, p_o = p[0].reshape(2, 3) if p else np.zeros((2, 3))
    x = generator.standard_normal((30, 2)).astype(dtype)
    h, c, expected = np.zeros(3), np.zeros(3), []
    for frame in x:
        i, o, g = np.split(frame @ w + h @ u + b, 3)
        c = c + np.tanh(g) / (1 + np.exp(-i - p_i * c))
        h = np.tanh(c) / (1 + np.exp(-o - p_o * c))
        expected.append(h)
    (y,) = network.predict([x])
    np.testing.assert_allclose(y, expected, atol=2e-5 if dtype is np.float32 else 1e-13)
    network.parameters[...] = 0
    network.views(network.parameters)[0][2][:3] = -np.inf  # the input gates
    states = [generator.standard_normal((2, 1, 1, 3)).astype(dtype)]
    before = states[0][1].copy()
    network.forward([x], states=states)
    np.testing.assert_array_equal(states[0][1], before)


def test_gradients_without_forget_gates_are_added_up():
    network = make("lstm of 1997")
    x, y = data(network)
    network.loss_and_gradient(x, y)
    once = network.gradient.copy()
    network.loss_and_gradient(x, y, accumulate=True)
    np.testing.assert_allclose(network.gradient, 2 * once, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_skip_puts_the_input_beside_the_output(dtype):
    network = SequenceNetwork(2, [LSTM(3, skip=True)], "squared_error", dtype=dtype, seed=1)
    plain = SequenceNetwork(2, [LSTM(3)], "squared_error", dtype=dtype, seed=1)
    x = np.random.default_rng(0).standard_normal((9, 2)).astype(dtype)
    (y,) = network.predict([x])
    np.testing.assert_array_equal(y, np.concatenate([plain.predict([x])[0], x], axis=1))
    stream = network.stream()
    np.testing.assert_allclose(np.stack([stream(frame) for frame in x]), y, atol=1e-6)
    with pytest.raises(ValueError, match="skip needs output 'steps', got 'last'"):
        LSTM(3, skip=True, output="last")


def test_stream_of_symbols():
    network = SequenceNetwork(6, [Embedding(3), Dropout(0.5), LSTM(4), Dense(6)])
    x = np.array([0, 5, 2, 2, 1])
    (whole,) = network.predict([x])
    stream = network.stream()
    np.testing.assert_allclose(np.stack([stream(s) for s in x]), whole, atol=1e-6)
    stream.reset()
    np.testing.assert_allclose(stream(x), whole, atol=1e-6)
    with pytest.raises(ValueError, match=r"symbols in \[0, 6\)"):
        stream(6)


def test_embedding_gradient():
    network = SequenceNetwork(5, [Embedding(3), GRU(2), Dense(5)], dtype=np.float64)
    x = network.check_input([np.array([1, 1, 4]), np.array([0])])
    y = np.array([1, 4, 2, 3])
    network.loss_and_gradient(x, y)
    gradient = network.gradient.copy()
    for number in range(network.parameter_count):
        values = []
        for sign in (1, -1):
            network.parameters[number] += sign * 1e-6
            values.append(network.loss_and_gradient(x, y))
            network.parameters[number] -= sign * 1e-6
        assert gradient[number] == pytest.approx((values[0] - values[1]) / 2e-6, abs=2e-9)
    direction = np.random.default_rng(0).standard_normal(network.parameter_count)
    start = network.parameters.copy()
    tangent = network.jvp(x, direction)
    logits = []
    for sign in (1, -1):
        network.parameters[...] = start + sign * 1e-6 * direction
        logits.append(network.forward(x))
    np.testing.assert_allclose(tangent, (logits[0] - logits[1]) / 2e-6, atol=2e-8)


def test_configuration_and_pickling():
    for chain in CHAINS:
        network = make(chain)
        x, _ = data(network)
        again = SequenceNetwork.from_config(network.config(), network.parameters)
        np.testing.assert_array_equal(again.forward(x), network.forward(x))
        other = pickle.loads(pickle.dumps(network))
        assert type(other) is SequenceNetwork
        np.testing.assert_array_equal(other.forward(x), network.forward(x))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n.predict([]), "at least one sequence, got 0"),
        (lambda n: n.predict([np.zeros((3, 4))]), r"x\[0\] must have shape \(steps, 2\), got"),
        (lambda n: n.predict(np.zeros((3, 2))), r"list of sequences, or an array \(count, steps"),
        (lambda n: n.predict([np.zeros((3, 2)), np.zeros((0, 2))]), r"x\[1\] .* at least one step"),
        (lambda n: n.predict([np.full((3, 2), np.nan)]), r"x\[0\] must be finite, step 0 is not"),
        (lambda n: n.loss([np.zeros((3, 2))], [[0, 1]]), r"y\[0\] must have 3 steps like x\[0\]"),
        (lambda n: n.loss([np.zeros((3, 2))], [[0, 1, 3]]), r"y\[0\]: .* got 3 in row 2"),
        (lambda n: n.loss([np.zeros((3, 2))], []), "y must have 1 sequences like x, got 0"),
        (lambda n: SequenceBatch(np.zeros((3, 2)), [2, 2]), "frames must have 4 rows"),
        (lambda n: SequenceBatch(np.zeros((3, 2)), [3, 0]), "positive, got 0 for sequence 1"),
        (lambda n: n.stream()(np.zeros(3)), "x must have shape"),
        (lambda n: n.stream()(np.zeros((2, 3))), r"x must have shape \(2,\) or \(steps, 2\)"),
        (lambda n: LSTM(0), "LSTM: units must be a positive integer, got 0"),
        (lambda n: LSTM(3, output="first"), "output must be one of steps, last"),
        (lambda n: Recurrent(3, "sigmoid"), "activation must be tanh or relu"),
        (lambda n: Network(2, [LSTM(3), Dense(2)]), "LSTM needs a SequenceNetwork"),
        (
            lambda n: SequenceNetwork(2, [LSTM(3, output="last"), LSTM(3)]),
            "no recurrent layer can follow",
        ),
        (lambda n: SequenceNetwork(2, [Dense(3), Embedding(3)]), "Embedding must be the first"),
        (
            lambda n: SequenceNetwork(2, [Bidirectional(LSTM(3)), Dense(2)]).stream(),
            "two directions cannot run frame by frame",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call(make("lstm"))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error", "binary_cross_entropy"])
@pytest.mark.parametrize("chain", ["lstm", "last"])
def test_outputs_of_a_training_pass(chain, loss):
    """They are those of the parameters before the update, and the gradient is not touched."""
    network = make(chain, loss)
    x, y = data(network)
    network.loss_and_gradient(x, y)
    gradient = network.gradient.copy()
    outputs = np.empty((len(y), network.output_size))
    network.loss_and_gradient(x, y, outputs=outputs)
    expected = network.predict(x.split(x.frames))
    expected = expected if network.last_output else np.concatenate(expected)
    np.testing.assert_allclose(outputs, expected, atol=1e-14)
    np.testing.assert_array_equal(network.gradient, gradient)
