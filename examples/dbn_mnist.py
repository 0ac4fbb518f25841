"""A deep belief net on MNIST (Hinton, Osindero & Teh 2006), fine-tuned by backpropagation.

    python examples/dbn_mnist.py --data FOLDER_WITH_IDX_FILES

Greedy: 784-500-500 by contrastive divergence on images without labels, then an associative memory
of 500 + 10 label units and 2000 hidden ones. A copy of the stack is trained on by contrastive
wake-sleep. Stack and copy are fine-tuned as networks, by plain backpropagation, the stack with
dropout, too (Hinton et al. 2012). The recipes were chosen on a validation split (``--validate``:
the last 10,000 training images, whose labels no stage sees), not on the test set, but for the
number of epochs with dropout, and the long run, which was not tuned; the result is that of the last
epoch. Every stage leaves a checkpoint in ``--work``, from which the same command goes on. Then the
copy dreams, clears noise and fills gaps, and features go to a file for WEKA and back.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import dbn_mnist_report
import numpy as np

from ictus import datasets
from ictus.models import RBM, DeepBeliefMachine, DivergenceTrainer, UpDownTrainer
from ictus.models.deep_belief.greedy import hidden_means
from ictus.models.deep_belief.unrolling import unrolled
from ictus.nn import Network
from ictus.optim import SGD
from ictus.train import Exponential, Linear, Trainer

#: How the stack is fine-tuned. The gradient is scaled by 1 - momentum.
RECIPES: dict[str, dict[str, Any]] = {
    "backpropagation": {
        "dropout": 0.0,
        "input_dropout": 0.0,
        "learning_rate": 15.0,
        "final_learning_rate": 0.5,
        "max_norm": None,
        "l2": 0.0,
        "epochs": 12,
    },
    "backpropagation after up-down": {
        "dropout": 0.0,
        "input_dropout": 0.0,
        "learning_rate": 15.0,
        "final_learning_rate": 0.5,
        "max_norm": None,
        "l2": 0.0,
        "epochs": 10,
    },
    "dropout": {
        "dropout": 0.3,
        "input_dropout": 0.2,
        "learning_rate": 8.0,
        "final_learning_rate": 0.05,
        "max_norm": None,
        "l2": 0.0,
        "epochs": 75,
    },
    "dropout for long": {
        "dropout": 0.5,
        "input_dropout": 0.2,
        "learning_rate": 10.0,
        "final_learning_rate": 0.1,
        "max_norm": None,
        "l2": 0.0,
        "epochs": 300,
    },
}


def greedy(options: argparse.Namespace, x: np.ndarray, y: np.ndarray) -> list[RBM]:
    """Train the layers one by one; the top sees labels, and only examples that have one."""
    seed, epochs = options.seed, options.greedy_epochs
    machines = [
        RBM(784, 500, seed=seed),
        RBM(500, 500, seed=seed + 1),
        RBM(510, 2000, visible_type="labelled", group_size=10, seed=seed + 2),
    ]
    names = ["layer1", "layer2", "top-validation" if options.validate else "top"]
    states: np.ndarray = x
    for number, (machine, name) in enumerate(zip(machines, names, strict=True)):
        if machine is machines[-1]:
            labels = np.eye(10, dtype=np.float32)[y]
            states = np.concatenate([states[: len(y)], labels], axis=1)

        def report(trainer: Any, epoch: int, name: str = name) -> None:
            error = trainer.history["reconstruction_error"][-1]
            print(f"{name}: epoch {epoch} reconstruction error {error:.5f}", flush=True)

        trainer = DivergenceTrainer(
            machine,
            learning_rate=0.05,
            l2=2e-4,
            batch_size=100,
            epochs=epochs,
            seed=seed + number,
            callbacks=[report],
            checkpoint=options.work / f"{name}.checkpoint",
            progress=False,
        )
        trainer.resume()
        if trainer.fit(states).interrupted:
            sys.exit("interrupted; run the same command again to go on")
        if machine is not machines[-1]:
            states = hidden_means([machine], states)
    return machines


def errors_of(network: Network, x: np.ndarray, y: np.ndarray) -> int:
    return int((network.predict(x).argmax(axis=1) != y).sum())


def fine_tune(
    name: str, net: DeepBeliefMachine, options: argparse.Namespace, data: tuple[Any, ...]
) -> tuple[Network, Any, dict[str, Any]]:
    """Backpropagation through the unrolled net, by one of the recipes."""
    recipe = RECIPES[name] | options.changed
    x, y, x_test, y_test = data
    network = unrolled(
        net, dropout=recipe["dropout"], input_dropout=recipe["input_dropout"], seed=options.seed
    )
    first, last, epochs = (
        recipe[key] for key in ("learning_rate", "final_learning_rate", "epochs")
    )

    def report(trainer: Trainer, epoch: int) -> None:
        wrong = errors_of(network, x_test, y_test)
        trainer.history.append(test_error=100 * wrong / len(y_test))
        loss = trainer.history["loss"][-1]
        print(f"{name}: epoch {epoch} loss {loss:.5f} errors {wrong}", flush=True)

    part = "-validation" if options.validate else ""
    trainer = Trainer(
        network,
        SGD(first, 0.5, dampened=True, l2=recipe["l2"], max_norm=recipe["max_norm"]),
        batch_size=100,
        epochs=epochs,
        seed=options.seed,
        learning_rate=Exponential(first, (last / first) ** (1 / epochs)),
        momentum=Linear(0.5, 0.95, epochs / 5),
        callbacks=[report],
        checkpoint=options.work / f"{name.replace(' ', '-')}{part}{options.tag}.checkpoint",
        checkpoint_every=5,
        progress=False,
    )
    trainer.resume()
    history = trainer.fit(x, y)
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    return network, history, recipe


def up_down(
    net: DeepBeliefMachine, options: argparse.Namespace, x: np.ndarray, y: np.ndarray
) -> DeepBeliefMachine:
    """Contrastive wake-sleep with persistent chains: a net that dreams better."""
    net = net.untied()

    def report(trainer: UpDownTrainer, epoch: int) -> None:
        wrong = trainer.history["label_error"][-1]
        print(f"up-down: epoch {epoch} label error {100 * wrong:.2f} % of a sample", flush=True)

    trainer = UpDownTrainer(
        net,
        learning_rate=Exponential(0.01, 0.7),
        steps=5,
        persistent=True,
        batch_size=100,
        epochs=options.up_down_epochs,
        seed=options.seed,
        callbacks=[report],
        checkpoint=options.work / f"up-down{'-validation' if options.validate else ''}.checkpoint",
        progress=False,
    )
    trainer.resume()
    if trainer.fit(x, y).interrupted:
        sys.exit("interrupted; run the same command again to go on")
    return net


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--greedy-epochs", type=int, default=30, help="of each layer")
    parser.add_argument("--up-down-epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", action="store_true", help="hold out 10,000 training images")
    parser.add_argument(
        "--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES), help="default: all"
    )
    parser.add_argument("--learning-rate", type=float, help="in the place of the recipe's")
    parser.add_argument("--final-learning-rate", type=float)
    parser.add_argument("--max-norm", type=float)
    parser.add_argument("--l2", type=float)
    parser.add_argument("--dropout", type=float)
    parser.add_argument("--input-dropout", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--tag", default="", help="of the checkpoints of changed recipes")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--work", type=Path, default=Path("dbn_mnist"), help="checkpoints")
    options = parser.parse_args()
    names = (
        "learning_rate",
        "final_learning_rate",
        "max_norm",
        "l2",
        "dropout",
        "input_dropout",
        "epochs",
    )
    options.changed = {n: v for n in names if (v := getattr(options, n)) is not None}
    return options


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    data = datasets.load_mnist(options.data)
    x, y, x_test, y_test = data.x_train, data.y_train, data.x_test, data.y_test
    labelled = x
    if options.validate:
        labelled, y, x_test, y_test = x[:50_000], y[:50_000], x[50_000:], y[50_000:]
    net = DeepBeliefMachine.from_machines(greedy(options, x, y), seed=options.seed)
    found = net.log_label_probabilities(x_test).argmax(axis=1)
    parts = labelled, y, x_test, y_test
    greedy_errors = int((found != y_test).sum())
    print(f"after greedy training, by free energy: {greedy_errors} errors", flush=True)
    dreaming = up_down(net, options, labelled, y)
    tuned = {
        name: fine_tune(name, dreaming if "up-down" in name else net, options, parts)
        for name in options.recipes
    }
    if options.validate:
        return
    dbn_mnist_report.report(options, data, net, dreaming, greedy_errors, tuned)


if __name__ == "__main__":
    main()
