"""Fits and uses models again and again, and watches the memory of the process.

    python tools/reliability/memory.py --fits 10000 --output FILE.json
    python tools/reliability/memory.py --minutes 60

Every kind of model is fitted, used, saved, loaded and forgotten in turn. The resident memory must
not grow: the figures are its size after the first tenth, at the end, and bytes a fit between them.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ictus

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


def once(number: int, models: list[tuple[Any, tuple[Any, ...]]], path: Path) -> None:
    """Fit, save, load and use one of the models; sizes change with the number."""
    from sklearn.base import clone

    model, arrays = models[number % len(models)]
    if not isinstance(arrays[0], list):
        arrays = tuple(each[: 40 + number % 20] for each in arrays)
    fitted = clone(model).set_params(random_state=number).fit(*arrays)
    ictus.save(path, fitted)
    loaded = ictus.load(path)
    (loaded.predict if hasattr(loaded, "predict") else loaded.transform)(arrays[0])


def main() -> int:
    """Fit as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fits", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, help="fit for so long instead")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    models, sizes = _models(), []
    end = time.monotonic() + 60 * (arguments.minutes or 0)
    number = 0
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() < end if arguments.minutes else number < arguments.fits:
            once(number, models, Path(name) / "model")
            number += 1
            if number % 100 == 0:
                gc.collect()
                sizes.append(resident())
    begin = len(sizes) // 10
    fits = 100 * (len(sizes) - 1 - begin)
    result = {
        "fits": number,
        "megabytes after a tenth": round(sizes[begin] / 2**20, 1),
        "megabytes at the end": round(sizes[-1] / 2**20, 1),
        "most megabytes": round(max(sizes) / 2**20, 1),
        "bytes a fit": round((sizes[-1] - sizes[begin]) / max(fits, 1), 1),
    }
    print(json.dumps(result, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
