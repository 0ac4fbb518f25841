"""Deep autoencoders from random weights by Hessian-free optimisation, beside first-order training.

    python examples/hessian_free_autoencoder.py mnist --data FOLDER_WITH_IDX_FILES

The networks of Hinton & Salakhutdinov 2006 that Martens 2010 trained without pre-training: logistic
units, a linear code, sparse random weights, cross-entropy; what is reported is the squared error of
an image summed over its pixels. A training has phases ``gradient:curvature:epochs``: examples of a
gradient, examples of the Gauss-Newton matrix, passes over the data. Each phase goes on from its
checkpoint in ``--work`` after an interruption, to the same bits.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus import datasets
from ictus.nn import Dense, Network
from ictus.optim import HessianFree
from ictus.train import Trainer

Array = NDArray[Any]

HIDDEN = {"mnist": ([1000, 500, 250], 30), "curves": ([400, 200, 100, 50, 25], 6)}
PHASES = {
    "mnist": ["10000:2000:60", "60000:6000:400"],
    "curves": ["20000:2000:200"],
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=HIDDEN)
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--phases", nargs="+", help="gradient:curvature:epochs of each phase")
    parser.add_argument("--damping", type=float, default=45.0, help="initial lambda")
    parser.add_argument("--cg-steps", type=int, default=250)
    parser.add_argument("--l2", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("hessian_free"), help="checkpoints, log")
    options = parser.parse_args()
    options.phases = options.phases or PHASES[options.name]
    return options


def load_images(name: str, folder: str | None) -> tuple[Array, Array]:
    """Training and test images, float32 in [0, 1]."""
    if name == "curves":
        return datasets.curves(20_000, seed=0), datasets.curves(10_000, seed=1)
    data = datasets.load_mnist(folder)
    x, test = data.x_train.reshape(60_000, -1), data.x_test.reshape(10_000, -1)
    scale = np.float32(255 if x.max() > 1 else 1)
    return x.astype(np.float32) / scale, test.astype(np.float32) / scale


def make_network(name: str, seed: int) -> Network:
    hidden, code = HIDDEN[name]
    sparse = {"initialization": "sparse"}
    encoder = [Dense(units, "sigmoid", **sparse) for units in hidden]
    decoder = [Dense(units, "sigmoid", **sparse) for units in reversed(hidden)]
    layers = [*encoder, Dense(code, **sparse), *decoder, Dense(784, **sparse)]
    return Network(784, layers, "binary_cross_entropy", seed=seed)


def squared_error(network: Network, x: Array) -> float:
    """Mean over images of the squared error summed over pixels."""
    total = 0.0
    for first in range(0, len(x), 5000):
        part = x[first : first + 5000]
        total += float(np.square(network.predict(part) - part).sum(dtype=np.float64))
    return total / len(x)


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    x, test = load_images(options.name, options.data)
    network = make_network(options.name, options.seed)
    optimizer = HessianFree(damping=options.damping, cg_steps=options.cg_steps, l2=options.l2)
    log = options.work / "log.jsonl"

    def report(trainer: Trainer, epoch: int) -> None:
        entry = {name: values[-1] for name, values in trainer.history.items()}
        entry |= {"phase": trainer.checkpoint.name, "epoch": epoch, "time": time.time()}
        entry |= {"cg_reason": optimizer.iteration.cg_reason if optimizer.iteration else ""}
        entry |= {"training_error": squared_error(network, x)}
        entry |= {"test_error": squared_error(network, test)}
        with log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(json.dumps(entry), flush=True)

    for number, phase in enumerate(options.phases):
        gradient, curvature, epochs = (int(n) for n in phase.split(":"))
        optimizer.curvature_size = curvature
        trainer = Trainer(
            network,
            optimizer,
            batch_size=gradient,
            epochs=epochs,
            seed=options.seed,
            callbacks=[report],
            checkpoint=options.work / f"phase_{number}.safetensors",
            progress=None,
        )
        trainer.resume()
        if trainer.fit(x, x).interrupted:
            break
    print(f"squared error: training {squared_error(network, x):.4f}, test ", end="")
    print(f"{squared_error(network, test):.4f}")


if __name__ == "__main__":
    main()
