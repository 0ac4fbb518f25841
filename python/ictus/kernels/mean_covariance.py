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

from typing import NamedTuple

import numpy as np

from ictus import _core
from ictus._core import MeanCovarianceDivergence, MeanCovarianceModel
from ictus.kernels._arrays import FloatArray, input_rows
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
    if isinstance(pooling, np.ndarray) and pooling.size and float(pooling.max()) > 0:
        raise ValueError(
            f"mean_covariance_model: pooling must have no positive element, got {pooling.max():g}"
        )
    return _core.MeanCovarianceModel(*parameters, offset)


def _dtype(visible: FloatArray) -> np.dtype[np.floating]:
    return visible.dtype if isinstance(visible, np.ndarray) else np.dtype(np.float32)


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
    rows = len(v) if isinstance(v, np.ndarray) else 0
    covariance = np.empty((rows, covariance_units), _dtype(v))
    mean = np.empty((rows, mean_units), covariance.dtype)
    _core.mean_covariance_evaluate(model, v, covariance, mean, None, None)
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
        out = np.empty(len(v) if isinstance(v, np.ndarray) else 0, _dtype(v))
    _core.mean_covariance_evaluate(model, v, None, None, out, None)
    return out


def free_energy_gradient(
    model: MeanCovarianceModel, visible: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Return dF / dv of each row; arguments as in `free_energy`, out of shape (rows, D)."""
    v = input_rows(visible)
    if out is None:
        out = np.empty(v.shape if isinstance(v, np.ndarray) else (0, 0), _dtype(v))
    _core.mean_covariance_evaluate(model, v, None, None, None, out)
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
        np.empty((d, f), dtype),
        np.empty((f, k), dtype) if model.pooled else None,
        np.empty((d, m), dtype),
        np.empty(d, dtype),
        np.empty(k, dtype),
        np.empty(m, dtype),
    )
    _core.mean_covariance_parameter_gradient(model, v, gradient)
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
    rows = len(visible) if isinstance(visible, np.ndarray) else 0
    before = np.empty(rows, _dtype(visible))
    after = np.empty_like(before)
    _core.leapfrog(model, visible, momentum, leapfrog_steps, step_size, before, after)
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
    rows = len(visible) if isinstance(visible, np.ndarray) else 0
    acceptance = np.empty(rows, _dtype(visible))
    energy = np.empty_like(acceptance)
    _core.hybrid_monte_carlo(
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
