"""Search in a million binary codes: the scan beside faiss, tables of substrings beside the scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.runner import Case

COUNT, QUERIES = 1_000_000, 1000

# Of each query three bits differ from a code; all other codes are random.
CHANGED = 3


def collection(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and queries, the same on each side."""
    rng = np.random.default_rng(bits)
    codes = rng.integers(0, 256, (COUNT, bits // 8), dtype=np.uint8)
    queries = codes[rng.choice(COUNT, QUERIES, replace=False)]
    flips = rng.random((QUERIES, bits)).argsort(axis=1) < CHANGED
    return codes, queries ^ np.packbits(flips, axis=1)


def scan_of(task: str) -> Any:
    """The function of the library for the scan."""
    from ictus.kernels import hamming_nearest, hamming_within

    return hamming_within if task == "within" else hamming_nearest


class Ours:
    """The scan for what faiss does, tables of substrings for what the scan does."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, bits: int, task: str, size: int) -> None:
        from ictus.kernels import MultiIndex

        codes, queries = collection(bits)
        self.distances_alone = task == "scan"
        if task == "scan":
            self.run = lambda: scan_of(task)(codes, queries, size)
        else:
            tables = MultiIndex(codes)
            search: Any = getattr(tables, task)
            self.run = lambda: search(queries, size)

    def result(self) -> list[np.ndarray]:
        """The arrays of the answer."""
        found = self.run()
        return [found.distances] if self.distances_alone else list(found)


class Scan:
    """The library's own scan, beside the tables."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, bits: int, task: str, size: int) -> None:
        codes, queries = collection(bits)
        self.run = lambda: scan_of(task)(codes, queries, size)

    def result(self) -> list[np.ndarray]:
        """The arrays of the answer."""
        return list(self.run())


class Faiss:
    """IndexBinaryFlat of faiss-cpu, which orders codes at the same distance in another way."""

    def __init__(self, threads: int) -> None:
        import faiss

        self.faiss = faiss
        faiss.omp_set_num_threads(threads)

    def prepare(self, bits: int, task: str, size: int) -> None:
        codes, queries = collection(bits)
        index = self.faiss.IndexBinaryFlat(bits)
        index.add(codes)
        self.run = lambda: index.search(queries, size)

    def result(self) -> list[np.ndarray]:
        """The distances."""
        return [self.run()[0]]


CASES = [
    Case(
        f"100 nearest of 1000 queries, 1,000,000 codes of {bits} bits",
        {"bits": bits, "task": "scan", "size": 100},
        ("Faiss",),
        tolerance=0.0,
    )
    for bits in (64, 256)
] + [
    Case(
        f"tables: {text}, 1000 queries, 1,000,000 codes of 64 bits",
        {"bits": 64, "task": task, "size": size},
        ("Scan",),
        tolerance=0.0,
    )
    for text, task, size in (
        ("all within 3 bits", "within", 3),
        ("all within 5 bits", "within", 5),
        ("all within 8 bits", "within", 8),
        ("nearest", "nearest", 1),
    )
]
