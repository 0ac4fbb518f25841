"""Deep autoencoders from random weights by Hessian-free optimisation, beside first-order training.

    python examples/hessian_free_autoencoder.py mnist --data FOLDER_WITH_IDX_FILES
    python examples/hessian_free_autoencoder.py curves --methods hessian-free nesterov --seconds 300
    python examples/hessian_free_autoencoder.py music --data FOLDER_WITH_RECORDINGS --report

The networks of Hinton & Salakhutdinov 2006 that Martens 2010 trained without pre-training: logistic
units, a linear code, sparse random weights, cross-entropy; what is reported is the squared error of
an image summed over its pixels. Hessian-free training has phases
``gradient:curvature:steps:epochs[:preconditioner[:averaging]]``: examples of a gradient, examples
of the Gauss-Newton matrix, steps of conjugate gradients (0: the best step in a plane), passes over
the data. ``music`` has patches of mel spectrograms and a linear output with squared error.
Trainings go on from checkpoints in ``--work`` after an interruption, to the same bits (SciPy's
methods: from their weights), given the same command.
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

HIDDEN = {
    "mnist": ([1000, 500, 250], 30),
    "curves": ([400, 200, 100, 50, 25], 6),
    "music": ([400, 200, 100], 30),
}
PHASES = {
    "mnist": ["1000:500:0:20", "2000:1000:0:30", "4000:2000:0:50", "12000:4000:0:1000"],
    "curves": ["1000:500:0:20", "2000:1000:0:40", "5000:2500:0:1000"],
    "music": ["1000:500:0:20", "4000:2000:0:1000"],
}
#: Kronecker factors are averaged over iterations and made in every tenth, the weights averaged.
RULE: dict[str, Any] = {
    "damping": 1.0,
    "damping_floor": 1e-3,
    "factor_decay": 0.8,
    "factor_every": 10,
}
#: What a phase leaves out: preconditioner and averaging.
DEFAULTS = ["auto", "0.98"]
#: Training squared errors that others report; of CURVES for other images (see docs).
PUBLISHED = {
    "mnist": {"HF, Martens 2010": 1.40, "best HF, Sutskever et al. 2013": 0.69,
              "Nesterov, Sutskever et al. 2013": 0.73, "SGD": 2.1},
    "curves": {},
    "music": {},
}  # fmt: skip
RATES = {"nesterov": 0.01, "sgd": 0.05, "adam": 0.001}
SCIPY = ["l-bfgs", "conjugate-gradient"]
#: What the curves do not say, of the runs that are reported.
NOTES: dict[str, list[str]] = {
    "mnist": ["\nTrainings that were stopped before their end: see how the curves go on."],
    "curves": ["\nTrainings that were stopped before their end: see how the curves go on."],
    "music": ["\nAll trainings were stopped after seconds: see how the curves go on."],
}
METHODS = ["hessian-free", *RATES, *SCIPY]
#: Of music: Hz, bands and frames of a patch, frames from patch to patch.
RATE, BANDS, FRAMES, HOP = 22_050, 25, 25, 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=HIDDEN)
    parser.add_argument("--data", help="folder of MNIST's idx files, or of recordings")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["hessian-free"])
    parser.add_argument("--phases", nargs="+", help="of Hessian-free training, see above")
    parser.add_argument("--epochs", type=int, default=500, help="of the other methods")
    parser.add_argument("--learning-rate", type=float, help=f"of them; default {RATES}")
    parser.add_argument("--seconds", type=float, default=np.inf, help="processor time of a method")
    parser.add_argument("--momentum", type=float, default=0.99, help="the highest of nesterov")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("hessian_free"), help="checkpoints, logs")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--report", action="store_true", help="train nothing, write the results")
    options = parser.parse_args()
    options.phases = options.phases or PHASES[options.name]
    return options


def load_images(name: str, folder: str | None) -> tuple[Array, Array]:
    """Training and test images, float32."""
    if name == "music":
        return load_music(folder)
    if name == "curves":
        return datasets.curves(20_000, seed=0), datasets.curves(10_000, seed=1)
    data = datasets.load_mnist(folder)
    x, test = data.x_train.reshape(60_000, -1), data.x_test.reshape(10_000, -1)
    scale = np.float32(255 if x.max() > 1 else 1)
    return x.astype(np.float32) / scale, test.astype(np.float32) / scale


def load_music(folder: str | None) -> tuple[Array, Array]:
    """Patches of mel spectrograms, standardised; two of every 20 seconds are for tests."""
    from ictus.io.audio import read_audio
    from ictus.music.features import Features, Resolution
    from ictus.music.filterbanks import mel_filterbank

    if folder is None:
        raise SystemExit("music: --data must name a folder of recordings")
    filterbank = mel_filterbank(2048, RATE, BANDS, 80.0, 10_000.0)
    features = Features((Resolution(2048, filterbank),), sample_rate=RATE, fps=RATE / 1024)
    parts: tuple[list[Array], list[Array]] = ([], [])
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in (".ogg", ".flac", ".wav")):
        spectrogram = features(read_audio(path, sample_rate=RATE))
        length = round(20 * features.fps)
        for first in range(0, len(spectrogram) - FRAMES + 1, length):
            for begin, end, to in ((0, 9 * length // 10, 0), (9 * length // 10, length, 1)):
                piece = spectrogram[first + begin : first + end]
                for start in range(0, len(piece) - FRAMES + 1, HOP if to == 0 else 5 * HOP):
                    parts[to].append(piece[start : start + FRAMES].ravel())
    x, test = np.array(parts[0], np.float32), np.array(parts[1], np.float32)
    bands = x.reshape(-1, BANDS)
    mean, deviation = np.tile(bands.mean(axis=0), FRAMES), np.tile(bands.std(axis=0), FRAMES)
    return (x - mean) / deviation, (test - mean) / deviation


def make_network(name: str, seed: int) -> Network:
    hidden, code = HIDDEN[name]
    sparse = {"initialization": "sparse"}
    encoder = [Dense(units, "sigmoid", **sparse) for units in hidden]
    decoder = [Dense(units, "sigmoid", **sparse) for units in reversed(hidden)]
    size, loss = (
        (BANDS * FRAMES, "squared_error") if name == "music" else (784, "binary_cross_entropy")
    )
    layers = [*encoder, Dense(code, **sparse), *decoder, Dense(size, **sparse)]
    return Network(size, layers, loss, seed=seed)


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


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Log:
    """Writes a line for each epoch of a method; knows when its time is over."""

    def __init__(
        self, path: Path, network: Network, x: Array, test: Array, seconds: float = np.inf
    ) -> None:
        self.path, self.network, self.x, self.test = path, network, x, test
        entries = read_log(path)
        self.left = seconds - sum(entry["processor_seconds"] for entry in entries)
        self._since = time.process_time()

    @property
    def over(self) -> bool:
        """Whether the method has had its processor time."""
        return time.process_time() - self._since > self.left

    def write(self, **entry: Any) -> None:
        """Add the errors, and the processor's seconds before them, and write the line."""
        entry["processor_seconds"] = time.process_time() - self._since
        self.left -= entry["processor_seconds"]
        entry["training_error"] = squared_error(self.network, self.x)
        entry["test_error"] = squared_error(self.network, self.test)
        line = json.dumps(entry)
        with self.path.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)
        self._since = time.process_time()

    def after_epoch(self, phase: int = 0, every: int = 1) -> Callable[[Trainer, int], bool]:
        """Return a trainer's callback."""

        def report(trainer: Trainer, epoch: int) -> bool:
            if epoch % every:
                return self.over
            numbers = {name: values[-1] for name, values in trainer.history.items()}
            self.write(phase=phase, epoch=epoch, **numbers)
            return self.over

        return report


