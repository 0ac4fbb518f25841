"""Training whose model statistics come from parallel tempering.

Desjardins et al. 2010 and Cho, Raiko & Ilin 2010 (see :mod:`ictus.models.boltzmann.tempering`).
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.machine import fill
from ictus.models.boltzmann.rbm import RBM
from ictus.models.boltzmann.tempering import ParallelTempering
from ictus.train import CheckpointError

Array = NDArray[Any]


class TemperedTrainer(DivergenceTrainer):
    """Persistent contrastive divergence with particles that cross between modes.

    Before each update every replica of every chain makes a step, and swaps are offered; the update
    then starts from the states at inverse temperature 1. It costs as many times the chain of
    persistent contrastive divergence as there are temperatures.

    Parameters
    ----------
    rbm : RBM
        With bernoulli or gaussian hidden units.
    particles : int
        Number of chains.
    inverse_temperatures, base_rates
        Of :class:`ictus.models.ParallelTempering`. Without base rates the chains start
        from units that are on half of the time: better give the data's means.
    seed, options
        Of :class:`~ictus.models.boltzmann.divergence.DivergenceTrainer`.

    Attributes
    ----------
    tempering : ParallelTempering
    """

    def __init__(
        self,
        rbm: RBM,
        *,
        particles: int = 100,
        inverse_temperatures: int | ArrayLike = 10,
        base_rates: ArrayLike | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(rbm, persistent=True, particles=particles, seed=seed, **options)
        self.tempering = ParallelTempering(
            rbm,
            chains=particles,
            inverse_temperatures=inverse_temperatures,
            base_rates=base_rates,
            seed=seed,
        )

    def _step(self, batch: Any) -> float:
        assert self.particles is not None
        self.tempering.step()
        self.tempering.sample_hiddens(self.particles)
        return super()._step(batch)

    def _training_state(self) -> list[Array]:
        return [*super()._training_state(), *self.tempering.state().values()]

    def _identity(self) -> dict[str, Any]:
        ladder = self.tempering.inverse_temperatures.tolist()
        return super()._identity() | {"inverse_temperatures": ladder}

    def _tensors(self) -> dict[str, Array]:
        return super()._tensors() | self.tempering.state()

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"tempering_steps": self.tempering.steps}

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        if any(name not in tensors for name in self.tempering.state()):
            raise CheckpointError("belongs to another training: its vectors differ")
        super()._load(tensors, state)
        for name, array in self.tempering.state().items():
            fill(array, tensors[name])
        self.tempering.steps = int(state["tempering_steps"])
