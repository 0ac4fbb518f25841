"""Fits and uses models again and again, and watches the memory of the process.

    python tools/reliability/memory.py --fits 10000 --output FILE.json
    python tools/reliability/memory.py --minutes 60

Every kind of model is fitted, used, saved, loaded and forgotten in turn; an index is written,
opened and searched, and beats are followed in a stream. The resident memory must not grow: the
figures are its size after the first tenth, at the end, and bytes a round between them.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import resource
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import music
from ictus.music.networks import load_networks, model_path
from ictus.music.retrieval import HammingIndex

PAGE = resource.getpagesize()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _models() -> list[tuple[Any, tuple[Any, ...]]]:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(60, 16)).astype(np.float32)
    y = rng.integers(0, 3, 60)
    sequences = [x[:20], x[20:55]]
    labels = [y[:20], y[20:55]]
    short: dict[str, Any] = {"max_epochs": 1}
    return [
        (ictus.MLPClassifier((20,), **short), (x, y)),
        (ictus.MLPRegressor((20,), optimizer="hessian-free", **short), (x, x[:, :2])),
        (ictus.ConvNetClassifier((3,), (5,), image_shape=(4, 4), **short), (x, y)),
        (ictus.SequenceLabeler((8,), bidirectional=True, **short), (sequences, labels)),
        (ictus.Autoencoder((8,), **short), (x,)),
        (ictus.BernoulliRBM(9, n_iter=1), (x,)),
        (ictus.GaussianRBM(9, n_iter=1), (x,)),
        (ictus.DeepBeliefNet((9, 5), n_iter=1), (x,)),
    ]


def _search(number: int, path: Path) -> None:
    """Write an index, open it, search in it."""
    codes = np.random.default_rng(number).integers(0, 256, (500 + number % 50, 16), np.uint8)
    folder = path.with_suffix(".index")
    with HammingIndex.create(folder, 128) as index:
        index.add(codes, names=[str(row) for row in range(len(codes))])
    with HammingIndex.open(folder, verify=True) as index:
        index.names(index.nearest(codes[:9], 5).numbers[0])
        index.within(codes[:9], 20)
    shutil.rmtree(folder)


@functools.cache
def _online() -> list[Any]:
    return load_networks([model_path("online")])


def _stream(number: int, path: Path) -> None:
    """Follow beats for two seconds and a little, from pieces."""
    noise = np.random.default_rng(number).standard_normal(88_200 + number % 441)
    tracker = music.OnlineBeatTracker(_online())
    for piece in np.array_split(noise.astype(np.float32), 20):
        tracker.push(piece)
    tracker.push(noise[:0], last=True)


OTHERS = (_search, _stream)


def once(number: int, models: list[tuple[Any, tuple[Any, ...]]], path: Path) -> bool:
    """Fit, save, load and use a model, or do another thing; return whether it was a fit."""
    from sklearn.base import clone

    kind = number % (len(models) + len(OTHERS))
    if kind >= len(models):
        OTHERS[kind - len(models)](number, path)
        return False
    model, arrays = models[kind]
    if not isinstance(arrays[0], list):
        arrays = tuple(each[: 40 + number % 20] for each in arrays)
    fitted = clone(model).set_params(random_state=number).fit(*arrays)
    ictus.save(path, fitted)
    loaded = ictus.load(path)
    (loaded.predict if hasattr(loaded, "predict") else loaded.transform)(arrays[0])
    return True


def main() -> int:
    """Fit as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fits", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, help="fit for so long instead")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    models, sizes = _models(), []
    started = time.monotonic()
    end = started + 60 * (arguments.minutes or 0)
    number = fits = 0
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() < end if arguments.minutes else fits < arguments.fits:
            fits += once(number, models, Path(name) / "model")
            number += 1
            if number % 100 == 0:
                gc.collect()
                sizes.append(resident())
    begin = len(sizes) // 10
    rounds = 100 * (len(sizes) - 1 - begin)
    result = {
        "fits": fits,
        "searches and streams": number - fits,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "megabytes after a tenth": round(sizes[begin] / 2**20, 1),
        "megabytes at the end": round(sizes[-1] / 2**20, 1),
        "most megabytes": round(max(sizes) / 2**20, 1),
        "bytes a round": round((sizes[-1] - sizes[begin]) / max(rounds, 1), 1),
    }
    print(json.dumps(result, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
