"""Deep belief nets on a device: greedy training, wake-sleep, labels and chains of the CPU."""

import numpy as np
import pytest

from ictus import DBNClassifier, DeepBeliefNet, MLPClassifier
from ictus.io.model_file import load, save
from ictus.kernels._device import to_device
from tests.devices import close

ROWS = 30


def examples():
    generator = np.random.default_rng(4)
    y = np.arange(ROWS) % 3
    x = generator.random((ROWS, 9)) * 0.6
    x[np.arange(ROWS), y] += 0.4
    return x.astype(np.float32), y


def fitted(estimator, device, *data, **options):
    options |= {"n_iter": 2, "batch_size": 8, "random_state": 0}
    if "fine_tune" in options:
        options |= {"fine_tune_epochs": 2, "fine_tune_batch_size": 8}
    return [estimator((7, 6), device=where, **options).fit(*data) for where in ("cpu", device)]


@pytest.mark.parametrize("fine_tune", [None, "up-down"])
def test_nets(device, tmp_path, fine_tune):
    x, _ = examples()
    cpu, there = fitted(DeepBeliefNet, device, x, fine_tune=fine_tune, persistent=True)
    assert there.machine_.device == device
    close(there.machine_.parameters, cpu.machine_.parameters, 1e-3)
    known = np.arange(9) < 6
    for ask in (
        lambda m: m.transform(x),
        lambda m: m.reconstruct(x),
        lambda m: m.sample(3, steps=3, mean=True),
        lambda m: m.complete(x[:4], known, steps=3),
        lambda m: m.denoise(x[:4], steps=3),
        lambda m: m.components_,
    ):
        close(ask(there), ask(cpu), 1e-3)
    on_device = there.machine_.mean_hiddens(to_device(device, x))
    assert not isinstance(on_device, np.ndarray)
    save(tmp_path / "net.ictus", there)
    close(load(tmp_path / "net.ictus").transform(x), cpu.transform(x), 1e-3)


@pytest.mark.parametrize("fine_tune", ["backpropagation", "up-down"])
def test_classifiers(device, fine_tune):
    x, y = examples()
    cpu, there = fitted(DBNClassifier, device, x, y, fine_tune=fine_tune)
    close(there.predict_proba(x), cpu.predict_proba(x), 1e-3)
    close(there.sample(3, steps=3, label=[0, 1, 2]), cpu.sample(3, steps=3, label=[0, 1, 2]), 1e-3)
    if fine_tune == "backpropagation":
        assert there.network_.device == device
        close(there.history_["loss"], cpu.history_["loss"])
    else:
        close(there.history_["reconstruction_error"], cpu.history_["reconstruction_error"])


def test_pretraining_by_machines(device):
    x, y = examples()
    options = {"activation": "sigmoid", "pretrain": "rbm", "pretraining_epochs": 2}
    models = [
        MLPClassifier((7, 6), max_epochs=2, random_state=0, device=where, **options).fit(x, y)
        for where in ("cpu", device)
    ]
    for one, other in zip(models[1].pretraining_, models[0].pretraining_, strict=True):
        close(one["reconstruction_error"], other["reconstruction_error"])
    close(models[1].history_["loss"], models[0].history_["loss"])
