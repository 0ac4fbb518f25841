"""A restricted Boltzmann machine on binarised MNIST, 784-500, and its log-likelihood.

    python examples/rbm_mnist.py --data FOLDER_WITH_IDX_FILES

Binarisation is that of Salakhutdinov & Murray, "On the quantitative analysis of deep belief
networks" (ICML 2008): a pixel is 1 with the probability of its grey value. Training images are
sampled anew in every epoch, test and validation images once, all from fixed seeds. Trained on
50,000 images by persistent contrastive divergence (Tieleman 2008) with many particles and a
learning rate that falls linearly to 0; the last 10,000 training images are held out for the
free-energy gap, and chose the recipe. log Z by annealed importance sampling; how far it can be
trusted is shown on a machine of 20 hidden units, whose log Z is exact. An interrupted run goes on
from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import datasets, kernels, plot
from ictus.io.model_file import save
from ictus.models import RBM, DivergenceTrainer, annealed_importance_sampling, log_partition
from ictus.models.boltzmann.annealing import AnnealedEstimate
from ictus.train import Linear

PUBLISHED = {"Salakhutdinov & Murray 2008, CD-25, 500 hidden units": -86.34}
TRAIN_SEED, TEST_SEED, VALIDATION_SEED = 100, 200, 300


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--hidden-units", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--particles", type=int, default=500)
    parser.add_argument("--l2", type=float, default=2e-4)
    parser.add_argument("--chains", type=int, default=500, help="of annealed importance sampling")
    parser.add_argument("--temperatures", type=int, default=14_500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--checkpoint", type=Path, default=Path("rbm_mnist.checkpoint"))
    parser.add_argument("--model", type=Path, default=Path("rbm_mnist.ictus"))
    return parser.parse_args()


def train(
    rbm: RBM, grey: Any, validation: Any, options: argparse.Namespace, checkpoint: Path | None
) -> DivergenceTrainer:
    """Persistent contrastive divergence on images that are sampled anew in every epoch."""
    trainer = DivergenceTrainer(
        rbm,
        persistent=True,
        particles=options.particles,
        learning_rate=Linear(options.learning_rate, 0.0, options.epochs),
        momentum=0.0,
        l2=options.l2,
        epochs=options.epochs,
        seed=options.seed,
        checkpoint=checkpoint,
        progress=False,
    )
    if trainer.resume():
        print(f"going on after epoch {trainer.epoch}", flush=True)
    sampled = np.empty_like(grey)
    while trainer.epoch < options.epochs:
        kernels.bernoulli(grey, out=sampled, seed=TRAIN_SEED, stream=trainer.epoch)
        history = trainer.fit(sampled, validation=validation, epochs=1, check_range=False)
        if history.interrupted:
            sys.exit("interrupted; run the same command again to go on")
        gap, seconds = history["free_energy_gap"][-1], history["seconds"][-1]
        print(f"epoch {trainer.epoch} gap {gap:.2f} nats {seconds:.1f} s", flush=True)
    return trainer


def estimate(rbm: RBM, grey: Any, options: argparse.Namespace) -> tuple[AnnealedEstimate, float]:
    """log Z by annealed importance sampling, and the seconds it took."""
    started = time.perf_counter()
    found = annealed_importance_sampling(
        rbm,
        chains=options.chains,
        inverse_temperatures=options.temperatures,
        base_rates=grey.mean(axis=0, dtype=np.float64),
        seed=options.seed,
    )
    return found, time.perf_counter() - started


def nats(rbm: RBM, states: Any, log_z: float) -> float:
    """Mean log-likelihood of states, nats an image."""
    return float(-rbm.free_energy(states).mean(dtype=np.float64) - log_z)


def check_on_small_machine(
    grey: Any, validation: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """Exact log Z beside the estimate, on 784-20 trained in the same way for 20 epochs."""
    small = argparse.Namespace(**vars(options) | {"epochs": 20})
    rbm = RBM(784, 20, seed=options.seed)
    train(rbm, grey, validation, small, None)
    found, _ = estimate(rbm, grey, options)
    return {
        "exact": log_partition(rbm),
        "estimate": found.log_z,
        "interval": list(found.interval),
        "effective_sample_size": found.effective_sample_size,
    }


def main() -> None:
    options = parse()
    data = datasets.load_mnist(options.data)
    grey, held_out = data.x_train[:50_000], data.x_train[50_000:]
    validation = kernels.bernoulli(held_out, seed=VALIDATION_SEED)
    rbm = RBM(784, options.hidden_units, seed=options.seed)
    trainer = train(rbm, grey, validation, options, options.checkpoint)
    found, seconds = estimate(rbm, grey, options)
    tests = [
        nats(rbm, kernels.bernoulli(data.x_test, seed=TEST_SEED + i), found.log_z) for i in range(5)
    ]
    spread = [found.log_z - bound for bound in reversed(found.interval)]
    facts = {
        "test_nats": tests[0],
        "test_interval": [tests[0] + offset for offset in spread],
        "test_nats_of_five_binarisations": tests,
        "validation_nats": nats(rbm, validation, found.log_z),
        "training_nats": nats(rbm, kernels.bernoulli(grey, seed=TRAIN_SEED), found.log_z),
        "log_z": found.log_z,
        "log_z_interval": list(found.interval),
        "effective_sample_size": found.effective_sample_size,
        "annealing_seconds": round(seconds, 1),
        "training_seconds": round(float(np.sum(trainer.history["seconds"])), 1),
        "small_machine": check_on_small_machine(grey, validation, options),
        "published": PUBLISHED,
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "machine": platform.machine(),
        "free_energy_gap_by_epoch": trainer.history["free_energy_gap"],
        "reconstruction_error_by_epoch": trainer.history["reconstruction_error"],
    }
    write_results(options, rbm, trainer, facts)
    save(options.model, rbm)
    print(f"test: {tests[0]:.2f} nats, interval {facts['test_interval']}")


def draw(folder: Path, rbm: RBM, trainer: DivergenceTrainer) -> None:
    """Pictures of fantasies, filters and training."""
    fantasies = rbm.mean_visibles(trainer.particles[:100])
    plot.image_rows(
        {"": fantasies}, (28, 28), columns=20, title="Persistent chains at the end of training"
    ).savefig(folder / "rbm_mnist_samples.png", dpi=120)
    plot.weight_images(
        rbm.weights, (28, 28), count=100, title="Weights of the first 100 hidden units"
    ).savefig(folder / "rbm_mnist_filters.png", dpi=120)
    plot.free_energy_gap(trainer.history).savefig(folder / "rbm_mnist.png", dpi=120)


def write_results(
    options: argparse.Namespace, rbm: RBM, trainer: DivergenceTrainer, facts: dict[str, Any]
) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    recipe = (
        "hidden_units",
        "epochs",
        "learning_rate",
        "particles",
        "l2",
        "chains",
        "temperatures",
        "seed",
    )
    flags = [f"--{name.replace('_', '-')} {getattr(options, name)}" for name in recipe]
    facts["command"] = " ".join(["python examples/rbm_mnist.py", *flags])
    (folder / "rbm_mnist.json").write_text(json.dumps(facts, indent=1) + "\n")
    draw(folder, rbm, trainer)
    low, high = facts["test_interval"]
    five = facts["test_nats_of_five_binarisations"]
    small = facts["small_machine"]
    published = "\n".join(f"| {name} | {value} | |" for name, value in PUBLISHED.items())
    (folder / "rbm_mnist.md").write_text(
        f"""# A restricted Boltzmann machine on binarised MNIST

