"""Deep autoencoders from random weights by Hessian-free optimisation, beside first-order training.

    python examples/hessian_free_autoencoder.py mnist --data FOLDER_WITH_IDX_FILES
    python examples/hessian_free_autoencoder.py curves --methods hessian-free nesterov adam l-bfgs
    python examples/hessian_free_autoencoder.py curves --report

The networks of Hinton & Salakhutdinov 2006 that Martens 2010 trained without pre-training: logistic
units, a linear code, sparse random weights, cross-entropy; what is reported is the squared error of
an image summed over its pixels. Hessian-free training has phases
``gradient:curvature:steps:epochs``: examples of a gradient, examples of the Gauss-Newton matrix,
steps of conjugate gradients, passes over the data. Trainings go on
from checkpoints in ``--work`` after an interruption, to the same bits (l-bfgs: from its weights).
``--report`` writes the table and the picture of what the logs have so far to ``--output``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus import datasets
from ictus.nn import Dense, Network
from ictus.optim import SGD, Adam, HessianFree
from ictus.train import NesterovMomentum, Trainer, load_checkpoint, minimize, save_checkpoint

Array = NDArray[Any]

HIDDEN = {"mnist": ([1000, 500, 250], 30), "curves": ([400, 200, 100, 50, 25], 6)}
PHASES = {
    "mnist": ["4000:1000:15:16", "10000:2000:20:30", "30000:4000:30:1000"],
    "curves": ["4000:1000:20:60", "20000:2000:50:200"],
}
#: Training squared errors that others report; of CURVES for other images (see docs).
PUBLISHED = {
    "mnist": {"HF, Martens 2010": 1.40, "best HF, Sutskever et al. 2013": 0.69,
              "Nesterov, Sutskever et al. 2013": 0.73, "SGD": 2.1},
    "curves": {},
}  # fmt: skip
METHODS = ["hessian-free", "nesterov", "sgd", "adam", "l-bfgs"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=HIDDEN)
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["hessian-free"])
    parser.add_argument("--phases", nargs="+", help="gradient:curvature:steps:epochs of each")
    parser.add_argument("--damping", type=float, default=1.0, help="initial lambda")
    parser.add_argument("--preconditioner", default="auto", help="of conjugate gradients")
    parser.add_argument("--epochs", type=int, default=500, help="of the other methods")
    parser.add_argument("--learning-rate", type=float, help="of them; default 0.01, adam 0.001")
    parser.add_argument("--momentum", type=float, default=0.99, help="the highest of nesterov")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("hessian_free"), help="checkpoints, logs")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--report", action="store_true", help="train nothing, write the results")
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


def principal_components(x: Array, test: Array, count: int) -> tuple[float, float]:
    """Squared errors of as many principal components as the code has units."""
    mean = x.mean(axis=0, dtype=np.float64)
    covariance = (x - mean).T @ (x - mean)
    basis = np.linalg.eigh(covariance)[1][:, -count:]
    errors = []
    for images in (x, test):
        centred = images - mean
        rest = centred - (centred @ basis) @ basis.T
        errors.append(float(np.square(rest).sum() / len(images)))
    return errors[0], errors[1]


class Log:
    """Writes a line for each epoch of a method."""

    def __init__(self, path: Path, network: Network, x: Array, test: Array) -> None:
        self.path, self.network, self.x, self.test = path, network, x, test
        self._since = time.process_time()

    def write(self, **entry: Any) -> None:
        """Add the errors, and the processor's seconds before them, and write the line."""
        entry["processor_seconds"] = time.process_time() - self._since
        entry["training_error"] = squared_error(self.network, self.x)
        entry["test_error"] = squared_error(self.network, self.test)
        line = json.dumps(entry)
        with self.path.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)
        self._since = time.process_time()

    def after_epoch(self, phase: int = 0) -> Callable[[Trainer, int], None]:
        """Return a trainer's callback."""

        def report(trainer: Trainer, epoch: int) -> None:
            numbers = {name: values[-1] for name, values in trainer.history.items()}
            self.write(phase=phase, epoch=epoch, **numbers)

        return report


