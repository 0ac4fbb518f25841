"""Matrix products: squares, and the shapes of small networks with bias and sigmoid."""

from __future__ import annotations

import multiprocessing
import statistics
from typing import Any

import numpy as np

from benchmarks.runner import Case, describe
from benchmarks.worker import Worker, WorkerError

SMALL = (32, 64, 96, 128)
LARGE = (256, 512, 1024, 2048)
MODELS = ((100, 784, 500), (128, 784, 1024), (128, 1024, 1024), (512, 2000, 1000), (32, 100, 100))


def operands(rows: int, inner: int, columns: int) -> tuple[np.ndarray, ...]:
    """Normal numbers, the same on each side."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal((rows, inner)).astype(np.float32)
    b = generator.standard_normal((inner, columns)).astype(np.float32) / np.float32(inner**0.5)
    return a, b, generator.standard_normal(columns).astype(np.float32)


class Ours:
    """ictus.kernels.gemm, as a user calls it."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, rows: int, inner: int, columns: int, layer: bool) -> None:
        from ictus.kernels import gemm

        a, b, bias = operands(rows, inner, columns)
        out = np.empty((rows, columns), np.float32)
        self.out = out
        if layer:
            self.run = lambda: gemm(a, b, out, bias=bias, activation="sigmoid")
        else:
            self.run = lambda: gemm(a, b, out)

    def result(self) -> list[np.ndarray]:
        self.run()
        return [self.out]


class PyTorch:
    """torch.mm, or addmm and then sigmoid in place."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(self, rows: int, inner: int, columns: int, layer: bool) -> None:
        torch = self.torch
        a, b, bias = map(torch.from_numpy, operands(rows, inner, columns))
        out = torch.empty(rows, columns)
        self.out = out
        if layer:
            self.run = lambda: torch.addmm(bias, a, b, out=out).sigmoid_()
        else:
            self.run = lambda: torch.mm(a, b, out=out)

    def result(self) -> list[np.ndarray]:
        self.run()
        return [self.out.numpy()]


class NumPy:
    """np.matmul with the BLAS that NumPy carries."""

    def __init__(self, threads: int) -> None:
        from threadpoolctl import threadpool_limits

        self.limits = threadpool_limits(threads)

    def prepare(self, rows: int, inner: int, columns: int, layer: bool) -> None:
        a, b, bias = operands(rows, inner, columns)
        out = self.out = np.empty((rows, columns), np.float32)

        def with_layer() -> None:
            np.matmul(a, b, out=out)
            np.add(out, bias, out=out)
            np.negative(out, out=out)
            np.exp(out, out=out)
            np.add(out, 1, out=out)
            np.reciprocal(out, out=out)

        self.run = with_layer if layer else lambda: np.matmul(a, b, out=out)

    def result(self) -> list[np.ndarray]:
        self.run()
        return [self.out]


def case(rows: int, inner: int, columns: int, group: str, layer: bool = False) -> Case:
    name = f"{rows}x{inner}x{columns}" + (" bias sigmoid" if layer else "")
    return Case(
        name,
        {"rows": rows, "inner": inner, "columns": columns, "layer": layer},
        ("PyTorch", "NumPy"),
        operations=2.0 * rows * inner * columns,
        # Random rounding errors of a sum grow with the root of its length.
        tolerance=8 * float(np.finfo(np.float32).eps) * inner**0.5,
        group=group,
    )


CASES = [case(n, n, n, "squares 32 to 128") for n in SMALL]
CASES += [case(n, n, n, "squares 256 to 2048") for n in LARGE]
CASES += [case(*shape, "model shapes", layer=True) for shape in MODELS]


def _spin() -> None:
    while True:
        pass


def extra(quick: bool) -> list[dict[str, Any]]:
    """The variant "busy core": another process computes all the time.

    The record's seconds are ours with two threads; ``one_thread_seconds`` and ``two_over_one`` say
    how two threads compare with one, for us and (``peer_two_over_one``) for the peer.
    """
    load = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    load.start()
    rounds, seconds = (2, 0.05) if quick else (9, 0.4)
    try:
        return [r for peer in ("PyTorch", "NumPy") for r in _busy(peer, rounds, seconds)]
    finally:
        load.terminate()
        load.join()


def _busy(peer: str, rounds: int, seconds: float) -> list[dict[str, Any]]:
    arguments = {"rows": 512, "inner": 512, "columns": 512, "layer": False}
    workers: dict[tuple[str, int], Worker] = {}
    times: dict[tuple[str, int], list[float]] = {}
    try:
        for side in ("Ours", peer):
            for threads in (1, 2):
                worker = workers[side, threads] = Worker("benchmarks.gemm", side, threads)
                worker.ask("prepare", arguments)
                times[side, threads] = []
        for _ in range(rounds):
            for key, worker in workers.items():
                times[key].append(worker.ask("time", seconds))
    except WorkerError as error:
        print(f"gemm: no comparison with {peer}: {error}")
        return []
    finally:
        for worker in workers.values():
            worker.close()
    median = {key: statistics.median(values) for key, values in times.items()}
    ratios = [b / a for a, b in zip(times["Ours", 2], times[peer, 2], strict=True)]
    record = {
        "workload": "gemm",
        "variant": "busy core 512x512x512",
        "threads": 2,
        "seconds": median["Ours", 2],
        "peer": peer,
        "peer_seconds": median[peer, 2],
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "share_of_peak": None,
        "group": "",
        "one_thread_seconds": median["Ours", 1],
        "two_over_one": median["Ours", 2] / median["Ours", 1],
        "peer_two_over_one": median[peer, 2] / median[peer, 1],
    }
    print(describe(record))
    print(
        f"  two threads over one: ictus {record['two_over_one']:.2f}, "
        f"{peer} {record['peer_two_over_one']:.2f}"
    )
    return [record]
