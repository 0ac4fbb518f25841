"""Parallel tempering: chains that cross between modes, for samples and for training.

Desjardins, Courville, Bengio, Vincent & Delalleau, "Tempered Markov chain Monte Carlo for training
of restricted Boltzmann machines", AISTATS 2010; Cho, Raiko & Ilin, "Parallel tempering is efficient
for learning restricted Boltzmann machines", IJCNN 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ictus.kernels._device import to_device, to_host
from ictus.kernels.rbm import hidden_layer
from ictus.kernels.tempering import parallel_tempering
from ictus.models.boltzmann.annealing import (
    base_rate_bias,
    base_samples,
    check_units,
    inverse_temperature_ladder,
)
from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]

_STEPS = 500  # of one native call: between two, an interrupt is taken
_HIDDEN = 2**49  # streams of hidden states that are asked for


class ParallelTempering:
    """Replicas of each chain at several temperatures that exchange places.

    At inverse temperature 0 a replica draws from independent units and goes anywhere; at 1 it draws
    from the machine. Swaps between neighbours, even pairs and odd pairs in turn, bring states that
    were found at high temperature down to the machine.

    Parameters
    ----------
    rbm : RBM
        With bernoulli or gaussian hidden units. Its parameters may change between steps.
    chains : int
    inverse_temperatures : int or array
        How many, evenly spaced, or the ladder, rising from 0 to 1.
    base_rates : array, shape (visible_units,), optional
        Means of the training data, for the model at inverse temperature 0.
    seed : int

    Attributes
    ----------
    states : array, shape (chains, replicas, visible_units)
        Visible states of all replicas.
    temperature : array of int64, shape (chains, replicas)
        The index of each replica's inverse temperature.
    steps : int
        Taken so far.

    Raises
    ------
    ValueError
        Rectified hidden units, no chains, a ladder that does not rise from 0 to 1, base rates of
        another shape or outside [0, 1].
    """

    def __init__(
        self,
        rbm: RBM,
        *,
        chains: int = 100,
        inverse_temperatures: int | ArrayLike = 10,
        base_rates: ArrayLike | None = None,
        seed: int = 0,
    ) -> None:
        name = "ParallelTempering"
        check_units(rbm, name)
        if isinstance(chains, bool) or int(chains) != chains or chains < 1:
            raise ValueError(f"{name}: chains must be a positive integer, got {chains}")
        if isinstance(inverse_temperatures, int) and inverse_temperatures >= 2:
            inverse_temperatures = np.linspace(0.0, 1.0, inverse_temperatures)
        self.rbm, self.seed, self.steps = rbm, int(seed), 0
        self.inverse_temperatures = ladder = inverse_temperature_ladder(inverse_temperatures, name)
        bias = base_rate_bias(rbm, base_rates, name)
        self._device = rbm.device
        self._base_bias, self._ladder = self._there(bias.astype(rbm.dtype)), self._there(ladder)
        chains, replicas = int(chains), len(self.inverse_temperatures)
        states = base_samples(rbm, bias, chains * replicas, self.seed)
        self.states: Array = states.reshape(chains, replicas, -1)
        indices = np.tile(np.arange(replicas, dtype=np.int64), (chains, 1))
        self.temperature: Array = self._there(indices)
        self._row_at: Array = self._there(np.arange(chains * replicas, dtype=np.int64))
        self._swaps: Array = self._there(np.zeros(replicas - 1, np.int64))

    def _there(self, array: Array) -> Array:
        return to_device(self._device, array)  # type: ignore[no-any-return]

    def step(self, steps: int = 1) -> None:
        """Offer swaps, then move every replica by one step of Gibbs sampling, `steps` times."""
        if isinstance(steps, bool) or int(steps) != steps or steps < 0:
            raise ValueError(f"ParallelTempering: steps must be 0 or more, got {steps}")
        end = self.steps + int(steps)
        while self.steps < end:
            count = min(end - self.steps, _STEPS)
            parallel_tempering(
                self.rbm.native,
                self._base_bias,
                self._ladder,
                self.states.reshape(-1, self.states.shape[2]),
                self.temperature.reshape(-1),
                self._row_at,
                self._swaps,
                steps=count,
                first_step=self.steps,
                seed=self.seed,
                stream=3 * self.steps,
            )
            self.steps += count

    def state(self) -> dict[str, Array]:
        """Return the arrays that, with :attr:`steps`, are the state of all chains."""
        return {
            "tempering_states": self.states,
            "tempering_temperature": self.temperature,
            "tempering_row_at": self._row_at,
            "tempering_swaps": self._swaps,
        }

    @property
    def visible(self) -> Array:
        """The visible states at inverse temperature 1: draws from the machine, one a chain."""
        replicas = self.states.shape[1]
        rows = self._row_at[replicas - 1 :: replicas]
        last: Array = self.states.reshape(-1, self.states.shape[2])[rows]
        return last

    def sample_hiddens(self, out: Array) -> None:
        """Write hidden states drawn given :attr:`visible`, (chains, hidden_units)."""
        stream = _HIDDEN + self.steps
        hidden_layer(self.rbm.native, self.visible, sample=out, seed=self.seed, stream=stream)

    @property
    def swap_rates(self) -> Array:
        """The share of offered swaps that were accepted, for each pair of neighbours.

        Rates near 0 between two temperatures mean that nothing passes there: add some between.
        """
        pairs = np.arange(len(self._swaps))
        offers = np.where(pairs % 2 == 0, (self.steps + 1) // 2, self.steps // 2)
        rates: Array = to_host(self._swaps) / np.maximum(offers * len(self.states), 1)
        return rates
