"""Presses Ctrl-C at random moments of what takes long, and measures how soon the program ends.

    python tools/reliability/interrupt.py --times 20 --output FILE.json

Each command runs long enough not to end by itself. SIGINT comes at a random moment after it has
begun to work; then the program has to end: after the current minibatch, with the model or
checkpoint written where it promises one. The figures are seconds from the signal to the end of the
process.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.io.audio import write_audio

STARTED = 1.5  # seconds until a process has surely begun to work
LONGEST = 3.0  # further seconds until the signal
PATIENCE = 30.0


def _prepare(folder: Path) -> dict[str, list[str]]:
    """Data, and the commands that use them."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(20_000, 784)).astype(np.float32), rng.integers(0, 10, 20_000)
    data = str(folder / "data.npz")
    np.savez(data, x=x, y=y)
    features = str(folder / "features.npy")
    np.save(features, x[:, :256])
    for number in range(40):
        noise = 0.2 * rng.standard_normal(60 * 44_100)
        write_audio(folder / f"noise{number}.wav", noise)
    songs = [str(folder / f"noise{number}.wav") for number in range(40)]
    train = ["train", data, "--epochs", "100000", "--quiet"]
    train += ["--output", str(folder / "model.ictus"), "--checkpoint", str(folder / "checkpoint")]
    return {
        "train": [*train, "--hidden", "800", "800"],
        "train, one minibatch an epoch": [*train, "--batch-size", "20000", "--hidden", "800"],
        "train by Hessian-free optimisation": [*train, "--optimizer", "hessian-free"],
        "train convnet": [*train, "--model", "convnet", "--image-shape", "28", "28"],
        "train rbm": [*train, "--model", "rbm", "--hidden", "500"],
        "train dbn": [*train, "--model", "dbn", "--hidden", "500", "500"],
        "train autoencoder": [*train, "--model", "autoencoder", "--hidden", "500", "30"],
        "beats": ["beats", *songs],
        "beats, two at a time": ["beats", "-j", "2", *songs],
        "onsets": ["onsets", *songs],
        "segments": ["segments", *songs],
        "speech-music": ["speech-music", *songs],
        "index build": ["index", "build", str(folder / "index"), features, "--bits", "64"],
        "synthesize": ["synthesize", str(folder / "pieces"), "--pieces", "1000"],
    }


def press(command: list[str], wait: float, folder: Path) -> tuple[float, int]:
    """Run, interrupt after some seconds; return the seconds until the end, and the exit status."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ictus", *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(STARTED + wait)
    if process.poll() is not None:
        _, error = process.communicate()
        raise RuntimeError(f"{command[0]} ended by itself: {error.decode()[-500:]}")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return time.monotonic() - began, process.returncode


def main() -> int:
    """Interrupt as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="for each command")
    parser.add_argument("--only", help="commands whose names have this")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rng, results = random.Random(0), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, command in _prepare(folder).items():
            if arguments.only and arguments.only not in what:
                continue
            pressed = []
            for _ in range(arguments.times):
                (folder / "checkpoint").unlink(missing_ok=True)
                pressed.append(press(command, rng.uniform(0, LONGEST), folder))
            seconds = [one[0] for one in pressed]
            row: dict[str, Any] = {
                "times": len(seconds),
                "median": round(float(np.median(seconds)), 3),
                "longest": round(max(seconds), 3),
                "exits": sorted({one[1] for one in pressed}),
            }
            results[what] = row
            print(f"{what}: {row}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
