"""The partition function of a restricted Boltzmann machine by enumeration, and log-likelihoods.

log p(v) = -F(v) - log Z, with ``F`` as :meth:`ictus.models.RBM.free_energy` returns it. Where one
side has few states, the other is summed in closed form for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ictus.kernels import gemm, log_sum_exp, row_sums
from ictus.kernels._device import to_host
from ictus.kernels.rbm import free_energy, rbm_model
from ictus.models.boltzmann.annealing import annealed_importance_sampling, check_units
from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]

#: Two to this power states of a side are enumerated at most: those of 20 Bernoulli units.
MOST_BITS = 20
_ROWS = 2048  # states that one native call takes


def log_partition(rbm: RBM) -> float:
    """Return log Z exactly, in float64, by summing over the states of the smaller side.

    The integral over Gaussian hidden units is taken without its constant ``hidden / 2 log(2 pi)``,
    as in the free energy, so that ``log p(v) = -F(v) - log Z`` holds.

    Parameters
    ----------
    rbm : RBM
        With at most 2**20 states on a side: 20 Bernoulli units, or softmax groups whose sizes
        multiply to that, or units and a label.

    Raises
    ------
    ValueError
        Rectified hidden units, which have no joint distribution; a conditional machine; more states
        on both sides.
    """
    check_units(rbm, "log_partition")
    visible, hidden = _state_bits(rbm)
    if min(hidden, visible) > MOST_BITS:
        raise ValueError(
            f"log_partition: rbm must have at most 2**{MOST_BITS} states on one side, got"
            f" {rbm.visible_units} {rbm.visible_type} visible and {rbm.hidden_units} "
            f"{rbm.hidden_type} hidden units; see annealed_importance_sampling"
        )
    terms = _over_hidden(rbm) if hidden <= visible else _over_visible(rbm)
    return float(log_sum_exp(np.array([[log_sum_exp(t[None])[0] for t in terms]]))[0])


def _state_bits(rbm: RBM) -> tuple[float, float]:
    """The logarithms, to base 2, of the numbers of states of the visible and the hidden side."""
    per_unit = {"bernoulli": 1.0, "softmax": np.log2(rbm.group_size), "gaussian": np.inf}
    if rbm.visible_type == "labelled":
        visible = rbm.visible_units - rbm.group_size + np.log2(rbm.group_size)
    else:
        visible = rbm.visible_units // rbm.group_size * per_unit[rbm.visible_type]
    return visible, rbm.hidden_units if rbm.hidden_type == "bernoulli" else np.inf


def _double(rbm: RBM) -> tuple[Array, Array, Array, Array]:
    """Weights, visible and hidden bias, variance of the visible units, all in float64."""
    variance = np.ones(rbm.visible_units) if rbm.variance is None else to_host(rbm.variance)
    return (
        to_host(rbm.weights).astype(np.float64),
        to_host(rbm.visible_bias).astype(np.float64),
        to_host(rbm.hidden_bias).astype(np.float64),
        variance.astype(np.float64),
    )


def _binary_states(units: int) -> Iterator[Array]:
    """All states of binary units, a block of rows at a time."""
    for begin in range(0, 2**units, _ROWS):
        numbers = np.arange(begin, min(begin + _ROWS, 2**units))
        yield (numbers[:, None] >> np.arange(units) & 1).astype(np.float64)


def _softmax_states(groups: int, size: int) -> Iterator[Array]:
    """All states of softmax groups, a block of rows at a time."""
    for begin in range(0, size**groups, _ROWS):
        numbers = np.arange(begin, min(begin + _ROWS, size**groups))
        digits = numbers[:, None] // size ** np.arange(groups) % size
        yield np.eye(size)[digits].reshape(len(numbers), groups * size)


def _labelled_states(units: int, size: int) -> Iterator[Array]:
    """All states of binary units with each label, a block of rows at a time."""
    for block in _binary_states(units):
        for label in np.eye(size):
            yield np.concatenate([block, np.tile(label, (len(block), 1))], axis=1)


def _over_visible(rbm: RBM) -> Iterator[Array]:
    """log p* of all visible states: minus their free energies."""
    weights, visible_bias, hidden_bias, _ = _double(rbm)
    hidden: Any = rbm.hidden_type
    # With states that are given, groups of softmax units are like Bernoulli units.
    model = rbm_model(weights, visible_bias, hidden_bias, hidden_type=hidden)
    if rbm.visible_type == "bernoulli":
        states = _binary_states(rbm.visible_units)
    elif rbm.visible_type == "labelled":
        states = _labelled_states(rbm.visible_units - rbm.group_size, rbm.group_size)
    else:
        states = _softmax_states(rbm.visible_units // rbm.group_size, rbm.group_size)
    for v in states:
        yield -free_energy(model, v)


def _over_hidden(rbm: RBM) -> Iterator[Array]:
    """log p* of all hidden states: the machine with its sides exchanged."""
    weights, visible_bias, hidden_bias, variance = _double(rbm)
    transposed = np.ascontiguousarray(weights.T)
    if rbm.visible_type in ("softmax", "labelled"):
        binary = rbm.visible_units - rbm.group_size if rbm.visible_type == "labelled" else 0
        for h in _binary_states(rbm.hidden_units):
            inputs = gemm(h, transposed, bias=visible_bias)
            groups = np.ascontiguousarray(inputs[:, binary:]).reshape(-1, rbm.group_size)
            terms = row_sums(log_sum_exp(groups).reshape(len(h), -1)) + h @ hidden_bias
            yield terms + np.logaddexp(0.0, inputs[:, :binary]).sum(axis=1)
        return
    constant, kind = 0.0, "bernoulli"
    if rbm.visible_type == "gaussian":
        # The integral over v_i is sqrt(2 pi s2) exp(((b + W h)^2 - b^2) / (2 s2)): but for a
        # constant, that of a Gaussian hidden unit with input (b + W h) / s.
        deviation = np.sqrt(variance)
        transposed, visible_bias = transposed / deviation, visible_bias / deviation
        constant = float(np.sum(np.log(2 * np.pi * variance) - visible_bias**2)) / 2
        kind = "gaussian"
    hidden: Any = kind
    model = rbm_model(transposed, hidden_bias, visible_bias, hidden_type=hidden)
    for h in _binary_states(rbm.hidden_units):
        yield constant - free_energy(model, h)


@dataclass(frozen=True)
class LogLikelihood:
    """Mean log-likelihood of examples, in nats.

    Attributes
    ----------
    mean : float
        Nats per example.
    interval : (low, high)
        Of the mean, from the interval of log Z; both equal the mean where log Z is exact.
    log_z : float
        log Z, exact or estimated.
    per_example : array of float64, shape (n,)
    """

    mean: float
    interval: tuple[float, float]
    log_z: float
    per_example: Array


def log_likelihood(
    rbm: RBM,
    data: ArrayLike,
    *,
    method: Literal["auto", "exact", "ais"] = "auto",
    chains: int = 100,
    inverse_temperatures: int | ArrayLike = 14_500,
    base_rates: ArrayLike | None = None,
    seed: int = 0,
) -> LogLikelihood:
    """Return the mean log-likelihood of examples, in nats per example, with its interval.

    Parameters
    ----------
    rbm : RBM
    data : array, shape (n, visible_units)
        States of the visible units. Grey values are none: sample them, as Salakhutdinov & Murray
        (2008) do.
    method : {"auto", "exact", "ais"}
        How log Z is found: by :func:`log_partition`, by annealed importance sampling, or by the
        first where it can.
    chains, inverse_temperatures, base_rates, seed
        Of :func:`ictus.models.annealed_importance_sampling`. The base rates are the data's
        means if not given; better the training data's.

    Raises
    ------
    ValueError
        Data that are no states of the units, a wrong shape, an unknown method; too many states for
        "exact"; rectified hidden units.
    """
    if method not in ("auto", "exact", "ais"):
        raise ValueError(f"log_likelihood: method must be auto, exact or ais, got {method!r}")
    check_units(rbm, "log_likelihood")
    v = to_host(rbm.check_visible(data))
    if len(v) == 0:
        raise ValueError("log_likelihood: data must have at least one row, got none")
    _check_states(rbm, v)
    low = high = 0.0
    if method == "exact" or (method == "auto" and min(_state_bits(rbm)) <= MOST_BITS):
        log_z = low = high = log_partition(rbm)
    else:
        estimate = annealed_importance_sampling(
            rbm,
            chains=chains,
            inverse_temperatures=inverse_temperatures,
            base_rates=v.mean(axis=0, dtype=np.float64) if base_rates is None else base_rates,
            seed=seed,
        )
        log_z, (low, high) = estimate.log_z, estimate.interval
    unnormalised = -rbm.free_energy(v).astype(np.float64)
    mean = float(unnormalised.mean())
    return LogLikelihood(mean - log_z, (mean - high, mean - low), log_z, unnormalised - log_z)


def _check_states(rbm: RBM, v: Array) -> None:
    if rbm.visible_type == "gaussian":
        return
    if not ((v == 0) | (v == 1)).all():
        bad = v[(v != 0) & (v != 1)].flat[0]
        raise ValueError(f"log_likelihood: data must be 0 or 1 in every unit, got {bad:g}")
    if rbm.visible_type in ("softmax", "labelled"):
        grouped = v[:, -rbm.group_size :] if rbm.visible_type == "labelled" else v
        on = grouped.reshape(len(v), -1, rbm.group_size).sum(axis=2)
        if (on != 1).any():
            raise ValueError(
                "log_likelihood: data must have one unit on in each softmax group, "
                f"got {on[on != 1].flat[0]:g}"
            )