def fields_of(phase: str) -> list[str]:
    """What a phase says, and what it leaves out."""
    fields = phase.split(":")
    return fields + DEFAULTS[len(fields) - 4 :]


def hessian_free(network: Network, x: Array, log: Log, options: argparse.Namespace) -> None:
    rule = HessianFree(**RULE)
    for number, phase in enumerate(options.phases):
        *sizes, rule.preconditioner, averaging = fields_of(phase)
        gradient, rule.curvature_size, rule.cg_steps, epochs = (int(n) for n in sizes)
        rule.averaging = float(averaging)
        every = 2 if gradient * 5 < len(x) else 1
        trainer = Trainer(
            network,
            rule,
            batch_size=gradient,
            epochs=epochs,
            seed=options.seed,
            callbacks=[log.after_epoch(number, every)],
            checkpoint=options.work / f"phase_{number}.safetensors",
        )
        trainer.resume()
        if trainer.fit(x, x).interrupted:
            raise SystemExit(1)
        if log.over:
            break


def first_order(
    method: str, network: Network, x: Array, log: Log, options: argparse.Namespace
) -> None:
    batch, momentum = 200, None
    updates = len(x) // batch
    rate = options.learning_rate or RATES[method]
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
        callbacks=[log.after_epoch(every=5)],
        checkpoint=options.work / f"{method}.safetensors",
    )
    trainer.resume()
    if trainer.fit(x, x).interrupted:
        raise SystemExit(1)


