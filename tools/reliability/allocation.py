"""Refuses memory to trainings, and looks at what comes of it.

    python tools/reliability/allocation.py --faults 200 --output FILE.json

The trainings are those of determinism.py, each in a process of its own in which either one
allocation of the native module fails, or all from one on (failing_allocator.cpp, which a C++
compiler makes a library of). The training must end with MemoryError or with its usual bits;
afterwards, with memory, the same process must train to the usual bits.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import json
import os
import random
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("failing_allocator.cpp")
FOREVER = 2**62
#: Exit statuses of a process, and what they say.
OUTCOMES = {0: "the same", 3: "MemoryError"}
FAULTS = ("one", "all")


def build(folder: Path) -> Path:
    """Compile the allocator; return the library."""
    library = folder / "libfailing.so"
    compiler = os.environ.get("CXX", "g++")
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
    subprocess.run([*command, "-ldl"], check=True)
    return library


@contextlib.contextmanager
def refused(before: int, number: int) -> Iterator[None]:
    """Refuse so many of the module's allocations after the first ones."""
    allocator = ctypes.CDLL(None)
    allocator.refuse_allocations(ctypes.c_long(before), ctypes.c_long(number))
    try:
        yield
    finally:
        allocator.refuse_allocations(ctypes.c_long(0), ctypes.c_long(0))


def allocations(train: Callable[[], Any]) -> int:
    """How often a training asks for memory in the native module, in a process of its own."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        with refused(0, 0):
            train()
            os.write(write, str(ctypes.CDLL(None).allocations_seen()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as file:
        return int(file.read())


def attempt(train: Callable[[], Any], expected: str, fault: Any) -> str:
    """Train under a fault in a process of its own, and again without it; say what came of it."""
    from determinism import digest

    read, write = os.pipe()
    if (child := os.fork()) == 0:
        status, text = 1, ""
        try:
            with fault:
                status = 0 if digest(train) == expected else 4
        except MemoryError:
            status = 3
        except BaseException:
            text = traceback.format_exc().splitlines()[-1]
        os.write(write, text.encode()[:2000])
        if status in OUTCOMES:
            try:
                status = status if digest(train) == expected else 5
            except BaseException:
                status = 5
        os._exit(status)
    os.close(write)
    with os.fdopen(read) as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = {1: text, 4: "other bits", 5: "not the same afterwards"}
    return OUTCOMES.get(status) or found.get(status, f"exit {status}")


def inject(name: str, faults: int, seed: int = 0) -> dict[str, collections.Counter[str]]:
    """Inject so many faults of each sort into a training; count what came of them."""
    from determinism import MODELS, digest

    train = MODELS[name]
    expected = digest(train)  # first: what is imported and made once is not a training's
    count = allocations(train)
    found: dict[str, collections.Counter[str]] = {sort: collections.Counter() for sort in FAULTS}
    for number in range(faults):
        rng = random.Random(f"{name} {seed} {number}")
        # Each allocation in its turn, then any.
        place = number if number < count else rng.randrange(max(count, 1))
        faulty = {
            "one": refused(place, 1),
            "all": refused(place, FOREVER),
        }
        for sort, fault in faulty.items():
            found[sort][attempt(train, expected, fault)] += 1
    return found


def main() -> int:
    """Inject what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="see determinism.py; all if none is named")
    parser.add_argument("--faults", type=int, default=200, help="of each sort, for each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if "libfailing" not in os.environ.get("LD_PRELOAD", ""):
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"LD_PRELOAD": str(build(Path(folder)))}
            return subprocess.run([sys.executable, *sys.argv], env=environment).returncode
    from determinism import MODELS

    results = {}
    for name in arguments.models or MODELS:
        results[name] = inject(name, arguments.faults, arguments.seed)
        for sort, counts in results[name].items():
            text = ", ".join(f"{n} {what}" for what, n in counts.items())
            print(f"{name}, {sort}: {text}", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    sorts = [counts for one in results.values() for counts in one.values()]
    return 0 if all(set(counts) <= set(OUTCOMES.values()) for counts in sorts) else 1


if __name__ == "__main__":
    sys.exit(main())
