"""Kronecker factors of the curvature of Dense layers: a preconditioner of conjugate gradients.

Martens & Grosse 2015, "Optimizing neural networks with Kronecker-factored approximate curvature",
sections 3 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import (
    contiguous,
    device_of,
    empty,
    native_module,
    to_device,
    to_host,
    zeros,
)
from ictus.nn.dense import Dense
from ictus.nn.layer import Array

#: Matrices up to this size are inverted by LAPACK, larger ones in blocks: below where LAPACK would
#: wake threads of its own for a moment.
BLOCK = 48


def can_factor(network: Any) -> bool:
    """Whether all layers with parameters are Dense and over rows, none tied to another."""
    with_parameters = [layer for layer in network.layers if layer.parameter_shapes]
    return (
        bool(with_parameters)
        and not hasattr(network, "last_output")
        and all(type(layer) is Dense and layer.tied_to is None for layer in with_parameters)
        and not any(layer.tied_to is not None for layer in network.layers)
    )


def multiply(a: Array, b: Array, out: Array, alpha: float = 1.0, beta: float = 0.0) -> Array:
    """Write ``alpha a b + beta out`` to ``out``."""
    native_module(a).gemm(a, b, out, alpha, beta, None, 0, 0.0, 0, 0, 0, 0)
    return out


def inverse_of(matrix: Array) -> Array:
    """Return the inverse of a symmetric positive definite matrix, float64, by its Schur complement.

    The products are the library's own, so that the bits do not depend on the threads.
    """
    size = len(matrix)
    if size <= BLOCK:
        inverse = np.linalg.inv(to_host(matrix))
        return to_device(device_of(matrix).name, inverse)  # type: ignore[no-any-return]
    half = size // 2
    corner = contiguous(matrix[:half, half:])
    first = inverse_of(contiguous(matrix[:half, :half]))
    across = multiply(first, corner, np.empty_like(corner))
    rest = matrix[half:, half:].copy()
    second = inverse_of(multiply(corner.T, across, rest, -1.0, 1.0))
    out = np.empty_like(matrix)
    out[half:, half:] = second
    upper = multiply(across, second, np.empty_like(corner), -1.0)
    out[:half, half:], out[half:, :half] = upper, upper.T
    out[:half, :half] = multiply(upper, across.T, first, -1.0, 1.0)
    return out


def random_gradient(loss: Any, logits: Array, generator: np.random.Generator) -> Array:
    """Return random vectors, a row for each of the logits, whose covariance is the loss's Hessian.

    They are ``H^(1/2) e`` with e of random signs: as gradients for targets that are drawn from the
    outputs, without a draw from a distribution. Each number takes one of the generator's.
    """
    outputs: Array = loss.output(logits, np.empty_like(logits))
    drawn = np.where(generator.random(outputs.shape) < 0.5, outputs.dtype.type(-1), 1)
    signs: Array = to_device(device_of(outputs).name, drawn)
    if loss.name == "squared_error":
        return signs
    if loss.name == "binary_cross_entropy":
        signs *= np.sqrt(outputs * (1 - outputs))
        return signs
    signs *= np.sqrt(outputs)
    signs -= outputs * signs.sum(axis=1, keepdims=True)
    return signs


class KroneckerFactors:
    """Second moments of the inputs and of the gradients of Dense layers.

    The block of the Gauss-Newton matrix that belongs to a layer is close to the Kronecker product
    of ``A = mean of x x^T``, x the layer's inputs and a 1 for the bias, and ``S = mean of g g^T``,
    g gradients of its sums whose covariance is the curvature of the loss. Weights of examples are
    left out.

    Parameters
    ----------
    network : Network
        See :func:`can_factor`.

    Attributes
    ----------
    moments : array
        All sums in one vector.
    inputs, gradients : list of array
        Of each layer with parameters the sums A and S over the examples so far: views.
    count : float
        The examples so far.
    """

    def __init__(self, network: Any) -> None:
        if not can_factor(network):
            raise ValueError(
                "the kronecker preconditioner needs a Network whose weights are all of Dense "
                f"layers, none tied, got {[type(layer).__name__ for layer in network.layers]}"
            )
        self.network = network
        self._layers = [i for i, layer in enumerate(network.layers) if layer.parameter_shapes]
        sizes = [network.layers[i].parameter_shapes[0] for i in self._layers]
        shapes = [(n + 1, n + 1) for n, _ in sizes] + [(n, n) for _, n in sizes]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        self.moments = zeros(network.parameters, (int(ends[-1]),))
        views = [
            self.moments[int(end) - math.prod(shape) : int(end)].reshape(shape)
            for end, shape in zip(ends, shapes, strict=True)
        ]
        self.inputs, self.gradients = views[: len(sizes)], views[len(sizes) :]
        self.count = 0.0

    def add(self, x: Array, generator: np.random.Generator) -> None:
        """Add the moments of some examples."""
        network = self.network
        self.count += len(x)
        rows, caches = network._passes.enter(x)
        logits = network._forward(rows, caches, False, 0)
        grad = random_gradient(network.loss_function, logits, generator)
        number = len(self._layers)
        for i in range(len(network.layers) - 1, self._layers[0] - 1, -1):
            layer, views, cache = network.layers[i], network._views[i], caches[i]
            if i not in self._layers:
                # A layer without parameters.
                grad = layer.backward(grad, views, cache, [], False, True)
                continue
            number -= 1
            layer._times_derivative(grad, cache)
            inputs = cache.x
            moments, sums = self.inputs[number], empty(inputs, inputs.shape[1:])
            moments[:-1, :-1] += multiply(inputs.T, inputs, np.empty_like(moments[:-1, :-1]))
            native_module(inputs).column_sums(inputs, sums)
            moments[-1, :-1] += sums
            moments[:-1, -1] += sums
            moments[-1, -1] += len(inputs)
            multiply(grad.T, grad, self.gradients[number], 1.0, 1.0)
            if number:
                grad = multiply(grad, views[0].T, cache.input_gradient)

    def preconditioner(self, count: float, damping: float) -> KroneckerPreconditioner:
        """Return the inverse of the factors of means over `count` examples.

        Parameters
        ----------
        count : float
        damping : float
            Lambda, split between the factors so that they are damped alike (equation 30).
        """
        pairs = []
        root = math.sqrt(damping)
        for inputs, gradients in zip(self.inputs, self.gradients, strict=True):
            a = inputs.astype(np.float64) / count
            s = gradients.astype(np.float64) / count
            sizes = float(np.trace(a)) / len(a), float(np.trace(s)) / len(s)
            share = math.sqrt(sizes[0] / sizes[1]) if sizes[1] > 0 else 1.0
            # Enough that the inverse is positive definite in the network's precision, too.
            for matrix, size, own in ((a, sizes[0], root * share), (s, sizes[1], root / share)):
                least = len(matrix) * np.finfo(self.network.dtype).eps * size
                matrix.reshape(-1)[:: len(matrix) + 1] += max(own, least, 1e-30)
            pairs.append((inverse_of(a), inverse_of(s)))
        return KroneckerPreconditioner(pairs, self.network)


class KroneckerPreconditioner:
    """Multiplies each layer's part of a vector by the inverses of its factors.

    Parameters
    ----------
    pairs : sequence of (array, array)
        Inverses of A and S of each layer, symmetric.
    network : Network
    """

    def __init__(self, pairs: Sequence[tuple[Array, Array]], network: Any) -> None:
        self._pairs = [
            tuple(contiguous((m + m.T) / 2, network.dtype) for m in pair) for pair in pairs
        ]
        self._rooms = [empty(a, (len(a), len(s))) for a, s in self._pairs]

    def __call__(self, vector: Array, out: Array) -> Array:
        """Write the product with a vector of all parameters to ``out``."""
        begin = 0
        for (a, s), room in zip(self._pairs, self._rooms, strict=True):
            # A layer's weights and, after them, its biases: a row of weights for the input 1.
            end = begin + room.size
            part, into = vector[begin:end].reshape(room.shape), out[begin:end].reshape(room.shape)
            multiply(multiply(a, part, room), s, into)
            begin = end
        return out
