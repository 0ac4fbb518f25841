"""A deep autoencoder on MNIST, 784-1000-500-250-30, pre-trained and not, beside PCA.

    python examples/autoencoder_mnist.py --data FOLDER_WITH_IDX_FILES

The network of Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks"
(Science 2006): a linear code, logistic units elsewhere, trained on the cross-entropy, measured by
the squared error of an image summed over its 784 pixels in [0, 1]. Encoder and decoder start from
a stack of restricted Boltzmann machines or from random weights, and are then trained with the same
schedule. The last 5,000 training images are held out; what was chosen, was chosen on them. Every
stage goes on from its checkpoint in ``--work`` after an interruption.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus import datasets
from ictus.models.pretraining import pretrain, unroll
from ictus.nn import Dense, Network
from ictus.optim import Adam
from ictus.train import History, Linear, Trainer

Array = NDArray[Any]

HIDDEN, CODE = [1000, 500, 250], 30
PUBLISHED = {"autoencoder": 3.00, "PCA": 13.87}  # Hinton & Salakhutdinov 2006


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--pretraining-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=40, help="of fine-tuning")
    parser.add_argument("--learning-rate", type=float, default=0.004)
    parser.add_argument("--weight-decay", type=float, default=0.1, help="decoupled, of Adam")
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--work", type=Path, default=Path("autoencoder_mnist"), help="checkpoints")
    return parser.parse_args()


def load_images(folder: str | None) -> tuple[Array, Array, Array]:
    """Training, validation and test images, float32 in [0, 1]."""
    data = datasets.load_mnist(folder)
    images = [
        each.reshape(len(each), -1).astype(np.float32) for each in (data.x_train, data.x_test)
    ]
    if images[0].max() > 1:
        images = [each / 255 for each in images]
    return images[0][:55_000], images[0][55_000:], images[1]


def make_network(seed: int) -> Network:
    encoder = [Dense(units, "sigmoid") for units in HIDDEN]
    decoder = [Dense(units, "sigmoid") for units in reversed(HIDDEN)]
    layers = [*encoder, Dense(CODE), *decoder, Dense(784)]
    return Network(784, layers, "binary_cross_entropy", seed=seed)


def squared_error(network: Network, x: Array) -> float:
    """Mean over images of the squared error summed over pixels."""
    return float(np.square(network.predict(x) - x).sum(axis=1, dtype=np.float64).mean())


def fine_tune(
    network: Network, x: Array, validation: Array, options: argparse.Namespace, name: str
) -> History:
    trainer = Trainer(
        network,
        Adam(options.learning_rate, decoupled_decay=options.weight_decay),
        batch_size=options.batch_size,
        epochs=options.epochs,
        learning_rate=Linear(options.learning_rate, 0.0, options.epochs),
        score=lambda network, x, _: -squared_error(network, x),
        seed=options.seed,
        checkpoint=options.work / name,
        callbacks=[
            lambda trainer, epoch: print(
                f"{name}: epoch {epoch}, loss {trainer.history['loss'][-1]:.2f}, validation "
                f"{-trainer.history['validation_score'][-1]:.3f}, "
                f"{trainer.history['seconds'][-1]:.1f} s",
                flush=True,
            )
        ],
        progress=False,
    )
    trainer.resume()
    history = trainer.fit(x, x, validation=(validation, validation))
    stop_if_interrupted(history)
    return history


def stop_if_interrupted(history: History) -> None:
    if history.interrupted:
        sys.exit("interrupted; run the same command again to go on")


def train_deep(x: Array, validation: Array, options: argparse.Namespace) -> dict[str, Any]:
    """The same network from a stack of machines and from random weights, fine-tuned alike."""
    result: dict[str, Any] = {}
    for start in ("pretrained", "random"):
        network = make_network(options.seed)
        seconds = 0.0
        if start == "pretrained":
            stack = pretrain(
                network,
                x,
                layers=4,
                epochs=options.pretraining_epochs,
                l2=2e-4,
                checkpoint=options.work / "pretraining",
            )
            stop_if_interrupted(stack[-1].history)
            unroll(network, stack)
            seconds = float(sum(np.sum(each.history["seconds"]) for each in stack))
        before = squared_error(network, validation)
        history = fine_tune(network, x, validation, options, f"fine_tuning_{start}")
        result[start] = {
            "network": network,
            "pretraining_seconds": seconds,
            "validation_before": before,
            "history": history,
        }
    return result


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    x, validation, _ = load_images(options.data)
    train_deep(x, validation, options)


if __name__ == "__main__":
    main()
