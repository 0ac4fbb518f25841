"""Chains between a base-rate model and a restricted Boltzmann machine.

The base-rate model has no weights, hidden biases 0 and visible biases a (and the machine's variance
where the visible units are Gaussian). At inverse temperature beta the two energies are mixed,
``(1 - beta) E_base(v) + beta E(v, h)``: beta = 0 is the base-rate model, whose partition function
is known, beta = 1 the machine (Salakhutdinov & Murray, "On the quantitative analysis of deep belief
networks", ICML 2008, equations 15 to 20). Summed over the hidden states the weight of v is

``log p*(v; beta) = (1 - beta) a.v + beta b.v + sum_j log(1 + exp(beta x_j))``

for Bernoulli hidden units with inputs ``x = c + W^T v``, and the sum of ``(beta x_j)**2 / 2`` for
Gaussian ones, without constants.

One call makes many steps. The inputs of both layers are kept between steps and moved by the units
that changed, because from one step to the next few do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ictus._core import RbmModel
from ictus.kernels._arrays import FloatArray
from ictus.kernels._device import native_module
from ictus.kernels._foreign import takes_arrays

__all__ = ["anneal", "parallel_tempering"]


@takes_arrays
def anneal(
    model: RbmModel,
    base_bias: FloatArray,
    inverse_temperature: NDArray[np.float64],
    visible: FloatArray,
    log_weights: NDArray[np.float64],
    *,
    seed: int = 0,
    stream: int = 0,
) -> None:
    """Take chains along a ladder of inverse temperatures, and weigh them on the way, in place.

    Step k adds ``log p*(v; beta[k + 1]) - log p*(v; beta[k])`` to the chain's log weight, then
    makes one step of Gibbs sampling at ``beta[k + 1]`` (Neal, "Annealed importance sampling",
    Statistics and Computing 2001). Differences of close temperatures are computed without
    cancellation.

    Parameters
    ----------
    model : RbmModel
        With bernoulli or gaussian hidden units.
    base_bias : array, shape (visible units,)
    inverse_temperature : array of float64, shape (steps + 1,)
    visible : array, shape (chains, visible units)
        The states of the chains, C-contiguous; replaced.
    log_weights : array of float64, shape (chains,)
        In nats; added to.
    seed, stream : int
        Step k draws from streams ``stream + 2 k`` and ``stream + 2 k + 1``.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap; rectified hidden units.
    """
    native = native_module(visible)
    native.anneal(model, base_bias, inverse_temperature, visible, log_weights, seed, stream)


@takes_arrays
def parallel_tempering(
    model: RbmModel,
    base_bias: FloatArray,
    inverse_temperature: NDArray[np.float64],
    visible: FloatArray,
    temperature: NDArray[np.int64],
    row_at: NDArray[np.int64],
    swaps: NDArray[np.int64],
    *,
    steps: int = 1,
    first_step: int = 0,
    seed: int = 0,
    stream: int = 0,
) -> None:
    """Move replicas at several temperatures, and exchange temperatures between them, in place.

    Every ``replicas`` rows are one chain. A step offers a swap to every other pair of neighbouring
    temperatures, even pairs in even steps, odd ones in odd steps, and accepts it with probability
    ``min(1, p*(v; beta') p*(v'; beta) / (p*(v; beta) p*(v'; beta')))``; then each replica makes a
    step of Gibbs sampling at its temperature (Desjardins et al., "Tempered Markov chain Monte
    Carlo for training of restricted Boltzmann machines", AISTATS 2010).

    Parameters
    ----------
    model : RbmModel
        With bernoulli or gaussian hidden units.
    base_bias : array, shape (visible units,)
    inverse_temperature : array of float64, shape (replicas,)
    visible : array, shape (chains * replicas, visible units)
        C-contiguous; replaced.
    temperature : array of int64, shape (chains * replicas,)
        The index of each row's temperature.
    row_at : array of int64, shape (chains * replicas,)
        Chain by chain, the row that is at each temperature: the inverse of ``temperature``.
    swaps : array of int64, shape (replicas - 1,)
        How many swaps between temperatures t and t + 1 were accepted; added to.
    steps, first_step : int
        How many steps, and the number of the first.
    seed, stream : int
        Step k of the call draws from streams ``stream + 3 k`` and the two after it.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap; rectified hidden units; indices that do not fit.
    """
    native_module(visible).parallel_tempering(
        model,
        base_bias,
        inverse_temperature,
        visible,
        temperature,
        row_at,
        swaps,
        steps,
        first_step,
        seed,
        stream,
    )
