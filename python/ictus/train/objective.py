"""The mean loss of a network over a batch of any size, made in parts: what HessianFree needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import (
    Dense,
    GaussNewton,
    Network,
    Noise,
    SequenceBatch,
    SequenceNetwork,
)
from ictus.nn.curvature import KEPT_BYTES
from ictus.nn.kronecker import KroneckerFactors, can_factor
from ictus.nn.sequences import placed
from ictus.nn.squared_gradients import mean_squared_gradients
from ictus.train.distributed import Processes

Array = NDArray[Any]
Part = tuple[Any, Any, Array | None]

#: Rows of a batch, or frames of sequences, in work at once.
ROWS, FRAMES = 1000, 20000
#: Inputs or units of a layer up to which Kronecker factors are inverted unasked.
WIDEST = 2048


def check_deterministic(network: Network) -> None:
    """Refuse networks whose loss is drawn, or has penalties that the curvature does not know.

    Raises
    ------
    ValueError
        Names the layer.
    """
    for number, layer in enumerate(network.layers):
        rate = getattr(layer, "dropout", 0.0) or getattr(layer, "rate", 0.0)
        if isinstance(layer, Noise) or rate:
            raise ValueError(
                "hessian-free training needs a loss without random draws: no dropout, no noise; "
                f"layer {number} is {type(layer).__name__} with some"
            )
        if layer.state_shapes:
            raise ValueError(
                "hessian-free training needs a loss of each example alone; layer "
                f"{number}, {type(layer).__name__}, has running statistics of batches"
            )
        if layer.penalized:
            raise ValueError(
                "hessian-free training knows no contraction and no sparsity_cost; layer "
                f"{number} has one"
            )


def _there(network: Network, part: Part) -> Part:
    x, y, weights = (placed(network.device, each) for each in part)
    return x, y, weights


class RowExamples:
    """Rows of arrays as the examples of an objective."""

    def __init__(self, network: Network, x: Array, y: Array, weights: Array | None) -> None:
        self.network, self.x, self.y, self.weights = network, x, y, weights
        self.size = len(x)

    def parts(self, rows: Array | None = None) -> list[Part]:
        """Return the parts of all examples, or of those with these numbers."""
        count = self.size if rows is None else len(rows)
        result: list[Part] = []
        step = min(ROWS, self.network._passes.rows_at_once(self.x.shape[1:]))
        for first in range(0, count, step):
            cut: Any = slice(first, first + step)
            if rows is not None:
                cut = rows[cut]
            x = np.ascontiguousarray(self.x[cut], self.network.dtype)
            weights = None if self.weights is None else self.weights[cut]
            result.append((x, self.y[cut], weights))
        return [_there(self.network, part) for part in result]

    def fits(self, rows: Array | None) -> bool:
        """Whether they make one part."""
        step = min(ROWS, self.network._passes.rows_at_once(self.x.shape[1:]))
        return (self.size if rows is None else len(rows)) <= step

    def total(self, parts: list[Part]) -> float:
        """Return what the mean is over."""
        return float(sum(len(x) for x, _, _ in parts))


class SequenceExamples:
    """The sequences of a ragged batch as the examples of an objective."""

    def __init__(
        self, network: SequenceNetwork, x: SequenceBatch, y: Array, weights: Array | None
    ) -> None:
        self.network, self.x, self.y, self.weights = network, x, y, weights
        self.size = len(x)
        self._first = np.cumsum(x.lengths) - x.lengths

    def _part(self, chosen: Array) -> Part:
        first, lengths = self._first[chosen], self.x.lengths[chosen]
        frames = np.concatenate([np.arange(f, f + n) for f, n in zip(first, lengths, strict=True)])
        rows = chosen if self.network.last_output else frames
        batch = SequenceBatch(np.ascontiguousarray(self.x.frames[frames]), lengths)
        return batch, self.y[rows], None if self.weights is None else self.weights[rows]

    def parts(self, rows: Array | None = None) -> list[Part]:
        """Return the parts of all examples, or of those with these numbers."""
        chosen = np.arange(self.size) if rows is None else rows
        if rows is None and len(self.x.frames) <= FRAMES:
            return [_there(self.network, (self.x, self.y, self.weights))]
        number = np.cumsum(self.x.lengths[chosen]) // (FRAMES + 1)
        parts = [_there(self.network, self._part(chosen[number == i])) for i in np.unique(number)]
        return sorted(parts, key=lambda part: -len(part[0].frames))

    def fits(self, rows: Array | None) -> bool:
        """Whether they make one part."""
        lengths = self.x.lengths if rows is None else self.x.lengths[rows]
        return int(lengths.sum()) <= FRAMES

    def total(self, parts: list[Part]) -> float:
        """Return what the mean is over."""
        return float(
            sum(self.network.output_rows(x) if w is None else w.sum() for x, _, w in parts)
        )


@dataclass
class Share:
    """Examples whose sums are made by themselves before they are added to those of others.

    One process alone makes them for two halves of the examples, where they are several parts or
    there is a communicator; of two processes each makes one. So both come to the same bits.

    Attributes
    ----------
    number : int
        Of the share among all of these examples.
    first : int
        Number of its first example among these.
    parts : list of (x, y, weights)
    """

    number: int
    first: int
    parts: list[Part]

    def loss(self, network: Network) -> float:
        """Return the sum of the losses."""
        return sum(part_loss(network, part) for part in self.parts)


class NetworkCurvature:
    """The Gauss-Newton matrix of some examples; see :class:`ictus.optim.HessianFree`."""

    def __init__(
        self, network: Network, shares: list[Share], total: float, processes: Processes
    ) -> None:
        self.network, self._shares, self._total = network, shares, total
        self._processes = processes
        # None where there are fewer examples than processes.
        self._matrices = [
            GaussNewton(
                network,
                [(x, w) for x, _, w in share.parts],
                1.0 / total,
                kept_bytes=KEPT_BYTES // len(shares),
            )
            if share.parts
            else None
            for share in shares
        ]
        self._rooms = [np.empty_like(network.parameters) for _ in shares[1:]]

    def product(self, direction: Array, out: Array) -> Array:
        """Write ``G direction`` to ``out``."""
        for matrix, room in zip(self._matrices, (out, *self._rooms), strict=True):
            if matrix is None:
                room[...] = 0
            else:
                matrix.product(direction, room)
            if room is not out:
                out += room
        return self._processes.add_up(out)

    def forms(self, directions: Sequence[Array]) -> Array:
        """Return the numbers ``u G v`` for all pairs u, v of directions."""
        result = np.zeros((len(directions), len(directions)))
        for matrix in self._matrices:
            if matrix is not None:
                result += matrix.forms(directions)
        return self._processes.add_up(result)

    def set_structural_damping(self, value: float) -> None:
        """Change the structural damping of the products to come."""
        for matrix in self._matrices:
            if matrix is not None:
                matrix.set_structural_damping(value)

    def loss(self) -> float:
        """Return the mean loss of these examples at the network's present parameters."""
        own = sum(share.loss(self.network) for share in self._shares)
        return self._processes.sum(own) / self._total

    def mean_squared_gradients(self, kind: str, seed: list[int], out: Array) -> None:
        """Write the mean over examples of squared gradients to ``out``."""
        count = 0
        for share, room in zip(self._shares, (out, *self._rooms), strict=True):
            room[...] = 0
            if share.parts:
                generator = np.random.Generator(np.random.PCG64([*seed, 1, share.number]))
                count += mean_squared_gradients(self.network, share.parts, kind, generator, room)
            if room is not out:
                out += room
        self._processes.add_up(out)
        out /= self._processes.sum(count)

    def kronecker(self, seed: list[int] | None) -> KroneckerFactors:
        """Return the moments of the matrix's Kronecker factors, without a seed zeros."""
        if seed is None:
            return KroneckerFactors(self.network)
        sums = []
        for share in self._shares:
            bits = np.random.PCG64([*seed, 1])
            # The signs of an example are the same whichever process has it.
            bits.advance(share.first * self.network.output_size)
            sums.append(KroneckerFactors(self.network))
            for x, _, _ in share.parts:
                sums[-1].add(x, np.random.Generator(bits))
        factors = sums[0]
        for other in sums[1:]:
            factors.moments += other.moments
            factors.count += other.count
        self._processes.add_up(factors.moments)
        factors.count = self._processes.sum(factors.count)
        return factors


