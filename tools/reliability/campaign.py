"""Feeds damaged files to every reader of ictus and counts what happened.

    python tools/reliability/campaign.py --inputs 20000
    python tools/reliability/campaign.py "model file" --inputs 1000000 --output FILE.json
    python tools/reliability/campaign.py "model file" --input 4711             (one input again)

A right answer is the file's content or the reader's own error. Findings are any other exception, a
crash, more than ten seconds of the processor, memory beyond 1 GiB, and audio that ends early with
no warning. A process reads; another watches it, notes the input at which it dies, and goes on
behind it. An input is made from its number alone, so that a finding can be looked at again.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from parsers import PARSERS, Parser

SECONDS = 10.0  # of the processor, which other programs may hold
PATIENCE = 120.0  # seconds of the clock without a new input
MEMORY = 1 << 30  # bytes beyond those of the process before it reads


class TooSlowError(Exception):
    """A reader took more than its time."""


def damaged(parser: Parser, seeds: list[bytes], number: int) -> bytes:
    """The input of a number."""
    rng = random.Random(f"{parser.name} {number}")
    return parser.damage(rng.choice(seeds), seeds, rng)


def answer(parser: Parser, path: Path) -> str:
    """What the reader made of a file: "read", "refused", or what should not have happened."""
    try:
        parser.parse(path)
    except parser.error:
        return "refused"
    except Exception as error:  # a finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return f"{type(error).__name__}: {str(error)[:200]} ({where})"
    return "read"


def _raise_too_slow(*_: Any) -> None:
    raise TooSlowError


def _work(
    parser: Parser, seeds: list[bytes], folder: Path, place: Any, last: int, pipe: Connection
) -> None:
    """Read inputs from place to last; send what was found."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders say there what they think of the input
    signal.signal(signal.SIGPROF, _raise_too_slow)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    path = folder / f"input{parser.ending}"
    counts: collections.Counter[str] = collections.Counter()
    while place.value < last:
        path.write_bytes(damaged(parser, seeds, place.value))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        result = answer(parser, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if result in ("read", "refused"):
            counts[result] += 1
        else:
            pipe.send((place.value, result))
        place.value += 1
        if place.value % 500 == 0 or place.value == last:
            pipe.send(dict(counts))
            counts.clear()


def run(parser: Parser, first: int, last: int) -> dict[str, Any]:
    """Read the inputs of these numbers; count, and list what should not have happened."""
    counts: collections.Counter[str] = collections.Counter()
    findings: list[tuple[int, str]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        folder = Path(name)
        seeds = parser.seeds(folder)
        place = multiprocessing.RawValue(ctypes.c_int64, first)
        while place.value < last:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            arguments = (parser, seeds, folder, place, last, theirs)
            process = multiprocessing.get_context("fork").Process(target=_work, args=arguments)
            process.start()
            theirs.close()
            seen, since = place.value, time.monotonic()
            while process.is_alive() or ours.poll():
                try:
                    if ours.poll(1.0):
                        message = ours.recv()
                        if isinstance(message, dict):
                            counts.update(message)
                        else:
                            findings.append(message)
                except EOFError:
                    break
                if place.value != seen:
                    seen, since = place.value, time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    process.kill()
            process.join()
            if place.value < last:
                findings.append((place.value, f"the process died: exit {process.exitcode}"))
                place.value += 1
    return {
        "inputs": last - first,
        "read": counts["read"],
        "refused": counts["refused"],
        "findings": findings,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    """Run the campaigns that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [p.name for p in PARSERS]
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(names)}; all if none is named")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--input", type=int, help="read this one here, with its whole traceback")
    parser.add_argument("--output", type=Path, help="JSON to which the counts are added")
    arguments = parser.parse_args()
    unknown = set(arguments.readers) - set(names)
    if unknown:
        parser.error(f"no reader {unknown.pop()!r}; known: {', '.join(names)}")
    found = 0
    for one in PARSERS:
        if arguments.readers and one.name not in arguments.readers:
            continue
        if arguments.input is not None:
            with tempfile.TemporaryDirectory() as name:
                path = Path(name) / f"input{one.ending}"
                path.write_bytes(damaged(one, one.seeds(Path(name)), arguments.input))
                print(path.read_bytes()[:2000])
                one.parse(path)
            continue
        result = run(one, arguments.first, arguments.first + arguments.inputs)
        kinds = collections.Counter(text for _, text in result["findings"])
        print(
            f"{one.name}: {result['inputs']} inputs, {result['read']} read, {result['refused']} "
            f"refused, {len(result['findings'])} findings, {result['seconds']} s",
            flush=True,
        )
        for text, count in kinds.most_common(12):
            examples = [str(n) for n, t in result["findings"] if t == text][:5]
            print(f"    {count} x {text}  (input {', '.join(examples)})", flush=True)
        found += len(result["findings"])
        if arguments.output:
            _add(arguments.output, one.name, result | {"findings": len(result["findings"])})
    return 1 if found else 0


def _add(path: Path, name: str, result: dict[str, Any]) -> None:
    """Add the counts of one campaign to those of earlier ones."""
    table = json.loads(path.read_text()) if path.exists() else {}
    before = table.get(name, {})
    table[name] = {key: round(before.get(key, 0) + value, 1) for key, value in result.items()}
    path.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
