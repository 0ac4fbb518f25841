"""The six experiments of Hochreiter & Schmidhuber 1997 with the LSTM of ictus.

For each experiment: how many training sequences until the paper's own criterion is met, over seeds,
beside the paper's figures. Every finished seed goes into docs/results/hochreiter_1997.json at once
(written atomically); those that are there are not run again, so that a run can be stopped and
continued, and several processes can work on different experiments.

    python examples/hochreiter_1997.py --list
    python examples/hochreiter_1997.py --experiment adding-100 --seeds 10
    python examples/hochreiter_1997.py                      # all that is missing, then the page

The experiments and their settings are in hochreiter_experiments.py, the criteria in
hochreiter_criteria.py; the page is written by hochreiter_report.py.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import hochreiter_report
import numpy as np
from hochreiter_experiments import EXPERIMENTS, Experiment

import ictus
from ictus.nn.sequences import join

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--experiment", nargs="*", default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from --first-seed on")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--budget", type=int, help="most training sequences a run; else the table's"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the results")
    parser.add_argument("--dry", action="store_true", help="show results, write nothing")
    parser.add_argument("--list", action="store_true", help="show the experiments and stop")
    options = parser.parse_args()
    unknown = sorted(set(options.experiment) - set(EXPERIMENTS))
    if unknown:
        parser.error(f"unknown experiment {unknown[0]!r}; there are {', '.join(EXPERIMENTS)}")
    if options.seeds < 1 or (options.budget is not None and options.budget < 1):
        parser.error("--seeds and --budget must be positive")
    return options


def run(experiment: Experiment, seed: int, budget: int) -> dict[str, Any]:
    """Train one network until its criterion is met or the budget is spent."""
    started = time.perf_counter()
    network = experiment.network(seed)
    # Data and criterion draw from streams of their own, by the seed alone.
    sequences = np.random.default_rng([seed, 1])
    task = experiment.task(np.random.default_rng([seed, 2]))
    presented, met = 0, False
    while presented < budget and not met:
        if presented in (0, experiment.plain):
            optimizer = experiment.optimizer(presented)
            optimizer.prepare(network.parameters, network.weight_segments, network.weight_matrices)
        x, y = task.draw(min(experiment.chunk, budget - presented), sequences)
        for first in range(0, len(x), experiment.batch_size):
            batch, target = join(x[first : first + experiment.batch_size]), task.targets(y, first)
            outputs = np.empty((len(target), network.output_size), network.dtype)
            network.loss_and_gradient(batch, target, outputs=outputs)
            optimizer.step(network.parameters, network.gradient)
            presented += len(batch)
            task.observe(outputs, target)
        met = task.met(network, presented)
    return {
        "solved": met,
        "sequences": presented,
        "weights": network.parameter_count,
        "seconds": round(time.perf_counter() - started, 2),
        **task.final(network),
    }


def record(path: Path, experiment: str, seed: int, result: dict[str, Any]) -> None:
    """Enter a finished run; a lock on the folder keeps processes apart, a rename readers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        results = json.loads(path.read_text()) if path.exists() else {}
        results.setdefault(experiment, {})[str(seed)] = result
        part = path.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        os.replace(part, path)
    finally:
        os.close(folder)


def main() -> None:
    options = parse()
    ictus.set_num_threads(1)  # networks of a few cells: a second thread has nothing to do
    path = options.output / "hochreiter_1997.json"
    for name in options.experiment:
        experiment = EXPERIMENTS[name]
        if options.list:
            print(f"{name:22} {experiment.title}")
            continue
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            known = json.loads(path.read_text()) if path.exists() and not options.dry else {}
            if str(seed) in known.get(name, {}):
                continue
            result = run(experiment, seed, options.budget or experiment.budget)
            print(name, seed, result, flush=True)
            if not options.dry:
                record(path, name, seed, result)
    if not (options.list or options.dry):
        hochreiter_report.write(options.output)


if __name__ == "__main__":
    main()
