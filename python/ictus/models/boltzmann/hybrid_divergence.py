"""Training of the mean-covariance RBM by contrastive divergence with hybrid Monte Carlo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import empty, to_device, to_host, zeros
from ictus.kernels.mean_covariance import MeanCovarianceDivergence
from ictus.models.boltzmann.machine import fill
from ictus.models.boltzmann.mean_covariance import MeanCovarianceMachine
from ictus.train import (
    Callback,
    CheckpointError,
    EarlyStopping,
    History,
    SourceBatches,
    TrainingLoop,
)

Array = NDArray[Any]

#: The learning rate of each parameter in the authors' program, relative to one for all: filters,
#: pooling, weights, visible, covariance and mean biases.
RELATIVE_RATES = (2.0, 0.02, 0.2, 0.02, 0.02, 0.1)
#: Smoothing over updates of the acceptance and of the filters' length, as there.
ACCEPTANCE_DECAY, LENGTH_DECAY = 0.9, 0.95
#: Examples on which free energies are measured after each epoch, at most.
MEASURED_ROWS = 2000


class HybridDivergenceTrainer(TrainingLoop):
    """Trains a mean-covariance RBM as Ranzato & Hinton (2010) and their program do.

    Each update draws momenta, moves the chains along trajectories of hybrid Monte Carlo, takes a
    step along the difference of the free energy's gradients at the data and at the chains' last
    states, gives all filters a common length, and keeps the columns of P non-positive with the
    sum -1. The step size of the leapfrog follows the acceptance: 1 % up or down after each update.

    The history has after each epoch: "energy_difference" (mean free energy of the data, over the
    updates, less that of the chains), "acceptance", "step_size", "filter_length", and with
    validation examples "free_energy", "validation_free_energy" and their difference
    "free_energy_gap": where it grows, the machine overfits.

    Parameters
    ----------
    machine : MeanCovarianceMachine
    learning_rate : float
        Scaled for each parameter by ``RELATIVE_RATES``.
    learning_rate_decay : float
        Epochs after which the rate falls as 1 / epoch (20 in the authors' program); 0: never.
    momentum : float in [0, 1)
    l1, l2 : float
        Penalties on filters, weights and P.
    pooling_epoch : float
        From when on P is learned: after the filters have settled.
    keep_zeros : bool
        Whether elements of P that are 0 when the trainer is made stay 0.
    persistent : bool
        Chains go on from update to update; else they start at the data.
    particles : int, optional
        Persistent chains; ``batch_size`` if not given.
    trajectories, leapfrog_steps : int
        Of hybrid Monte Carlo, for each update.
    step_size : float
        Of the leapfrog, at first.
    step_size_bounds : (float, float)
    target_acceptance : float
    batch_size, epochs, shuffle, seed, early_stopping, callbacks, checkpoint, checkpoint_every, \
progress
        As of :class:`ictus.train.Trainer`; early stopping goes by the free-energy gap (see
        :class:`ictus.train.GapStopping`).

    Attributes
    ----------
    machine : MeanCovarianceMachine
    particles : array, shape (particles, visible_units), or None
    velocity : array, shape (parameter_count,)
    step_size, acceptance : float
        As adapted; the smoothed mean probability of acceptance.
    history : History
    """

    kind: ClassVar[str] = "machine"

    def __init__(
        self,
        machine: MeanCovarianceMachine,
        *,
        learning_rate: float = 0.05,
        learning_rate_decay: float = 20.0,
        momentum: float = 0.0,
        l1: float = 1e-5,
        l2: float = 0.0,
        pooling_epoch: float = 10.0,
        keep_zeros: bool = False,
        persistent: bool = True,
        particles: int | None = None,
        trajectories: int = 1,
        leapfrog_steps: int = 20,
        step_size: float = 0.05,
        step_size_bounds: tuple[float, float] = (0.001, 0.5),
        target_acceptance: float = 0.9,
        batch_size: int = 128,
        epochs: int = 50,
        shuffle: bool = True,
        seed: int = 0,
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        progress: bool | None = None,
    ) -> None:
        super().__init__(
            machine,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            seed=seed,
            convergence=None,
            early_stopping=early_stopping,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            progress=progress,
        )
        self.machine = machine
        self.learning_rate = _within("learning_rate", learning_rate, 0, np.inf)
        self.learning_rate_decay = _within("learning_rate_decay", learning_rate_decay, 0, np.inf)
        self.momentum = _within("momentum", momentum, 0, 1)
        self.l1, self.l2 = _within("l1", l1, 0, np.inf), _within("l2", l2, 0, np.inf)
        self.pooling_epoch = float(pooling_epoch)
        self.trajectories = machine.positive("trajectories", trajectories)
        self.leapfrog_steps = machine.positive("leapfrog_steps", leapfrog_steps)
        self.target_acceptance = _within("target_acceptance", target_acceptance, 0, 1)
        lowest, highest = step_size_bounds
        if not 0 < lowest <= highest < np.inf:
            raise ValueError(f"step_size_bounds must be positive, in order, got {step_size_bounds}")
        self.step_size_bounds = (float(lowest), float(highest))
        self.step_size = min(max(_within("step_size", step_size, 0, np.inf), lowest), highest)
        self.acceptance = self.target_acceptance
        self.velocity: Array = np.zeros_like(machine.parameters)
        self.filter_length: Array = zeros(machine.filters, (1,)) + 1
        count = machine.positive("particles", batch_size if particles is None else particles)
        shape = (count, machine.visible_units)
        self.particles: Array | None = zeros(machine.filters, shape) if persistent else None
        self._mask: Array | None = None
        if keep_zeros and machine.pooling is not None:
            self._mask = (machine.pooling != 0).astype(machine.dtype)
        self._started = False
        self._updates: MeanCovarianceDivergence | None = None
        self._rate = 0.0
        self._learns_pooling = False

    # --- training --------------------------------------------------------------------------------

    def fit(self, x: Any, *, validation: Any = None, epochs: int | None = None) -> History:
        """Train from where training stands; return the history.

        Parameters
        ----------
        x : array, memory map or sparse matrix, shape (n, visible_units)
            Preferably whitened: see the docs.
        validation : like x, optional
        epochs : int, optional
            How many more epochs at most; the trainer's ``epochs`` in all if not given.

        Raises
        ------
        DivergenceError
            Parameters that are not finite.
        ValueError
            Examples of the wrong shape, not finite, or empty.
        """
        source = self.machine.examples(x, "x")
        held_out = None
        if validation is not None:
            unseen = self.machine.examples(validation, "validation x")
            count = min(MEASURED_ROWS, source.size, unseen.size)
            order = np.random.Generator(np.random.PCG64([self.seed, 1])).permutation(source.size)
            seen = source.take(np.sort(order[:count]))[0].copy()
            device = self.machine.device
            held_out = tuple(
                to_device(device, x) for x in (seen, unseen.take(np.arange(count))[0].copy())
            )
        elif self.early_stopping is not None:
            raise ValueError("early stopping needs validation examples: fit(x, validation=...)")
        self._follow()
        if not self._started:
            self._start()
        self._updates = MeanCovarianceDivergence(
            self.machine.native,
            self.machine.arrays(self.velocity),
            particles=self.particles,
            filter_length=self.filter_length,
            pooling_mask=self._mask,
        )
        batches = SourceBatches(
            source, batch_size=self.batch_size, shuffle=self.shuffle, seed=self.seed
        )
        return self._run(batches, held_out, epochs)

    def _start(self) -> None:
        """Chains start at standard normal numbers, as in the authors' program."""
        if self.particles is not None:
            generator = np.random.Generator(np.random.PCG64([self.seed, 2]))
            fill(self.particles, generator.standard_normal(self.particles.shape))
        self._started = True

    # --- the loop's questions --------------------------------------------------------------------

    @property
    def current_learning_rate(self) -> float:
        return self._rate

    def _schedule(self, epoch: float) -> None:
        decay = self.learning_rate_decay
        self._rate = self.learning_rate / (max(1.0, epoch / decay) if decay else 1.0)
        self._learns_pooling = self.machine.pooled and epoch >= self.pooling_epoch

    def _step(self, batch: Any) -> float:
        machine, data = self.machine, batch[0]
        assert self._updates is not None
        chains = len(data) if self.particles is None else len(self.particles)
        acceptance, chain_energy = (empty(data, (chains,)) for _ in range(2))
        data_energy = empty(data, (len(data),))
        rates = [self._rate * each for each in RELATIVE_RATES]
        if not self._learns_pooling:
            rates[1] = 0.0
        self._updates.update(
            data,
            trajectories=self.trajectories,
            leapfrog_steps=self.leapfrog_steps,
            step_size=self.step_size,
            rates=rates,
            momentum=self.momentum,
            l1=self.l1,
            l2=self.l2,
            length_decay=LENGTH_DECAY,
            seed=machine.seed,
            stream=machine.next_streams(2 * self.trajectories),
            acceptance=acceptance,
            data_energy=data_energy,
            chain_energy=chain_energy,
        )
        self._adapt(float(acceptance.mean(dtype=np.float64)))
        energies = data_energy.mean(dtype=np.float64) - chain_energy.mean(dtype=np.float64)
        difference = float(energies)
        if not np.isfinite(difference):
            raise self._diverged(f"a free energy of {difference}")
        return difference

    def _adapt(self, acceptance: float) -> None:
        self.acceptance = ACCEPTANCE_DECAY * self.acceptance + (1 - ACCEPTANCE_DECAY) * acceptance
        factor = 1.01 if self.acceptance > self.target_acceptance else 0.99
        lowest, highest = self.step_size_bounds
        self.step_size = min(max(self.step_size * factor, lowest), highest)

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        measured = {
            "energy_difference": loss,
            "acceptance": self.acceptance,
            "step_size": self.step_size,
            "filter_length": float(self.filter_length[0]),
        }
        if held_out is not None:
            seen, unseen = (
                float(self.machine.free_energy(x).mean(dtype=np.float64)) for x in held_out
            )
            measured["free_energy"], measured["validation_free_energy"] = seen, unseen
            measured["free_energy_gap"] = unseen - seen
        return measured

    def _stopping_criterion(self, measured: dict[str, float]) -> float:
        return measured["free_energy_gap"]

    def _postfix(self, loss: float) -> str:
        return f"energy difference {loss:.3g} acceptance {self.acceptance:.2f}"

    def _follow(self) -> None:
        """Bring what training keeps to where the machine lies."""
        device = self.machine.device
        for name in self._named_state():
            setattr(self, name, to_device(device, getattr(self, name)))
        self._mask = None if self._mask is None else to_device(device, self._mask)

    def _named_state(self) -> dict[str, Array]:
        kept = {"velocity": self.velocity, "filter_length": self.filter_length}
        return kept if self.particles is None else kept | {"particles": self.particles}

    def _training_state(self) -> list[Array]:
        return [*super()._training_state(), *self._named_state().values()]

    def _identity(self) -> dict[str, Any]:
        particles = None if self.particles is None else len(self.particles)
        return super()._identity() | {
            "trajectories": self.trajectories,
            "leapfrog_steps": self.leapfrog_steps,
            "particles": particles,
        }

    def _tensors(self) -> dict[str, Array]:
        return super()._tensors() | self._named_state()

    def _state(self) -> dict[str, Any]:
        return {"dynamics": [self.step_size, self.acceptance], "rate": self._rate}

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        named = self._named_state()
        if any(name not in tensors or tensors[name].shape != a.shape for name, a in named.items()):
            raise CheckpointError("belongs to another training: its vectors differ")
        super()._load(tensors, state)
        for name, array in named.items():
            fill(array, tensors[name])
        self.step_size, self.acceptance = state["dynamics"]
        self._rate = state["rate"]
        self._started = True

    def __getstate__(self) -> dict[str, Any]:
        state = {name: to_host(array) for name, array in self._named_state().items()}
        # The native object stays behind; fit makes it anew.
        return self.__dict__ | state | {"_mask": to_host(self._mask), "_updates": None}


def _within(name: str, value: float, lowest: float, highest: float) -> float:
    if not lowest <= value < highest:
        raise ValueError(f"{name} must be in [{lowest:g}, {highest:g}), got {value!r}")
    return float(value)
