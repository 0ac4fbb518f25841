"""``ictus bench``: run the native benchmark binary that some wheels carry."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "bench",
        help="run the native benchmarks",
        description="Everything after -- goes to the binary (Google Benchmark), for example "
        "ictus bench -- --benchmark_filter=gemm",
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="let the binary print JSON")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for the binary, after --")


def binary() -> Path:
    """Return where the benchmark binary is; FileNotFoundError where this build has none."""
    path = Path(__file__).resolve().parents[1] / "bin" / "ictus-bench"
    if not path.is_file():
        raise FileNotFoundError(
            "this build has no benchmark binary; build one with Google Benchmark installed: "
            "pip install . -C cmake.define.ICTUS_BENCH=ON"
        )
    return path


def run(options: argparse.Namespace) -> int:
    """Run the binary; its exit status is the command's."""
    arguments = [str(binary()), *options.arguments]
    if options.json:
        arguments.append("--benchmark_format=json")
    return subprocess.run(arguments, check=False).returncode
