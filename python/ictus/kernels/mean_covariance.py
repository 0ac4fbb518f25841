"""The mean-covariance restricted Boltzmann machine: free energy, gradients, hybrid Monte Carlo.

Real visible states v (D units), K covariance units that see the squared outputs of F filters, and M
mean units (Ranzato & Hinton, "Modeling pixel means and covariances using factorized third-order
Boltzmann machines", CVPR 2010)::

    F(v) = - sum_k log(1 + exp(c_k + 1/2 sum_f P_fk u_f**2))
           - sum_j log(1 + exp(b_j + (v W)_j)) + |v|**2 / 2 - a.v
    u    = v C / n(v),    n(v) = sqrt(|v|**2 / D + s)

P has no positive element. The paper divides by ``|v|`` and by the lengths of the filters (columns
of C); this is the form of the authors' program, which keeps the filters at a common length instead
and bounds n(v) from below by s = 1/2.

Arrays are float32 or float64, all of one model alike. Draws depend on (``seed``, ``stream``,
``first_row`` + row, column) alone, as in :mod:`ictus.kernels.random`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ictus import _core
from ictus._core import MeanCovarianceModel
from ictus.kernels._arrays import FloatArray, input_rows
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays

__all__ = [
    "MeanCovarianceArrays",
    "MeanCovarianceDivergence",
    "MeanCovarianceModel",
    "free_energy",
    "free_energy_gradient",
    "hidden_means",
    "hybrid_monte_carlo",
    "leapfrog",
    "mean_covariance_model",
    "parameter_gradient",
]


class MeanCovarianceArrays(NamedTuple):
    """The parameters, or one array of the shape of each: gradients, velocities.

    Attributes
    ----------
    filters : array, shape (D, F)
        C, whose columns are the filters.
    pooling : array, shape (F, K), or None
        P, not positive; None: -1 times the identity, K = F.
    weights : array, shape (D, M)
        W, whose columns are the mean units' weights; M may be 0.
    visible_bias : array, shape (D,)
    covariance_bias : array, shape (K,)
    mean_bias : array, shape (M,)
    """

    filters: FloatArray
    pooling: FloatArray | None
    weights: FloatArray
    visible_bias: FloatArray
    covariance_bias: FloatArray
    mean_bias: FloatArray


class MeanCovarianceDivergence(_core.MeanCovarianceDivergence):
    """Updates of a mean-covariance machine, and their state, where its arrays lie.

    Parameters
    ----------
    model : MeanCovarianceModel
        Its parameters are changed by the updates.
    velocity : sequence of arrays
        Of the parameters' shapes, in the order of `MeanCovarianceArrays`.
    **state : arrays, optional
        ``particles`` (chains, D) of persistent chains; ``filter_length`` (1,), the smoothed length
        of the filters; ``pooling_mask`` (F, K).

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides.
    """

    def __new__(
        cls, model: MeanCovarianceModel, velocity: Sequence[FloatArray | None], **state: Any
    ) -> MeanCovarianceDivergence:  # the native object of the device
        native = native_module(velocity[0])
        made: MeanCovarianceDivergence = native.MeanCovarianceDivergence(model, velocity, **state)
        return made


def mean_covariance_model(
    parameters: MeanCovarianceArrays, offset: float = 0.5
) -> MeanCovarianceModel:
    """Put the parameters together, checked once.

    The model refers to the arrays and keeps them alive: a change to their elements is a change of
    the model.

    Parameters
    ----------
    parameters : MeanCovarianceArrays
        C-contiguous, all float32 or all float64.
    offset : float
        s > 0, in the data's units squared.

    Returns
    -------
    MeanCovarianceModel
        With the attributes ``shape``, (D, F, K, M), and ``pooled``, whether it has a P.

    Raises
    ------
    TypeError
        An array of another dtype.
    ValueError
        Shapes that do not fit, an empty matrix of filters or pooling, a positive element of the
        pooling, or an offset that is not positive.
    """
    pooling = parameters.pooling
    if pooling is not None and is_array(pooling) and pooling.size and float(pooling.max()) > 0:
        largest = float(pooling.max())
        raise ValueError(
            f"mean_covariance_model: pooling must have no positive element, got {largest:g}"
        )
    native = native_module(parameters.filters)
    model: MeanCovarianceModel = native.MeanCovarianceModel(*parameters, offset)
    return model


def _dtype(visible: FloatArray) -> np.dtype[np.floating]:
    return visible.dtype if is_array(visible) else np.dtype(np.float32)


def hidden_means(model: MeanCovarianceModel, visible: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities of the covariance units and of the mean units.

    Parameters
    ----------
    model : MeanCovarianceModel
    visible : array, shape (rows, D)
        Of the model's dtype.

    Returns
    -------
    covariance, mean : array, shape (rows, K) and (rows, M)
    """
    v = input_rows(visible)
    _, _, covariance_units, mean_units = model.shape
    rows = len(v) if is_array(v) else 0
    covariance = empty(v, (rows, covariance_units), _dtype(v))
    mean = empty(v, (rows, mean_units), _dtype(v))
    native_module(v).mean_covariance_evaluate(model, v, covariance, mean, None, None)
    return covariance, mean


