"""Exact products with the Hessian of a dense network's loss: the R-operator of the backward pass.

Pearlmutter 1994, "Fast exact multiplication by the Hessian", section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.nn.activated import sum_bias_gradient
from ictus.nn.dense import Dense
from ictus.nn.layer import Array, Cache, Views
from ictus.nn.shapes import by_place


def curvature_of(activation: str, y: Array) -> Array | None:
    """Return ``f'' / f'`` by the outputs ``y = f(z)``, None where f'' is zero.

    Raises
    ------
    ValueError
        An activation without it.
    """
    if activation in ("identity", "relu"):
        return None
    if activation == "sigmoid":
        return np.asarray(1 - 2 * y)
    if activation == "tanh":
        return np.asarray(-2 * y)
    if activation == "softplus":
        return np.asarray(np.exp(-y))
    raise ValueError(f"activation must have a second derivative, got {activation!r}")


def _dense(
    layer: Dense,
    cache: Cache,
    passed: tuple[Array, Array],
    x_dot: Array | None,
    views: Views,
    direction: Views,
    out: Views,
    accumulate: bool,
    propagate: bool,
) -> tuple[Array, Array] | None:
    """Take the gradient and its derivative through a layer; see :func:`hessian_product`."""
    grad, grad_dot = passed
    ratio = curvature_of(layer.activation, cache.y)
    if ratio is not None:
        ratio *= grad
        ratio *= cache.tangent
    layer._times_derivative(grad_dot, cache)
    layer._times_derivative(grad, cache)
    if ratio is not None:
        grad_dot += ratio
    assert cache.x is not None
    weights, bias = out
    beta = 1.0 if accumulate else 0.0
    native_module(cache.x).gemm(cache.x.T, grad_dot, weights, 1.0, beta, None, 0, 0.0, 0, 0, 0, 0)
    if x_dot is not None:
        native_module(x_dot).gemm(x_dot.T, grad, weights, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
    sum_bias_gradient(grad_dot, bias, accumulate)
    if not propagate:
        return None
    below_dot = np.empty_like(cache.input_gradient)
    native_module(grad_dot).gemm(
        grad_dot, views[0].T, below_dot, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0
    )
    native_module(grad).gemm(grad, direction[0].T, below_dot, 1.0, 1.0, None, 0, 0.0, 0, 0, 0, 0)
    below = cache.input_gradient
    native_module(grad).gemm(grad, views[0].T, below, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
    return below, below_dot


def check_layers(network: Any) -> None:
    """Raise ValueError where the network has layers whose second derivatives are not known."""
    for layer in network.layers:
        if layer.parameter_shapes and type(layer) is not Dense:
            raise ValueError(
                "Hessian products are for networks of Dense layers, got a layer "
                f"{type(layer).__name__}; Gauss-Newton products are for all"
            )
        if layer.penalized or not (type(layer) is Dense or layer.passes_on):
            raise ValueError(
                f"Hessian products know no penalties and no layer {type(layer).__name__}"
            )


def hessian_product(
    network: Any,
    parts: Sequence[tuple[Array, Array, Array | None]],
    scale: float,
    direction: Array,
    out: Array,
) -> Array:
    """Write ``H direction`` to ``out``, H the Hessian of ``scale * sum(weights * loss)``.

    Parameters
    ----------
    network : Network
        Of Dense layers, and layers that do something in training alone.
    parts : sequence of (x, y, weights)
    scale : float
    direction, out : array, shape (parameter_count,)

    Raises
    ------
    ValueError
        A layer of another kind.
    """
    check_layers(network)
    loss = network.loss_function
    directions, outs = network.views(direction), network.views(out)
    dense = [i for i, layer in enumerate(network.layers) if layer.parameter_shapes]
    for number, (x, y, weights) in enumerate(parts):
        rows, caches = network._passes.enter(x)
        grad = network._forward(rows, caches, False, 0)
        tangent = network._jvp(directions, caches)
        flat, v, own = by_place(grad, tangent, weights, network.output_size)
        # The last layer is linear: its tangent can become the derivative of the gradient.
        loss.curvature(flat, v, v, own, scale)
        network._loss(grad, y, True, weights, scale)
        passed: tuple[Array, Array] | None = (grad, tangent)
        for i in reversed(dense):
            assert passed is not None
            below = next((caches[j].tangent for j in reversed(dense) if j < i), None)
            passed = _dense(
                network.layers[i],
                caches[i],
                passed,
                below,
                network._views[i],
                directions[i],
                outs[i],
                number > 0,
                i > dense[0],
            )
    return out