784-{options.hidden_units}, Bernoulli units. Persistent contrastive divergence with
{options.particles} particles, one step an update, minibatches of 100 of 50,000 training images,
{options.epochs} epochs, learning rate {options.learning_rate:g} falling linearly to 0, L2
{options.l2:g}, no momentum, seed {options.seed}. A pixel is 1 with the probability of its grey
value (Salakhutdinov & Murray 2008): training images sampled anew in every epoch, test images once.
The recipe was chosen on the 10,000 held-out training images; the figure is that of the last epoch.

| | test, nats per image | interval |
|---|---|---|
| ictus | **{facts["test_nats"]:.2f}** | {low:.2f} to {high:.2f} |
{published}

log Z = {facts["log_z"]:.2f} ({facts["log_z_interval"][0]:.2f} to {facts["log_z_interval"][1]:.2f},
three standard errors of the mean weight) by annealed importance sampling with {options.chains}
chains and {options.temperatures} temperatures, effective sample size
{facts["effective_sample_size"]:.0f}.
Other samplings of the test images give {min(five):.2f} to {max(five):.2f}. Validation
{facts["validation_nats"]:.2f}, training {facts["training_nats"]:.2f}. Training took
{facts["training_seconds"] / 60:.1f} minutes and annealing {facts["annealing_seconds"]:.0f} seconds
(threads: {facts["threads"]}, on a machine that had other work too).

How far the estimate can be trusted: of a machine with 20 hidden units, trained in the same way for
20 epochs, log Z is {small["exact"]:.3f} by enumeration and {small["estimate"]:.3f}
({small["interval"][0]:.3f} to {small["interval"][1]:.3f}) by annealed importance sampling.

![persistent chains](rbm_mnist_samples.png)

![filters](rbm_mnist_filters.png)

![free-energy gap](rbm_mnist.png)

Made by `{facts["command"]}`.
"""
    )


if __name__ == "__main__":
    main()