def hessian_free(network: Network, x: Array, log: Log, options: argparse.Namespace) -> None:
    rule = HessianFree(damping=options.damping, preconditioner=options.preconditioner)
    for number, phase in enumerate(options.phases):
        gradient, rule.curvature_size, rule.cg_steps, epochs = (int(n) for n in phase.split(":"))
        trainer = Trainer(
            network,
            rule,
            batch_size=gradient,
            epochs=epochs,
            seed=options.seed,
            callbacks=[log.after_epoch(number)],
            checkpoint=options.work / f"phase_{number}.safetensors",
        )
        trainer.resume()
        if trainer.fit(x, x).interrupted:
            raise SystemExit(1)


def first_order(
    method: str, network: Network, x: Array, log: Log, options: argparse.Namespace
) -> None:
    batch, momentum = 200, None
    updates = len(x) // batch
    rate = options.learning_rate or (0.001 if method == "adam" else 0.01)
    rule: Any = Adam(rate) if method == "adam" else SGD(rate, 0.0, nesterov=method == "nesterov")
    if method == "nesterov":
        momentum = NesterovMomentum(options.momentum, updates, updates * options.epochs)
    trainer = Trainer(
        network,
        rule,
        batch_size=batch,
        epochs=options.epochs,
        seed=options.seed,
        momentum=momentum,
        callbacks=[log.after_epoch()],
        checkpoint=options.work / f"{method}.safetensors",
    )
    trainer.resume()
    if trainer.fit(x, x).interrupted:
        raise SystemExit(1)


def batch_method(network: Network, x: Array, log: Log, options: argparse.Namespace) -> None:
    path, done, seconds = options.work / "l-bfgs.safetensors", 0, 0.0
    if path.exists():
        tensors, state = load_checkpoint(path)
        network.parameters[...] = tensors["parameters"]
        done, seconds = state["iterations"], state["seconds"]
    if done >= options.epochs:
        return
    history = minimize(network, (x, x, None), iterations=options.epochs - done)
    seconds += sum(history["seconds"])
    state = {"iterations": done + history.epochs, "seconds": seconds}
    save_checkpoint(path, {"parameters": network.parameters}, state)
    log.write(phase=0, epoch=state["iterations"], seconds=seconds, loss=history["loss"][-1])


def report(options: argparse.Namespace, x: Array, test: Array) -> None:
    """Write the table and the picture of what the logs have."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    rows, kept = [], {}
    for method in METHODS:
        path = options.work / f"{method}.jsonl"
        if not path.exists():
            continue
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        errors = [entry["training_error"] for entry in entries]
        seconds = np.cumsum([entry["seconds"] for entry in entries])
        axes[0].semilogy(range(1, len(errors) + 1), errors, label=method)
        axes[1].semilogy(seconds, errors, label=method)
        last = entries[-1]
        kept[method] = {"epochs": len(errors), "seconds": float(seconds[-1]), **last}
        rows.append(
            f"| {method} | {len(errors)} | {seconds[-1]:.0f} | {last['training_error']:.3f} | "
            f"{last['test_error']:.3f} |"
        )
    pca = principal_components(x, test, HIDDEN[options.name][1])
    rows.append(f"| PCA | | | {pca[0]:.2f} | {pca[1]:.2f} |")
    rows += [f"| {k} (published) | | | {v:.2f} | |" for k, v in PUBLISHED[options.name].items()]
    for axis, label in zip(axes, ("passes over the data", "seconds"), strict=True):
        axis.set(xlabel=label, ylabel="training squared error")
        axis.grid(alpha=0.3)
        axis.legend()
    name = f"hessian_free_{options.name}"
    figure.savefig(options.output / f"{name}.png", dpi=110)
    text = [
        f"# Hessian-free optimisation: {options.name}\n",
        f"Made by `python examples/hessian_free_autoencoder.py {options.name} --report`.\n",
        f"![training error]({name}.png)\n",
        "| method | passes | seconds | training error | test error |",
        "|---|---|---|---|---|",
        *rows,
    ]
    (options.output / f"{name}.md").write_text("\n".join(text) + "\n")
    (options.output / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    x, test = load_images(options.name, options.data)
    for method in [] if options.report else options.methods:
        network = make_network(options.name, options.seed)
        log = Log(options.work / f"{method}.jsonl", network, x, test)
        if method == "hessian-free":
            hessian_free(network, x, log, options)
        elif method == "l-bfgs":
            batch_method(network, x, log, options)
        else:
            first_order(method, network, x, log, options)
    report(options, x, test)


if __name__ == "__main__":
    main()
