"""What it costs to begin: import time in fresh processes, and the size on disk."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.runner import describe

CASES: list[Any] = []
PEERS = ("numpy", "torch", "sklearn.neural_network")


def _seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def _record(variant: str, ours: list[float], peer: str, theirs: list[float]) -> dict[str, Any]:
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "workload": "startup",
        "variant": variant,
        "threads": 1,
        "seconds": statistics.median(ours),
        "peer": peer,
        "peer_seconds": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "share_of_peak": None,
        "group": "",
    }


def extra(quick: bool) -> list[dict[str, Any]]:
    """Time the imports in turn, the interpreter's own start included on both sides."""
    records = []
    for peer in PEERS:
        if importlib.util.find_spec(peer.split(".")[0]) is None:
            print(f"startup: no comparison with {peer}: it is not installed")
            continue
        for statement in (f"import {peer}", "import ictus"):  # warm the disk's cache
            _seconds(statement)
        ours, theirs = [], []
        for _ in range(2 if quick else 15):
            ours.append(_seconds("import ictus"))
            theirs.append(_seconds(f"import {peer}"))
        record = _record("import", ours, peer, theirs)
        records.append(record)
        print(describe(record))
    import ictus

    folder = Path(ictus.__file__).parent
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"startup: ictus takes {size / 1e6:.1f} MB on disk, without its dependencies")
    return records
