"""Fifty million binary codes on one machine: memory and time of an index in a folder.

    python examples/hamming_search.py fill --folder /tmp/fifty  # makes the index on the disk
    python examples/hamming_search.py scan --folder /tmp/fifty  # looks at all codes
    python examples/hamming_search.py tables --folder /tmp/fifty  # multi-index hashing
    python examples/hamming_search.py shards --folder /tmp/fifty  # four shards, a Dask cluster
    python examples/hamming_search.py report --folder /tmp/fifty  # docs/results/hamming_search.md

Codes of 64 random bits; of each query 3 bits differ from a code. Each step is a process of its own,
so that its memory is measured by itself; answers of tables and scan are compared. The page also has
what tools/index_crash.py found.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus.music.retrieval import HammingIndex

COUNT, BITS, PART = 50_000_000, 64, 5_000_000
CHANGED = 3


def part_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PART, BITS // 8), dtype=np.uint8)


def queries_of(index: HammingIndex, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.choice(index.count, count, replace=False))
    flips = rng.random((count, BITS)).argsort(axis=1) < CHANGED
    return index.codes[chosen] ^ np.packbits(flips, axis=1)


def timed(call: Callable[[], Any], repetitions: int = 3) -> tuple[float, Any]:
    """The median time, and the result."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


def memory() -> dict[str, float]:
    """MB of this process: the highest so far, and now what is its own and what is of files."""
    status = Path("/proc/self/status").read_text().split("\n")
    kilobytes = {line.split(":")[0]: line.split()[1] for line in status if line.startswith("Rss")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "peak": peak / 1024,
        "own": int(kilobytes["RssAnon"]) / 1024,
        "mapped": int(kilobytes["RssFile"]) / 1024,
    }