@takes_arrays
def free_energy(
    model: MeanCovarianceModel, visible: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Return F(v) of each row, in nats.

    Parameters
    ----------
    model : MeanCovarianceModel
    visible : array, shape (rows, D)
    out : array, shape (rows,), optional
        Where to write.
    """
    v = input_rows(visible)
    if out is None:
        out = empty(v, v.shape[:1] if is_array(v) else (0,), _dtype(v))
    native_module(v).mean_covariance_evaluate(model, v, None, None, out, None)
    return out


def free_energy_gradient(
    model: MeanCovarianceModel, visible: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Return dF / dv of each row; arguments as in `free_energy`, out of shape (rows, D)."""
    v = input_rows(visible)
    if out is None:
        out = empty(v, v.shape if is_array(v) else (0, 0), _dtype(v))
    native_module(v).mean_covariance_evaluate(model, v, None, None, None, out)
    return out


def parameter_gradient(model: MeanCovarianceModel, visible: FloatArray) -> MeanCovarianceArrays:
    """Return dF / dparameter for each parameter, averaged over the rows.

    Parameters
    ----------
    model : MeanCovarianceModel
    visible : array, shape (rows, D)
        At least one row.
    """
    v = input_rows(visible)
    d, f, k, m = model.shape
    dtype = _dtype(v)
    gradient = MeanCovarianceArrays(
        empty(v, (d, f), dtype),
        empty(v, (f, k), dtype) if model.pooled else None,
        empty(v, (d, m), dtype),
        empty(v, (d,), dtype),
        empty(v, (k,), dtype),
        empty(v, (m,), dtype),
    )
    native_module(v).mean_covariance_parameter_gradient(model, v, gradient)
    return gradient


def leapfrog(
    model: MeanCovarianceModel,
    visible: FloatArray,
    momentum: FloatArray,
    *,
    leapfrog_steps: int = 20,
    step_size: float,
) -> tuple[FloatArray, FloatArray]:
    """Move states and momenta along the dynamics of ``H(v, p) = F(v) + |p|**2 / 2``, in place.

    Neal, "MCMC using Hamiltonian dynamics" (2011), section 2.3.

    Parameters
    ----------
    model : MeanCovarianceModel
    visible, momentum : array, shape (rows, D)
        C-contiguous; both are changed.
    leapfrog_steps : int
    step_size : float
        Time of a step.

    Returns
    -------
    before, after : array, shape (rows,)
        H at both ends.
    """
    rows = len(visible) if is_array(visible) else 0
    before = empty(visible, (rows,), _dtype(visible))
    after = empty(visible, (rows,), _dtype(visible))
    native = native_module(visible)
    native.leapfrog(model, visible, momentum, leapfrog_steps, step_size, before, after)
    return before, after


def hybrid_monte_carlo(
    model: MeanCovarianceModel,
    visible: FloatArray,
    *,
    trajectories: int = 1,
    leapfrog_steps: int = 20,
    step_size: float,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Move each row along a Markov chain whose distribution is exp(-F), in place.

    Hybrid Monte Carlo (Duane, Kennedy, Pendleton & Roweth 1987): a trajectory draws new momenta,
    makes leapfrog steps, and each row keeps its new state with probability
    ``min(1, exp(H before - H after))``.

    Parameters
    ----------
    model : MeanCovarianceModel
    visible : array, shape (rows, D)
        C-contiguous; changed.
    trajectories, leapfrog_steps : int
    step_size : float
    seed, stream, first_row : int
        Trajectory t draws momenta from stream + 2 t, acceptance from stream + 2 t + 1.

    Returns
    -------
    acceptance : array, shape (rows,)
        Mean probability of acceptance.
    energy : array, shape (rows,)
        F of the last states.
    """
    rows = len(visible) if is_array(visible) else 0
    acceptance = empty(visible, (rows,), _dtype(visible))
    energy = empty(visible, (rows,), _dtype(visible))
    native_module(visible).hybrid_monte_carlo(
        model,
        visible,
        trajectories,
        leapfrog_steps,
        step_size,
        seed,
        stream,
        first_row,
        acceptance,
        energy,
    )
    return acceptance, energy
