"""Training of networks over sequences: ragged minibatches, backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import contiguous, to_device
from ictus.nn import SequenceBatch, SequenceNetwork
from ictus.nn.sequences import join
from ictus.optim import HessianFree, Optimizer
from ictus.train.batches import BatchOrder
from ictus.train.trainer import Trainer

Array = NDArray[Any]
Batch = tuple[SequenceBatch, Array, Array | None]


class SequenceBatches(BatchOrder):
    """Minibatches of whole sequences, without padding.

    Parameters
    ----------
    x : list of arrays
        Sequences as the network takes them.
    y : list of arrays
        Targets: a row a step, or one row.
    weights : list of arrays, optional
        Of the targets' rows.
    batch_size, shuffle, seed
        See :class:`BatchOrder`.
    """

    def __init__(
        self, x: Sequence[Array], y: Sequence[Array], weights: Sequence[Array] | None, **order: Any
    ) -> None:
        super().__init__(len(x), **order)
        self.x, self.y, self.weights = x, y, weights

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        for rows in self.rows(number, first):
            chosen = range(self.size)[rows] if isinstance(rows, slice) else rows
            weights = None
            if self.weights is not None:
                weights = np.concatenate([self.weights[i] for i in chosen])
            yield (
                join([self.x[i] for i in chosen]),
                np.concatenate([self.y[i] for i in chosen]),
                weights,
            )


def segment(batch: Batch, begin: int, end: int) -> tuple[Batch, Array]:
    """Return the steps [begin, end) of the sequences that reach them, and which these are."""
    x, y, weights = batch
    first = np.cumsum(x.lengths) - x.lengths
    active = np.flatnonzero(x.lengths > begin)
    lengths = np.minimum(x.lengths[active], end) - begin
    rows = np.concatenate(
        [np.arange(f + begin, f + begin + n) for f, n in zip(first[active], lengths, strict=True)]
    )
    part = SequenceBatch(np.ascontiguousarray(x.frames[rows]), lengths)
    return (part, y[rows], None if weights is None else weights[rows]), active


class SequenceTrainer(Trainer):
    """Trains a SequenceNetwork on lists of sequences; otherwise as :class:`Trainer`.

    Parameters
    ----------
    network : SequenceNetwork
    optimizer : Optimizer, optional
    truncate : int, optional
        Truncated backpropagation through time (Williams & Peng 1990): sequences are cut into parts
        of this many steps, each an update of its own; states are carried on, gradients are not.
        None: whole sequences.
    class_weights : array, shape (classes,), optional
        Weight of a step (or sequence) by its label, times its other weights.
    options
        ``batch_size`` counts sequences; the others as of :class:`Trainer`.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        optimizer: Optimizer | None = None,
        *,
        truncate: int | None = None,
        class_weights: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(network, optimizer, **options)
        if truncate is not None:
            if int(truncate) != truncate or truncate < 1:
                raise ValueError(f"truncate must be a positive integer, got {truncate!r}")
            if not self.processes.alone:
                raise ValueError("truncate must be None with several processes")
            if isinstance(optimizer, HessianFree):
                raise ValueError("truncate must be None with hessian-free training")
            if network.last_output or any(getattr(x, "directions", 1) == 2 for x in network.layers):
                raise ValueError(
                    "truncate needs an output for every step and one direction: other layers see "
                    "the whole sequence"
                )
        self.truncate = None if truncate is None else int(truncate)
        self.class_weights = self._checked_class_weights(class_weights, network)

    @staticmethod
    def _checked_class_weights(weights: Any, network: SequenceNetwork) -> Array | None:
        if weights is None:
            return None
        values = np.asarray(weights, np.float64)
        if network.loss_name != "softmax_cross_entropy":
            raise ValueError("class_weights need the loss softmax_cross_entropy and labels")
        size = network.output_size
        if values.shape != (size,) or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(
                f"class_weights must be {size} finite numbers that are not negative, got {weights}"
            )
        return values

    def _step(self, batch: Any) -> float:
        if self.truncate is None:
            return super()._step(batch)
        network: Any = self.network
        states = network.zero_states(len(batch[0]))
        total = rows = 0.0
        for begin in range(0, int(batch[0].lengths.max()), self.truncate):
            (x, y, weights), active = segment(batch, begin, begin + self.truncate)
            active = to_device(network.device, active)
            own = [contiguous(state[:, :, active]) for state in states]
            loss = network.loss_and_gradient(x, y, weights, states=own)
            for state, moved in zip(states, own, strict=True):
                state[:, :, active] = moved
            self._update(loss)
            total += loss * len(y)
            rows += len(y)
        return total / rows

    def _takes_transferred(self) -> bool:
        return self.truncate is None and super()._takes_transferred()

    def _checked(self, x: Any, y: Any, what: str = "") -> tuple[Any, Any]:
        network: Any = self.network
        sequences = network.check_sequences(x, f"{what}x")
        targets = network.check_targets(y, [len(one) for one in sequences], f"{what}y")
        return sequences, np.concatenate(targets) if network.last_output else targets

    def _batches(self, x: Any, y: Any, weights: Any) -> Any:
        network: Any = self.network
        sequences = network.check_sequences(x)
        targets = network.check_targets(y, [len(one) for one in sequences])
        return SequenceBatches(
            sequences,
            targets,
            self._row_weights(targets, weights),
            batch_size=self.batch_size,
            shuffle=self._shuffles(len(sequences)),
            seed=self.seed,
        )

    def _row_weights(self, targets: list[Array], weights: Any) -> list[Array] | None:
        """Weights of the targets' rows: those given, times those of their classes."""
        if weights is None and self.class_weights is None:
            return None
        if weights is not None and len(weights) != len(targets):
            raise ValueError(
                f"weights must have {len(targets)} sequences like x, got {len(weights)}"
            )
        result = []
        for number, target in enumerate(targets):
            row = np.ones(len(target))
            if weights is not None:
                given = np.asarray(weights[number], np.float64)
                if given.ndim and given.shape != row.shape:
                    raise ValueError(
                        f"weights[{number}] must be a number or {len(row)} numbers, got shape "
                        f"{given.shape}"
                    )
                if not (np.isfinite(given) & (given >= 0)).all():
                    raise ValueError(f"weights[{number}] must be finite and not negative")
                row = row * given
            if self.class_weights is not None:
                row = row * self.class_weights[target]
            result.append(row.astype(self.network.dtype))
        return result
