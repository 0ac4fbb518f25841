"""Greedy pre-training, then dropout, on MNIST (Hinton et al. 2012; Srivastava et al. 2014, 6.1.1).

    python examples/pretraining_dropout_mnist.py --data FOLDER_WITH_IDX_FILES

Three layers of sigmoid units learn without labels, as Boltzmann machines, one after the other; then
the whole network learns to tell digits with dropout (0.5 on hidden units, 0.2 on pixels). Dropout
leaves half of the units, so the layers are wider than those of a net without. The test error is
shown after every epoch but decides nothing: the result is that of the last epoch. An interrupted
run goes on from its checkpoints in ``--work``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import datasets, plot
from ictus.models import pretrain
from ictus.nn import Dense, Dropout, Network
from ictus.optim import SGD
from ictus.train import Exponential, Linear, Trainer

PUBLISHED = {
    "Hinton et al. 2012, pre-training and backpropagation": 118,
    "Hinton et al. 2012, pre-training and dropout": 92,
}


def make_network(options: argparse.Namespace) -> Network:
    hidden = [Dense(units, "sigmoid", dropout=options.dropout) for units in options.layers]
    return Network(784, [Dropout(options.input_dropout), *hidden, Dense(10)], seed=options.seed)


def pretrained(options: argparse.Namespace, network: Network, x: np.ndarray) -> None:
    """Set the hidden layers from the images alone."""
    found = pretrain(
        network,
        x,
        epochs=options.pretraining_epochs,
        learning_rate=0.05,
        l2=2e-4,
        checkpoint=options.work / "pretraining",
        progress=False,
    )
    if any(layer.history.interrupted for layer in found):
        sys.exit("interrupted; run the same command again to go on")
    for layer in found:
        error = layer.history["reconstruction_error"][-1]
        print(f"layer {layer.layer}: reconstruction error {error:.5f}", flush=True)


def fine_tuned(options: argparse.Namespace, network: Network, data: tuple[Any, ...]) -> Any:
    x, y, x_test, y_test = data

    def report(trainer: Trainer, epoch: int) -> None:
        wrong = int((network.predict(x_test).argmax(axis=1) != y_test).sum())
        trainer.history.append(test_error=100 * wrong / len(y_test))
        print(f"epoch {epoch} loss {trainer.history['loss'][-1]:.4f} errors {wrong}", flush=True)

    first, last = options.learning_rate, options.final_learning_rate
    trainer = Trainer(
        network,
        SGD(first, 0.5, dampened=True),
        batch_size=100,
        epochs=options.epochs,
        seed=options.seed,
        learning_rate=Exponential(first, (last / first) ** (1 / options.epochs)),
        momentum=Linear(0.5, 0.95, options.epochs / 5),
        callbacks=[report],
        checkpoint=options.work / f"{'validation' if options.validate else 'dropout'}.checkpoint",
        checkpoint_every=5,
        progress=False,
    )
    if trainer.resume():
        print(f"going on after epoch {trainer.epoch}", flush=True)
    history = trainer.fit(x, y)
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    return history


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--layers", type=int, nargs="+", default=[1000, 1000, 2000])
    parser.add_argument("--pretraining-epochs", type=int, default=30, help="of each layer")
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--input-dropout", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--learning-rate", type=float, default=10.0)
    parser.add_argument("--final-learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", action="store_true", help="hold out 10,000 training images")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--work", type=Path, default=Path("pretraining_dropout"))
    return parser.parse_args()


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    data = datasets.load_mnist(options.data)
    x, y, x_test, y_test = data.x_train, data.y_train, data.x_test, data.y_test
    network = make_network(options)
    pretrained(options, network, x)
    if options.validate:
        x, y, x_test, y_test = x[:50_000], y[:50_000], x[50_000:], y[50_000:]
    history = fine_tuned(options, network, (x, y, x_test, y_test))
    wrong = round(history["test_error"][-1] * len(y_test) / 100)
    if not options.validate:
        write_results(options, network, history, wrong)
    print(f"errors: {wrong} of {len(y_test)}: {100 * wrong / len(y_test):.2f} %")


def write_results(
    options: argparse.Namespace, network: Network, history: ictus.History, wrong: int
) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    sizes = "-".join(map(str, [784, *options.layers, 10]))
    facts = {
        "layers": options.layers,
        "test_errors": wrong,
        "epochs": history.epochs,
        "pretraining_epochs": options.pretraining_epochs,
        "dropout": options.dropout,
        "input_dropout": options.input_dropout,
        "learning_rate": [options.learning_rate, options.final_learning_rate],
        "seed": options.seed,
        "fine_tuning_seconds": round(float(np.sum(history["seconds"])), 1),
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "machine": platform.machine(),
        "published_errors": PUBLISHED,
        "test_error_by_epoch_percent": history["test_error"],
        "loss_by_epoch": history["loss"],
    }
    name = "pretraining_dropout_mnist"
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    title = f"MNIST, {sizes}, pre-trained, dropout: {wrong} errors"
    plot.learning_curve(history, title).savefig(folder / f"{name}.png", dpi=100)
    published = "\n".join(f"| {key} | {value} |" for key, value in PUBLISHED.items())
    (folder / f"{name}.md").write_text(
        f"""# Pre-training, then dropout, on MNIST

{sizes}, sigmoid units. Each hidden layer was trained for {options.pretraining_epochs} epochs as a
Boltzmann machine on the 60,000 training images without labels (CD-1, learning rate 0.05, l2
0.0002); then the network for {history.epochs} epochs with dropout {options.dropout:g}, of pixels
{options.input_dropout:g}, learning rate {options.learning_rate:g} to
{options.final_learning_rate:g}, momentum 0.5 to 0.95, minibatches of 100, seed {options.seed}. The
figure is that of the last epoch.

Nothing was tuned for these layers: the rates of dropout are those of Hinton et al. 2012, the rest
is the recipe of the narrower net of [dbn_mnist.md](dbn_mnist.md), which makes 112 errors; the
layers are twice as wide, as dropout leaves half of the units. They were run on the test set once.

| | errors of 10,000 |
|---|---|
| ictus | **{wrong}** |
{published}

![learning curve]({name}.png)

Made by `python examples/{name}.py --seed {options.seed}`.
"""
    )


if __name__ == "__main__":
    main()
