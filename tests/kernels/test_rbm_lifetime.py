"""Arrays that the kernels of restricted Boltzmann machines keep, and calls from several threads."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from ictus import kernels
from tests.kernels.test_rbm import machine, native
from tests.kernels.test_rbm_arguments import divergence, energy, hidden, zeros
from tests.kernels.test_rbm_divergence import native_training, training


def test_the_model_keeps_its_arrays_alive() -> None:
    weights = np.full((6, 4), 0.5)
    m = kernels.rbm_model(weights, np.full(6, 0.25), np.full(4, -0.25))
    mean = zeros(3, 4)
    del weights
    gc.collect()
    rubbish = [np.full((6, 4), np.nan) for _ in range(100)]
    kernels.hidden_layer(m, np.ones((3, 6)), mean=mean)
    assert len(rubbish) == 100
    np.testing.assert_allclose(mean, 1 / (1 + np.exp(-2.75)))


def test_the_training_state_keeps_its_arrays_alive() -> None:
    m = machine(6, 4)
    t = training(m, particles=3, fast=True, activity=True)
    kept = {name: a.copy() for name, a in vars(t).items() if a is not None}
    weights, d = m.weights, native_training(m, t)
    biases = m.visible_bias.copy(), m.hidden_bias.copy()
    del m, t
    gc.collect()
    rubbish = [np.full(a.shape, np.nan) for a in kept.values() for _ in range(50)]
    d.update(np.ones((3, 6)), momentum=0.5, fast_rate=0.1, sparsity_cost=0.1)
    assert rubbish
    assert biases[0].size == 6
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("name", ["weights", "visible_bias", "hidden_bias"])
def test_arrays_resized_under_the_model_are_seen(name: str) -> None:
    arrays = {"weights": zeros(6, 4), "visible_bias": zeros(6), "hidden_bias": zeros(4)}
    m = kernels.rbm_model(**arrays)
    d = divergence(model=m)
    arrays[name].resize((1,) * arrays[name].ndim, refcheck=False)
    message = f"{name} was resized or reshaped since the model was made"
    with pytest.raises(ValueError, match=f"hidden_layer: {message}"):
        hidden(units=m)
    with pytest.raises(ValueError, match=f"free_energy: {message}"):
        energy(units=m)
    with pytest.raises(ValueError, match=f"update: {message}"):
        d.update(zeros(3, 6))
    with pytest.raises(ValueError, match=f"ContrastiveDivergence: {message}"):
        divergence(model=m)


def test_other_changes_of_arrays_in_use_are_seen() -> None:
    velocity, particles = zeros(6, 4), zeros(3, 4)
    d = divergence(weights_velocity=velocity, particles=particles)
    velocity.flags.writeable = False
    with pytest.raises(ValueError, match="update: weights_velocity must be writeable"):
        d.update(zeros(3, 6))
    velocity.flags.writeable = True
    particles.resize((2, 4), refcheck=False)
    with pytest.raises(ValueError, match="update: particles was resized"):
        d.update(zeros(3, 6))


def test_one_update_at_a_time() -> None:
    """Two threads on one training state: one waits for nothing and is told so; no harm is done."""
    m = machine(200, 150, np.float32)
    d = native_training(m, training(m))
    data = np.ones((100, 200), np.float32)
    errors: list[str] = []

    def work() -> None:
        for i in range(40):
            try:
                d.update(data, weight_rate=0.001, bias_rate=0.001, l2=0.1, stream=3 * i)
            except RuntimeError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(errors) <= {"update: another thread is updating this model"}
    assert np.isfinite(m.weights).all()
    d.update(data)  # and it is free again


def test_layers_from_several_threads(each_level: str) -> None:
    """Each thread has its own workspace."""
    m = machine(160, 120, np.float32)
    model = native(m)
    g = np.random.default_rng(0)
    data = [(g.random((60 + 30 * i, 160)) < 0.2).astype(np.float32) for i in range(4)]
    expected = [np.empty((len(v), 120), np.float32) for v in data]
    for v, out in zip(data, expected, strict=True):
        kernels.hidden_layer(model, v, sample=out, seed=2)
    wrong: list[int] = []

    def work(i: int) -> None:
        out = np.empty_like(expected[i])
        for _ in range(30):
            kernels.hidden_layer(model, data[i], sample=out, seed=2)
            if not np.array_equal(out, expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
