"""Lets the disk become full or refuse while ictus writes, and looks at what is left.

    python tools/reliability/full_disk.py --faults 200 --output FILE.json

Each writer replaces an old file by a new one, or adds to an index, in a process that may not write
files above a number of bytes (RLIMIT_FSIZE: the system refuses the write in the middle, as a full
disk does), or in which flushing to the disk fails, or that has no right to write to the folder and
what is in it. Afterwards the file must be the old or the new one, whole; an error must have been
raised unless it is the new one; no other file may lie there.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import errno
import json
import os
import random
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import nn
from ictus.io import annotations, audio, onnx
from ictus.io.arff import write_arff
from ictus.music.retrieval import HammingIndex
from ictus.train.checkpoint import load_checkpoint, save_checkpoint

FAILED = 3  # exit status of a process whose writer raised OSError


@dataclass(frozen=True)
class Writer:
    """Something that writes.

    Attributes
    ----------
    name : str
    write : function of a path and a number that makes versions differ
    read : function of a path; what tells versions apart
    """

    name: str
    write: Callable[[Path, int], Any]
    read: Callable[[Path], Any]


def _network(seed: int) -> nn.Network:
    return nn.Network(40, [nn.Dense(30, activation="sigmoid"), nn.Dense(5)], seed=seed)


def _times(number: int) -> annotations.Events:
    return annotations.Events(np.arange(1, 900) * (0.5 + number))


def _noise(number: int) -> Any:
    return 0.1 * np.random.default_rng(number).standard_normal(3000)


def _add(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    codes = rng.integers(0, 256, (200, 16), dtype=np.uint8)
    if not path.exists():
        HammingIndex.create(path, 128).close()
    with HammingIndex.open(path, writable=True) as index:
        index.add(codes, names=[f"{number} {row}" for row in range(200)])


def _rows(path: Path) -> Any:
    with HammingIndex.open(path, verify=True) as index:
        return index.count, index.names(range(index.count))


WRITERS = [
    Writer("model file", lambda p, n: ictus.save(p, _network(n)), Path.read_bytes),
    Writer(
        "checkpoint",
        lambda p, n: save_checkpoint(p, {"a": np.full(2000, n, np.float32)}, {"n": n}),
        lambda p: load_checkpoint(p)[1],
    ),
    Writer("ONNX", lambda p, n: onnx.save(p, _network(n)), Path.read_bytes),
    Writer("times", lambda p, n: annotations.write_annotation(p, _times(n)), Path.read_bytes),
    Writer("audio", lambda p, n: audio.write_audio(p, _noise(n), 8000), Path.read_bytes),
    Writer(
        "ARFF", lambda p, n: write_arff(p, _noise(n).reshape(-1, 3)), Path.read_bytes
    ),
    Writer("search index", _add, _rows),
]  # fmt: skip


def _fail(code: int) -> Callable[..., None]:
    def function(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    return function


def give_up_privileges() -> None:
    """Let permissions count for this process, as they do not for a superuser's."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


def _permit(folder: Path, writing: bool) -> None:
    """Give or take the right to write to a folder and everything in it."""
    for path in [folder, *folder.rglob("*")]:
        mode = 0o755 if path.is_dir() else 0o644
        path.chmod(mode if writing else mode & ~0o222)


def attempt(writer: Writer, path: Path, number: int, limit: int, fault: str) -> int:
    """Write in a process with a fault; return its exit status."""
    _permit(path.parent, writing=fault != "denied")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            if fault == "full":
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            elif fault == "flush":
                os.fsync = _fail(errno.EIO)
            else:
                give_up_privileges()
            writer.write(path, number)
            status = 0
        except OSError:
            status = FAILED
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _permit(path.parent, writing=True)
    return status


def inject(writer: Writer, folder: Path, number: int) -> str:
    """Inject one fault; return "kept", "written", or what was wrong."""
    rng = random.Random(f"{writer.name} {number}")
    for old in folder.iterdir():
        _remove(old)
    path = folder / ("index" if writer.write is _add else "file.wav")
    writer.write(path, 0)
    before, names = writer.read(path), sorted(p.name for p in folder.iterdir())
    size = max(p.stat().st_size for p in ([path] if path.is_file() else path.iterdir()))
    fault = rng.choices(["full", "flush", "denied"], [3, 1, 1])[0]
    status = attempt(writer, path, 1, rng.randrange(int(2.2 * size)), fault)
    try:
        after = writer.read(path)
    except Exception as error:  # what was there before is lost
        return f"{fault}: not readable: {error}"
    if sorted(p.name for p in folder.iterdir()) != names:
        return f"{fault}: other files were left"
    if status not in (0, FAILED) or (fault == "denied" and status == 0):
        return f"{fault}: exit {status}"
    if (after == before) == (status == 0):
        return f"{fault}: exit {status}, but the file is {'old' if after == before else 'new'}"
    writer.write(path, 2)  # it goes on
    writer.read(path)
    return "kept" if after == before else "written"


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()


def run(faults: int) -> dict[str, collections.Counter[str]]:
    """Inject faults into every writer; count the outcomes."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as name:
        for writer in WRITERS:
            outcomes[writer.name] = collections.Counter(
                inject(writer, Path(name), number) for number in range(faults)
            )
    return outcomes


def main() -> int:
    """Inject what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faults", type=int, default=200, help="for each writer")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    outcomes = run(arguments.faults)
    for name, counts in outcomes.items():
        print(f"{name}: {', '.join(f'{n} {what}' for what, n in counts.items())}")
    if arguments.output:
        arguments.output.write_text(json.dumps(outcomes, indent=1) + "\n")
    return 0 if all(set(c) <= {"kept", "written"} for c in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
