"""One side of a comparison in a process of its own, so that thread pools do not disturb each other.

A worker imports a workload's side (a class with ``prepare``, ``run`` and ``result``), and answers
requests over a pipe. Between requests it waits in a blocking read: an idle side does not spin.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any


def _serve(pipe: Connection, module: str, side: str, threads: int) -> None:
    try:
        instance = getattr(importlib.import_module(module), side)(threads)
        pipe.send(("ready", None))
    except BaseException as error:
        pipe.send(("failed", f"{type(error).__name__}: {error}"))
        return
    while True:
        try:
            request, argument = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("done", _answer(instance, request, argument)))
        except Exception:
            pipe.send(("failed", traceback.format_exc()))


def _answer(instance: Any, request: str, argument: Any) -> Any:
    if request == "prepare":
        return instance.prepare(**argument)
    if request == "result":
        return instance.result()
    if request == "time":
        return _time(instance.run, argument)
    if request == "peak":
        from ictus import _core

        return _core.measure_peak(argument)
    raise ValueError(f"unknown request {request!r}")


def _time(run: Any, seconds: float) -> float:
    """Median time of one call, over calls that fill `seconds` (at least three)."""
    start = time.perf_counter()
    run()
    once = time.perf_counter() - start
    inner = max(1, int(2e-4 / max(once, 1e-7)))
    times = []
    deadline = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < deadline:
        start = time.perf_counter()
        for _ in range(inner):
            run()
        times.append((time.perf_counter() - start) / inner)
    return sorted(times)[len(times) // 2]


class WorkerError(RuntimeError):
    """The other process could not do what it was asked."""


class Worker:
    """A side of a workload, in another process."""

    def __init__(self, module: str, side: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, module, side, threads), daemon=True
        )
        self._process.start()
        other.close()
        self._receive()

    def _receive(self) -> Any:
        try:
            status, value = self._pipe.recv()
        except EOFError:
            raise WorkerError("the process ended") from None
        if status == "failed":
            raise WorkerError(value)
        return value

    def ask(self, request: str, argument: Any = None) -> Any:
        """Send a request and wait for its answer."""
        self._pipe.send((request, argument))
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
