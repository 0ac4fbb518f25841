"""Runs workloads: checks results, then times both sides in turn; ratios with their spread.

A workload module has ``CASES``: a list of :class:`Case`. A case names our side and the peers' sides
(classes in the module), the arguments of ``prepare``, and how large a difference of the results is
allowed. Rounds alternate ours, peer, ours, peer ...; a round's ratio is peer time over our time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.machine import measured_on, this_machine
from benchmarks.worker import Worker, WorkerError

# Between two sides: idle threads of some pools spin for a while before they sleep.
PAUSE = 0.06


@dataclass(frozen=True)
class Case:
    """What is compared.

    Attributes
    ----------
    variant : str
        Name in the table.
    arguments : dict
        For ``prepare`` of each side.
    peers : tuple of str
        Names of the peers' classes; ours is ``Ours``.
    operations : float
        Floating-point operations of one call, 0 where the share of the peak means nothing.
    tolerance : float
        Largest difference of the results, relative to their largest magnitude.
    group : str
        Cases of a group have a common geometric mean.
    audio_seconds : float
        Seconds of audio that a call works on; 0 where it is not about audio.
    """

    variant: str
    arguments: dict[str, Any]
    peers: tuple[str, ...]
    operations: float = 0.0
    tolerance: float = 1e-5
    group: str = ""
    audio_seconds: float = 0.0


@dataclass
class Sides:
    """Workers of one workload at one thread count, started when first needed."""

    module: str
    threads: int
    workers: dict[str, Worker] = field(default_factory=dict)

    def __getitem__(self, side: str) -> Worker:
        if side not in self.workers:
            self.workers[side] = Worker(self.module, side, self.threads)
        return self.workers[side]

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers.values():
            worker.close()


def check(case: Case, ours: Any, theirs: Any) -> None:
    """Refuse to time what is wrong."""
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if a.shape != b.shape:
            raise WorkerError(f"{case.variant}: results of shapes {a.shape} and {b.shape}")
        error = np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)
        if not error <= case.tolerance:
            raise WorkerError(f"{case.variant}: results differ by {error:.2g} (relative)")


def compare(
    workload: str, case: Case, peer: str, sides: Sides, rounds: int, seconds: float
) -> dict[str, Any]:
    """Return the record of one case against one peer."""
    ours, theirs = sides["Ours"], sides[peer]
    for worker in (ours, theirs):
        worker.ask("prepare", case.arguments)
    check(case, ours.ask("result"), theirs.ask("result"))
    our_times, peer_times, peaks = [], [], []
    for _ in range(rounds):
        peaks.append(ours.ask("peak", 0.02))
        our_times.append(ours.ask("time", seconds))
        time.sleep(PAUSE)
        peer_times.append(theirs.ask("time", seconds))
        time.sleep(PAUSE)
    ratios = [b / a for a, b in zip(our_times, peer_times, strict=True)]
    median = statistics.median(our_times)
    peak = statistics.median(peaks) * sides.threads
    return {
        "workload": workload,
        "variant": case.variant,
        "threads": sides.threads,
        "seconds": median,
        "peer": peer,
        "peer_seconds": statistics.median(peer_times),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "share_of_peak": case.operations / median / peak if case.operations else None,
        "times_real_time": case.audio_seconds / median if case.audio_seconds else None,
        "group": case.group,
    }


def geometric_means(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a record for each group, peer and thread count: geometric means of the ratios."""
    groups: dict[tuple[str, str, str, int], list[dict[str, Any]]] = {}
    for record in records:
        if record.get("group") and "error" not in record:
            key = (record["workload"], record["group"], record["peer"], record["threads"])
            groups.setdefault(key, []).append(record)
    means = []
    for (workload, group, peer, threads), members in groups.items():

        def mean(name: str, members: list[dict[str, Any]] = members) -> float:
            return math.exp(statistics.fmean(math.log(m[name]) for m in members))

        shares = [m["share_of_peak"] for m in members]
        means.append(
            {
                "workload": workload,
                "variant": f"geometric mean {group}",
                "threads": threads,
                "seconds": mean("seconds"),
                "peer": peer,
                "peer_seconds": mean("peer_seconds"),
                "ratio": mean("ratio"),
                "ratio_min": mean("ratio_min"),
                "ratio_max": mean("ratio_max"),
                "share_of_peak": None if None in shares else mean("share_of_peak"),
                "group": "",
            }
        )
    return means


