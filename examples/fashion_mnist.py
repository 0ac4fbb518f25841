"""A convolutional network on Fashion-MNIST (Xiao, Rasul & Vollgraf 2017).

    python examples/fashion_mnist.py --data FOLDER_WITH_IDX_FILES

The files are those of https://github.com/zalandoresearch/fashion-mnist (MIT licence), named as
MNIST's. Each time an image is trained on it is shifted, and mirrored or not. Nothing was tuned; the
result is that of the last epoch. An interrupted run goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import ictus
from ictus import datasets, plot
from ictus.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool, Network
from ictus.optim import SGD
from ictus.train import Distortion, Linear, Trainer

CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat"]
CLASSES += ["sandal", "shirt", "sneaker", "bag", "ankle boot"]
SOURCE = "https://github.com/zalandoresearch/fashion-mnist"
#: Percent of the test images: the best of the classical methods in Xiao et al. 2017, table 3.
SUPPORT_VECTORS = 10.3


def mirrored(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Half of the images, mirrored."""
    half = generator.random(len(x)) < 0.5
    return np.where(half[:, None, None, None], x[:, :, ::-1], x)


def make_network(seed: int) -> Network:
    def maps(filters: int) -> list[Layer]:
        return [Conv2D(filters, 3, padding="same"), BatchNorm("relu")]

    return Network(
        (28, 28, 1),
        [
            *maps(32),
            *maps(32),
            MaxPool(2),
            *maps(64),
            MaxPool(2),
            Flatten(),
            Dropout(0.3),
            Dense(256, "relu", dropout=0.5),
            Dense(10),
        ],
        seed=seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the four idx files")
    parser.add_argument("--source", default=SOURCE, help="where the files are from, for the page")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--checkpoint", type=Path, default=Path("fashion_mnist.checkpoint"))
    options = parser.parse_args()
    data = datasets.load_mnist(options.data)
    network = make_network(options.seed)

    def report(trainer: Trainer, epoch: int) -> None:
        wrong = int((network.predict(data.x_test).argmax(axis=1) != data.y_test).sum())
        trainer.history.append(test_error=100 * wrong / len(data.y_test))
        print(f"epoch {epoch} loss {trainer.history['loss'][-1]:.4f} errors {wrong}", flush=True)

    trainer = Trainer(
        network,
        SGD(0.05, 0.9, l2=1e-4),
        epochs=options.epochs,
        seed=options.seed,
        learning_rate=Linear(0.05, 0.0, options.epochs),
        augmentation=[Distortion(shift=1), mirrored],
        callbacks=[report],
        checkpoint=options.checkpoint,
    )
    if trainer.resume():
        print(f"going on after epoch {trainer.epoch}", flush=True)
    history = trainer.fit(data.x_train, data.y_train)
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    found = network.predict(data.x_test).argmax(axis=1)
    write_results(options, network, history, found, data.y_test)


def write_results(
    options: argparse.Namespace,
    network: Network,
    history: ictus.History,
    found: np.ndarray,
    wanted: np.ndarray,
) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    error = 100 * float((found != wanted).mean())
    seconds = float(np.sum(history["seconds"]))
    facts = {
        "test_error_percent": error,
        "parameters": network.parameter_count,
        "epochs": history.epochs,
        "seed": options.seed,
        "training_seconds": round(seconds, 1),
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "test_error_by_epoch_percent": history["test_error"],
    }
    (options.output / "fashion_mnist.json").write_text(json.dumps(facts, indent=1) + "\n")
    title = f"Fashion-MNIST: {error:.2f} % wrong"
    figure = plot.learning_curve(history, title)
    figure.savefig(options.output / "fashion_mnist.png", dpi=100)
    rows = []
    for number, name in enumerate(CLASSES):
        answers = found[wanted == number]
        counts = np.bincount(answers[answers != number], minlength=10)
        most = int(counts.argmax())
        rows.append(
            f"| {name} | {100 * (answers != number).mean():.1f} "
            f"| {CLASSES[most]} ({counts[most]}) |"
        )
    table = "\n".join(rows)
    (options.output / "fashion_mnist.md").write_text(
        f"""# Fashion-MNIST

Two layers of 32 maps and one of 64, windows of 3 x 3, batch normalization, rectified units, max
pooling by 2 after the second and third, 256 hidden units, dropout 0.3 and 0.5
({network.parameter_count:,} numbers); minibatches of 100, momentum 0.9, a learning rate that falls
linearly from 0.05 to 0 in {history.epochs} epochs, weight decay 0.0001, seed {options.seed}.
Training images are shifted by up to a pixel and mirrored. Nothing was tuned; the figure is that of
the last epoch.

| | test error, % |
|---|---|
| ictus | **{error:.2f}** |
| Xiao et al. 2017, best of the classical methods (support vectors) | {SUPPORT_VECTORS} |

![learning curve](fashion_mnist.png)

| class | wrong, % | most often taken for (of 1,000) |
|---|---|---|
{table}

Made by `python examples/fashion_mnist.py --data FOLDER --seed {options.seed}`. Images:
{options.source}.
"""
    )


if __name__ == "__main__":
    main()
