"""What a call of a kernel costs beyond its work: arrays of other libraries are taken, too.

The peer is the same function without what takes them. Arrays are small, so that there is little
work; a frame through a streaming LSTM, for which nothing is taken, says how small.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.recurrent import NETWORKS
from benchmarks.recurrent import Ours as Recurrent
from benchmarks.runner import describe

CASES: list[Any] = []


# Calls that are timed at once: so few that most bursts are within one turn of the scheduler.
BURST = 200


def _seconds(calls: Sequence[Callable[[], Any]], bursts: int) -> list[float]:
    """Median times of each call, over bursts in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(bursts):
        for call, own in zip(calls, times, strict=True):
            start = time.perf_counter()
            for _ in range(BURST):
                call()
            own.append((time.perf_counter() - start) / BURST)
    return [statistics.median(own) for own in times]


def _calls() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    from ictus import kernels

    generator = np.random.default_rng(0)
    x = generator.standard_normal((8, 16)).astype(np.float32)
    out, probabilities = np.empty_like(x), np.empty_like(x)
    return {
        "sigmoid of 8 x 16": (kernels.sigmoid, (x, out)),
        "softmax of 8 x 16": (kernels.softmax, (x, probabilities)),
        "sums of 8 x 16": (kernels.column_sums, (x,)),
    }


def extra(quick: bool) -> list[dict[str, Any]]:
    """Time calls in turn with the same without; print the difference."""
    import ictus

    ictus.set_num_threads(1)
    bursts, rounds = (3, 3) if quick else (60, 25)
    records = []
    for variant, (function, arguments) in _calls().items():
        bare = function.__wrapped__  # type: ignore[attr-defined]
        ours, theirs = [], []
        calls = [lambda f=f, a=arguments: f(*a) for f in (function, bare)]
        for _ in range(rounds):
            one, other = _seconds(calls, bursts)
            ours.append(one)
            theirs.append(other)
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        records.append(
            {
                "workload": "calls", "variant": variant, "threads": 1,
                "seconds": statistics.median(ours), "peer": "bare",
                "peer_seconds": statistics.median(theirs), "ratio": statistics.median(ratios),
                "ratio_min": min(ratios), "ratio_max": max(ratios), "share_of_peak": None,
                "group": "",
            }
        )  # fmt: skip
        differences = [(a - b) * 1e9 for a, b in zip(ours, theirs, strict=True)]
        print(f"{describe(records[-1])}; {statistics.median(differences):.0f} ns more")
    side = Recurrent(1)
    side.prepare(**NETWORKS["one frame through LSTM 3x25, 266 inputs"])
    frame = statistics.median(_seconds([side.run], bursts)[0] for _ in range(rounds))
    print(f"calls: one frame through a streaming LSTM 3x25: {frame * 1e6:.2f} us")
    return records