def run_cases(
    workload: str,
    module: str,
    cases: list[Case],
    *,
    threads: Iterable[int] = (1, 2),
    rounds: int = 7,
    seconds: float = 0.15,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Run all cases at each thread count; return the records.

    A peer that is not there is skipped with a line. A comparison that fails, because the results
    differ or a side breaks, gives a line and a record without times, whose ``error`` says why.
    """
    records = []
    for count in threads:
        sides = Sides(module, count)
        missing: set[str] = set()
        try:
            for case in cases:
                for peer in case.peers:
                    if peer in missing:
                        continue
                    try:
                        sides[peer]
                    except WorkerError as error:
                        missing.add(peer)
                        say(f"{workload}: no comparison with {peer}: {error}")
                        continue
                    try:
                        record = compare(workload, case, peer, sides, rounds, seconds)
                    except WorkerError as error:
                        record = {"workload": workload, "variant": case.variant, "peer": peer}
                        record |= {"threads": count, "error": str(error)}
                        say(f"{workload}: {case.variant}, {peer}: FAILED: {error}")
                    else:
                        say(describe(record))
                    records.append(record)
        finally:
            sides.close()
    machine = this_machine()
    return [record | {"machine": machine} for record in records + geometric_means(records)]


def describe(record: dict[str, Any]) -> str:
    """Return a record in one line."""
    share = record["share_of_peak"]
    return (
        f"{record['workload']}: {record['variant']}, {record['threads']} thread(s): "
        f"{time_text(record['seconds'])}, {record['peer']} {time_text(record['peer_seconds'])}, "
        f"ratio {record['ratio']:.2f} ({record['ratio_min']:.2f} to {record['ratio_max']:.2f})"
        + ("" if share is None else f", {100 * share:.0f} % of peak")
        + (f", {real_time_text(record)}" if record.get("times_real_time") else "")
    )


def real_time_text(record: dict[str, Any]) -> str:
    """Return how long a second of audio takes, and how many times faster it is played."""
    speed = record.get("times_real_time")
    return f"{1 / speed:.2g} s for a second ({speed:,.0f} x)" if speed else ""


def time_text(seconds: float) -> str:
    """Return a time with a unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def markdown(records: list[dict[str, Any]]) -> str:
    """Return the machine and the records as a Markdown table."""
    audio = any(r.get("times_real_time") for r in records)
    lines = [
        measured_on(records),
        "",
        "| workload | variant | threads | ictus | peer | its time | ratio | spread | of peak |"
        + (" audio |" if audio else ""),
        "|---" * (10 if audio else 9) + "|",
    ]
    for r in records:
        if "error" in r:
            start = f"| {r['workload']} | {r['variant']} | {r['threads']} |"
            lines.append(f"{start} failed | {r['peer']} | | | | |" + " |" * audio)
            continue
        share = "" if r["share_of_peak"] is None else f"{100 * r['share_of_peak']:.0f} %"
        lines.append(
            f"| {r['workload']} | {r['variant']} | {r['threads']} | {time_text(r['seconds'])} | "
            f"{r['peer']} | {time_text(r['peer_seconds'])} | **{r['ratio']:.2f}** | "
            f"{r['ratio_min']:.2f} to {r['ratio_max']:.2f} | {share} |"
            + (f" {real_time_text(r)} |" if audio else "")
        )
    return "\n".join(lines) + "\n"
