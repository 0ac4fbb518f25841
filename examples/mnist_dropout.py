"""Dropout on MNIST: the network of Hinton et al. 2012, 784-800-800-10, trained to the end.

    python examples/mnist_dropout.py --data FOLDER_WITH_IDX_FILES

The recipe is theirs (dropout 0.2 on pixels and 0.5 on hidden units, minibatches of 100, initial
weights N(0, 0.01^2), momentum rising linearly, the gradient scaled by 1 - momentum, learning rate
falling exponentially, bounded incoming weights) but for rectified units (Srivastava et al. 2014),
which need 160 epochs instead of 3,000. Learning rate, max-norm and initial weights were chosen on
a validation split (``--validate``), not on the test set. The test error is shown after every epoch
but decides nothing: the result is that of the last epoch. An interrupted run goes on from its
checkpoint.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np

import ictus
from ictus import datasets, plot
from ictus.nn import Dense, Dropout, Network
from ictus.optim import SGD
from ictus.train import Exponential, Linear, Trainer

HINTON_2012 = {"standard backpropagation": 160, "dropout 0.5": 130, "best variant": 110}


def make_network(seed: int) -> Network:
    hidden = {"activation": "relu", "dropout": 0.5, "initialization": "gaussian"}
    return Network(
        784, [Dropout(0.2), Dense(800, **hidden), Dense(800, **hidden), Dense(10)], seed=seed
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument("--learning-rate", type=float, default=1.0)
    parser.add_argument("--final-learning-rate", type=float, default=0.02)
    parser.add_argument("--max-norm", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", action="store_true", help="hold out 10,000 training images")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--checkpoint", type=Path, default=Path("mnist_dropout.checkpoint"))
    return parser.parse_args()


def main() -> None:
    options = parse()
    data = datasets.load_mnist(options.data)
    x, y, x_test, y_test = data.x_train, data.y_train, data.x_test, data.y_test
    if options.validate:
        x, y, x_test, y_test = x[:50_000], y[:50_000], x[50_000:], y[50_000:]
    network = make_network(options.seed)
    errors: list[int] = []

    def report(trainer: Trainer, epoch: int) -> None:
        wrong = int((network.predict(x_test).argmax(axis=1) != y_test).sum())
        errors.append(wrong)
        trainer.history.append(test_error=100 * wrong / len(y_test))
        print(f"epoch {epoch} loss {trainer.history['loss'][-1]:.4f} errors {wrong}", flush=True)

    factor = (options.final_learning_rate / options.learning_rate) ** (1 / options.epochs)
    trainer = Trainer(
        network,
        SGD(options.learning_rate, 0.5, dampened=True, max_norm=options.max_norm),
        batch_size=100,
        epochs=options.epochs,
        seed=options.seed,
        learning_rate=Exponential(options.learning_rate, factor),
        momentum=Linear(0.5, 0.95, options.epochs / 5),
        callbacks=[report],
        checkpoint=options.checkpoint,
        checkpoint_every=10,
    )
    if trainer.resume():
        print(f"going on after epoch {trainer.epoch}", flush=True)
    history = trainer.fit(x, y)
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    wrong = int((network.predict(x_test).argmax(axis=1) != y_test).sum())
    if not options.validate:
        write_results(options, network, history, wrong)
    print(f"errors: {wrong} of {len(y_test)}: {100 * wrong / len(y_test):.2f} %")


def write_results(
    options: argparse.Namespace, network: Network, history: ictus.History, wrong: int
) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    recipe = ("epochs", "learning_rate", "final_learning_rate", "max_norm", "seed")
    flags = [f"--{name.replace('_', '-')} {getattr(options, name)}" for name in recipe]
    command = " ".join(["python examples/mnist_dropout.py", *flags])
    seconds = float(np.sum(history["seconds"]))
    facts = {
        "test_errors": wrong,
        "test_error_percent": wrong / 100,
        "epochs": history.epochs,
        "training_seconds": round(seconds, 1),
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "machine": platform.machine(),
        "published_errors": HINTON_2012,
        "test_error_by_epoch_percent": history["test_error"],
        "loss_by_epoch": history["loss"],
    }
    (folder / "mnist_dropout.json").write_text(json.dumps(facts, indent=1) + "\n")
    title = f"MNIST, 784-800-800-10 with dropout: {wrong} errors"
    plot.learning_curve(history, title).savefig(folder / "mnist_dropout.png", dpi=120)
    filters = plot.weight_images(network.weight_matrices[0], (28, 28), count=100)
    filters.savefig(folder / "mnist_dropout_filters.png", dpi=120)
    published = "\n".join(f"| Hinton et al. 2012, {k} | {v} |" for k, v in HINTON_2012.items())
    (folder / "mnist_dropout.md").write_text(
        f"""# Dropout on MNIST

784-800-800-10, rectified units, dropout 0.2 on pixels and 0.5 on hidden units, max-norm
{options.max_norm:g}, minibatches of 100, {history.epochs} epochs, seed {options.seed}. No
augmentation, no pre-training. The recipe was chosen on a validation split of the training set; the
figure is that of the last epoch.

| | errors of 10,000 |
|---|---|
| ictus ({seconds / 60:.1f} minutes, threads: {ictus.num_threads()}) | **{wrong}** |
{published}

![learning curve](mnist_dropout.png)

![filters](mnist_dropout_filters.png)

Made by `{command}`.
"""
    )


if __name__ == "__main__":
    main()
