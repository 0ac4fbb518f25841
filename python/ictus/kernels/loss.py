"""Losses from logits, with gradients and curvature, for the matching output functions."""

from __future__ import annotations

import numpy as np

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import contiguous, empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays

#: The losses by name, and the numbers by which the native kernels know them.
LOSSES = {"squared_error": 0, "binary_cross_entropy": 1, "softmax_cross_entropy": 2}


def loss_number(function: str, name: str) -> int:
    """The native number of a loss; ValueError naming `function`."""
    try:
        return LOSSES[name]
    except (KeyError, TypeError):
        names = ", ".join(LOSSES)
        raise ValueError(f"{function}: loss must be one of {names}, got {name!r}") from None


def _evaluate(
    kind: int,
    logits: FloatArray,
    targets: Array,
    gradient: FloatArray | None,
    weights: FloatArray | None,
    scale: float,
) -> float:
    if is_array(targets) and targets.ndim == 1 and targets.dtype.kind in "iu":
        targets = contiguous(targets, np.int64)
    value: float = native_module(logits).loss(kind, logits, targets, gradient, weights, scale)
    return value


@takes_arrays
def squared_error(
    logits: FloatArray,
    targets: FloatArray,
    gradient: FloatArray | None = None,
    weights: FloatArray | None = None,
    scale: float = 1.0,
) -> float:
    """Return ``scale * sum(weights * 1/2 * sum((logits - targets)**2, axis=1))``.

    Parameters
    ----------
    logits : array, shape (rows, columns)
        The network's linear outputs, float32 or float64, contiguous rows.
    targets : array, shape (rows, columns)
        Of the same dtype.
    gradient : array, shape (rows, columns), optional
        Where ``scale * weights * (logits - targets)`` is written; may be ``logits``.
    weights : array, shape (rows,), optional
        Of the same dtype; 1 for every example if not given.
    scale : float
        For a mean over a minibatch, ``1 / rows``.

    Returns
    -------
    float
        Summed in double precision in a fixed order. On a GPU the call waits for it.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap.
    """
    return _evaluate(0, logits, targets, gradient, weights, scale)


@takes_arrays
def binary_cross_entropy(
    logits: FloatArray,
    targets: FloatArray,
    gradient: FloatArray | None = None,
    weights: FloatArray | None = None,
    scale: float = 1.0,
) -> float:
    """Return the cross-entropy of independent sigmoid units, from their logits.

    ``sum(softplus(z) - t * z)`` over the units, with gradient ``sigmoid(z) - t``; arguments as of
    :func:`squared_error`. Stable for logits of any size.
    """
    return _evaluate(1, logits, targets, gradient, weights, scale)


@takes_arrays
def softmax_cross_entropy(
    logits: FloatArray,
    targets: Array,
    gradient: FloatArray | None = None,
    weights: FloatArray | None = None,
    scale: float = 1.0,
) -> float:
    """Return the cross-entropy of a softmax over each row, from its logits.

    ``log_sum_exp(z) - z[label]``, with gradient ``softmax(z) - t``; arguments as of
    :func:`squared_error`, except for the targets.

    Parameters
    ----------
    targets : array of integers, shape (rows,), or array, shape (rows, columns)
        Labels in ``[0, columns)``, or distributions over the columns.

    Raises
    ------
    ValueError
        A label out of range; the message names the row and the label.
    """
    return _evaluate(2, logits, targets, gradient, weights, scale)


@takes_arrays
def output_curvature(
    loss: str,
    logits: FloatArray,
    v: FloatArray,
    out: FloatArray | None = None,
    weights: FloatArray | None = None,
    scale: float = 1.0,
) -> FloatArray:
    """Return ``scale * weights * H v``, H the loss's Hessian with respect to each row of logits.

    The identity for ``squared_error``, ``diag(p (1 - p))`` for ``binary_cross_entropy``,
    ``diag(p) - p p^T`` for ``softmax_cross_entropy`` (Schraudolph 2002; Martens 2010): the middle
    factor of a Gauss-Newton product.

    Parameters
    ----------
    loss : {"squared_error", "binary_cross_entropy", "softmax_cross_entropy"}
    logits, v : array, shape (rows, columns)
    out : array, shape (rows, columns), optional
        May be ``v``.
    weights : array, shape (rows,), optional
    """
    if out is None:
        out = empty(v, v.shape) if is_array(v) else v
    number = loss_number("output_curvature", loss)
    native_module(logits).output_curvature(number, logits, v, out, weights, scale)
    return out
