"""Trains every kind of model with different numbers of threads and compares the bits.

    python tools/reliability/determinism.py --repeats 100 --output FILE.json

All trainings of a model, whatever the number of threads and however often repeated, must end with
the same bytes; at another instruction set with others, which lie near.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ictus

THREADS = (1, 2, 3, 4, 8, 16)
Array = Any


def _rows(count: int = 210, width: int = 23) -> Array:
    return np.random.default_rng(0).uniform(size=(count, width)).astype(np.float32)


def _labels(count: int = 210) -> Array:
    return np.random.default_rng(1).integers(0, 3, count)


def _sequences() -> tuple[list[Array], list[Array]]:
    rng = np.random.default_rng(2)
    lengths = (31, 17, 40, 5, 28, 33)
    x = [rng.normal(size=(n, 7)).astype(np.float32) for n in lengths]
    return x, [rng.integers(0, 2, n) for n in lengths]


def _network(model: Any) -> Array:
    return model.network_.parameters


def _dense(**options: Any) -> Array:
    model = ictus.MLPClassifier((37, 19), max_epochs=2, random_state=0, **options)
    return _network(model.fit(_rows(), _labels()))


def _recurrent(cell: str) -> Array:
    model = ictus.SequenceLabeler((13,), cell, bidirectional=True, max_epochs=2, random_state=0)
    return _network(model.fit(*_sequences()))


def _boltzmann(kind: Any, x: Array, **options: Any) -> Array:
    return kind(29, n_iter=2, random_state=0, **options).fit(x).rbm_.parameters


def _deep(kind: Any, *targets: Array) -> Array:
    model = kind((17, 11), n_iter=2, random_state=0).fit(_rows(), *targets)
    return model.machine_.parameters


MODELS: dict[str, Callable[[], Array]] = {
    "MLPClassifier, Adam": _dense,
    "MLPClassifier, SGD and dropout": lambda: _dense(optimizer="sgd", dropout=0.5, max_norm=2.0),
    "MLPClassifier, pre-trained by RBMs": lambda: _dense(pretrain="rbm"),
    "MLPClassifier, Hessian-free": lambda: _dense(optimizer="hessian-free"),
    "MLPRegressor": lambda: _network(
        ictus.MLPRegressor((31,), max_epochs=2, random_state=0).fit(_rows(), _rows()[:, :2])
    ),
    "ConvNetClassifier": lambda: _network(
        ictus.ConvNetClassifier(
            (5, 9), (17,), image_shape=(14, 15), max_epochs=2, random_state=0
        ).fit(_rows(210, 210), _labels())
    ),
    "SequenceLabeler, LSTM": lambda: _recurrent("lstm"),
    "SequenceLabeler, GRU": lambda: _recurrent("gru"),
    "SequenceLabeler, tanh": lambda: _recurrent("recurrent"),
    "Autoencoder, denoising": lambda: _network(
        ictus.Autoencoder((19, 5), corruption="masking", max_epochs=2, random_state=0).fit(_rows())
    ),
    "BernoulliRBM, CD-1": lambda: _boltzmann(ictus.BernoulliRBM, _rows(), persistent=False),
    "BernoulliRBM, PCD-5": lambda: _boltzmann(ictus.BernoulliRBM, _rows(), persistent=True, k=5),
    "GaussianRBM": lambda: _boltzmann(ictus.GaussianRBM, _rows()),
    "SoftmaxRBM": lambda: _boltzmann(ictus.SoftmaxRBM, (4 * _rows()).astype(int)),
    "ConditionalRBM": lambda: _boltzmann(ictus.ConditionalRBM, [_rows()]),
    "DeepBeliefNet": lambda: _deep(ictus.DeepBeliefNet),
    "DBNClassifier": lambda: _deep(ictus.DBNClassifier, _labels()),
}  # fmt: skip


def digest(train: Callable[[], Array]) -> str:
    """The checksum of the parameters after training."""
    return hashlib.sha256(np.ascontiguousarray(train()).tobytes()).hexdigest()


def digests(train: Callable[[], Array], repeats: int) -> dict[str, int]:
    """Train with each number of threads, so often in all; count the different results."""
    found: dict[str, int] = {}
    before = ictus.num_threads()
    try:
        for number in range(max(repeats, len(THREADS))):
            ictus.set_num_threads(THREADS[number % len(THREADS)])
            key = digest(train)
            found[key] = found.get(key, 0) + 1
    finally:
        ictus.set_num_threads(before)
    return found


def main() -> int:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100, help="trainings of each model")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    results = {}
    for name, train in MODELS.items():
        results[name] = list(digests(train, arguments.repeats).values())
        print(f"{name}: {sum(results[name])} trainings, {len(results[name])} results", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if all(len(counts) == 1 for counts in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
