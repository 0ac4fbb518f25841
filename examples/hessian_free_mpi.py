"""Hessian-free training on several processes: the same objective, and how it scales.

    mpiexec -n 1 python examples/hessian_free_mpi.py
    mpiexec -n 2 python examples/hessian_free_mpi.py

The CURVES autoencoder on 4,000 images, one thread a process. Prints the objective after each
iteration and the seconds of all; ``--json FILE`` keeps them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import ictus
from ictus import datasets
from ictus.nn import Dense, Network
from ictus.optim import HessianFree
from ictus.train import Trainer

HIDDEN, CODE = [400, 200, 100, 50, 25], 6


def main() -> None:
    from mpi4py import MPI

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--double", action="store_true", help="double precision")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    ictus.set_num_threads(1)
    x = datasets.curves(options.examples, seed=0)
    sparse = {"initialization": "sparse"}
    units = [*HIDDEN, CODE, *reversed(HIDDEN), 784]
    layers = [Dense(n, "identity" if n in (CODE, 784) else "sigmoid", **sparse) for n in units]
    dtype = "float64" if options.double else "float32"
    network = Network(784, layers, "binary_cross_entropy", dtype=dtype, seed=0)
    optimizer = HessianFree(damping=45.0, curvature_size=options.examples // 2)
    trainer = Trainer(
        network,
        optimizer,
        batch_size=len(x),
        epochs=options.iterations,
        progress=False,
        comm=MPI.COMM_WORLD,
    )
    started = time.perf_counter()
    losses = trainer.fit(x, x)["loss"]
    seconds = time.perf_counter() - started
    if MPI.COMM_WORLD.Get_rank() == 0:
        print("\n".join(f"{i + 1} {loss:.7f}" for i, loss in enumerate(losses)))
        print(f"{MPI.COMM_WORLD.Get_size()} processes, {seconds:.2f} s")
        if options.json is not None:
            options.json.write_text(json.dumps({"losses": losses, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
