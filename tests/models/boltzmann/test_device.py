"""Boltzmann machines on a device: the updates, draws and energies of the CPU."""

import pickle

import numpy as np
import pytest

from ictus import (
    BernoulliRBM,
    ConditionalRBM,
    ConvolutionalRBM,
    GaussianRBM,
    MeanCovarianceRBM,
    SoftmaxRBM,
)
from ictus.io.model_file import load, save
from ictus.kernels._device import to_device
from ictus.models import (
    RBM,
    ConvolutionalMachine,
    HybridDivergenceTrainer,
    MeanCovarianceMachine,
    annealed_importance_sampling,
    log_likelihood,
)
from ictus.models.boltzmann.convolutional_divergence import ConvolutionalTrainer
from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.tempered_divergence import TemperedTrainer
from tests.devices import close

VISIBLE, HIDDEN, ROWS = 12, 7, 40


def states(kind="bernoulli"):
    generator = np.random.default_rng(1)
    if kind == "gaussian":
        return generator.standard_normal((ROWS, VISIBLE)).astype(np.float32)
    if kind == "softmax":
        return np.eye(4, dtype=np.float32)[generator.integers(0, 4, (ROWS, 3))].reshape(ROWS, -1)
    return (generator.random((ROWS, VISIBLE)) < 0.4).astype(np.float32)


MACHINES = {
    "bernoulli": {},
    "gaussian": {"visible_type": "gaussian", "learn_variance": True},
    "rectified": {"visible_type": "gaussian", "hidden_type": "rectified"},
    "softmax": {"visible_type": "softmax", "group_size": 4},
}
RULES = {
    "cd-2": {"steps": 2, "l2": 1e-3},
    "pcd": {"persistent": True, "particles": 9},
    "fast": {"persistent": True, "particles": 9, "fast_weights": True, "sparsity_cost": 0.1},
}


def trained(machines, make, x, **options):
    for machine in machines:
        trainer = make(machine, batch_size=8, epochs=4, progress=False, **options)
        trainer.fit(x)  # 20 updates
        yield trainer


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("rule", RULES)
def test_twenty_updates_equal_those_of_the_cpu(device, kind, rule):
    x = states(MACHINES[kind].get("visible_type", "bernoulli"))
    machines = [RBM(VISIBLE, HIDDEN, seed=2, **MACHINES[kind]) for _ in range(2)]
    machines[1].to(device)
    rate = 0.01 if kind == "rectified" else 0.1
    cpu, there = trained(machines, DivergenceTrainer, x, learning_rate=rate, **RULES[rule])
    close(machines[1].parameters, machines[0].parameters, 1e-3)
    for name in ("reconstruction_error", "update_ratio"):
        close(there.history[name], cpu.history[name])
    if cpu.particles is not None:
        close(there.particles, cpu.particles, 1e-3)


def test_tempered_training(device):
    machines = [RBM(VISIBLE, HIDDEN, seed=2), RBM(VISIBLE, HIDDEN, seed=2).to(device)]
    options = {"particles": 6, "inverse_temperatures": 4}
    cpu, there = trained(machines, TemperedTrainer, states(), **options)
    close(machines[1].parameters, machines[0].parameters, 1e-3)
    assert (there.tempering.swap_rates == cpu.tempering.swap_rates).all()


@pytest.mark.parametrize("kind", MACHINES)
def test_layers_energies_and_chains(device, kind):
    x = states(MACHINES[kind].get("visible_type", "bernoulli"))
    cpu, there = (RBM(VISIBLE, HIDDEN, seed=3, **MACHINES[kind]) for _ in range(2))
    for machine in (cpu, there):
        machine.weights *= 30
    assert there.to(device).device == device
    h = cpu.sample_hiddens(x)
    close(there.sample_hiddens(x), h)
    known = np.arange(VISIBLE) < 8
    for ask in (
        lambda m: m.mean_hiddens(x),
        lambda m: m.mean_visibles(h),
        lambda m: m.sample_visibles(h),
        lambda m: m.energy(x, h),
        lambda m: m.free_energy(x),
        lambda m: m.gibbs(x, 3),
        lambda m: m.sample(5, 4, mean=True),
        lambda m: m.reconstruct(x),
        lambda m: m.complete(x, known, 6),
        lambda m: m.denoise(x, steps=6),
    ):
        answer = ask(there)
        assert isinstance(answer, np.ndarray)
        close(answer, ask(cpu))
    on_device = there.reconstruct(to_device(device, x))
    assert not isinstance(on_device, np.ndarray)
    close(on_device, cpu.reconstruct(x))
    again = pickle.loads(pickle.dumps(there))
    assert again.device == "cpu"
    close(again.parameters, cpu.parameters)


def test_log_likelihoods(device):
    x = states()
    cpu, there = RBM(VISIBLE, HIDDEN, seed=3), RBM(VISIBLE, HIDDEN, seed=3).to(device)
    assert log_likelihood(there, x).mean == pytest.approx(log_likelihood(cpu, x).mean, rel=1e-5)
    estimates = [
        annealed_importance_sampling(each, chains=10, inverse_temperatures=30, base_rates=x.mean(0))
        for each in (cpu, there)
    ]
    close(estimates[1].log_weights, estimates[0].log_weights)


