"""Looks for inputs that lead readers along new ways through their code (atheris, libFuzzer).

    python tools/reliability/fuzz.py "model file" ONNX --minutes 10 --output FILE.json
    python tools/reliability/fuzz.py --keep tests/reliability/corpus

The first command begins with the valid files of parsers.py and what is in its corpus folder, and
goes on for so many minutes with each reader. Right answers and findings are those of campaign.py; a
finding ends the run and stays in the corpus folder as ``crash-*``. The second command keeps a few
small files of the corpus that run, together, every step from line to line that all of it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

CORPUS = Path(tempfile.gettempdir()) / "ictus-fuzz"
LARGEST, ROOM = 4096, 24_576  # bytes of a kept file, and of all kept files of a reader
PACKAGE = "/ictus/"
DAMAGE = 0.4  # share of inputs that are made by the parser's own rule, where it has one


def folder_of(corpus: Path, name: str) -> Path:
    """The folder of a reader's files."""
    return corpus / name.replace(" ", "_")


def run_here(name: str, corpus: Path, seconds: int) -> None:
    """Fuzz one reader in this process, which libFuzzer ends."""
    import atheris

    work = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    with atheris.instrument_imports(include=["ictus"]):
        from campaign import PARSERS, answer

        parser = next(one for one in PARSERS if one.name == name)
        path = work / f"fuzzed{parser.ending}"
        seeds = parser.seeds(work)
        for seed in seeds:  # reading is what imports the modules that read
            (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
            path.write_bytes(seed)
            answer(parser, path)
    from mutations import mutate

    def one(data: bytes) -> None:
        path.write_bytes(data)
        result = answer(parser, path)
        if result not in ("read", "refused"):
            raise AssertionError(result)

    def change(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if parser.damage is not mutate and rng.random() < DAMAGE:
            with contextlib.suppress(Exception):  # it knows only what has the form of a valid file
                return parser.damage(data, seeds, rng)[:longest]
        return bytes(atheris.Mutate(data, longest))

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=65536"]
    output = [f"-artifact_prefix={corpus}/", "-close_fd_mask=3", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *output, str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()


def fuzz(name: str, corpus: Path, minutes: float) -> dict[str, Any]:
    """Fuzz one reader in a process of its own; return what there is to say about it."""
    folder = folder_of(corpus, name)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    command = [sys.executable, __file__, name, "--here", "--corpus", str(folder)]
    done = subprocess.run(
        [*command, "--minutes", str(minutes)], capture_output=True, text=True, errors="replace"
    )
    # close_fd_mask closes what the readers print; libFuzzer keeps an error output of its own.
    count = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)
    return {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "processor minutes": round(_children() / 60, 1),
        "inputs": int(count.group(1)) if count else 0,
        "covered": list(map(int, covered[-1])) if covered else [],
        "files": len(list(folder.iterdir())),
        "findings": len([*folder.glob("crash-*"), *folder.glob("timeout-*")]),
        "status": done.returncode,
    }


def _children() -> float:
    """Processor seconds of the process that has just ended, and of those before it."""
    times = os.times()
    total = times.children_user + times.children_system
    before, _children.before = getattr(_children, "before", 0.0), total  # type: ignore[attr-defined]
    return total - before


def steps_of(function: Callable[[], Any]) -> set[tuple[str, int, int]]:
    """The steps from line to line in the package that a call makes."""
    steps: set[tuple[str, int, int]] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if PACKAGE not in name:
            return None
        steps.add((name, last.get(id(frame), 0), frame.f_lineno))
        last[id(frame)] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(None)
    return steps


def keep(corpus: Path, target: Path, names: list[str]) -> None:
    """Copy small files that make all steps, the smallest first, where they find room."""
    from campaign import PARSERS, answer

    for parser in PARSERS:
        folder = folder_of(corpus, parser.name)
        if parser.name not in names or not folder.is_dir():
            continue
        files = sorted(folder.iterdir(), key=lambda path: (path.stat().st_size, path.name))
        known: set[tuple[str, int, int]] = set()
        kept = folder_of(target, parser.name)
        kept.mkdir(parents=True, exist_ok=True)
        room, count = ROOM, 0
        with tempfile.TemporaryDirectory() as work:
            path = Path(work) / f"input{parser.ending}"
            for file in files:
                data = file.read_bytes()
                if len(data) > min(LARGEST, room):
                    continue
                path.write_bytes(data)
                new = steps_of(lambda p=parser, path=path: answer(p, path)) - known
                if new:
                    known |= new
                    room, count = room - len(data), count + 1
                    (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        print(f"{parser.name}: {count} of {len(files)} files, {ROOM - room} bytes", flush=True)


def main() -> int:
    """Fuzz, or keep, as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("readers", nargs="*", help="see campaign.py --help; all if none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of files for the tests")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        run_here(arguments.readers[0], arguments.corpus, round(60 * arguments.minutes))
        return 0
    from campaign import PARSERS

    names = arguments.readers or [one.name for one in PARSERS]
    if arguments.keep is not None:
        keep(arguments.corpus, arguments.keep, names)
        return 0
    results = {}
    for name in names:
        results[name] = fuzz(name, arguments.corpus, arguments.minutes)
        print(f"{name}: {results[name]}", flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(one["findings"] for one in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
