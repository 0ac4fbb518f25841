"""What adding up gradients over processes costs: measured with two, a model for a thousand.

    mpiexec -n 2 python examples/communication_cost.py --output docs/results/communication_cost.json
    python examples/communication_cost.py --output docs/results/communication_cost.json   (alone)
    python examples/communication_cost.py --page docs/results/communication_cost.json

The first command measures the sum of a vector over both processes for several lengths, and steps
of training, each process with half of the batch (strong scaling) or a batch of its own (weak
scaling); the second the steps of one process; the third writes the page beside the file. One thread
a process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus.nn import Dense, Network
from ictus.optim import SGD
from ictus.train import Trainer

LENGTHS = [1, 1 << 8, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 22]  # numbers of four bytes
NETWORK, BATCH, STEPS = (784, 800, 800, 10), 1024, 40
RANKS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


def sums(comm: Any, repeats: int = 200) -> list[list[float]]:
    """Least seconds of adding up vectors of these lengths: pairs of length and seconds."""
    found = []
    for length in LENGTHS:
        given, total = np.ones(length, np.float32), np.empty(length, np.float32)
        seconds = []
        for _ in range(repeats):
            comm.Barrier()
            began = time.perf_counter()
            comm.Allreduce(given, total)
            seconds.append(time.perf_counter() - began)
        found.append([length, min(seconds)])
    return found


def step(comm: Any, batch: int) -> float:
    """Least seconds of an update with this batch, over all processes together."""
    rng = np.random.default_rng(0)
    inputs, *hidden, classes = NETWORK
    layers = [Dense(units, "relu") for units in hidden]
    network = Network(inputs, [*layers, Dense(classes)], seed=0)
    x = rng.random((batch, inputs), np.float32)
    y = rng.integers(0, classes, batch)
    times: list[float] = []
    trainer = Trainer(
        network, SGD(0.01), batch_size=batch, epochs=STEPS, comm=comm, progress=False,
        callbacks=[lambda *_: times.append(time.perf_counter()) and None],
    )  # fmt: skip
    trainer.fit(x, y)
    return float(np.diff(times).min())


def fitted(pairs: list[list[float]]) -> tuple[float, float]:
    """Seconds of a message, and of a number, of the model for two processes: 2 latency + number n.

    Relative errors are what is made small: lengths range over six powers of ten.
    """
    lengths, seconds = np.array(pairs).T
    design = np.stack([np.full(len(lengths), 2.0), lengths], 1) / seconds[:, None]
    latency, number = np.linalg.lstsq(design, np.ones(len(lengths)), rcond=None)[0]
    return float(latency), float(number)


def modelled(ranks: int, numbers: int, latency: float, number: float) -> float:
    """Seconds of a sum over so many processes: halving, then doubling (Rabenseifner 2004)."""
    if ranks == 1:
        return 0.0
    rounds = math.ceil(math.log2(ranks))
    return 2 * rounds * latency + 2 * (ranks - 1) / ranks * numbers * number


def parameters() -> int:
    """Numbers in a gradient of the network."""
    return sum((a + 1) * b for a, b in itertools.pairwise(NETWORK))


def page(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    latency, number = fitted(results["sums"])
    size = parameters()
    one, two = results["one"], results["two"]
    lines = [
        "# What adding up gradients costs",
        "",
        "Made by `python examples/communication_cost.py` (its first lines have the commands), on",
        "one machine of two cores; processes exchange through shared memory, one thread each. A",
        f"network {'-'.join(map(str, NETWORK))}: {size:,} numbers of four bytes in a gradient.",
        "",
        "## Measured",
        "",
        "The least of 200 sums and of 39 updates, since other programs may run meanwhile: the",
        f"machine's load was {results['load']:.0f}, of which two were these processes. Where it is",
        "above two, scaling says more about the other programs, and a and b below are too large.",
        "",
        "| processes | batch | ms an update | |",
        "|---|---|---|---|",
        f"| 1 | {BATCH} | {1e3 * one[str(BATCH)]:.1f} | |",
        f"| 2 | {BATCH} | {1e3 * two[str(BATCH)]:.1f} | strong scaling: "
        f"{one[str(BATCH)] / two[str(BATCH)]:.2f} times as fast |",
        f"| 2 | {2 * BATCH} | {1e3 * two[str(2 * BATCH)]:.1f} | weak scaling: "
        f"{100 * one[str(BATCH)] / two[str(2 * BATCH)]:.0f} % |",
        "",
        "| numbers added up by two | microseconds | model |",
        "|---|---|---|",
    ]
    for length, seconds in results["sums"]:
        model = modelled(2, length, latency, number)
        lines.append(f"| {length:,} | {1e6 * seconds:.1f} | {1e6 * model:.1f} |")
    lines += [
        "",
        "## A model of more processes",
        "",
        "Adding up n numbers by halving and doubling (Rabenseifner 2004) takes, over P processes,",
        "",
        "    T(P, n) = 2 ceil(log2 P) a + 2 (P - 1) / P n b",
        "",
        f"with a = {1e6 * latency:.2f} us a message and b = {1e9 * number:.3f} ns a number "
        f"({4 / number / 1e9:.2f} GB/s),",
        "the least squares of relative errors over the table above. A step of training is its",
        "share of the measured arithmetic and one such sum; nothing overlaps. **This is a model**:",
        "nothing was run on more than two processes. A network between machines has other",
        "constants: the second number of each pair assumes a = 20 us and b = 1.3 ns (25 Gbit/s).",
        "",
        f"| processes | sum, ms | strong scaling, batch {BATCH} | weak scaling, {BATCH} each |",
        "|---|---|---|---|",
    ]
    arithmetic = one[str(BATCH)]
    for ranks in RANKS:
        cells = []
        for a, b in ((latency, number), (20e-6, 1.3e-9)):
            cost = modelled(ranks, size, a, b)
            cells.append((cost, arithmetic / (arithmetic / ranks + cost),
                          arithmetic / (arithmetic + cost)))  # fmt: skip
        near, far = cells
        lines.append(
            f"| {ranks} | {1e3 * near[0]:.2f}, {1e3 * far[0]:.2f} "
            f"| {near[1]:.1f}, {far[1]:.1f} times "
            f"| {100 * near[2]:.0f} %, {100 * far[2]:.0f} % |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--page", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.page:
        text = page(json.loads(arguments.page.read_text()))
        arguments.page.with_suffix(".md").write_text(text)
        return
    from mpi4py import MPI

    ictus.set_num_threads(1)
    comm = MPI.COMM_WORLD
    if comm.Get_size() == 1:
        found: dict[str, Any] = {"one": {str(BATCH): step(None, BATCH)}}
    else:
        steps = {str(batch): step(comm, batch) for batch in (BATCH, 2 * BATCH)}
        found = {"sums": sums(comm), "two": steps, "load": os.getloadavg()[0]}
    if comm.Get_rank() == 0:
        print(json.dumps(found, indent=1))
        if arguments.output:
            before = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
            arguments.output.write_text(json.dumps(before | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
