"""Networks over sequences on a device: losses, states, streams and curvature of the CPU."""

import numpy as np
import pytest

from ictus.kernels._device import to_device
from ictus.nn import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    Recurrent,
    SequenceNetwork,
)
from ictus.nn.sequences import join
from ictus.optim import SGD, Adam, HessianFree
from ictus.train import SequenceTrainer
from tests.devices import close

CLASSES = 3
LENGTHS = (9, 4, 7, 1, 6, 9, 5, 8)

CHAINS = {
    "simple": lambda: [Recurrent(7), Dense(6, "relu", dropout=0.2), Dense(CLASSES)],
    "relu": lambda: [Recurrent(6, "relu", scale=0.5), Dense(CLASSES)],
    "vanishing": lambda: [Recurrent(6, vanishing_penalty=0.1), Dense(CLASSES)],
    "gru": lambda: [Bidirectional(GRU(5)), LayerNorm(), Dense(CLASSES)],
    "lstm": lambda: [
        Dropout(0.1),
        Bidirectional(LSTM(5)),
        LSTM(6, peepholes=True),
        Dense(CLASSES),
    ],
    "cell of 1997": lambda: [LSTM(6, forget_gate=False, skip=True), Dense(CLASSES)],
    "last": lambda: [Bidirectional(GRU(5)), Bidirectional(LSTM(4, output="last")), Dense(CLASSES)],
}


def frames(features=4):
    generator = np.random.default_rng(3)
    x = [generator.standard_normal((n, features)).astype(np.float32) for n in LENGTHS]
    return x, [generator.integers(0, CLASSES, n) for n in LENGTHS]


def symbols(count=11):
    generator = np.random.default_rng(6)
    x = [generator.integers(0, count, n) for n in LENGTHS]
    return x, [generator.integers(0, CLASSES, n) for n in LENGTHS]


def pair(layers, inputs, device, **options):
    made = [SequenceNetwork(inputs, layers(), seed=1, **options) for _ in range(2)]
    return made[0], made[1].to(device)


def targets(network, y):
    return [one[0] for one in y] if network.last_output else y


def losses_of(network, x, y, weights=None, steps=20):
    rule = SGD(0.2, momentum=0.5, clip_norm=1.0)
    rule.prepare(network.parameters, network.weight_segments, network.weight_matrices)
    losses = []
    for step in range(steps):
        part = slice(step % 2 * 4, step % 2 * 4 + 4)
        chosen = None if weights is None else np.concatenate(weights[part])
        goal = np.array(y[part]) if network.last_output else np.concatenate(y[part])
        losses.append(network.loss_and_gradient(join(x[part]), goal, chosen))
        rule.step(network.parameters, network.gradient)
    return losses


@pytest.mark.parametrize("chain", CHAINS)
def test_twenty_steps_equal_those_of_the_cpu(device, chain):
    x, y = frames()
    networks = pair(CHAINS[chain], 4, device)
    y = targets(networks[0], y)
    losses = [losses_of(each, x, y) for each in networks]
    close(losses[1], losses[0])
    assert len(set(losses[0])) == len(losses[0])
    outputs = [each.predict(x) for each in networks]
    for one, other in zip(outputs[1], outputs[0], strict=True):
        assert isinstance(one, np.ndarray)
        close(one, other, 1e-3)
    assert networks[1].loss(x, y) == pytest.approx(networks[0].loss(x, y), rel=1e-4)


def test_symbols_and_weights_of_steps(device, monkeypatch):
    from ictus.nn import embedding

    monkeypatch.setattr(embedding, "AT_ONCE", 64)  # a table in several parts
    x, y = symbols()
    weights = [np.linspace(0, 1, n, dtype=np.float32) for n in LENGTHS]
    networks = pair(lambda: [Embedding(5), GRU(6), Dense(CLASSES)], 11, device)
    losses = [losses_of(each, x, y, weights) for each in networks]
    close(losses[1], losses[0])
    close(networks[1].gradient, networks[0].gradient, 1e-3)
    values = [each.loss(x, y, weights) for each in networks]
    close(values[1], values[0])


