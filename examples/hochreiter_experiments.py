"""The experiments of Hochreiter & Schmidhuber 1997: networks, settings, the paper's figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hochreiter_criteria import Draw, Frozen, Grammar, Recent, RegularLag, Task, TestSet

import ictus
from ictus import datasets


@dataclass(frozen=True)
class Experiment:
    """One row of the table.

    Attributes
    ----------
    title, criterion : str
    published : dict
        The paper's LSTM: sequences, weights, share of successes, as far as they are known.
    inputs, outputs, cells : int
    loss : str
    make_task : callable
        Makes the task, from a batch size and a generator.
    budget : int
        Most training sequences of a run.
    last : bool
        Whether the target is at the end alone.
    plain, plain_rate
        So many sequences are first learnt by plain gradient descent, at this rate.
    chunk : int
        Training sequences between two looks at the criterion.
    cell : dict
        Options of the LSTM.
    input_bias, output_bias : float
        Initial biases of these gates; of the input gates also one for each cell.
    """

    title: str
    criterion: str
    published: dict[str, Any]
    inputs: int
    outputs: int
    cells: int
    loss: str
    make_task: Callable[..., Task]
    budget: int
    last: bool = True
    learning_rate: float = 0.01
    plain: int = 0
    plain_rate: float = 100.0
    clip_norm: float | None = 1.0
    batch_size: int = 1
    chunk: int = 100
    cell: dict[str, Any] = field(default_factory=dict)
    input_bias: float | tuple[float, ...] = 0.0
    output_bias: float = 0.0

    def network(self, seed: int) -> ictus.SequenceNetwork:
        """The network with the initial weights of a seed."""
        lstm = ictus.LSTM(self.cells, output="last" if self.last else "steps", **self.cell)
        network = ictus.SequenceNetwork(
            self.inputs, [lstm, ictus.Dense(self.outputs)], self.loss, seed=seed
        )
        gates = network.views(network.parameters)[0][2].reshape(-1, self.cells)
        gates[0], gates[-2] = self.input_bias, self.output_bias
        return network

    def task(self, own: np.random.Generator) -> Task:
        return self.make_task(self.batch_size, own)

    def optimizer(self, presented: int) -> ictus.Optimizer:
        """Adam, or plain gradient descent for the first `plain` sequences."""
        if presented < self.plain:
            return ictus.SGD(self.plain_rate, clip_norm=self.clip_norm)
        return ictus.Adam(self.learning_rate, clip_norm=self.clip_norm)


ORIGINAL = {"forget_gate": False}  # the cell of 1997


def closed(steps: int) -> float:
    """Input gates that are almost closed at first, as in the paper's experiments 4 and 5."""
    return -3.0 if steps < 500 else -5.0


def lag(steps: int, symbols: int, sequences: int) -> Experiment:
    make = partial(datasets.distractor_time_lag, lag=steps, symbols=symbols)
    return Experiment(
        f"2c: lag {steps}, {symbols} distractors", "error < 0.2 in 10,000 sequences",
        {"sequences": sequences, "solved": "100 %"},
        symbols + 4, 2, 2, "softmax_cross_entropy", partial(Frozen, make, 0.2), sequences,
        cell=ORIGINAL, input_bias=closed(steps),
        chunk=100 if steps < 500 else 20,
    )  # fmt: skip


def two_classes(
    part: str,
    length: int,
    informative: int,
    first: int | None,
    second: int,
    wrong: float,
    **settings: Any,
) -> Experiment:
    """3: what the paper's criteria are in its three parts."""
    limit, of_256, mean, loss = {
        "a": (0.2, 0, 0.01, "binary_cross_entropy"),
        "b": (0.2, 5, 0.04, "binary_cross_entropy"),
        "c": (0.1, 0, 0.015, "squared_error"),
    }[part]
    noise = {"noisy_input": part == "b", "noisy_target": part == "c"}
    make = partial(datasets.two_sequence, length=length, informative=informative, **noise)
    return Experiment(
        f"3{part}: T = {length}, N = {informative}",
        f"at most {of_256} of 256 wrong, mean error < {mean}",
        {"sequences": second, "first_criterion": first, "weights": 102, "test_wrong": wrong},
        1, 1, settings.pop("cells", 3), loss,
        partial(TestSet, make, limit, of_256, mean), second,
        **{"cell": ORIGINAL, "input_bias": closed(length)} | settings,
    )  # fmt: skip