def test_mean_covariance_machines(device):
    x = states("gaussian")
    machines = [MeanCovarianceMachine(VISIBLE, 8, 4, covariance_units=6, seed=1) for _ in range(2)]
    machines[1].to(device)
    histories = []
    for machine in machines:
        trainer = HybridDivergenceTrainer(machine, batch_size=8, epochs=4, pooling_epoch=1,
                                          leapfrog_steps=3, progress=False)  # fmt: skip
        histories.append(trainer.fit(x)["energy_difference"])
    close(histories[1], histories[0], 1e-3)
    close(machines[1].parameters, machines[0].parameters, 1e-3)
    cpu, there = machines
    for ask in (
        lambda m: m.free_energy(x),
        lambda m: m.hidden_means(x)[0],
        lambda m: m.reconstruct(x),
        lambda m: m.complete(x, np.arange(VISIBLE) < 8, 2),
        lambda m: m.sample(4, 3, leapfrog_steps=2),
    ):
        close(ask(there), ask(cpu), 1e-3)


@pytest.mark.parametrize("options", [{}, {"persistent": True, "sparsity_cost": 0.1}])
def test_convolutional_machines(device, options):
    x = states().reshape(ROWS, 4, 3, 1).repeat(2, 2)
    machines = [ConvolutionalMachine((4, 6), 3, (2, 3), seed=1) for _ in range(2)]
    machines[1].to(device)
    cpu, there = trained(machines, ConvolutionalTrainer, x, particles=5, **options)
    close(machines[1].parameters, machines[0].parameters, 1e-3)
    close(there.history["reconstruction_error"], cpu.history["reconstruction_error"])
    h = machines[0].sample_hiddens(x)
    close(machines[1].sample_hiddens(x), h)
    for ask in (
        lambda m: m.mean_pooled(x),
        lambda m: m.mean_visibles(h),
        lambda m: m.energy(x, h),
        lambda m: m.free_energy(x),
        lambda m: m.sample(3, 3),
        lambda m: m.complete(x[:4], x[:1, ..., 0] < 2, 3),
        lambda m: m.denoise(x[:4], steps=3),
    ):
        close(ask(machines[1]), ask(machines[0]), 1e-3)


@pytest.mark.parametrize(
    ("estimator", "kind", "options"),
    [
        (BernoulliRBM, "bernoulli", {"n_components": 6}),  # scikit-learn's draws
        (BernoulliRBM, "bernoulli", {"n_components": 6, "draws": "counter", "k": 2}),
        (GaussianRBM, "gaussian", {"n_components": 6, "learn_variance": True}),
        (SoftmaxRBM, "softmax", {"n_components": 6, "encoding": "one-hot", "n_categories": 4}),
        (MeanCovarianceRBM, "gaussian", {"covariance_units": 6, "mean_units": 3}),
    ],
)
def test_estimators(device, tmp_path, estimator, kind, options):
    x = states(kind)
    options |= {"n_iter": 2, "batch_size": 10, "random_state": 0}
    fitted = [estimator(device=where, **options).fit(x) for where in ("cpu", device)]
    close(fitted[1].transform(x), fitted[0].transform(x), 1e-3)
    close(fitted[1].components_, fitted[0].components_, 1e-3)
    close(fitted[1].score_samples(x), fitted[0].score_samples(x), 1e-3)
    save(tmp_path / "machine.ictus", fitted[1])
    close(load(tmp_path / "machine.ictus").transform(x), fitted[0].transform(x), 1e-3)
    again = pickle.loads(pickle.dumps(fitted[1]))
    close(again.transform(x), fitted[0].transform(x), 1e-3)


def test_a_conditional_machine_continues_a_sequence(device):
    t = np.arange(60)[:, None]
    x = np.hstack([np.sin(t / 5), np.cos(t / 5)]).astype(np.float32)
    options = {"order": 3, "n_iter": 2, "batch_size": 16, "random_state": 0}
    fitted = [ConditionalRBM(6, device=where, **options).fit(x) for where in ("cpu", device)]
    close(fitted[1].transform(x), fitted[0].transform(x), 1e-3)
    pieces = [each.generate(x[:5], 4, gibbs_steps=3) for each in fitted]
    close(pieces[1], pieces[0], 1e-3)


def test_a_convolutional_estimator(device):
    x = states().reshape(ROWS, 4, 3)
    options = {"kernel_size": 2, "n_iter": 2, "batch_size": 10, "random_state": 0}
    fitted = [ConvolutionalRBM(3, device=where, **options).fit(x) for where in ("cpu", device)]
    close(fitted[1].transform(x), fitted[0].transform(x), 1e-3)
    close(fitted[1].components_, fitted[0].components_, 1e-3)


def test_a_missing_device_is_a_clear_error():
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'gpu'"):
        BernoulliRBM(2, device="gpu").fit(states())
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'gpu'"):
        RBM(2, 2).to("gpu")
