"""What a user writes with types: ``mypy --strict`` has nothing to say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

import ictus
from ictus import Dense, Dropout, Network, Trainer, kernels
from ictus.io.arff import ArffTable, read_arff
from ictus.io.training_log import CsvLog
from ictus.music import BeatTracker, load_networks, model_path
from ictus.train import EarlyStopping, Exponential, History

Floats = npt.NDArray[np.float32]


def train(x: Floats, y: npt.NDArray[np.int64], log: Path) -> tuple[Network, History]:
    network = Network(x.shape[1], [Dropout(0.2), Dense(50, "relu"), Dense(10)], seed=1)
    trainer = Trainer(
        network,
        ictus.SGD(0.1, momentum=0.9),
        learning_rate=Exponential(0.1, 0.98),
        early_stopping=EarlyStopping(patience=3),
        callbacks=[CsvLog(log)],
    )
    return network, trainer.fit(x, y, validation=(x, y))


def classify(table: ArffTable) -> npt.NDArray[np.float64]:
    model = ictus.MLPClassifier((30,), dropout=0.5).fit(table.x, table.y)
    probabilities: npt.NDArray[np.float64] = model.predict_proba(table.x)
    return probabilities


def product(a: Floats, b: Floats) -> float:
    out = kernels.gemm(a, b, activation="relu")
    return float(kernels.sum_of_squares(kernels.sigmoid(out).ravel()))


def beats(signal: Floats) -> int:
    tracker = BeatTracker(load_networks([model_path("beats")]))
    return len(tracker.activations([signal]))


def keep(model: Network, path: Path) -> Network:
    ictus.save(path, model, {"licence": "CC0"})
    loaded = ictus.load(path)
    assert isinstance(loaded, Network)
    return loaded


def main() -> None:
    table = read_arff("songs.arff")
    print(classify(table).shape)


if __name__ == "__main__":
    main()
