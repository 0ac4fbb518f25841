"""Sums over examples of squared gradients: diagonals that precondition conjugate gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import to_device, to_host
from ictus.nn.layer import Array
from ictus.nn.sequences import SequenceBatch

#: How the gradients that are squared arise. "empirical_fisher": from the targets (Martens 2010,
#: section 4.7). "fisher": from targets drawn from the network's outputs, whose mean is the diagonal
#: of the Gauss-Newton matrix (compare Chapelle & Erhan 2011).
SQUARES = ("empirical_fisher", "fisher")
#: Sequences whose gradients are squared one by one, at most.
SEQUENCES = 64


def _draw_targets(name: str, outputs: Array, generator: np.random.Generator) -> Array:
    """Draw targets from the distribution that a loss takes the outputs for."""
    drawn: Array
    if name == "squared_error":
        drawn = outputs + generator.standard_normal(outputs.shape).astype(outputs.dtype)
        return drawn
    if name == "binary_cross_entropy":
        drawn = (generator.random(outputs.shape) < outputs).astype(outputs.dtype)
        return drawn
    reached = np.cumsum(outputs, axis=1) < generator.random((len(outputs), 1))
    labels: Array = np.minimum(reached.sum(axis=1), outputs.shape[1] - 1).astype(np.int64)
    return labels


def _logit_gradient(
    network: Any, logits: Array, y: Array, weights: Array | None, kind: str, generator: Any
) -> Array:
    """Replace logits by the gradients of each row's loss with respect to them."""
    loss = network.loss_function
    if kind == "fisher":
        rows = logits.reshape(-1, network.output_size)
        # Drawn on the host: the numbers of the generator are NumPy's.
        outputs = to_host(loss.output(rows, np.empty_like(rows)))
        y = to_device(network.device, _draw_targets(loss.name, outputs, generator))
    network._loss(logits, y, True, weights, 1.0)
    return logits


def _of_rows(network: Any, caches: Any, grad: Array, views: Any, accumulate: bool) -> None:
    lowest = next(i for i, own in enumerate(network._views) if own)
    for i in range(len(network.layers) - 1, lowest - 1, -1):
        passed = network.layers[i].squared_gradients(
            grad, network._views[i], caches[i], views[i], accumulate, i > lowest
        )
        if passed is not None:
            grad = passed


def _of_one_batch(network: Any, x: Any, y: Any, weights: Any, kind: str, generator: Any) -> Array:
    """Square the gradient of a batch as a whole."""
    if isinstance(x, SequenceBatch):
        frames, caches = x.frames, network._batch_caches(x, True)
    else:
        frames, caches = network._passes.enter(x)
    logits = network._forward(frames, caches, False, 0)
    grad = _logit_gradient(network, logits, y, weights, kind, generator)
    out: Array = np.empty_like(network.parameters)
    network._backward(grad, caches, network.views(out), False)
    np.square(out, out=out)
    return out


def _singly(network: Any, part: Any) -> list[Any]:
    """Cut a part into examples: some of its sequences, or some of its rows."""
    x, y, weights = part
    if not isinstance(x, SequenceBatch):
        chosen = np.unique(np.linspace(0, len(x) - 1, min(SEQUENCES, len(x))).astype(int))
        return [
            (x[i : i + 1], y[i : i + 1], None if weights is None else weights[i : i + 1])
            for i in chosen
        ]
    first = np.cumsum(x.lengths) - x.lengths
    result = []
    for i in np.unique(np.linspace(0, len(x) - 1, min(SEQUENCES, len(x))).astype(int)):
        steps = slice(first[i], first[i] + x.lengths[i])
        rows = slice(i, i + 1) if network.last_output else steps
        batch = SequenceBatch(x.frames[steps], x.lengths[i : i + 1])
        result.append((batch, y[rows], None if weights is None else weights[rows]))
    return result


def mean_squared_gradients(
    network: Any,
    parts: Sequence[tuple[Any, Any, Any]],
    kind: str,
    generator: np.random.Generator,
    out: Array,
) -> int:
    """Write the sum of squared gradients of examples to ``out``; return how many there are.

    Dense layers have it in one product a layer. Where the network has layers of other kinds with
    parameters, the gradients of some examples are made one by one.

    Parameters
    ----------
    network : Network
    parts : sequence of (x, y, weights)
    kind : {"empirical_fisher", "fisher"}
    generator : Generator
        Draws the targets of "fisher".
    out : array, shape (parameter_count,)
    """
    if kind not in SQUARES:
        raise ValueError(f"kind must be one of {', '.join(SQUARES)}, got {kind!r}")
    by_rows = all(
        layer.sums_squares or not layer.parameter_shapes for layer in network.layers
    ) and not any(layer.tied_to is not None for layer in network.layers)
    count = 0
    if by_rows and not isinstance(parts[0][0], SequenceBatch):
        views = network.views(out)
        for number, (x, y, weights) in enumerate(parts):
            rows, caches = network._passes.enter(x)
            logits = network._forward(rows, caches, False, 0)
            grad = _logit_gradient(network, logits, y, weights, kind, generator)
            _of_rows(network, caches, grad, views, number > 0)
            count += len(x)
        return count
    out[...] = 0
    for part in parts:
        for x, y, weights in _singly(network, part):
            out += _of_one_batch(network, x, y, weights, kind, generator)
            count += 1
    return count
