"""Looking inside a convolutional network that reads digits: all views of ictus.models.inspection.

    python examples/looking_inside.py --data FOLDER_WITH_IDX_FILES

Trains a small network on a part of MNIST and draws its filters, the maps of an image, what of the
image moves the output (saliency, guided backpropagation, occlusion), inputs that excite units of
each layer, nearest neighbours of wrong answers, and examples as points of a plane, layer by layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ictus import Adam, Conv2D, Dense, Flatten, MaxPool, Network, Trainer, datasets, plot
from ictus.models import inspection

LAST_HIDDEN = 5  # number of the dense hidden layer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the MNIST idx files")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("docs/results"))
    return parser.parse_args()


def train(data: Any, options: argparse.Namespace) -> Network:
    network = Network(
        (28, 28, 1),
        [
            Conv2D(16, 5, "relu"),
            MaxPool(2),
            Conv2D(32, 3, "relu"),
            MaxPool(2),
            Flatten(),
            Dense(64, "relu", dropout=0.3),
            Dense(10),
        ],
        seed=0,
    )
    trainer = Trainer(network, Adam(0.002), epochs=options.epochs, batch_size=50, progress=False)
    trainer.fit(data.x_train[: options.images], data.y_train[: options.images])
    return network


def scaled(images: Any) -> Any:
    """Each image between 0 and 1, as a row."""
    flat = images.reshape(len(images), -1)
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    return (flat - low) / np.maximum(high - low, 1e-9)


def draw(network: Network, data: Any, save: Any) -> None:
    """Filters, maps, what moves the output, what excites units."""
    filters = inspection.filters(network, 0)[..., 0].reshape(16, -1)
    save(
        "filters",
        plot.image_rows(
            {"": filters}, (5, 5), columns=16, signed=True, title="Filters of the first layer"
        ),
    )
    image = data.x_test[:1]
    maps = {
        f"layer {number}": inspection.feature_maps(network, image, number)[0].transpose(2, 0, 1)
        for number in (0, 2)
    }
    for name, each in maps.items():
        title = f"A seven as the maps of {name} have it"
        figure = plot.image_rows({"": scaled(each)}, each.shape[1:], columns=16, title=title)
        save("maps_" + name[-1], figure)
    chosen = [int(np.flatnonzero(data.y_test == digit)[3]) for digit in range(10)]
    given = data.x_test[chosen].reshape(-1, 28, 28, 1)
    fall = inspection.occlusion(network, given, patch=6, stride=2)
    fine = fall.repeat(2, axis=1).repeat(2, axis=2)
    covered = np.zeros((10, 28, 28))
    covered[:, 2:26, 2:26] = fine
    rows = {
        "given": given,
        "saliency": inspection.saliency(network, given),
        "guided": inspection.guided_backpropagation(network, given),
        "occlusion": covered,
    }
    flat = {name: each.reshape(10, -1) for name, each in rows.items()}
    title = "What speaks for the answer (red) and against it (blue)"
    save("answers", plot.image_rows(flat, (28, 28), signed=True, title=title))
    units = np.arange(10)
    excited = {
        f"layer {layer}": inspection.activation_maximisation(
            network, units, layer=layer, steps=100, bounds=(0.0, 1.0), blur=blur, l2=0.05
        )
        for layer, blur in ((0, 0.4), (2, 0.5), (LAST_HIDDEN, 0.6), (-1, 0.6))
    }
    names = {"layer 0": "filters 5 x 5", "layer 2": "filters above", "layer 5": "hidden units"}
    flat = {names.get(name, "digits 0 .. 9"): scaled(each) for name, each in excited.items()}
    title = "Inputs that excite units"
    save("excited", plot.image_rows(flat, (28, 28), title=title))


def draw_space(network: Network, data: Any, save: Any) -> dict[str, float]:
    """Neighbours of wrong answers, and planes; agreement of the neighbours of each layer."""
    x, y = data.x_test[:3000], data.y_test[:3000]
    known, labels = data.x_train[:5000], data.y_train[:5000]
    wrong = np.flatnonzero(network.predict(x).argmax(axis=1) != y)[:10]
    nearest, _ = inspection.nearest_neighbours(network, x[wrong], known, layer=LAST_HIDDEN, count=4)
    rows = {"taken wrong": x[wrong]}
    rows |= {f"neighbour {k + 1}": known[nearest[:, k]] for k in range(4)}
    title = "Wrong answers, and their nearest neighbours in the last hidden layer"
    save("neighbours", plot.image_rows(rows, (28, 28), columns=10, title=title))
    agreement = {}
    for name, layer in (("first maps", 1), ("second maps", 3), ("hidden units", LAST_HIDDEN)):
        found, _ = inspection.nearest_neighbours(network, x[:1000], known, layer=layer, count=5)
        agreement[name] = 100 * float((labels[found] == y[:1000, None]).mean())
    for method, layer in (("pca", LAST_HIDDEN), ("tsne", LAST_HIDDEN), ("pca", 1)):
        points = inspection.embedding(network, x[:600], layer=layer, method=method)
        title = f"600 digits in layer {layer}, {method.upper().replace('TSNE', 't-SNE')}"
        names = {"x": "first axis", "y": "second axis"}
        save(f"{method}_{layer}", plot.code_map(points, y[:600], title=title, **names))
    return agreement


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    data = datasets.load_mnist(options.data)
    network = train(data, options)
    error = 100 * float((network.predict(data.x_test).argmax(axis=1) != data.y_test).mean())
    pictures: list[str] = []

    def save(name: str, figure: Any) -> None:
        pictures.append(f"looking_inside_{name}.png")
        figure.savefig(options.output / pictures[-1], dpi=80)

    draw(network, data, save)
    agreement = draw_space(network, data, save)
    rows = "\n".join(f"| {name} | {share:.1f} |" for name, share in agreement.items())
    images = "\n\n".join(f"![{name}]({name})" for name in pictures)
    count, epochs = options.images, options.epochs
    text = f"""# Looking inside a network that reads digits

Made by `python examples/looking_inside.py --data FOLDER_WITH_IDX_FILES`. A network of two
convolutions and a dense layer, {epochs} epochs on {count} images of MNIST; its test error is
{error:.2f} %.

How many of the 5 nearest training images, of 5,000, are of the same digit, by the layer in whose
outputs they are sought (1,000 test images):

| layer | per cent |
|---|---|
{rows}

Where an input that should excite a unit is noise, no start of the search turned that unit on.

{images}
"""
    (options.output / "looking_inside.md").write_text(text)


if __name__ == "__main__":
    main()
