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
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ictus
from ictus import Autoencoder, datasets, load, plot, save
from ictus.models.pretraining.pretrain import pretrain, unroll
from ictus.nn import Dense, Network
from ictus.optim import Adam
from ictus.train import History, Linear, Trainer

Array = NDArray[Any]

HIDDEN, CODE, BITS = [1000, 500, 250], 30, 64
QUERIES = 2000
PUBLISHED = {"autoencoder": 3.00, "PCA": 13.87}  # Hinton & Salakhutdinov 2006


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the MNIST idx files; default $ICTUS_DATA/mnist")
    parser.add_argument("--pretraining-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=42, help="of fine-tuning without decay")
    parser.add_argument("--schedule", type=int, default=60, help="epoch of its learning rate 0")
    parser.add_argument("--learning-rate", type=float, default=0.004)
    parser.add_argument("--final-epochs", type=int, default=20, help="with weight decay")
    parser.add_argument("--final-learning-rate", type=float, default=0.002)
    parser.add_argument("--weight-decay", type=float, default=0.1, help="decoupled, of Adam")
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--code-epochs", type=int, default=20, help="of the binary codes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--work", type=Path, default=Path("autoencoder_mnist"), help="checkpoints")
    return parser.parse_args()


def load_images(folder: str | None) -> tuple[list[Array], list[Array]]:
    """Training, validation and test images, float32 in [0, 1], and their classes."""
    data = datasets.load_mnist(folder)
    x, test = data.x_train.reshape(60_000, -1), data.x_test.reshape(10_000, -1)
    scale = np.float32(255 if x.max() > 1 else 1)
    images = [each.astype(np.float32) / scale for each in (x[:55_000], x[55_000:], test)]
    return images, [data.y_train[:55_000], data.y_train[55_000:], data.y_test]


def make_network(seed: int) -> Network:
    encoder = [Dense(units, "sigmoid") for units in HIDDEN]
    decoder = [Dense(units, "sigmoid") for units in reversed(HIDDEN)]
    layers = [*encoder, Dense(CODE), *decoder, Dense(784)]
    return Network(784, layers, "binary_cross_entropy", seed=seed)


def squared_error(network: Network, x: Array) -> float:
    """Mean over images of the squared error summed over pixels."""
    return float(np.square(network.predict(x) - x).sum(axis=1, dtype=np.float64).mean())


def train(
    network: Network,
    x: Array,
    validation: Array,
    options: argparse.Namespace,
    name: str,
    **rule: Any,
) -> History:
    def report(trainer: Trainer, epoch: int) -> None:
        history = trainer.history
        print(
            f"{name}: epoch {epoch}, loss {history['loss'][-1]:.2f}, validation "
            f"{-history['validation_score'][-1]:.3f}, {history['seconds'][-1]:.1f} s",
            flush=True,
        )

    trainer = Trainer(
        network,
        batch_size=options.batch_size,
        score=lambda network, x, _: -squared_error(network, x),
        seed=options.seed,
        checkpoint=options.work / name,
        callbacks=[report],
        progress=False,
        **rule,
    )
    trainer.resume()
    history = trainer.fit(x, x, validation=(validation, validation))
    stop_if_interrupted(history)
    return history


def fine_tune(
    network: Network, x: Array, validation: Array, options: argparse.Namespace, start: str
) -> list[History]:
    """Fast at first, then with weight decay and a learning rate that falls to 0."""
    rate, final = options.learning_rate, options.final_learning_rate
    first = train(
        network,
        x,
        validation,
        options,
        f"first_{start}",
        optimizer=Adam(rate),
        epochs=options.epochs,
        learning_rate=Linear(rate, 0.0, options.schedule),
    )
    second = train(
        network,
        x,
        validation,
        options,
        f"final_{start}",
        optimizer=Adam(final, decoupled_decay=options.weight_decay),
        epochs=options.final_epochs,
        learning_rate=Linear(final, 0.0, options.final_epochs),
    )
    return [first, second]


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
            seconds = float(sum(np.sum(each.history.get("seconds", [0])) for each in stack))
        result[start] = {
            "network": network,
            "pretraining_seconds": seconds,
            "validation_before": squared_error(network, validation),
            "histories": fine_tune(network, x, validation, options, start),
        }
    return result


def train_codes(x: Array, options: argparse.Namespace) -> Autoencoder:
    """Binary codes: an autoencoder with noise before a sigmoid code (Salakhutdinov & Hinton)."""
    file = options.work / "codes.ictus"
    if file.exists():
        return load(file)
    model = Autoencoder(
        (500, 250, BITS),
        code_noise=4.0,
        pretrain="rbm",
        pretraining_epochs=5,
        max_epochs=options.code_epochs,
        learning_rate=0.002,
        learning_rate_decay=0.9,
        batch_size=200,
        tol=0.0,
        patience=max(options.code_epochs, 1),
        random_state=options.seed,
        checkpoint=options.work / "codes.checkpoint",
    ).fit(x)
    stop_if_interrupted(model.history_)
    print(f"codes: {model.n_iter_} epochs, loss {model.loss_:.2f}", flush=True)
    save(file, model)
    return model


def nearest(queries: Array, base: Array, count: int) -> Array:
    """Rows of the `count` nearest of each query by squared distance, (n, count)."""
    norms = np.square(base).sum(axis=1)
    found = []
    for part in np.array_split(queries, max(1, len(queries) // 500)):
        distances = norms - 2 * part @ base.T
        found.append(np.argpartition(distances, count - 1, axis=1)[:, :count])
    return np.concatenate(found)


def retrieval(
    model: Autoencoder, x: Array, labels: Array, test: Array, test_labels: Array
) -> dict[str, float]:
    """Of 100 retrieved training images, how many per cent have the class of the test image."""
    bits = [np.unpackbits(model.encode_bits(each), axis=1).astype(np.float32) for each in (x, test)]
    mean = x.mean(axis=0)
    _, _, axes = np.linalg.svd((x[:10_000] - mean), full_matrices=False)
    signs = [((each - mean) @ axes[:BITS].T > 0).astype(np.float32) for each in (x, test)]
    spaces = {
        f"{BITS} bits of the autoencoder": bits,
        f"signs of {BITS} principal components": signs,
        "pixels": [x, test],
    }
    return {
        name: float(100 * (labels[nearest(b, a, 100)] == test_labels[:, None]).mean())
        for name, (a, b) in spaces.items()
    }


def principal_components(x: Array, test: Array, count: int) -> Array:
    """Test images reconstructed from their first principal components."""
    mean = x.mean(axis=0, dtype=np.float64)
    centred = x - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, -count:]
    return np.asarray(mean + (test - mean) @ axes @ axes.T)


def summed_error(found: Array, x: Array) -> float:
    return float(np.square(found - x).sum(axis=1, dtype=np.float64).mean())


def joined(one: dict[str, Any], name: str) -> list[float]:
    """Numbers of the epochs of all of fine-tuning."""
    return [value for history in one["histories"] for value in history[name]]


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    (x, validation, test), labels = load_images(options.data)
    deep = train_deep(x, validation, options)
    codes = train_codes(x, options)
    precision = retrieval(codes, x, labels[0], test[:QUERIES], labels[2][:QUERIES])
    print(precision, flush=True)
    pca = principal_components(np.concatenate([x, validation]), test, CODE)
    networks = {start: one["network"] for start, one in deep.items()}
    facts: dict[str, Any] = {
        "test_error": {start: squared_error(net, test) for start, net in networks.items()},
        "validation_error": {
            start: squared_error(net, validation) for start, net in networks.items()
        },
        "training_error": {start: squared_error(net, x) for start, net in networks.items()},
        "pca_test_error": summed_error(pca, test),
        "published": PUBLISHED,
        "retrieval_percent": precision,
        "epochs": {start: len(joined(one, "loss")) for start, one in deep.items()},
        "seconds": {
            start: [one["pretraining_seconds"], float(np.sum(joined(one, "seconds")))]
            for start, one in deep.items()
        },
        "validation_error_by_epoch": {
            start: [-score for score in joined(one, "validation_score")]
            for start, one in deep.items()
        },
        "loss_by_epoch": {start: joined(one, "loss") for start, one in deep.items()},
        "threads": ictus.num_threads(),
        "instruction_set": ictus.instruction_set(),
        "ictus": ictus.__version__,
        "machine": platform.machine(),
    }
    save(options.work / "autoencoder_mnist.ictus", networks["pretrained"])
    write_results(options, facts)
    draw(options.output, facts, test, networks, pca)
    print(json.dumps({name: facts[name] for name in ("test_error", "pca_test_error")}))


def draw(
    folder: Path, facts: dict[str, Any], test: Array, networks: dict[str, Network], pca: Array
) -> None:
    """Learning curves, and test images with their reconstructions."""
    curves = facts["validation_error_by_epoch"]
    figure = plot.curves(
        {"pre-trained by Boltzmann machines": curves["pretrained"], "random": curves["random"]},
        title="Error of 5,000 held-out images",
        y="squared error of an image",
    )
    figure.axes[0].set_yscale("log")
    figure.savefig(folder / "autoencoder_mnist.png", dpi=120)
    shown = slice(0, 10)
    rows = {
        "test": test[shown],
        "autoencoder": networks["pretrained"].predict(test[shown]),
        "random start": networks["random"].predict(test[shown]),
        "PCA": pca[shown].clip(0, 1),
    }
    title = f"Test images from {CODE} numbers"
    plot.image_rows(rows, (28, 28), title=title).savefig(
        folder / "autoencoder_mnist_reconstructions.png", dpi=110
    )


def write_results(options: argparse.Namespace, facts: dict[str, Any]) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    recipe = [name for name in vars(options) if name not in ("data", "output", "work")]
    flags = [f"--{name.replace('_', '-')} {getattr(options, name)}" for name in recipe]
    facts["command"] = " ".join(["python examples/autoencoder_mnist.py", *flags])
    (folder / "autoencoder_mnist.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "autoencoder_mnist.md").write_text(page(options, facts))


def page(options: argparse.Namespace, facts: dict[str, Any]) -> str:
    errors = {
        start: " | ".join(
            f"{facts[part + '_error'][start]:.2f}" for part in ("training", "validation", "test")
        )
        for start in ("pretrained", "random")
    }
    epochs, seconds = facts["epochs"], facts["seconds"]
    retrieved = "\n".join(f"| {k} | {v:.1f} |" for k, v in facts["retrieval_percent"].items())
    return f"""# A deep autoencoder on MNIST

784-1000-500-250-30 and back, a linear code, logistic units elsewhere (Hinton & Salakhutdinov
2006), trained on the cross-entropy of 55,000 images. The measure is the squared error of an
image, summed over its pixels in [0, 1]. Pre-training: four Boltzmann machines by CD-1,
{options.pretraining_epochs} epochs each, unrolled into encoder and decoder. Then Adam in
minibatches of {options.batch_size}: {options.epochs} epochs at a learning rate that falls linearly
from {options.learning_rate:g} (towards 0 in epoch {options.schedule}), and {options.final_epochs}
epochs with decoupled weight decay {options.weight_decay:g} at one that falls from
{options.final_learning_rate:g} to 0; the same from random weights. Seed {options.seed}. The
schedule was chosen for the pre-trained start, on 5,000 held-out training images (another may suit
random weights better); the test images were looked at once, at the end.

| | epochs | training | held out | test |
|---|---|---|---|---|
| pre-trained | {epochs["pretrained"]} | {errors["pretrained"]} |
| random start | {epochs["random"]} | {errors["random"]} |
| 30 principal components | | | | {facts["pca_test_error"]:.2f} |
| Hinton & Salakhutdinov 2006, pre-trained | | | | {PUBLISHED["autoencoder"]:.2f} |
| Hinton & Salakhutdinov 2006, PCA | | | | {PUBLISHED["PCA"]:.2f} |

Pre-training took {seconds["pretrained"][0] / 60:.1f} minutes, fine-tuning
{seconds["pretrained"][1] / 60:.1f} from there and {seconds["random"][1] / 60:.1f} from random
weights (threads: {facts["threads"]}, on a machine that had other work too).

![validation error](autoencoder_mnist.png)

![reconstructions](autoencoder_mnist_reconstructions.png)

## Binary codes

784-500-250-{BITS} with noise of deviation 4 before the sigmoid code (Salakhutdinov & Hinton
2009), {options.code_epochs} epochs. For each of the first {QUERIES} test images the 100 nearest
training images by Hamming distance of the codes; how many of them have its class, without any label
in training. The pixels, compared by Euclidean distance, take {784 * 32 // BITS} times the room.

| nearest by | of the right class, % |
|---|---|
{retrieved}

Made by `{facts["command"]}`.
"""


if __name__ == "__main__":
    main()
