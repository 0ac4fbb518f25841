"""Training of Boltzmann machines by contrastive divergence and its persistent kin."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import to_device, to_host, zeros
from ictus.kernels.rbm import ContrastiveDivergence
from ictus.models.boltzmann.gibbs import check_steps
from ictus.models.boltzmann.machine import fill
from ictus.models.boltzmann.rbm import RBM
from ictus.models.boltzmann.training_options import not_negative, schedule, share
from ictus.train import (
    Callback,
    CheckpointError,
    Convergence,
    EarlyStopping,
    History,
    Schedule,
    SourceBatches,
    Steps,
    TrainingLoop,
)

Array = NDArray[Any]

#: Momentum of Hinton's practical guide (2010, section 9): 0.5, and 0.9 from the sixth epoch on.
MOMENTUM = Steps((0.5, 0.9), (5.0,))
#: Examples on which reconstruction and free energy are measured after each epoch, at most.
MEASURED_ROWS = 2000
#: A bias beyond this is an explosion.
LARGEST_BIAS = 1e6

Uniforms = Callable[[], tuple[Array, Array]]


class DivergenceTrainer(TrainingLoop):
    """Trains a machine by contrastive divergence, CD-k (Hinton 2002), or PCD (Tieleman 2008).

    The history has after each epoch: "reconstruction_error" (mean squared, a unit, on a fixed
    sample of the examples), "update_ratio" (mean size of the last update of the weights over that
    of the weights: about 1e-3 is right, Hinton 2010, section 7), "momentum"; and with validation
    examples "free_energy", "validation_free_energy" (means over as many examples of either) and
    "free_energy_gap", their difference: by how many nats an example of the training set is more
    probable. Where it grows, the machine overfits (section 6).

    Parameters
    ----------
    rbm : RBM
    steps : int
        k: steps of the chain for each update.
    persistent : bool
        PCD: chains go on from update to update instead of starting at the data.
    particles : int
        Number of persistent chains.
    fast_weights : bool
        PCD with fast weights, which make the chains mix (Tieleman & Hinton 2009).
    learning_rate, momentum : float or Schedule
        Momentum by default 0.5, and 0.9 from the sixth epoch on.
    l1, l2 : float
        Penalties on the weights, not on the biases.
    sparsity_target, sparsity_cost, sparsity_decay : float
        The decayed mean of each hidden unit's activity is drawn towards the target with strength
        ``sparsity_cost`` (Hinton 2010, section 11); 0: not.
    fast_learning_rate : float, optional
        Of the fast weights; the learning rate at the start if not given.
    fast_decay : float
        Of the fast weights, by each update.
    variance_learning_rate : float, optional
        Of the logarithm of a learned variance; a tenth of the learning rate if not given.
    variance_bounds : (float, float)
        A learned variance stays within. The gradient of a unit's weights grows as 1 / variance:
        a lower bound asks for a lower learning rate.
    initialize_biases : bool
        Whether training that starts anew sets the visible bias by the examples.
    batch_size, epochs, shuffle, seed, callbacks, checkpoint, checkpoint_every, progress
        As of :class:`ictus.train.Trainer`.
    convergence : Convergence, optional
        On the reconstruction error.
    early_stopping : EarlyStopping, optional
        On the free-energy gap: see :class:`ictus.train.GapStopping`. :meth:`fit` then needs
        validation examples.

    Attributes
    ----------
    rbm : RBM
    particles : array, shape (particles, hidden_units), or None
        Hidden states of the persistent chains.
    velocity : array, shape (parameter_count,)
        The last update of the parameters.
    history : History
    """

    kind: ClassVar[str] = "machine"
    training_criterion: ClassVar[str] = "reconstruction_error"

    def __init__(
        self,
        rbm: RBM,
        *,
        steps: int = 1,
        persistent: bool = False,
        particles: int = 100,
        fast_weights: bool = False,
        learning_rate: float | Schedule = 0.1,
        momentum: float | Schedule = MOMENTUM,
        l1: float = 0.0,
        l2: float = 0.0,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        sparsity_decay: float = 0.9,
        fast_learning_rate: float | None = None,
        fast_decay: float = 0.95,
        variance_learning_rate: float | None = None,
        variance_bounds: tuple[float, float] = (0.1, 10.0),
        initialize_biases: bool = True,
        batch_size: int = 100,
        epochs: int = 10,
        shuffle: bool = True,
        seed: int = 0,
        convergence: Convergence | None = None,
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        progress: bool | None = None,
    ) -> None:
        super().__init__(
            rbm,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            seed=seed,
            convergence=convergence,
            early_stopping=early_stopping,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            progress=progress,
        )
        self.rbm = rbm
        self.steps = check_steps(steps)
        self.persistent = bool(persistent)
        if fast_weights and not persistent:
            raise ValueError("fast_weights need persistent chains: persistent=True")
        self.learning_rate = schedule("learning_rate", learning_rate, np.inf)
        self.momentum = schedule("momentum", momentum, 1.0)
        self.l1, self.l2 = not_negative("l1", l1), not_negative("l2", l2)
        self.sparsity_cost = not_negative("sparsity_cost", sparsity_cost)
        self.sparsity_target = share("sparsity_target", sparsity_target, rbm.hidden_type)
        self.sparsity_decay = share("sparsity_decay", sparsity_decay)
        self.fast_learning_rate = fast_learning_rate
        self.fast_decay = share("fast_decay", fast_decay)
        self.variance_learning_rate = variance_learning_rate
        self.variance_bounds = variance_bounds
        lowest, highest = variance_bounds
        if not 0 < lowest <= highest < np.inf:
            raise ValueError(
                f"variance_bounds must be positive and in order, got {variance_bounds}"
            )
        self.initialize_biases = bool(initialize_biases)
        #: Uniform numbers for the chain in the place of the machine's own: the visible and the
        #: hidden units', for one step of persistent chains of Bernoulli units.
        self.uniforms: Uniforms | None = None
        count = check_steps(particles, "particles")
        shape = (count, rbm.hidden_units)
        self.velocity: Array = np.zeros_like(rbm.parameters)
        self.particles: Array | None = zeros(rbm.weights, shape) if persistent else None
        self.fast_weights: Array | None = np.zeros_like(rbm.weights) if fast_weights else None
        self.activity: Array = zeros(rbm.weights, (rbm.hidden_units,)) + self.sparsity_target
        self._started = False
        self._updates: ContrastiveDivergence | None = None
        self._rate = self._momentum = 0.0
        self._sample: tuple[Array, ...] = ()

    @property
    def weight_update(self) -> Array:
        """The last update of the weights, shape (visible_units, hidden_units)."""
        return self.rbm.views(self.velocity)["weights"]

    # --- training --------------------------------------------------------------------------------

    def fit(
        self,
        x: Any,
        *,
        validation: Any = None,
        epochs: int | None = None,
        check_range: bool = True,
    ) -> History:
        """Train from where training stands; return the history.

        Parameters
        ----------
        x : array, memory map or sparse matrix, shape (n, visible_units)
            Or what else the machine trains on (see its ``examples``).
        validation : like x, optional
        epochs : int, optional
            How many more epochs at most; the trainer's ``epochs`` in all if not given.
        check_range : bool
            Whether values that the visible units cannot take are an error.

        Raises
        ------
        DivergenceError
            A bias that is not finite or beyond 1e6; names epoch, minibatch and learning rate.
        ValueError
            Examples of the wrong shape, not finite, empty, or out of the units' range.
        """
        rbm = self.rbm
        source = rbm.examples(x, "x", check_range)
        held_out = None
        if validation is not None:
            held_out = rbm.examples(validation, "validation x", check_range)
        elif self.early_stopping is not None:
            raise ValueError("early stopping needs validation examples: fit(x, validation=...)")
        batches = SourceBatches(
            source, batch_size=self.batch_size, shuffle=self.shuffle, seed=self.seed
        )
        chosen = np.random.Generator(np.random.PCG64([self.seed, 1])).permutation(source.size)
        wanted = MEASURED_ROWS if held_out is None else min(MEASURED_ROWS, held_out.size)
        self._sample = self._copies(source.take(np.sort(chosen[:wanted])))
        measured_on = None
        if held_out is not None:
            rows = min(len(self._sample[0]), held_out.size)
            measured_on = self._copies(held_out.take(np.arange(rows)))
        self._follow()
        if not self._started:
            self._start(source)
        self._updates = self._make_updates()
        return self._run(batches, measured_on, epochs)

    def _start(self, source: Any) -> None:
        """Biases and particles by the examples."""
        rbm = self.rbm
        if self.initialize_biases:
            rbm.initialize_biases(source.visible)
        if rbm.log_variance is not None:
            bounds = np.log(self.variance_bounds)
            np.clip(rbm.log_variance, *bounds, out=rbm.log_variance)
        if self.particles is not None and self.uniforms is None:
            rows = np.arange(len(self.particles)) % len(self._sample[0])
            rows = to_device(rbm.device, rows)
            fill(self.particles, rbm.sample_hiddens(*(part[rows] for part in self._sample)))
        self._started = True

    def _make_updates(self) -> ContrastiveDivergence:
        velocity = self.rbm.views(self.velocity)
        return ContrastiveDivergence(
            self.rbm.native,
            velocity["weights"],
            velocity["visible_bias"],
            velocity["hidden_bias"],
            particles=self.particles,
            fast_weights=self.fast_weights,
            activity=self.activity,
            **self.rbm.more_updates(velocity),
        )

    # --- the loop's questions --------------------------------------------------------------------

    @property
    def current_learning_rate(self) -> float:
        return self._rate

    def _schedule(self, epoch: float) -> None:
        self._rate, self._momentum = self.learning_rate(epoch), self.momentum(epoch)

    def _step(self, batch: Any) -> float:
        rbm, rate = self.rbm, self._rate
        assert self._updates is not None
        fast, variance = self.fast_learning_rate, self.variance_learning_rate
        options: dict[str, Any] = {}
        if len(batch) > 1:
            options["context"] = batch[1]
        if self.uniforms is not None:
            options["visible_uniforms"], options["hidden_uniforms"] = (
                to_device(rbm.device, each) for each in self.uniforms()
            )
            options["negative_scale"] = 1 / len(batch[0])
        if self.fast_weights is not None:
            options["fast_rate"] = self.learning_rate(0.0) if fast is None else fast
            options["fast_decay"] = self.fast_decay
        if rbm.learn_variance:
            lowest, highest = self.variance_bounds
            options["variance_rate"] = rate / 10 if variance is None else variance
            options["lowest_log_variance"] = np.log(lowest)
            options["highest_log_variance"] = np.log(highest)
        self._updates.update(
            batch[0],
            steps=self.steps,
            weight_rate=rate,
            bias_rate=rate,
            momentum=self._momentum,
            l1=self.l1,
            l2=self.l2,
            sparsity_target=self.sparsity_target,
            sparsity_cost=self.sparsity_cost,
            sparsity_decay=self.sparsity_decay,
            seed=rbm.seed,
            stream=rbm.next_streams(2 * self.steps + 1),
            **options,
        )
        # What is wrong with weights reaches the biases within an update or two.
        if self._looks():
            largest = max(float(np.abs(b).max()) for b in (rbm.visible_bias, rbm.hidden_bias))
            if not largest < LARGEST_BIAS:
                raise self._diverged(f"a bias of {largest:g}")
        return 0.0

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        rbm = self.rbm
        visible = self._sample[0]
        error = float(np.square(visible - rbm.reconstruct(*self._sample)).mean(dtype=np.float64))
        update = float(np.abs(self.weight_update).mean(dtype=np.float64))
        measured = {
            "reconstruction_error": error,
            "update_ratio": update / float(np.abs(rbm.weights).mean(dtype=np.float64)),
            "momentum": self._momentum,
        }
        if held_out is not None:
            seen = tuple(part[: len(held_out[0])] for part in self._sample)
            free_energy = float(rbm.free_energy(*seen).mean(dtype=np.float64))
            unseen = float(rbm.free_energy(*held_out).mean(dtype=np.float64))
            measured["free_energy"], measured["validation_free_energy"] = free_energy, unseen
            measured["free_energy_gap"] = unseen - free_energy
        return measured

    def _stopping_criterion(self, measured: dict[str, float]) -> float:
        return measured["free_energy_gap"]

    def _postfix(self, loss: float) -> str:
        errors = self.history.get("reconstruction_error")
        return f"reconstruction error {errors[-1]:.4g}" if errors else ""

    def _copies(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        """Copies of examples, where the machine lies."""
        return tuple(to_device(self.rbm.device, part.copy()) for part in parts)

    def _follow(self) -> None:
        """Bring what training keeps to where the machine lies."""
        for name in self._named_state():
            setattr(self, name, to_device(self.rbm.device, getattr(self, name)))

    def _named_state(self) -> dict[str, Array]:
        optional = {"particles": self.particles, "fast_weights": self.fast_weights}
        kept = {"velocity": self.velocity, "activity": self.activity}
        return kept | {name: array for name, array in optional.items() if array is not None}

    def _training_state(self) -> list[Array]:
        return [*super()._training_state(), *self._named_state().values()]

    def _identity(self) -> dict[str, Any]:
        particles = None if self.particles is None else len(self.particles)
        return super()._identity() | {
            "steps": self.steps,
            "particles": particles,
            "fast_weights": self.fast_weights is not None,
        }

    def _tensors(self) -> dict[str, Array]:
        return super()._tensors() | self._named_state()

    def _state(self) -> dict[str, Any]:
        return {"current": [self._rate, self._momentum]}

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        if any(name not in tensors for name in self._named_state()):
            raise CheckpointError("belongs to another training: its vectors differ")
        super()._load(tensors, state)
        for name, array in self._named_state().items():
            fill(array, tensors[name])
        self._rate, self._momentum = state["current"]
        self._started = True

    def __getstate__(self) -> dict[str, Any]:
        # Native objects stay behind; fit makes them anew.
        state = {name: to_host(array) for name, array in self._named_state().items()}
        return self.__dict__ | state | {"_updates": None, "_sample": (), "uniforms": None}
