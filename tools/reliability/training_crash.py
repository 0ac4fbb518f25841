"""Kills training at random moments, lets it go on, and compares the end with an undisturbed one.

    python tools/reliability/training_crash.py --kills 1000 --output FILE.json

Each training writes a checkpoint after every epoch. Its process is killed by SIGKILL after a random
time, again and again, and goes on from its checkpoint. The checkpoint must be whole each time and
never older than the time before, and the parameters at the end must be, to the bit, those of a
training that nobody disturbed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ictus import nn, optim
from ictus.train import Trainer, load_checkpoint

EPOCHS = 12
LONGEST = 0.4  # time from the beginning of a process to its end, as part of a whole training


def _data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.uniform(size=(1500, 64)).astype(np.float32), rng.integers(0, 5, 1500)


def _trainer(optimizer: Any, checkpoint: Path | None) -> Trainer:
    dropout = 0.0 if isinstance(optimizer, optim.HessianFree) else 0.3
    layers = [nn.Dense(200, activation="relu", dropout=dropout), nn.Dense(5)]
    network = nn.Network(64, layers, seed=1)
    return Trainer(network, optimizer, epochs=EPOCHS, checkpoint=checkpoint, progress=False)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: optim.SGD(0.1, momentum=0.9),
    "Adam": lambda: optim.Adam(0.001),
    "RMSprop": lambda: optim.RMSprop(0.001),
    "Hessian-free": lambda: optim.HessianFree(),
}


def train(name: str, checkpoint: Path | None) -> str:
    """Train from the checkpoint, where there is one, to the end; return the bits' checksum."""
    trainer = _trainer(OPTIMIZERS[name](), checkpoint)
    if checkpoint is not None and checkpoint.exists():
        trainer.resume()
    trainer.fit(*_data())
    return hashlib.sha256(trainer.network.parameters.tobytes()).hexdigest()


def interrupt(name: str, checkpoint: Path, seconds: float) -> str:
    """Train in a process for some time at most; return the checksum, or "" if it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, train(name, checkpoint).encode())
        finally:
            os._exit(0)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as file:
        return file.read()


def run(name: str, folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill so often; count kills, trainings that came to their end, and what was wrong."""
    rng = random.Random(f"{name} {seed}")
    began = time.monotonic()
    expected = train(name, folder / "undisturbed")
    whole = time.monotonic() - began
    counts = {"kills": 0, "trainings": 0, "other bits": 0, "damaged": 0, "older": 0}
    while counts["kills"] < kills:
        checkpoint, epoch = folder / f"{name}{counts['trainings']}", 0
        while True:
            result = interrupt(name, checkpoint, rng.uniform(0, LONGEST * whole))
            if result:
                counts["other bits"] += result != expected
                break
            counts["kills"] += 1
            if checkpoint.exists():
                try:
                    now = int(load_checkpoint(checkpoint)[1]["epoch"])
                except ValueError:
                    counts["damaged"] += 1
                    checkpoint.unlink()
                    continue
                counts["older"] += now < epoch
                epoch = now
        counts["trainings"] += 1
        for path in folder.iterdir():
            path.unlink()
    return counts


def main() -> int:
    """Kill as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="in all")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for optimizer in OPTIMIZERS:
            each = -(-arguments.kills // len(OPTIMIZERS))
            results[optimizer] = run(optimizer, Path(name), each)
            print(f"{optimizer}: {results[optimizer]}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    wrong = ("other bits", "damaged", "older")
    return 1 if any(counts[key] for counts in results.values() for key in wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