def batch_method(
    method: str, network: Network, x: Array, log: Log, options: argparse.Namespace
) -> None:
    path, done = options.work / f"{method}.safetensors", 0
    if path.exists():
        tensors, state = load_checkpoint(path)
        network.parameters[...] = tensors["parameters"]
        done = state["iterations"]
    if done >= options.epochs or log.over:
        return
    every = min(log.left / 30, 60.0)
    written = time.process_time()

    def after(iteration: int, loss: float) -> bool:
        nonlocal written
        if log.over or time.process_time() - written > every:
            # The network has the parameters that the iteration ended with.
            save_checkpoint(
                path, {"parameters": network.parameters}, {"iterations": done + iteration}
            )
            log.write(phase=0, epoch=done + iteration, loss=loss)
            written = time.process_time()
        return log.over

    minimize(network, (x, x, None), method, iterations=options.epochs - done, callback=after)


def counted(entries: list[dict[str, Any]], per_epoch: dict[int, int]) -> list[int]:
    """Iterations of all phases up to each entry; `per_epoch`: those of a pass, 1 if not given."""
    longest = {}
    for entry in entries:
        longest[entry["phase"]] = entry["epoch"] * per_epoch.get(entry["phase"], 1)
    return [
        entry["epoch"] * per_epoch.get(entry["phase"], 1)
        + sum(n for phase, n in longest.items() if phase < entry["phase"])
        for entry in entries
    ]


def phase_table(phases: list[str], entries: list[dict[str, Any]], size: int) -> list[str]:
    """What the phases were, and how far each came."""
    lines = [
        "\nHessian-free phases (examples of a gradient, of the Gauss-Newton matrix, most steps of",
        "conjugate gradients):\n",
        "| gradient | matrix | steps | preconditioner | averaging | iterations |"
        " processor seconds of one | training error at the end |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, phase in enumerate(phases):
        own = [entry for entry in entries if entry["phase"] == number]
        if own:
            gradient, curvature, steps, _, kind, averaging = fields_of(phase)
            iterations = own[-1]["epoch"] * -(-size // int(gradient))
            seconds = sum(entry["processor_seconds"] for entry in own) / iterations
            lines.append(
                f"| {gradient} | {curvature} | {steps} | {kind} | {averaging} | {iterations} | "
                f"{seconds:.2f} | "
                f"{own[-1]['training_error']:.3f} |"
            )
    return lines


def report(options: argparse.Namespace, x: Array, test: Array) -> None:
    """Write the table and the picture of what the logs have."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    rows, kept = [], {}
    details: list[str] = []
    for method in METHODS:
        entries = read_log(options.work / f"{method}.jsonl")
        if not entries:
            continue
        errors = [entry["training_error"] for entry in entries]
        seconds = np.cumsum([entry["processor_seconds"] for entry in entries])
        per_epoch = {}
        if method == "hessian-free":
            sizes = [int(phase.split(":")[0]) for phase in options.phases]
            per_epoch = {i: -(-len(x) // size) for i, size in enumerate(sizes)}
            details = phase_table(options.phases, entries, len(x))
        passes = counted(entries, per_epoch)
        axes[0].semilogy(passes, errors, label=method)
        axes[1].loglog(seconds, errors, label=method)
        last = entries[-1]
        kept[method] = entries
        rows.append(
            f"| {method} | {passes[-1]} | {seconds[-1]:.0f} | {last['training_error']:.3f} | "
            f"{last['test_error']:.3f} |"
        )
    pca = principal_components(x, test, HIDDEN[options.name][1])
    rows.append(f"| PCA | | | {pca[0]:.2f} | {pca[1]:.2f} |")
    rows += [f"| {k} (published) | | | {v:.2f} | |" for k, v in PUBLISHED[options.name].items()]
    labels = "iterations, or passes of first-order methods", "processor seconds"
    for axis, label in zip(axes, labels, strict=True):
        axis.set(xlabel=label, ylabel="training squared error")
        axis.grid(alpha=0.3)
        axis.legend()
    name = f"hessian_free_{options.name}"
    figure.savefig(options.output / f"{name}.png", dpi=110)
    text = [
        f"# Hessian-free optimisation: {options.name}\n",
        f"Made by `python examples/hessian_free_autoencoder.py {options.name} --report`.\n",
        f"![training error]({name}.png)\n",
        "Squared error of an image summed over its values, mean over images; seconds are those of",
        "all threads together, the measuring of errors apart.\n",
        "| method | iterations, passes | processor seconds | training error | test error |",
        "|---|---|---|---|---|",
        *rows,
        *details,
        *NOTES[options.name],
    ]
    (options.output / f"{name}.md").write_text("\n".join(text) + "\n")
    (options.output / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    x, test = load_images(options.name, options.data)
    for method in [] if options.report else options.methods:
        network = make_network(options.name, options.seed)
        log = Log(options.work / f"{method}.jsonl", network, x, test, options.seconds)
        if method == "hessian-free":
            hessian_free(network, x, log, options)
        elif method in SCIPY:
            batch_method(method, network, x, log, options)
        else:
            first_order(method, network, x, log, options)
    report(options, x, test)


if __name__ == "__main__":
    main()
