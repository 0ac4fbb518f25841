"""Kills ``ictus index add`` at random moments and counts what was lost of what it reported.

    python tools/index_crash.py --kills 100 --output docs/results/index_crash.json

A process adds rows to one and the same index, again and again, and prints each row once it is on
the disk. It is killed by SIGKILL after a random time; then all that it had printed must be in the
index, with the right name, features and code, all checksums must be right, and the next process
must be able to go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.music.retrieval.music_index import MusicIndex, build

TABLES, ROWS, WIDTH, BITS = 8, 40, 12, 64
LONGEST = 0.5  # seconds from the first row that is reported to the last moment of the kill

CHILD = """
import sys
from itertools import cycle
from ictus.cli import main

for table in cycle(sys.argv[2:]):
    assert main(["index", "add", sys.argv[1], table]) == 0
"""


def prepare(folder: Path) -> tuple[Path, list[Path]]:
    """Make an index with one table, and further tables to add."""
    rng = np.random.default_rng(0)
    tables = []
    for number in range(TABLES):
        tables.append(folder / f"table{number}.npy")
        np.save(tables[-1], rng.normal(size=(ROWS, WIDTH)).astype(np.float32))
    rows = np.load(tables[0])
    names = [f"{tables[0]}:{row}" for row in range(ROWS)]
    build(folder / "index", names, rows, BITS, hidden_units=(16,), max_epochs=2).close()
    return folder / "index", tables


def kill_once(index: Path, tables: list[Path], wait: float) -> list[tuple[int, str]]:
    """Let a process add until it is killed; return the numbers and names that it reported."""
    command = [sys.executable, "-c", CHILD, str(index), *map(str, tables)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # the process is at work
        if not first:
            raise RuntimeError("the process did not start")
        time.sleep(wait)
        process.kill()
        lines = (first + process.stdout.read()).split("\n")
    # The last piece has no end of line: it was not reported.
    return [(int(n), name) for n, name in (line.split("\t") for line in lines[:-1])]


def check(folder: Path, tables: list[Path], before: int, reported: list[tuple[int, str]]) -> int:
    """Raise AssertionError where something is missing; return how many rows there are now."""
    data = {str(path): np.load(path) for path in tables}
    with MusicIndex.open(folder, verify=True) as index:
        count = index.index.count
        assert [number for number, _ in reported] == list(range(before, before + len(reported)))
        assert count >= before + len(reported), f"{before + len(reported) - count} rows are lost"
        assert count % ROWS == 0, "a part of an addition is there"
        numbers = np.arange(before, count)
        names = index.index.names(numbers) if len(numbers) else []
        assert names[: len(reported)] == [name for _, name in reported]
        rows = np.array([data[p][int(r)] for p, _, r in (n.rpartition(":") for n in names)])
        if len(numbers):
            np.testing.assert_array_equal(index.index.feature_rows(numbers), rows)
            codes = index.encoder.encode_bits(rows)
            np.testing.assert_array_equal(index.index.codes[before:count], codes)
    return count


def run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill so many times; return what happened."""
    index, tables = prepare(folder)
    rng = np.random.default_rng(seed)
    count = ROWS
    reported = unreported = leftovers = 0
    for _ in range(kills):
        found = kill_once(index, tables, rng.uniform(0, LONGEST))
        sizes = {path.name: path.stat().st_size for path in index.iterdir()}
        now = check(index, tables, count, found)
        leftovers += sizes["codes"] > now * BITS // 8 or sizes["features"] > now * WIDTH * 4
        reported += len(found)
        unreported += now - count - len(found)
        count = now
    return {
        "kills": kills,
        "seed": seed,
        "rows reported": reported,
        "rows lost": 0,  # check() raises otherwise
        "rows complete, but killed before the report": unreported,
        "kills that left bytes of an unfinished addition": int(leftovers),
    }


def main() -> None:
    """Write the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options.kills, options.seed)
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
