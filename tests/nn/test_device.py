"""Networks on a device: the same losses, gradients and parameters as on the CPU.

On the emulated one here, whose arrays refuse what CuPy's refuse; on a GPU where there is one.
"""

import pickle

import numpy as np
import pytest

from ictus.io.model_file import load, save
from ictus.kernels._device import to_device
from ictus.nn import BatchNorm, Dense, Dropout, Network
from ictus.optim import SGD, Adam, HessianFree, RMSprop
from ictus.train import Trainer
from tests import devices
from tests.devices import close


def data(rows=60, inputs=12, classes=3):
    generator = np.random.default_rng(4)
    x = generator.standard_normal((rows, inputs)).astype(np.float32)
    return x, generator.integers(0, classes, rows)


def layers():
    return [
        Dropout(0.1),
        Dense(20, "relu", dropout=0.3),
        BatchNorm("tanh"),
        Dense(9, "sigmoid", sparsity_cost=0.1),
        Dense(8, "softplus"),
        Dense(3),
    ]


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: SGD(0.1, momentum=0.9, nesterov=True, l2=1e-3, max_norm=1.5),
        lambda: RMSprop(0.003, momentum=0.5, clip_norm=1.0),
        lambda: Adam(0.01, l1=1e-4, clip_value=0.5),
    ],
)
def test_twenty_steps_equal_those_of_the_cpu(device, optimizer):
    x, y = data()
    networks = [Network(12, layers(), seed=3), Network(12, layers(), seed=3).to(device)]
    losses = []
    for network in networks:
        rule = optimizer()
        rule.prepare(network.parameters, network.weight_segments, network.weight_matrices)
        losses.append([])
        for step in range(20):
            rows = slice(step % 3 * 20, step % 3 * 20 + 20)
            losses[-1].append(network.loss_and_gradient(x[rows], y[rows]))
            rule.step(network.parameters, network.gradient)
    assert networks[1].device == device
    close(losses[1], losses[0])
    on_cpu = networks[1].to("cpu")
    assert isinstance(on_cpu.parameters, np.ndarray)
    close(on_cpu.parameters, networks[0].parameters, 1e-3)


def test_a_trainer_stops_keeps_and_resumes(device, tmp_path):
    x, y = data(200)
    histories = []
    for where in ("cpu", device):
        network = Network(12, [Dense(16, "tanh", dropout=0.2), Dense(3)], seed=1).to(where)
        trainer = Trainer(network, Adam(0.01), batch_size=32, epochs=3, progress=False,
                          checkpoint=tmp_path / f"{where}.checkpoint")  # fmt: skip
        trainer.fit(x, y, validation=(x[:50], y[:50]))
        again = Trainer(
            Network(12, [Dense(16, "tanh", dropout=0.2), Dense(3)], seed=1).to(where),
            Adam(0.01), batch_size=32, epochs=4, progress=False,
        )  # fmt: skip
        assert again.resume(tmp_path / f"{where}.checkpoint")
        again.fit(x, y, validation=(x[:50], y[:50]))
        histories.append([*again.history["loss"], *again.history["validation_loss"]])
    close(histories[1], histories[0])


def test_predictions_lie_where_the_examples_lay(device):
    x, _ = data()
    network = Network(12, layers(), seed=3)
    expected = network.predict(x)
    network.to(device)
    close(network.predict(x), expected)
    assert isinstance(network.predict(x), np.ndarray)
    there = to_device(device, x)
    assert not isinstance(network.predict(there), np.ndarray)
    close(network.predict(there).get(), expected)
    close(network.activations(x, 1), network.to("cpu").activations(x, 1))


def test_curvature_products_equal_those_of_the_cpu(device):
    x, _ = data()
    network = Network(12, [Dense(10, "tanh"), Dense(3)], seed=2)
    direction = np.random.default_rng(0).standard_normal(network.parameter_count).astype("f4")
    expected = network.jvp(x, direction)
    network.to(device)
    close(network.jvp(x, to_device(device, direction)).get(), expected)


@pytest.mark.parametrize(
    ("preconditioner", "options"),
    [
        ("none", {}),
        ("empirical_fisher", {"l2": 1e-3}),
        ("fisher", {}),
        ("kronecker", {}),
        ("auto", {"cg_steps": 0, "factor_decay": 0.5, "averaging": 0.9}),
    ],
)
def test_hessian_free_training_equals_that_of_the_cpu(device, preconditioner, options):
    x, y = data(80)
    losses = []
    for where in ("cpu", device):
        network = Network(12, [Dense(10, "tanh"), Dense(3)], seed=1).to(where)
        rule = HessianFree(preconditioner=preconditioner, **options)
        trainer = Trainer(network, rule, batch_size=80, epochs=2, progress=False)
        losses.append(trainer.fit(x, y)["loss"])
    close(losses[1], losses[0])


def test_files_and_pickles_do_not_depend_on_the_device(device, tmp_path):
    x, _ = data()
    network = Network(12, layers(), seed=3).to(device)
    expected = network.predict(x)
    save(tmp_path / "network.ictus", network)
    for again in (load(tmp_path / "network.ictus"), pickle.loads(pickle.dumps(network))):
        assert again.device == "cpu"
        close(again.predict(x), expected)


def test_unknown_and_missing_devices_are_clear_errors():
    network = Network(2, [Dense(2)])
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'gpu'"):
        network.to("gpu")
    if devices.native_of("cuda")[0] is None:
        with pytest.raises(RuntimeError, match="device='cuda' cannot be used here: "):
            network.to("cuda")
    assert network.to("cpu") is network