def pairs(
    make: Draw, length: int, sequences: int, wrong: int, mean: float, test: int, **settings: Any
) -> Experiment:
    number, name = (4, "adding") if make is datasets.adding else (5, "multiplication")
    task = partial(Recent, partial(make, length=length), 0.04, wrong, mean)
    return Experiment(
        f"{number}: {name}, T = {length}",
        f"fewer than {wrong} of the last 2,000 err by 0.04"
        + (f", mean error < {mean}" if np.isfinite(mean) else ""),
        {"sequences": sequences, "weights": 93, "test_wrong": test / 2560, "solved": "100 %"},
        2, 1, 3, "squared_error", task, 2 * sequences, batch_size=4, input_bias=closed(length),
        cell={"forget_bias": float(np.log(length))}, **settings,
    )  # fmt: skip


def order(relevant: int, weights: int, sequences: int, wrong: int, **settings: Any) -> Experiment:
    make = partial(datasets.temporal_order, relevant=relevant)
    return Experiment(
        f"6{'ab'[relevant - 2]}: order of {relevant} symbols",
        "the last 2,000 below 0.3, mean error < 0.1",
        {"sequences": sequences, "weights": weights, "test_wrong": wrong / 2560, "solved": "100 %"},
        8, 2**relevant, 2 * relevant - 1, "softmax_cross_entropy",
        partial(Recent, make, 0.3, 1, 0.1), sequences,
        cell=ORIGINAL, input_bias=closed(100), **settings,
    )  # fmt: skip


EXPERIMENTS: dict[str, Experiment] = {
    "reber": Experiment(
        "1: embedded Reber grammar",
        "the possible next symbols are the most active outputs",
        {"sequences": 8440, "weights": 276, "solved": "100 %"},
        7,
        7,
        5,
        "softmax_cross_entropy",
        Grammar,
        30_000,
        last=False,
        learning_rate=0.02,
        cell=ORIGINAL,
    ),
    "regular-lag": Experiment(
        "2a: time lag 100, regular",
        "error < 0.25 in all outputs at all steps",
        {"sequences": 5040, "solved": "100 %"},
        101,
        101,
        2,
        "softmax_cross_entropy",
        partial(RegularLag, partial(datasets.regular_time_lag, symbols=100), 0.25),
        30_000,
        last=False,
        cell=ORIGINAL | {"skip": True},
        input_bias=-5.0,
        output_bias=-4.0,
        plain=1500,
    ),
    "random-lag": Experiment(
        "2b: time lag 100, random",
        "error < 0.25 in 10,000 sequences",
        {"sequences": 5680, "solved": "100 %"},
        101,
        101,
        8,
        "softmax_cross_entropy",
        partial(Frozen, partial(datasets.random_time_lag, symbols=100), 0.25),
        30_000,
        learning_rate=0.003,
        cell=ORIGINAL,
        input_bias=-2.0,
    ),
    "lag-50": lag(50, 50, 30_000),
    "lag-100": lag(100, 100, 31_000),
    "lag-200": lag(200, 200, 33_000),
    "lag-500": lag(500, 500, 38_000),
    "lag-1000": lag(1000, 1000, 49_000),
    "lag-1000-500": lag(1000, 500, 49_000),
    "lag-1000-200": lag(1000, 200, 75_000),
    "lag-1000-100": lag(1000, 100, 135_000),
    "lag-1000-50": lag(1000, 50, 203_000),
    "two-a-100-3": two_classes("a", 100, 3, 27_380, 39_850, 0.000195),
    "two-a-100-1": two_classes("a", 100, 1, 58_370, 64_330, 0.000117),
    "two-a-1000-3": two_classes("a", 1000, 3, 446_850, 452_460, 0.000078),
    "two-b-100-3": two_classes("b", 100, 3, 41_740, 43_250, 0.00828),
    "two-b-100-1": two_classes("b", 100, 1, 74_950, 78_430, 0.015),
    "two-b-1000-1": two_classes(
        "b",
        1000,
        1,
        481_060,
        485_080,
        0.01207,
        cells=4,
        batch_size=8,
        learning_rate=0.003,
        input_bias=(0.0, -2.0, -4.0, -6.0),
        cell=ORIGINAL | {"scale": 0.3},
    ),
    "two-c-100-3": two_classes("c", 100, 3, None, 269_650, 0.00558),
    "two-c-100-1": two_classes("c", 100, 1, None, 565_640, 0.00441),
    "adding-100": pairs(datasets.adding, 100, 74_000, 1, 0.01, 1),
    "adding-500": pairs(datasets.adding, 500, 209_000, 1, 0.01, 0),
    "adding-1000": pairs(datasets.adding, 1000, 853_000, 1, 0.01, 1),
    "multiplication-140": pairs(datasets.multiplication, 100, 482_000, 140, np.inf, 139),
    "multiplication-13": pairs(datasets.multiplication, 100, 1_273_000, 13, np.inf, 14),
    "order-2": order(2, 156, 31_390, 1),
    "order-3": order(3, 308, 571_100, 2),
}
