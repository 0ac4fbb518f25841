"""The criteria of Hochreiter & Schmidhuber 1997: when a task counts as learnt.

A criterion is checked after every chunk of training sequences. That of experiments 4 to 6 looks at
the errors of the last 2,000 training sequences, each measured before the network learnt from it;
that of the others at test sequences.
"""

from __future__ import annotations

from collections.abc import Callable
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


def over_symbols(network: ictus.SequenceNetwork) -> ictus.SequenceNetwork:
    """The same network for symbols instead of one-hot frames, which is faster with many symbols.

    The input weights become the table of an embedding, and what reads it the identity.
    """
    lstm, last = network.layers
    (weights, *others), output = network.views(network.parameters)
    columns = weights.shape[1]
    layers = [
        ictus.Embedding(columns),
        ictus.LSTM(lstm.units, output=lstm.output, **lstm.options()),
        ictus.Dense(last.units),
    ]
    result = ictus.SequenceNetwork(len(weights), layers, network.loss_name)
    values = [weights, np.eye(columns), *others, *output]
    targets = [view for views in result.views(result.parameters) for view in views]
    for target, value in zip(targets, values, strict=True):
        target[...] = value
    return result


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
        # In parts, since most networks that fail do so soon.
        parts = [10, 90, *[100] * 99]
        return all(self.errors(network, count).max() < self.limit for count in parts)

    def errors(self, network: ictus.SequenceNetwork, count: int) -> Array:
        if self.make(1, seed=0)[0][0].size < 2**18:
            return super().errors(network, count)
        x, y = self.make(count, seed=self.own, one_hot=False)
        return absolute_errors(over_symbols(network).predict(x), y).max(axis=1)


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