def test_sequences_that_lie_on_the_device_stay_there(device):
    x, _ = frames()
    cpu, there = pair(CHAINS["lstm"], 4, device)
    outputs = there.predict([to_device(device, one) for one in x])
    for one, other in zip(outputs, cpu.predict(x), strict=True):
        assert not isinstance(one, np.ndarray)
        close(one, other)
    out = np.empty((sum(LENGTHS), CLASSES), np.float32)
    y = np.zeros(sum(LENGTHS), np.int64)
    there.loss_and_gradient(join(x), y, outputs=out, training=False)
    close(out, np.concatenate(cpu.predict(x)))


@pytest.mark.parametrize("truncate", [None, 4])
def test_a_trainer_with_class_weights_and_validation(device, truncate):
    x, y = frames()
    histories = []
    for network in pair(lambda: [LSTM(6), Dense(CLASSES)], 4, device):
        trainer = SequenceTrainer(network, Adam(0.01), batch_size=3, epochs=3, progress=False,
                                  truncate=truncate, class_weights=[1, 2, 0.5])  # fmt: skip
        trainer.fit(x, y, validation=(x[:3], y[:3]))
        histories.append([*trainer.history["loss"], *trainer.history["validation_loss"]])
    close(histories[1], histories[0])


def test_states_carry_a_sequence_on(device):
    x, _ = frames()
    cpu, there = pair(lambda: [LSTM(5), GRU(4), Dense(CLASSES)], 4, device)
    for network in (cpu, there):
        states = network.zero_states(2)
        parts = [
            network.forward([x[0][a:b], x[5][a:b]], states=states) for a, b in [(0, 4), (4, 9)]
        ]
        whole = network.forward([x[0], x[5]])
        close(parts[0][:4], whole[:4])
        close(parts[1][5:], whole[-5:])


def test_streams(device):
    x, _ = frames()
    layers = [LSTM(5, skip=True), Dropout(0.2), Recurrent(4), Dense(6, "tanh"), Dense(CLASSES)]
    cpu, there = pair(lambda: layers, 4, device)
    expected = cpu.predict(x)[0]
    stream = there.stream()
    outputs = [stream(frame) for frame in x[0][:3]]
    kept = stream.states
    block = stream(x[0][3:])
    assert isinstance(outputs[0], np.ndarray) and isinstance(block, np.ndarray)
    close(np.concatenate([outputs, block]), expected)
    stream.states = kept
    on_device = stream(to_device(device, x[0][3:]))
    assert not isinstance(on_device, np.ndarray)
    close(on_device, expected[3:])
    stream.reset()
    close(stream(x[0]), expected)


def test_a_stream_of_symbols(device):
    x, _ = symbols()
    cpu, there = pair(lambda: [Embedding(5), GRU(6), Dense(CLASSES)], 11, device)
    stream = there.stream()
    close(np.stack([stream(symbol) for symbol in x[0]]), cpu.predict(x)[0])


@pytest.mark.parametrize("chain", ["simple", "lstm", "last"])
def test_curvature_products_equal_those_of_the_cpu(device, chain):
    x, _ = frames()
    cpu, there = pair(CHAINS[chain], 4, device)
    direction = np.random.default_rng(0).standard_normal(cpu.parameter_count).astype(np.float32)
    matrices = [each.gauss_newton(x, structural_damping=0.1) for each in (cpu, there)]
    products = [each.product(direction) for each in matrices]
    close(products[1], products[0])
    close(there.jvp(x, direction), cpu.jvp(x, direction))


@pytest.mark.parametrize(
    "options", [{"structural_damping": 0.03}, {"preconditioner": "empirical_fisher"}]
)
def test_hessian_free_training_equals_that_of_the_cpu(device, options):
    x, y = frames()
    losses = []
    for network in pair(lambda: [Recurrent(6), Dense(CLASSES)], 4, device):
        rule = HessianFree(cg_steps=20, **options)
        trainer = SequenceTrainer(network, rule, batch_size=8, epochs=2, progress=False)
        losses.append(trainer.fit(x, y)["loss"])
    close(losses[1], losses[0])
