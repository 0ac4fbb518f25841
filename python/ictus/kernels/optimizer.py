"""First-order updates of a flat parameter vector, each in one pass over it, in place.

``g = gradient_scale * gradient + l2 * w + l1 * sign(w)``, the penalties only inside ``segments``:
an int64 array of shape (n, 2) with the begin and end of each range of weights, ascending. All
vectors are contiguous and of the same dtype, float32 or float64, and do not overlap.
"""

from __future__ import annotations

from ictus.kernels._arrays import Array, FloatArray
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays


@takes_arrays
def sgd_update(
    parameters: FloatArray,
    gradient: FloatArray,
    velocity: FloatArray | None = None,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    dampened: bool = False,
    gradient_scale: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    segments: Array | None = None,
) -> None:
    """Gradient descent with momentum: ``v = momentum * v - learning_rate * g; w += v``.

    Parameters
    ----------
    parameters, gradient : array, shape (n,)
    velocity : array, shape (n,), optional
        Needed where ``momentum`` is not 0.
    nesterov : bool
        ``w += momentum * v - learning_rate * g`` with the new v (Sutskever et al. 2013).
    dampened : bool
        The gradient counts ``1 - momentum`` times (Hinton et al. 2012, appendix A.1).
    gradient_scale : float
        Factor of the gradient, for example 1 over the rows of a minibatch.
    l1, l2 : float
        Penalties on the absolute value and on half the square of each weight.
    segments : array of int64, shape (n, 2), optional
        Begin and end of each range of weights; without it there are no penalties.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, overlap, or a value outside its range.
    """
    native_module(parameters).sgd_update(
        parameters,
        gradient,
        velocity,
        learning_rate,
        momentum,
        nesterov,
        dampened,
        gradient_scale,
        l1,
        l2,
        segments,
    )


@takes_arrays
def rmsprop_update(
    parameters: FloatArray,
    gradient: FloatArray,
    mean_square: FloatArray,
    velocity: FloatArray | None = None,
    *,
    learning_rate: float,
    decay: float = 0.9,
    epsilon: float = 1e-8,
    momentum: float = 0.0,
    gradient_scale: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    segments: Array | None = None,
) -> None:
    """RMSprop (Tieleman & Hinton 2012, lecture 6.5).

    ``s = decay * s + (1 - decay) * g**2; v = momentum * v - learning_rate * g / (sqrt(s) +
    epsilon); w += v``.

    Parameters
    ----------
    parameters, gradient : array, shape (n,)
    mean_square : array, shape (n,)
        s above; starts at 0.
    velocity : array, shape (n,), optional
        Needed where ``momentum`` is not 0.
    learning_rate, decay, epsilon, momentum : float
    gradient_scale, l1, l2, segments
        As of :func:`sgd_update`.
    """
    native_module(parameters).rmsprop_update(
        parameters,
        gradient,
        mean_square,
        velocity,
        learning_rate,
        decay,
        epsilon,
        momentum,
        gradient_scale,
        l1,
        l2,
        segments,
    )


@takes_arrays
def adam_update(
    parameters: FloatArray,
    gradient: FloatArray,
    mean: FloatArray,
    mean_square: FloatArray,
    step: int,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    decoupled_decay: float = 0.0,
    gradient_scale: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    segments: Array | None = None,
) -> None:
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1); ``step`` counts from 1.

    ``decoupled_decay`` shrinks the weights inside ``segments`` by ``learning_rate *
    decoupled_decay`` of themselves (Loshchilov & Hutter 2019).

    Parameters
    ----------
    parameters, gradient : array, shape (n,)
    mean, mean_square : array, shape (n,)
        Running moments of the gradient; start at 0.
    step : int
        The number of this update, from 1.
    learning_rate, beta1, beta2, epsilon, decoupled_decay : float
    gradient_scale, l1, l2, segments
        As of :func:`sgd_update`.
    """
    native_module(parameters).adam_update(
        parameters,
        gradient,
        mean,
        mean_square,
        step,
        learning_rate,
        beta1,
        beta2,
        epsilon,
        decoupled_decay,
        gradient_scale,
        l1,
        l2,
        segments,
    )


@takes_arrays
def max_norm(weights: FloatArray, limit: float) -> None:
    """Scale each unit's incoming weights (a column) down to Euclidean length ``limit``.

    Parameters
    ----------
    weights : array, shape (inputs, units)
        Changed in place; columns no longer than ``limit`` stay as they are.
    limit : float
        Positive (Hinton et al. 2012; Srivastava et al. 2014).
    """
    native_module(weights).max_norm(weights, limit)
