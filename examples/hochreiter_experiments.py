"""The experiments of Hochreiter & Schmidhuber 1997: networks, settings, and the paper's criteria.

A criterion is checked after every chunk of training sequences. That of experiments 4 to 6 looks at
the errors of the last 2,000 training sequences, each measured before the network learnt from it;
that of the others at test sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ictus
from ictus import datasets

Array = NDArray[Any]
Draw = Callable[..., tuple[list[Array], Any]]


class Task:
    """Sequences of a generator, and a criterion.

    Parameters
    ----------
    make : callable
        ``make(count, seed=generator)`` gives inputs and targets.
    batch_size : int
    own : numpy.random.Generator
        For test sequences.
    """

    def __init__(self, make: Draw, batch_size: int, own: np.random.Generator) -> None:
        self.make, self.batch_size, self.own = make, batch_size, own

    def draw(self, count: int, generator: np.random.Generator) -> tuple[list[Array], Any]:
        return self.make(count, seed=generator)

    def targets(self, y: Any, first: int) -> Array:
        part = y[first : first + self.batch_size]
        return np.concatenate(part) if isinstance(part, list) else part

    def observe(self, outputs: Array, target: Array) -> None:
        """See the outputs for a training batch, before the update."""

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        raise NotImplementedError

    def final(self, network: ictus.SequenceNetwork) -> dict[str, Any]:
        return {}

    def errors(self, network: ictus.SequenceNetwork, count: int) -> Array:
        """Largest absolute error of the outputs for each of `count` new sequences."""
        x, y = self.make(count, seed=self.own)
        return absolute_errors(np.asarray(network.predict(x)), y).max(axis=1)


def absolute_errors(outputs: Array, target: Array) -> Array:
    if target.ndim == 1:  # labels
        target = np.eye(outputs.shape[1], dtype=outputs.dtype)[target]
    return np.abs(outputs - target)


class Grammar(Task):
    """1: the possible next symbols are the most active outputs, in all 256 + 256 strings."""

    def __init__(self, batch_size: int, own: np.random.Generator) -> None:
        super().__init__(datasets.embedded_reber, batch_size, own)  # type: ignore[arg-type]
        strings = datasets.embedded_reber_strings(256, own)
        training = set(strings)
        while len(strings) < 512:
            more = datasets.embedded_reber_strings(256, own)
            strings += [one for one in more if one not in training]
        self.x, self.y, self.possible = datasets.embedded_reber(strings[:512])

    def draw(self, count: int, generator: np.random.Generator) -> tuple[list[Array], Any]:
        chosen = generator.integers(0, 256, count)
        return [self.x[i] for i in chosen], [self.y[i] for i in chosen]

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        outputs, possible = np.concatenate(network.predict(self.x)), np.concatenate(self.possible)
        least = np.where(possible, outputs, np.inf).min(axis=1)
        return bool((least > np.where(possible, -np.inf, outputs).max(axis=1)).all())


class Frozen(Task):
    """2: the largest error over 10,000 sequences, the weights held, is below a limit."""

    def __init__(self, make: Draw, limit: float, *shared: Any) -> None:
        super().__init__(make, *shared)
        self.limit = limit
        self.recent = np.inf

    def observe(self, outputs: Array, target: Array) -> None:
        self.recent = 0.9 * min(self.recent, 1.0) + 0.1 * absolute_errors(outputs, target).max()

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        if self.recent > self.limit:
            return False  # no need for a test
        # In parts, from small to large: most networks that fail do so soon.
        return all(
            self.errors(network, count).max() < self.limit for count in (20, 180, 800, *[1000] * 9)
        )


class RegularLag(Frozen):
    """2a: there are two sequences; the error is that of all outputs at all steps."""

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        x, y = self.make(64, seed=0)  # both are among them
        outputs = np.concatenate(network.predict(x))
        return bool(absolute_errors(outputs, np.concatenate(y)).max() < self.limit)


class TestSet(Task):
    """3: of 256 test sequences at most `wrong` are misclassified (ST1), and small mean error."""

    def __init__(self, make: Draw, limit: float, wrong: int, mean: float, *shared: Any) -> None:
        super().__init__(make, *shared)
        self.limit, self.wrong, self.mean = limit, wrong, mean
        self.first: int | None = None
        self.test = self._clean(256)

    def _clean(self, count: int) -> tuple[list[Array], Array]:
        """Test sequences; their targets have no noise."""
        x, y = self.make(count, seed=self.own)
        if np.isin(y, (0, 1)).all():
            return x, y
        # 3c: the class is the first element.
        return x, np.array([[0.8 if one[0, 0] > 0 else 0.2] for one in x], np.float32)

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        x, y = self.test
        errors = absolute_errors(network.predict(x), y)
        below = (errors > self.limit).sum() <= self.wrong
        if below and self.first is None:
            self.first = presented
        return bool(below and errors.mean() < self.mean)

    def final(self, network: ictus.SequenceNetwork) -> dict[str, Any]:
        x, y = self._clean(2560)
        errors = absolute_errors(network.predict(x), y)
        return {
            "first_criterion": self.first,
            "test_wrong_of_2560": int((errors > self.limit).sum()),
            "test_mean_error": round(float(errors.mean()), 5),
        }


class Recent(Task):
    """4 to 6: of the last 2,000 training sequences fewer than `wrong` err by more than a limit."""

    def __init__(self, make: Draw, limit: float, wrong: int, mean: float, *shared: Any) -> None:
        super().__init__(make, *shared)
        self.limit, self.wrong, self.mean = limit, wrong, mean
        self.largest: list[Array] = []
        self.means: list[Array] = []

    def observe(self, outputs: Array, target: Array) -> None:
        errors = absolute_errors(outputs, target)
        self.largest.append(errors.max(axis=1))
        self.means.append(errors.mean(axis=1))

    def met(self, network: ictus.SequenceNetwork, presented: int) -> bool:
        if presented < 2000:
            return False
        largest, means = (np.concatenate(a)[-2000:] for a in (self.largest, self.means))
        self.largest, self.means = [largest], [means]
        return bool((largest > self.limit).sum() < self.wrong and means.mean() < self.mean)

    def final(self, network: ictus.SequenceNetwork) -> dict[str, Any]:
        errors = self.errors(network, 2560)
        x, y = self.make(2560, seed=self.own)
        squares = absolute_errors(np.asarray(network.predict(x)), y) ** 2
        return {
            "test_wrong_of_2560": int((errors > self.limit).sum()),
            "test_mean_squared_error": round(float(squares.mean()), 6),
        }


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
    task : callable
        Makes the task, from a generator.
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
    embedding: int = 0
    learning_rate: float = 0.01
    decay: int = 0
    clip_norm: float | None = 1.0
    batch_size: int = 1
    chunk: int = 100
    cell: dict[str, Any] = field(default_factory=dict)
    input_bias: float = 0.0
    output_bias: float = 0.0

    def network(self, seed: int) -> ictus.SequenceNetwork:
        """The network with the initial weights of a seed."""
        lstm = ictus.LSTM(self.cells, output="last" if self.last else "steps", **self.cell)
        first = [ictus.Embedding(self.embedding)] if self.embedding else []
        network = ictus.SequenceNetwork(
            self.inputs, [*first, lstm, ictus.Dense(self.outputs)], self.loss, seed=seed
        )
        gates = network.views(network.parameters)[len(first)][2].reshape(-1, self.cells)
        gates[0], gates[-2] = self.input_bias, self.output_bias
        return network

    def task(self, own: np.random.Generator) -> Task:
        return self.make_task(self.batch_size, own)

    def rate(self, presented: int) -> float:
        """The learning rate: halved after `decay` sequences, a third after twice as many."""
        return self.learning_rate / (1 + presented / self.decay if self.decay else 1)


NO_FORGETTING = {"forget_gate": False}
EXPERIMENTS: dict[str, Experiment] = {
    "reber": Experiment(
        "1 embedded Reber grammar", "the possible next symbols are the most active outputs",
        {"sequences": 8440, "weights": 276, "solved": "100 %"},
        7, 7, 4, "softmax_cross_entropy", Grammar, 30_000, last=False,
    ),
    "regular-lag": Experiment(
        "2a time lag 100, regular", "error < 0.25 in all outputs at all steps",
        {"sequences": 5040, "solved": "100 %"},
        101, 101, 4, "softmax_cross_entropy",
        partial(RegularLag, partial(datasets.regular_time_lag, symbols=100), 0.25),
        30_000, last=False,
    ),
    "random-lag": Experiment(
        "2b time lag 100, random", "error < 0.25 in 10,000 sequences",
        {"sequences": 5680, "solved": "100 %"},
        101, 101, 4, "softmax_cross_entropy",
        partial(Frozen, partial(datasets.random_time_lag, symbols=100), 0.25), 30_000,
    ),
    "lag-50": Experiment(
        "2c time lag 50, 50 distractors", "error < 0.2 in 10,000 sequences",
        {"sequences": 30_000, "solved": "100 %"},
        54, 2, 2, "softmax_cross_entropy",
        partial(Frozen, partial(datasets.distractor_time_lag, lag=50, symbols=50), 0.2), 60_000,
    ),
    "two-sequence-100-3": Experiment(
        "3a T = 100, N = 3", "0 of 256 wrong, mean error < 0.01",
        {"sequences": 39_850, "weights": 102},
        1, 1, 3, "binary_cross_entropy",
        partial(TestSet, partial(datasets.two_sequence, length=100, informative=3), 0.2, 0, 0.01),
        80_000,
    ),
    "adding-100": Experiment(
        "4 adding, T = 100", "the last 2,000 below 0.04, mean error < 0.01",
        {"sequences": 74_000, "weights": 93, "solved": "100 %"},
        2, 1, 3, "squared_error",
        partial(Recent, partial(datasets.adding, length=100), 0.04, 1, 0.01), 150_000,
    ),
}  # fmt: skip