def fill(folder: Path) -> dict[str, Any]:
    seconds = 0.0
    with HammingIndex.create(folder, BITS) as index:
        for number in range(COUNT // PART):
            codes = part_of(number)
            start = time.perf_counter()
            index.add(codes)
            seconds += time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {"seconds": seconds, "bytes": size, "memory": memory()}


def scan(folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    index = HammingIndex.open(folder, search="scan")
    result: dict[str, Any] = {"open": time.perf_counter() - start}
    result["verify"] = timed(index.verify, 1)[0]
    for threads in (1, 2):
        ictus.set_num_threads(threads)
        for count in (1, 100):
            queries = queries_of(index, count)
            seconds, found = timed(lambda q=queries: index.nearest(q, 100))
            assert (found.distances[:, 0] <= CHANGED).all()
            result[f"{count} queries, {threads} threads"] = seconds
    result["memory"] = memory()
    return result


def tables(folder: Path) -> dict[str, Any]:
    index = HammingIndex.open(folder, search="tables")
    ictus.set_num_threads(2)
    queries = queries_of(index, 1000)
    start = time.perf_counter()
    index.nearest(queries[:1], 1)  # fills the tables
    result: dict[str, Any] = {"fill": time.perf_counter() - start}
    whole = HammingIndex.open(folder, search="scan")
    expected = whole.within(queries[:50], 8)
    for threads in (1, 2):
        ictus.set_num_threads(threads)
        for radius in (3, 5, 8):
            seconds, found = timed(lambda r=radius: index.within(queries, r))
            result[f"within {radius}, {threads} threads"] = seconds / len(queries)
            near = expected.distances <= radius
            last = found.offsets[50]
            np.testing.assert_array_equal(found.distances[:last], expected.distances[near])
            np.testing.assert_array_equal(found.numbers[:last], expected.numbers[near])
        seconds, found = timed(lambda: index.nearest(queries, 1))
        assert (found.distances[:, 0] <= CHANGED).all()
        result[f"nearest, {threads} threads"] = seconds / len(queries)
    result["memory"] = memory()
    return result


def shards(folder: Path) -> dict[str, Any]:
    """The scan in four shards by a Dask cluster of two processes with a thread each."""
    import joblib
    from dask.distributed import Client, LocalCluster

    from ictus.music.retrieval import ShardedIndex, split

    ictus.set_num_threads(2)
    whole = HammingIndex.open(folder, search="scan")
    queries = queries_of(whole, 100)
    alone, expected = timed(lambda: whole.nearest(queries, 100))
    start = time.perf_counter()
    folders = split(whole, folder.with_name(f"{folder.name}_shards"), 4)
    result: dict[str, Any] = {"split": time.perf_counter() - start, "one index": alone}
    sharded = ShardedIndex(folders, search="scan")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        client.run(ictus.set_num_threads, 1)
        sharded.nearest(queries[:1], 1)  # the workers open the shards
        result["cluster"], found = timed(lambda: sharded.nearest(queries, 100))
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    return result


def time_text(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def report(results: dict[str, Any], crash: dict[str, Any], target: Path) -> None:
    fill, scan, tables = (results[step] for step in ("fill", "scan", "tables"))
    lines = [
        "# Search in fifty million codes",
        "",
        "Made by `python examples/hamming_search.py` (see its first lines): 50,000,000 codes of 64 "
        "random bits in a folder, 2 processors. Of each query 3 bits differ from a code. The "
        "answers of the tables were compared with those of the scan. Ratios to faiss are in "
        "[benchmarks.md](benchmarks.md), workload `hamming`.",
        "",
        "| | time | memory of the process |",
        "|---|---|---|",
        f"| adding all, ten additions | {time_text(fill['seconds'])} | "
        f"{fill['bytes'] / 1e6:.0f} MB on the disk |",
        f"| opening | {time_text(scan['open'])} | |",
        f"| comparing all with their checksums | {time_text(scan['verify'])} | |",
    ]
    for name in ("1 queries, 1", "1 queries, 2", "100 queries, 1", "100 queries, 2"):
        count, threads = name.split(" queries, ")
        lines.append(
            f"| scan: 100 nearest of {count} queries, {threads} thread(s) | "
            f"{time_text(scan[f'{name} threads'])} | {scan['memory']['own']:.0f} MB, and "
            f"{scan['memory']['mapped']:.0f} MB of mapped files |"
        )
    own, mapped = tables["memory"]["own"], tables["memory"]["mapped"]
    lines.append(
        f"| tables: filling them, 2 threads | {time_text(tables['fill'])} | {own:.0f} MB, and "
        f"{mapped:.0f} MB of mapped files |"
    )
    for what, text in (
        ("within 3", "all within 3 bits"),
        ("within 5", "all within 5 bits"),
        ("within 8", "all within 8 bits"),
        ("nearest", "the nearest"),
    ):
        for threads in (1, 2):
            seconds = tables[f"{what}, {threads} threads"]
            lines.append(
                f"| tables: {text}, a query of 1000, {threads} thread(s) | {time_text(seconds)} | |"
            )
    shards = results["shards"]
    lines += [
        "",
        "Split into four indexes and searched by a Dask cluster of two processes with a thread "
        f"each, 100 queries took {time_text(shards['cluster'])}; the same in one index, 2 "
        f"threads: {time_text(shards['one index'])}. All distances and numbers were the same.",
        "",
        "## Killed while adding",
        "",
        f"`python tools/index_crash.py` killed `ictus index add` {crash['kills']} times by "
        "SIGKILL, each time at a random moment. Of "
        f"{crash['rows reported']} rows that were reported as added, {crash['rows lost']} were "
        f"lost; {crash['rows complete, but killed before the report']} more were complete but not "
        f"yet reported, and {crash['kills that left bytes of an unfinished addition']} times bytes "
        "of an unfinished addition were there, which the next process cut off. After each kill all "
        "checksums, names, features and codes were compared.",
    ]
    target.with_suffix(".md").write_text("\n".join(lines) + "\n")
    target.with_suffix(".json").write_text(json.dumps(results | {"crash": crash}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", choices=["fill", "scan", "tables", "shards", "report"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--crash", type=Path, default=Path("docs/results/index_crash.json"))
    parser.add_argument("--output", type=Path, default=Path("docs/results/hamming_search"))
    options = parser.parse_args()
    notes = options.folder.with_suffix(".json")
    results = json.loads(notes.read_text()) if notes.exists() else {}
    if options.step == "report":
        report(results, json.loads(options.crash.read_text()), options.output)
        return
    results[options.step] = globals()[options.step](options.folder)
    notes.write_text(json.dumps(results, indent=1))
    print(json.dumps(results[options.step], indent=1))


if __name__ == "__main__":
    main()
