"""The command line of the benchmarks: ``python -m benchmarks [NAME ...] [--json FILE] ...``."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.machine import this_machine
from benchmarks.runner import markdown, run_cases

# Modules of this package that are no workloads.
MACHINERY = {"__main__", "machine", "page", "runner", "worker"}


def workloads() -> list[str]:
    """Return the names of all workloads: the other files here."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if name not in MACHINERY)


def run_workload(name: str, threads: list[int], quick: bool) -> list[dict[str, Any]]:
    """Run one workload; return its records."""
    module = importlib.import_module(f"benchmarks.{name}")
    options: dict[str, Any] = {"rounds": 2, "seconds": 0.02} if quick else {}
    records: list[dict[str, Any]] = []
    if hasattr(module, "CASES"):
        records += run_cases(name, module.__name__, module.CASES, threads=threads, **options)
    if hasattr(module, "extra"):
        records += [each | {"machine": this_machine()} for each in module.extra(quick)]
    return records


def main(arguments: list[str] | None = None) -> int:
    """Run the workloads that the arguments name, all if they name none; or make the page."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["page"]:
        from benchmarks import page

        return page.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="ictus beside its peers. A ratio above 1 means that ictus is faster. "
        "Workloads: " + ", ".join(workloads()) + '. "page FOLDER" writes how cost grows with size, '
        "batch, length and threads, with pictures.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads; default: all")
    parser.add_argument("--json", metavar="FILE", help="write the records")
    parser.add_argument("--markdown", metavar="FILE", help="write the table")
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds: figures mean little"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(workloads()))
    if unknown:
        parser.error(f"unknown workload {unknown[0]!r}; known: {', '.join(workloads())}")
    records = []
    for name in options.names or workloads():
        records += run_workload(name, options.threads, options.quick)
    table = markdown(records)
    print("\n" + table)
    if options.markdown:
        Path(options.markdown).write_text(table)
    if options.json:
        Path(options.json).write_text(json.dumps(records, indent=1) + "\n")
    return 1 if any("error" in record for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
