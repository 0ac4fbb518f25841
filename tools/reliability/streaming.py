"""Follows the beats of a recording in real time and measures how late each answer is.

    python tools/reliability/streaming.py --minutes 60 --output FILE.json

A block of samples is there once its last sample has been played; the answer is late by the time
from then until the tracker has returned: waking up, features, network, decoder. A block is missed
when the sound card's buffer, which holds some blocks, would have run over meanwhile. Afterwards the
same samples go through the tracker in larger pieces and must give the same beats.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus import music
from ictus.io.audio import read_audio
from ictus.music.networks import load_networks, model_path

RATE = 44_100
RECORDING = Path(__file__).resolve().parents[2] / "examples" / "audio" / "vibe_ace.ogg"
QUANTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)


def blocks(signal: Any, size: int, count: int) -> Any:
    """Yield blocks of a signal that is played again and again."""
    place = 0
    for _ in range(count):
        yield np.take(signal, range(place, place + size), mode="wrap")
        place = (place + size) % len(signal)


def follow(tracker: Any, signal: Any, size: int, count: int) -> tuple[Any, Any]:
    """Push blocks as they would come; return how late each answer was in seconds, and the beats."""
    late = np.empty(count)
    beats = []
    start = time.perf_counter()
    for number, block in enumerate(blocks(signal, size, count)):
        there = start + (number + 1) * size / RATE
        if (wait := there - time.perf_counter()) > 0:
            time.sleep(wait)
        beats.append(tracker.push(block))
        late[number] = time.perf_counter() - there
    return late, np.concatenate(beats)


def result_of(late: Any, size: int, buffers: int) -> dict[str, Any]:
    """What is reported of the latencies."""
    block = size / RATE
    milliseconds = 1000 * late
    return {
        "blocks": len(late),
        "milliseconds a block": round(1000 * block, 2),
        "latency, milliseconds": {
            **{str(q): round(float(np.quantile(milliseconds, q)), 3) for q in QUANTILES},
            "longest": round(float(milliseconds.max()), 3),
        },
        "later than the next block": int((late > block).sum()),
        "blocks in the buffer": buffers,
        "missed": int((late > buffers * block).sum()),
    }


def main() -> int:
    """Follow as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--block", type=int, default=441, help="samples")
    parser.add_argument("--buffer", type=int, default=10, help="blocks the sound card holds")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    signal = read_audio(RECORDING, RATE)
    count = max(1, round(arguments.minutes * 60 * RATE / arguments.block))
    tracker = music.OnlineBeatTracker(load_networks([model_path("online")]))
    late, beats = follow(tracker, signal, arguments.block, count)
    result = result_of(late, arguments.block, arguments.buffer)
    result["beats"] = len(beats)
    result["processor seconds"] = round(sum(os.times()[:2]), 1)
    result["load at the end"] = [round(x, 1) for x in os.getloadavg()]
    tracker.reset()
    again = [tracker.push(block) for block in blocks(signal, 100 * arguments.block, count // 100)]
    expected = np.concatenate([np.empty(0), *again])
    result["the same beats"] = bool(np.array_equal(beats[: len(expected)], expected))
    print(json.dumps(result, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["the same beats"] and not result["missed"] else 1


if __name__ == "__main__":
    sys.exit(main())