def part_loss(network: Network, part: Part) -> float:
    """Return the sum of the losses of a part."""
    x, y, weights = part
    if isinstance(x, SequenceBatch):
        assert isinstance(network, SequenceNetwork)
        caches = network._batch_caches(x, False)
        logits = network._forward(x.frames, caches, False, 0)
    else:
        logits = network._forward(*network._passes.enter(x), False, 0)
    return network._loss(logits, y, False, weights, 1.0)


def examples_of(network: Network, batch: tuple[Any, Any, Array | None]) -> Any:
    """Return the examples of a minibatch of a trainer."""
    x, y, weights = batch
    if isinstance(x, SequenceBatch):
        assert isinstance(network, SequenceNetwork)
        return SequenceExamples(network, x, y, weights)
    return RowExamples(network, x, y, weights)


class NetworkObjective:
    """The mean loss of a batch as a function of a network's parameters.

    Parameters
    ----------
    network : Network
    batch : (x, y, weights)
        As the trainer's minibatches are: x an array or a SequenceBatch.
    processes : Processes, optional
        Those that share the work.
    """

    def __init__(
        self,
        network: Network,
        batch: tuple[Any, Any, Array | None],
        processes: Processes | None = None,
    ) -> None:
        self.network = network
        self.parameters = network.parameters
        self._processes = Processes() if processes is None else processes
        self._examples = examples_of(network, batch)
        self.size = self._examples.size
        self._shares, self._total = self._shared(None)

    def _shared(self, rows: Array | None) -> tuple[list[Share], float]:
        """This process's shares of these examples, and what the mean is over."""
        examples, processes = self._examples, self._processes
        size = self.size if rows is None else len(rows)
        shares = []
        for number, cut in processes.shares(size, halved=not examples.fits(rows)):
            own = rows
            if cut != slice(0, size):
                own = np.arange(cut.start, cut.stop) if rows is None else rows[cut]
            parts = [] if own is not None and len(own) == 0 else examples.parts(own)
            shares.append(Share(number, cut.start, parts))
        own_total = sum(examples.total(share.parts) for share in shares)
        return shares, processes.sum(own_total)

    def loss(self) -> float:
        """Return the mean loss at the network's present parameters."""
        own = sum(share.loss(self.network) for share in self._shares)
        return self._processes.sum(own) / self._total

    def loss_and_gradient(self, out: Array) -> float:
        """Return the mean loss, and write its gradient to ``out``."""
        total = 0.0
        out[...] = 0
        for share in self._shares:
            value = 0.0
            for number, (x, y, weights) in enumerate(share.parts):
                value += self.network.loss_and_gradient(
                    x,
                    y,
                    weights,
                    scale=1.0 / self._total,
                    training=False,
                    accumulate=number > 0,
                )
            total += value
            if share.parts:
                out += self.network.gradient
        self._processes.add_up(out)
        return self._processes.sum(total)

    def curvature(self, examples: int, seed: list[int]) -> NetworkCurvature:
        """Return the Gauss-Newton matrix of so many examples, drawn by the seed."""
        rows = None
        if examples < self.size:
            generator = np.random.Generator(np.random.PCG64(seed))
            rows = np.sort(generator.choice(self.size, examples, replace=False))
        return NetworkCurvature(self.network, *self._shared(rows), self._processes)

    def preconditioner(self) -> str:
        """Return which preconditioner is quick to make for this network."""
        layers = [layer for layer in self.network.layers if layer.parameter_shapes]
        if can_factor(self.network):
            widest = max(max(layer.parameter_shapes[0]) for layer in layers)
            return "kronecker" if widest <= WIDEST else "empirical_fisher"
        return "empirical_fisher" if all(isinstance(x, Dense) for x in layers) else "none"


def shared_gradient(
    network: Network, batch: tuple[Any, Any, Array | None], processes: Processes
) -> float:
    """Make the gradient of a minibatch, each process that of its share; return the mean loss.

    Random draws are those of the whole batch on one process.
    """
    examples = examples_of(network, batch)
    share = processes.share(examples.size)
    scale = 1.0 / examples.total([batch])
    value, part = 0.0, batch
    if share.start < share.stop:
        first = share.start
        if isinstance(examples, SequenceExamples):
            first = int(examples.x.lengths[: share.start].sum())
            part = examples._part(np.arange(share.start, share.stop))
        else:
            x, y, weights = batch
            part = x[share], y[share], None if weights is None else weights[share]
        value = network.loss_and_gradient(*part, scale=scale, first_row=first)
    else:
        network.gradient[...] = 0
        network.draw_count += 1
    processes.add_up(network.gradient)
    return processes.sum(value)
