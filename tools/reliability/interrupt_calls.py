"""Presses Ctrl-C inside long calls of the Python interface, and measures how soon they return.

    python tools/reliability/interrupt_calls.py --times 5 --output FILE.json

Each call is made in a process of its own, on arrays so large that it takes seconds. SIGINT comes at
a random moment of it; KeyboardInterrupt, or the end of a training that keeps its model, has to
follow within half a second. The figures are seconds from the signal to then.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import music
from ictus.music.networks import load_networks, model_path
from ictus.music.retrieval import HammingIndex

Call = Callable[[], Any]


def _x(rows: int, width: int = 784) -> Any:
    return np.random.default_rng(0).random((rows, width), np.float32)


def _labels(rows: int) -> Any:
    return np.arange(rows) % 10


def _fit(make: Callable[[], Any], *arrays: Any) -> Call:
    return lambda: make().fit(*arrays)


def _fitted(model: Any, method: str, large: Any, *arrays: Any) -> Call:
    function = getattr(model.fit(*arrays), method)
    return lambda: function(large)


def _fits() -> dict[str, Callable[[], Call]]:
    x, y, many = _x(20_000), _labels(20_000), {"max_epochs": 10_000}
    sequences = [_x(2000, 40) for _ in range(20)]
    labels = [_labels(2000) for _ in range(20)]
    models: dict[str, tuple[Callable[[], Any], tuple[Any, ...]]] = {
        "MLPClassifier": (lambda: ictus.MLPClassifier((800,), **many), (x, y)),
        "MLPClassifier, one minibatch an epoch": (
            lambda: ictus.MLPClassifier((800,), batch_size=20_000, **many), (x, y)
        ),
        "MLPRegressor, Hessian-free": (
            lambda: ictus.MLPRegressor((300,), optimizer="hessian-free", **many), (x, x[:, :9])
        ),
        "MLPClassifier, pre-trained": (
            lambda: ictus.MLPClassifier((500,), pretrain="rbm", pretraining_epochs=9999), (x, y)
        ),
        "ConvNetClassifier": (
            lambda: ictus.ConvNetClassifier((16, 32), (64,), image_shape=(28, 28), **many), (x, y)
        ),
        "SequenceLabeler": (lambda: ictus.SequenceLabeler((100,), **many), (sequences, labels)),
        "Autoencoder": (lambda: ictus.Autoencoder((500, 30), **many), (x,)),
        "BernoulliRBM": (lambda: ictus.BernoulliRBM(500, n_iter=9999), (x,)),
        "GaussianRBM": (lambda: ictus.GaussianRBM(500, n_iter=9999), (x,)),
        "DeepBeliefNet": (lambda: ictus.DeepBeliefNet((500, 500), n_iter=9999), (x,)),
        "DBNClassifier": (lambda: ictus.DBNClassifier((500, 500), n_iter=9999), (x, y)),
    }  # fmt: skip
    return {f"{name}.fit": (lambda m=m, a=a: _fit(m, *a)) for name, (m, a) in models.items()}


def _predictions() -> dict[str, Callable[[], Call]]:
    small, y = _x(500), _labels(500)
    once: dict[str, Any] = {"max_epochs": 1}
    image = {"image_shape": (28, 28), **once}
    return {
        "MLPClassifier.predict": lambda: _fitted(
            ictus.MLPClassifier((1500, 1500), **once), "predict", _x(300_000), small, y
        ),
        "ConvNetClassifier.predict": lambda: _fitted(
            ictus.ConvNetClassifier((32, 64), (64,), **image), "predict", _x(60_000), small, y
        ),
        "SequenceLabeler.predict": lambda: _fitted(
            ictus.SequenceLabeler((200,), **once), "predict", [_x(300_000, 40)],
            [_x(90, 40)], [_labels(90)],
        ),
        "BernoulliRBM.transform": lambda: _fitted(
            ictus.BernoulliRBM(2000, n_iter=1), "transform", _x(300_000), small
        ),
        "DeepBeliefNet.transform": lambda: _fitted(
            ictus.DeepBeliefNet((1500, 1500), n_iter=1), "transform", _x(200_000), small
        ),
        "Autoencoder.reconstruct": lambda: _fitted(
            ictus.Autoencoder((1500, 30), **once), "reconstruct", _x(300_000), small
        ),
    }  # fmt: skip


def _codes(rows: int, width: int = 16) -> Any:
    return np.random.default_rng(0).integers(0, 256, (rows, width), np.uint8)


def _search() -> dict[str, Callable[[], Call]]:
    def searched(method: str, number: int) -> Call:
        index, queries = HammingIndex(128), _codes(3000)
        index.add(_codes(3_000_000))
        return lambda: getattr(index, method)(queries, number)

    def added() -> Call:
        codes = _codes(8_000_000)
        return lambda: HammingIndex(128).add(codes)

    return {
        "HammingIndex.nearest": lambda: searched("nearest", 10),
        "HammingIndex.within": lambda: searched("within", 9),
        "HammingIndex.add": added,
    }


def _sound(minutes: float) -> Any:
    return np.random.default_rng(0).standard_normal(int(minutes * 60 * 44_100), np.float32)


def _music() -> dict[str, Callable[[], Call]]:
    def extracted() -> Call:
        signal = _sound(60)
        return lambda: music.beat_features()(signal)

    def tracked() -> Call:
        model, signal = music.BeatTracker(load_networks([model_path("beats")])), _sound(40)
        return lambda: model.track_signal(signal)

    activations = np.random.default_rng(0).uniform(0, 1, 2_000_000)
    return {
        "beat_features": extracted,
        "BeatTracker.track_signal": tracked,
        "decode_beats": lambda: lambda: music.decode_beats(activations),
        "OnlineBeatDecoder.push": lambda: lambda: music.OnlineBeatDecoder().push(activations),
    }


def _calls() -> dict[str, Callable[[], Call]]:
    """A function for each call that prepares it and returns it."""
    return _fits() | _predictions() | _search() | _music()


def _press(name: str, wait: float, pipe: Connection) -> None:
    """Make a call in this process, interrupt it after some seconds, tell how long it went on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    call = _calls()[name]()
    pressed: list[tuple[float, float]] = []

    def press() -> None:
        time.sleep(wait)
        pressed.append((time.monotonic(), time.process_time()))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    how = "returned"
    try:
        call()
    except KeyboardInterrupt:
        how = "KeyboardInterrupt"
    if not pressed:
        how = "ended before"
        pressed.append((time.monotonic(), time.process_time()))
    pipe.send((time.monotonic() - pressed[0][0], time.process_time() - pressed[0][1], how))
    os._exit(0)  # the arrays need no tidying


def press(name: str, wait: float) -> tuple[float, float, str]:
    """Seconds from Ctrl-C to the end of a call, processor seconds meanwhile, and how it ended."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_press, args=(name, wait, theirs))
    process.start()
    theirs.close()
    result: tuple[float, float, str] = ours.recv()
    process.join()
    return result


def main() -> int:
    """Press as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="for each call")
    parser.add_argument("--longest", type=float, default=1.5, help="seconds until Ctrl-C, at most")
    parser.add_argument("--only", default="", help="calls whose names have this")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rng, results = random.Random(0), {}
    for name in _calls():
        if arguments.only not in name:
            continue
        pressed = [press(name, rng.uniform(0.1, arguments.longest)) for _ in range(arguments.times)]
        row = {
            "times": len(pressed),
            "median": round(float(np.median([one[0] for one in pressed])), 3),
            "longest": round(max(one[0] for one in pressed), 3),
            "processor seconds": round(max(one[1] for one in pressed), 3),
            "ended by": sorted({one[2] for one in pressed}),
        }
        results[name] = row
        print(f"{name}: {row}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
