"""Contrastive wake-sleep, the "up-down" algorithm, for a whole deep belief net."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import device_of, empty, to_device, to_host, zeros
from ictus.kernels.rbm import ContrastiveDivergence, DeltaRule, hidden_layer, visible_layer
from ictus.models.boltzmann.divergence import LARGEST_BIAS, MEASURED_ROWS
from ictus.models.boltzmann.gibbs import check_steps
from ictus.models.boltzmann.machine import fill
from ictus.models.boltzmann.training_options import not_negative, schedule
from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine
from ictus.models.examples import Rows, as_matrix, check_values
from ictus.train import (
    Callback,
    CheckpointError,
    Constant,
    History,
    Schedule,
    SourceBatches,
    TrainingLoop,
)

Array = NDArray[Any]


class LabelledRows:
    """Rows of a matrix, and where there are labels those of the same examples."""

    def __init__(self, x: Any, y: Array | None, dtype: Any) -> None:
        self._rows, self.y = Rows(x, dtype), y
        self.size = self._rows.size

    def take(self, rows: slice | Array) -> tuple[Array, ...]:
        """Return some rows; what was returned before may be overwritten."""
        taken = self._rows.take(rows)
        return taken if self.y is None else (*taken, self.y[rows])


class UpDownTrainer(TrainingLoop):
    """Trains all layers of a deep belief net together (Hinton, Osindero & Teh 2006, appendix B).

    For each minibatch, all statistics with the weights before the update:

    - wake: the layers are drawn upwards with the recognition weights; each generative layer
      learns to predict the states below from those above, by the delta rule.
    - The machine at the top learns by contrastive divergence from the states that it was given,
      and the labels.
    - sleep: from the end of that chain the layers are drawn downwards with the generative weights;
      each recognition layer learns to predict the states above from those below.

    The history has after each epoch "reconstruction_error" (mean squared, a unit, on a fixed
    sample) and with labels "label_error", the share of wrong labels on the sample, by free energy.

    Parameters
    ----------
    machine : DeepBeliefMachine
        Not tied.
    learning_rate, momentum : float or Schedule
    steps : int or Schedule
        Gibbs steps at the top for each update, rounded; the paper has 3, 6 and 10, each for a third
        of the epochs: ``Steps((3, 6, 10), (100, 200))``.
    persistent : bool
        Chains at the top go on from update to update, and so do the sleep phases.
    particles : int
        Number of persistent chains.
    l1, l2 : float
        Penalties on the weights, not on the biases.
    batch_size, epochs, shuffle, seed, callbacks, checkpoint, checkpoint_every, progress
        As of :class:`ictus.train.Trainer`.

    Attributes
    ----------
    machine : DeepBeliefMachine
    velocity : array, shape (parameter_count,)
        The last update of the parameters.
    particles : array, shape (particles, hidden_units), or None
    history : History
    """

    kind: ClassVar[str] = "machine"
    training_criterion: ClassVar[str] = "reconstruction_error"

    def __init__(
        self,
        machine: DeepBeliefMachine,
        *,
        learning_rate: float | Schedule = 0.01,
        momentum: float | Schedule = 0.0,
        steps: int | Schedule = 3,
        persistent: bool = False,
        particles: int = 100,
        l1: float = 0.0,
        l2: float = 0.0,
        batch_size: int = 100,
        epochs: int = 10,
        shuffle: bool = True,
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        progress: bool | None = None,
    ) -> None:
        if machine.tied:
            raise ValueError("machine must not be tied: give machine.untied()")
        super().__init__(
            machine,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            seed=seed,
            convergence=None,
            early_stopping=None,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            progress=progress,
        )
        self.machine = machine
        self.learning_rate = schedule("learning_rate", learning_rate, np.inf)
        self.momentum = schedule("momentum", momentum, 1.0)
        self.steps = steps if isinstance(steps, Schedule) else Constant(float(check_steps(steps)))
        self.l1, self.l2 = not_negative("l1", l1), not_negative("l2", l2)
        count = check_steps(particles, "particles")
        shape = (count, machine.hidden_units)
        self.particles: Array | None = zeros(machine.parameters, shape) if persistent else None
        self.velocity: Array = np.zeros_like(machine.parameters)
        self._started = False
        self._updates: UpDownUpdates | None = None
        self._rate = self._momentum = 0.0
        self._steps = 1
        self._sample: tuple[Array, ...] = ()

    # --- training --------------------------------------------------------------------------------

    def fit(self, x: Any, y: Any = None, *, epochs: int | None = None) -> History:
        """Train from where training stands; return the history.

        Parameters
        ----------
        x : array, memory map or sparse matrix, shape (n, visible_units)
        y : array of int, shape (n,)
            Labels, 0 .. labels - 1, where the machine has label units; else None.
        epochs : int, optional
            How many more epochs at most; the trainer's ``epochs`` in all if not given.

        Raises
        ------
        DivergenceError
            A bias that is not finite or beyond 1e6; names epoch, minibatch and learning rate.
        ValueError
            Examples of the wrong shape, not finite, empty, or out of the units' range; labels that
            are missing, unknown, or too many.
        """
        machine = self.machine
        x = as_matrix(x, machine.visible_units, "x")
        check_values(x, machine.visible_type, machine.group_size, "x")
        source = LabelledRows(x, check_labels(machine, y, x.shape[0]), machine.dtype)
        batches = SourceBatches(
            source, batch_size=self.batch_size, shuffle=self.shuffle, seed=self.seed
        )
        chosen = np.random.Generator(np.random.PCG64([self.seed, 1])).permutation(source.size)
        sample = source.take(np.sort(chosen[:MEASURED_ROWS]))
        self._sample = tuple(to_device(machine.device, a.copy()) for a in sample)
        self._follow()
        self._updates = UpDownUpdates(self, batches.batch_size)
        if not self._started:
            self._start()
        return self._run(batches, None, epochs)

    def _start(self) -> None:
        """Particles from the examples."""
        if self.particles is not None:
            machine = self.machine
            rows = np.arange(len(self.particles)) % len(self._sample[0])
            x, *y = (to_host(each)[rows] for each in self._sample)
            states = machine.upwards(x)
            if y:
                on = np.eye(machine.labels, dtype=states.dtype)[y[0]]
                states = np.concatenate([states, on], axis=1)
            fill(self.particles, machine.top.sample_hiddens(states))
        self._started = True

    # --- the loop's questions --------------------------------------------------------------------

    @property
    def current_learning_rate(self) -> float:
        return self._rate

    def _schedule(self, epoch: float) -> None:
        self._rate, self._momentum = self.learning_rate(epoch), self.momentum(epoch)
        self._steps = max(1, round(self.steps(epoch)))

    def _step(self, batch: Any) -> float:
        assert self._updates is not None
        rule = {
            "weight_rate": self._rate,
            "bias_rate": self._rate,
            "momentum": self._momentum,
            "l1": self.l1,
            "l2": self.l2,
        }
        self._updates.update(batch[0], batch[1] if len(batch) > 1 else None, self._steps, rule)
        # What is wrong with weights reaches the biases within an update or two.
        if self._looks():
            biases = [(part.visible_bias, part.hidden_bias) for part in self.machine.parts]
            largest = max(float(np.abs(bias).max()) for pair in biases for bias in pair)
            if not largest < LARGEST_BIAS:
                raise self._diverged(f"a bias of {largest:g}")
        return 0.0

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        x = self._sample[0]
        squares = np.square(x - self.machine.reconstruct(x))
        measured = {"reconstruction_error": float(squares.mean(dtype=np.float64))}
        if self.machine.labels:
            found = self.machine.log_label_probabilities(x).argmax(axis=1)
            measured["label_error"] = float((found != self._sample[1]).mean())
        return measured | {"momentum": self._momentum, "steps": float(self._steps)}

    def _postfix(self, loss: float) -> str:
        errors = self.history.get("reconstruction_error")
        return f"reconstruction error {errors[-1]:.4g}" if errors else ""

    def _follow(self) -> None:
        """Bring what training keeps to where the machine lies."""
        for name in self._named_state():
            setattr(self, name, to_device(self.machine.device, getattr(self, name)))

    def _named_state(self) -> dict[str, Array]:
        kept = {"velocity": self.velocity}
        return kept if self.particles is None else kept | {"particles": self.particles}

    def _training_state(self) -> list[Array]:
        return [*super()._training_state(), *self._named_state().values()]

    def _identity(self) -> dict[str, Any]:
        particles = None if self.particles is None else len(self.particles)
        return super()._identity() | {"particles": particles}

    def _tensors(self) -> dict[str, Array]:
        return super()._tensors() | self._named_state()

    def _state(self) -> dict[str, Any]:
        return {"current": [self._rate, self._momentum, self._steps]}

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        if any(name not in tensors for name in self._named_state()):
            raise CheckpointError("belongs to another training: its vectors differ")
        super()._load(tensors, state)
        for name, array in self._named_state().items():
            fill(array, tensors[name])
        self._rate, self._momentum, self._steps = state["current"]
        self._started = True

    def __getstate__(self) -> dict[str, Any]:
        # Native objects stay behind; fit makes them anew.
        state = {name: to_host(array) for name, array in self._named_state().items()}
        return self.__dict__ | state | {"_updates": None, "_sample": ()}


class UpDownUpdates:
    """One update of the whole net: the native objects, and room for the states of a minibatch."""

    def __init__(self, trainer: UpDownTrainer, rows: int) -> None:
        machine = self.machine = trainer.machine
        velocity = iter(machine.split(trainer.velocity))
        up = [part.views(next(velocity)) for part in machine.recognition]
        down = [part.views(next(velocity)) for part in machine.generative]
        top = machine.top.views(next(velocity))
        self.recognition = [
            DeltaRule(part.native, True, views["weights"], views["hidden_bias"])
            for part, views in zip(machine.recognition, up, strict=True)
        ]
        self.generative = [
            DeltaRule(part.native, False, views["weights"], views["visible_bias"])
            for part, views in zip(machine.generative, down, strict=True)
        ]
        self.top = ContrastiveDivergence(
            machine.top.native,
            top["weights"],
            top["visible_bias"],
            top["hidden_bias"],
            particles=trainer.particles,
        )
        chains = rows if trainer.particles is None else len(trainer.particles)
        self._persistent = trainer.particles is not None
        self._wake = [self._room(rows, part.hidden_units) for part in machine.recognition]
        self._sleep = [self._room(chains, part.visible_units) for part in machine.generative]
        self._given = self._room(rows, machine.top.visible_units)
        self._chain = self._room(chains, machine.top.visible_units)

    def _room(self, rows: int, units: int) -> Array:
        return empty(self.machine.parameters, (rows, units))  # type: ignore[no-any-return]

    def update(self, x: Array, y: Array | None, steps: int, rule: dict[str, Any]) -> None:
        """Wake, top, sleep, and then the updates of the layers below."""
        machine, rows = self.machine, len(x)
        stream = machine.next_streams(2 * len(self._wake) + 2 * steps + 1)
        states = x
        wake = [x, *(layer[:rows] for layer in self._wake)]
        for part, out in zip(machine.recognition, wake[1:], strict=True):
            hidden_layer(part.native, states, sample=out, seed=machine.seed, stream=stream)
            states, stream = out, stream + 1
        given = self._given[:rows]
        given[:, : machine.top_units] = states
        if y is not None:
            numbers = device_of(y).arrays.arange(machine.labels)
            given[:, machine.top_units :] = y[:, None] == numbers
        chain = self._chain if self._persistent else self._chain[:rows]
        self.top.update(
            given, steps=steps, chain_visible=chain, seed=machine.seed, stream=stream, **rule
        )
        stream += 2 * steps + 1
        states = chain[:, : machine.top_units]
        sleep = [layer[: len(chain)] for layer in self._sleep] + [states]
        for number in reversed(range(len(self._sleep))):
            part, out = machine.generative[number], sleep[number]
            visible_layer(part.native, states, sample=out, seed=machine.seed, stream=stream)
            states, stream = out, stream + 1
        for number, delta in enumerate(self.generative):
            delta.update(wake[number + 1], wake[number], **rule)
        for number, delta in enumerate(self.recognition):
            delta.update(sleep[number], sleep[number + 1], **rule)


def check_labels(machine: DeepBeliefMachine, y: Any, rows: int) -> Array | None:
    """Return labels as integers; ValueError for what is missing, unknown or too much."""
    if not machine.labels:
        if y is not None:
            raise ValueError("y must be None: the machine has no label units")
        return None
    if y is None:
        raise ValueError("y must be given: the machine has label units")
    y = np.asarray(y)
    if y.shape != (rows,) or y.dtype.kind not in "iu":
        raise ValueError(
            f"y must be integers of shape ({rows},), got dtype {y.dtype}, shape {y.shape}"
        )
    if not (y.min() >= 0 and y.max() < machine.labels):
        wrong = y[(y < 0) | (y >= machine.labels)][0]
        raise ValueError(f"y must be in 0 .. {machine.labels - 1}, got {wrong}")
    return np.asarray(y, np.int64)
