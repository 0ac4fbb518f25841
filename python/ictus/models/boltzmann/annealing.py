"""Annealed importance sampling of a machine's partition function.

Neal, "Annealed importance sampling", Statistics and Computing 2001; for restricted Boltzmann
machines Salakhutdinov & Murray, "On the quantitative analysis of deep belief networks", ICML 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ictus.kernels._device import empty, to_device, to_host, zeros
from ictus.kernels.rbm import visible_layer
from ictus.kernels.reduction import log_sum_exp
from ictus.kernels.tempering import anneal
from ictus.models.boltzmann.conditional_machine import ConditionalMachine
from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]

#: Base rates are kept this far from 0 and 1.
LEAST_RATE = 1e-3
_STEPS = 500  # of one native call: between two, an interrupt is taken
_START = 2**48  # the stream of the first states, beyond those of all steps


@dataclass(frozen=True)
class AnnealedEstimate:
    """An estimate of log Z, in nats.

    Attributes
    ----------
    log_z : float
        Logarithm of the mean weight. The mean of the weights is unbiased; its logarithm errs on
        the low side.
    interval : (low, high)
        ``log(Z -+ 3 sigma)`` with sigma the standard error of the mean weight (Salakhutdinov &
        Murray 2008); low is -inf where sigma is a third of Z or more: take more chains or
        temperatures then.
    effective_sample_size : float
        ``sum(w)**2 / sum(w**2)``: how many chains of equal weight would say as much.
    log_weights : array of float64, shape (chains,)
        Each chain's estimate of log Z.
    """

    log_z: float
    interval: tuple[float, float]
    effective_sample_size: float
    log_weights: Array


def annealing_schedule(count: int = 14_500) -> Array:
    """Return inverse temperatures from 0 to 1, closer together towards 1.

    In three uniform segments, 0 to 0.5, 0.5 to 0.9 and 0.9 to 1, which have 500, 4,000 and 10,000
    of 14,500 temperatures (Salakhutdinov & Murray 2008, section 4.2), or as great shares of
    ``count``.

    Raises
    ------
    ValueError
        Fewer than 4 temperatures.
    """
    if isinstance(count, bool) or int(count) != count or count < 4:
        raise ValueError(f"annealing_schedule: count must be an integer of at least 4, got {count}")
    first = max(1, count * 500 // 14_500)
    second = max(1, count * 4_000 // 14_500)
    return np.concatenate(
        [
            np.linspace(0.0, 0.5, first, endpoint=False),
            np.linspace(0.5, 0.9, second, endpoint=False),
            np.linspace(0.9, 1.0, count - first - second),
        ]
    )


def base_rate_bias(rbm: RBM, base_rates: ArrayLike | None, function: str) -> Array:
    """Return the visible bias of the base-rate model, float64: its means are the base rates.

    Parameters
    ----------
    rbm : RBM
    base_rates : array, shape (visible_units,), or None
        Means of the data. None: every state is equally probable (Gaussian units: mean 0).
    function : str
        Named in errors.
    """
    if base_rates is None:
        return np.zeros(rbm.visible_units)
    rates = np.asarray(base_rates, np.float64)
    if rates.shape != (rbm.visible_units,):
        raise ValueError(
            f"{function}: base_rates must have shape ({rbm.visible_units},), got {rates.shape}"
        )
    if not np.isfinite(rates).all():
        raise ValueError(f"{function}: base_rates must be finite")
    if rbm.visible_type == "gaussian":
        return rates
    if rates.min() < 0 or rates.max() > 1:
        raise ValueError(
            f"{function}: base_rates must be in [0, 1], got {rates.min():g} to {rates.max():g}"
        )
    rates = np.clip(rates, LEAST_RATE, 1 - LEAST_RATE)
    bias = np.log(rates)
    binary = _binary_units(rbm)
    bias[:binary] -= np.log1p(-rates[:binary])
    return bias


def _binary_units(rbm: RBM) -> int:
    """How many of the discrete visible units, from the first, are Bernoulli units."""
    groups = {"bernoulli": 0, "labelled": rbm.group_size, "softmax": rbm.visible_units}
    return rbm.visible_units - groups[rbm.visible_type]


def base_log_partition(rbm: RBM, bias: Array) -> float:
    """Return log Z of the base-rate model, with constants as in the free energy."""
    hidden = rbm.hidden_units * np.log(2.0) if rbm.hidden_type == "bernoulli" else 0.0
    if rbm.visible_type != "gaussian":
        binary = _binary_units(rbm)
        total = hidden + np.logaddexp(0.0, bias[:binary]).sum()
        groups = bias[binary:].reshape(-1, rbm.group_size)
        return float(total + (log_sum_exp(groups).sum() if len(groups) else 0.0))
    variance = np.ones(rbm.visible_units) if rbm.variance is None else to_host(rbm.variance)
    return float(hidden + np.log(2 * np.pi * variance.astype(np.float64)).sum() / 2)


def base_samples(rbm: RBM, bias: Array, rows: int, seed: int) -> Array:
    """Return states drawn from the base-rate model, (rows, visible_units)."""
    states: Array = empty(rbm.weights, (rows, rbm.visible_units))
    off = zeros(rbm.weights, (rows, rbm.hidden_units))
    row_bias = to_device(rbm.device, np.tile(bias.astype(rbm.dtype), (rows, 1)))
    visible_layer(rbm.native, off, sample=states, row_bias=row_bias, seed=seed, stream=_START)
    return states


def inverse_temperature_ladder(given: int | ArrayLike, function: str) -> Array:
    """Return a schedule as an array of float64: as given, or of so many temperatures."""
    if isinstance(given, int | np.integer):
        return annealing_schedule(int(given))
    beta = np.ascontiguousarray(given, np.float64)
    rising = beta.ndim == 1 and len(beta) >= 2 and bool((np.diff(beta) > 0).all())
    if not rising or beta[0] != 0 or beta[-1] != 1:
        raise ValueError(f"{function}: inverse_temperatures must rise from 0 to 1, got {beta}")
    return beta


def check_units(rbm: RBM, function: str) -> None:
    """Refuse rectified units, which have no joint distribution, and conditional machines."""
    if isinstance(rbm, ConditionalMachine):
        raise ValueError(
            f"{function}: rbm must not be conditional: each context has a partition function"
        )
    if rbm.hidden_type == "rectified":
        raise ValueError(f"{function}: hidden_type must be bernoulli or gaussian, got rectified")


def annealed_importance_sampling(
    rbm: RBM,
    *,
    chains: int = 100,
    inverse_temperatures: int | ArrayLike = 14_500,
    base_rates: ArrayLike | None = None,
    seed: int = 0,
) -> AnnealedEstimate:
    """Estimate log Z of a machine whose states are too many to enumerate.

    Chains start in a model of independent visible units, whose Z is known, and are taken to the
    machine through mixtures of the two energies; what they gain on the way are their weights.

    Parameters
    ----------
    rbm : RBM
    chains : int
        At least 2. All are moved together.
    inverse_temperatures : int or array
        How many, spaced by :func:`annealing_schedule`, or the ladder itself, rising from 0 to 1.
    base_rates : array, shape (visible_units,), optional
        Means of the training data: a better start than equal probabilities.
    seed : int
        Same seed, same bits, whatever the number of threads.

    Returns
    -------
    AnnealedEstimate

    Raises
    ------
    ValueError
        Rectified hidden units, a conditional machine, too few chains, a ladder that does not rise
        from 0 to 1, base rates of another shape or outside [0, 1].

    Notes
    -----
    An estimate from chains that have not found all modes is too low, and its interval does not
    tell: the log-likelihood is then too high. Compare runs with more temperatures, and the samples.
    """
    function = "annealed_importance_sampling"
    check_units(rbm, function)
    if isinstance(chains, bool) or int(chains) != chains or chains < 2:
        raise ValueError(f"{function}: chains must be an integer of at least 2, got {chains}")
    beta = inverse_temperature_ladder(inverse_temperatures, function)
    bias = base_rate_bias(rbm, base_rates, function)
    base_bias = bias.astype(rbm.dtype)
    states = base_samples(rbm, bias, int(chains), seed)
    weights = np.full(int(chains), base_log_partition(rbm, base_bias.astype(np.float64)))
    base_bias, weights = to_device(rbm.device, base_bias), to_device(rbm.device, weights)
    for first in range(0, len(beta) - 1, _STEPS):
        part = to_device(rbm.device, np.ascontiguousarray(beta[first : first + _STEPS + 1]))
        anneal(rbm.native, base_bias, part, states, weights, seed=seed, stream=2 * first)
    return _summary(to_host(weights))


def _summary(log_weights: Array) -> AnnealedEstimate:
    count = len(log_weights)
    log_z = float(log_sum_exp(log_weights[None])[0]) - np.log(count)
    relative = np.exp(log_weights - log_z)  # weights in units of their mean
    sigma = float(relative.std(ddof=1)) / np.sqrt(count)
    low = log_z + np.log1p(-3 * sigma) if 3 * sigma < 1 else -np.inf
    effective = float(relative.sum() ** 2 / np.square(relative).sum())
    interval = (float(low), float(log_z + np.log1p(3 * sigma)))
    return AnnealedEstimate(float(log_z), interval, effective, log_weights)
