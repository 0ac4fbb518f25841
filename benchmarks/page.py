"""How cost grows with size, batch, length and threads, beside a peer: the page and its pictures.

``python -m benchmarks page FOLDER`` measures and writes ``benchmark_scaling.md``, ``.png`` and
``.json``. Sides and checks are those of the workloads; here their arguments go through a range.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import measured_on
from benchmarks.runner import Case, run_cases, time_text

COMMAND = "python -m benchmarks page docs/results"


@dataclass(frozen=True)
class Series:
    """One cost as a function of one number.

    Attributes
    ----------
    title, axis : str
        What is timed, and what the number is.
    workload : str
        The module whose sides run.
    values : sequence of int
        The numbers, ascending.
    arguments : callable
        ``arguments(value)`` for the sides' ``prepare``.
    """

    title: str
    axis: str
    workload: str
    values: Sequence[int]
    arguments: Callable[[int], dict[str, Any]]
    tolerance: float = 1e-4


def _product(size: int) -> dict[str, Any]:
    return {"rows": size, "inner": size, "columns": size, "layer": False}


def _step(batch: int) -> dict[str, Any]:
    return {
        "sizes": [784, 800, 800, 10], "activation": "relu", "batch": batch,
        "loss": "softmax_cross_entropy",
    }  # fmt: skip


def _width(units: int) -> dict[str, Any]:
    return _step(100) | {"sizes": [784, units, units, 10]}


def _inference(frames: int) -> dict[str, Any]:
    return {
        "sizes": [266, 25, 25, 25], "directions": 2, "batch": 1, "frames": frames, "task": "infer",
    }  # fmt: skip


def _sequences(frames: int) -> dict[str, Any]:
    return {"sizes": [64, 128], "directions": 1, "batch": 16, "frames": frames, "task": "train"}


SERIES = [
    Series("matrix product", "rows = inner = columns", "gemm", [32, 64, 128, 256, 512, 1024, 2048],
           _product),
    Series("training step of 784-n-n-10, batch 100", "n", "dense", [50, 100, 200, 400, 800, 1600],
           _width),
    Series("training step of 784-800-800-10", "batch", "dense", [1, 4, 16, 64, 256, 1024], _step),
    Series("inference of a BLSTM 3x25, 266 inputs", "frames", "recurrent",
           [30, 100, 300, 1000, 3000, 10_000], _inference),
    Series("gradient of an LSTM of 128 units, batch 16", "frames", "recurrent",
           [10, 30, 100, 300, 1000], _sequences),
]  # fmt: skip
PEER = "PyTorch"


def measure(
    series: Sequence[Series] = SERIES,
    threads: Sequence[int] = (1, 2),
    **options: Any,
) -> list[dict[str, Any]]:
    """Return a record for each series, value and number of threads."""
    records = []
    for each in series:
        module = importlib.import_module(f"benchmarks.{each.workload}")
        cases = [
            Case(f"{each.title}, {each.axis} {value}", each.arguments(value), (PEER,),
                 tolerance=each.tolerance)
            for value in each.values
        ]  # fmt: skip
        found = run_cases(each.workload, module.__name__, cases, threads=threads, **options)
        values = {case.variant: value for case, value in zip(cases, each.values, strict=True)}
        for record in found:
            records.append(
                record
                | {"title": each.title, "axis": each.axis, "value": values[record["variant"]]}
            )
    return records


def grouped(records: Sequence[dict[str, Any]]) -> dict[str, dict[int, list[dict[str, Any]]]]:
    """Return the good records by title and number of threads, by ascending value."""
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for record in sorted(records, key=lambda r: (r["threads"], r["value"])):
        if "error" not in record:
            by_threads = found.setdefault(record["title"], {})
            by_threads.setdefault(record["threads"], []).append(record)
    order = [title for title in dict.fromkeys(r["title"] for r in records) if title in found]
    return {title: found[title] for title in order}


def draw(records: Sequence[dict[str, Any]]) -> Any:
    """Return a figure: for each series times (above) and ratios (below)."""
    from matplotlib.figure import Figure

    groups = grouped(records)
    figure = Figure(figsize=(3.6 * len(groups), 6.4), layout="constrained")
    axes = figure.subplots(2, len(groups), squeeze=False)
    for column, (title, by_threads) in enumerate(groups.items()):
        above, below = axes[:, column]
        for threads, rows in by_threads.items():
            x = [row["value"] for row in rows]
            style = {"color": f"C{threads - 1}", "marker": "."}
            plural = "s" if threads > 1 else ""
            above.plot(x, [r["seconds"] for r in rows], label=f"ictus, {threads} thread{plural}",
                       **style)  # fmt: skip
            above.plot(x, [r["peer_seconds"] for r in rows], linestyle=":",
                       label=f"{rows[0]['peer']}, {threads}", **style)  # fmt: skip
            below.plot(x, [r["ratio"] for r in rows], **style)
            low, high = [r["ratio_min"] for r in rows], [r["ratio_max"] for r in rows]
            below.fill_between(x, low, high, alpha=0.2, color=style["color"])
        above.set(xscale="log", yscale="log", ylabel="seconds")
        above.set_title(title, fontsize=9)
        below.set(xscale="log", xlabel=next(iter(by_threads.values()))[0]["axis"])
        below.set_ylabel(f"time of {PEER} / time of ictus")
        below.axhline(1, color="grey", linewidth=0.8)
        below.set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=7)
    return figure


def page(records: Sequence[dict[str, Any]], picture: str) -> str:
    """Return the page: what was measured, the pictures, a table for each series."""
    lines = [
        "# How cost grows",
        "",
        f"Written by `{COMMAND}`. Times are medians of rounds that alternate between ictus and "
        f"{PEER}; a ratio above 1 means that ictus is faster. Results are compared before "
        "anything is timed. All workloads at one size: [benchmarks.md](benchmarks.md).",
        "",
        measured_on(records),
        "",
        f"![times and ratios over size, batch and length]({picture})",
    ]
    for title, by_threads in grouped(records).items():
        counts = sorted(by_threads)
        lines += ["", f"## {title[0].upper()}{title[1:]}", ""]
        head = [by_threads[counts[0]][0]["axis"]]
        for count in counts:
            head += [f"ictus, {count} thread{'s' if count > 1 else ''}", "ratio", "spread"]
        if len(counts) > 1:
            head.append(f"gain of {counts[-1]} threads")
        lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        rows = {count: {r["value"]: r for r in by_threads[count]} for count in counts}
        for value in rows[counts[0]]:
            cells = [str(value)]
            for count in counts:
                r = rows[count].get(value)
                spread = f"{r['ratio_min']:.2f} to {r['ratio_max']:.2f}" if r else ""
                cells += (
                    [time_text(r["seconds"]), f"**{r['ratio']:.2f}**", spread] if r else [""] * 3
                )
            if len(counts) > 1:
                first, last = rows[counts[0]].get(value), rows[counts[-1]].get(value)
                gain = f"{first['seconds'] / last['seconds']:.2f}" if first and last else ""
                cells.append(gain)
            lines.append("| " + " | ".join(cells) + " |")
    failed = [r for r in records if "error" in r]
    if failed:
        lines += ["", "Not measured:", ""]
        lines += [f"- {r['variant']}, {r['threads']} thread(s): {r['error']}" for r in failed]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or take earlier records, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks page", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="series, counted from 0")
    parser.add_argument("--keep", action="store_true", help="add to the records that are there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5; 0: draw what is there")
    options = parser.parse_args(arguments)
    chosen = [SERIES[i] for i in options.only] if options.only else SERIES
    data = options.folder / "benchmark_scaling.json"
    records: list[dict[str, Any]] = []
    if (options.keep or options.rounds == 0) and data.exists():
        records = json.loads(data.read_text())
    if options.rounds:
        made = measure(chosen, options.threads, rounds=options.rounds, seconds=0.1)
        again = {(r["title"], r["threads"]) for r in made}
        records = [r for r in records if (r["title"], r["threads"]) not in again] + made
    order = {each.title: number for number, each in enumerate(SERIES)}
    records.sort(key=lambda r: (order.get(r["title"], len(order)), r["threads"], r["value"]))
    options.folder.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps(records, indent=1) + "\n")
    draw(records).savefig(options.folder / "benchmark_scaling.png", dpi=110)
    (options.folder / "benchmark_scaling.md").write_text(page(records, "benchmark_scaling.png"))
    return 1 if any("error" in record for record in records) else 0
