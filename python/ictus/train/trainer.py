"""Training of networks by gradients: the loop's update, measurements and checkpoint."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import to_device, to_host
from ictus.nn import Network
from ictus.optim import SGD, BreakdownError, HessianFree, Optimizer
from ictus.optim.iteration import Iteration, log_of
from ictus.train.augmentation import Augmentation, AugmentedBatches
from ictus.train.batches import Batches, BatchOrder
from ictus.train.checkpoint import CheckpointError
from ictus.train.distributed import Processes
from ictus.train.history import History
from ictus.train.interrupt import InterruptGuard
from ictus.train.loop import Callback, Result, TrainingLoop
from ictus.train.objective import NetworkObjective, check_deterministic, shared_gradient
from ictus.train.schedules import Schedule
from ictus.train.stopping import Convergence, EarlyStopping

Array = NDArray[Any]
Score = Callable[[Network, Array, Array], float]


class Trainer(TrainingLoop):
    """Trains a network by minibatches until epochs, convergence, or early stopping end it.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer, optional
        ``SGD(0.1, momentum=0.9)`` if not given.
    batch_size : int
        1: stochastic gradients; the size of the data or more: batch gradients.
    epochs : int
        The most passes over the data, counted over all calls of :meth:`fit`.
    shuffle : bool
        Whether each epoch takes the examples in a new order (from ``seed`` and the epoch).
    seed : int
    learning_rate, momentum : Schedule, optional
        Set the optimiser's attribute before every minibatch.
    convergence : Convergence, optional
        On the training loss.
    early_stopping : EarlyStopping, optional
        On the validation set that :meth:`fit` gets.
    score : callable, optional
        ``score(network, x, y)`` on the validation set, higher is better; early stopping uses it
        instead of the validation loss.
    callbacks : sequence of callables
        Called as ``callback(trainer, epoch)`` after each epoch; a true answer ends training.
    checkpoint : path, optional
        Written after every ``checkpoint_every`` epochs, at the end, and at Ctrl-C.
    progress : bool, optional
        Progress bar; None: where standard error is a terminal.
    augmentation : callable or sequence of callables, optional
        Changes the examples of each minibatch, as ``augmentation(x, generator)``, on a thread of
        its own while the one before is trained on: :class:`ictus.train.Distortion`,
        :class:`ictus.train.SpectrogramMask`, or your own.
    comm : mpi4py.MPI.Comm, optional
        Data-parallel training: each process works on its share of every minibatch, and gradients
        and curvature products are summed. All processes get the same data and arguments.

    Attributes
    ----------
    epoch, batch : int
        Where training stands: complete epochs, and minibatches of the current one.
    history : History
    """

    kind: ClassVar[str] = "network"

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer | None = None,
        *,
        batch_size: int = 100,
        epochs: int = 100,
        shuffle: bool = True,
        seed: int = 0,
        learning_rate: Schedule | None = None,
        momentum: Schedule | None = None,
        convergence: Convergence | None = None,
        early_stopping: EarlyStopping | None = None,
        score: Score | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        progress: bool | None = None,
        augmentation: Augmentation | Sequence[Augmentation] | None = None,
        comm: Any = None,
    ) -> None:
        self.processes = Processes(comm)
        super().__init__(
            network,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            seed=seed,
            convergence=convergence,
            early_stopping=early_stopping,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            progress=progress if self.processes.rank == 0 else False,
        )
        if isinstance(optimizer, HessianFree):
            check_deterministic(network)
        self.network = network
        self.optimizer = SGD(0.1, momentum=0.9) if optimizer is None else optimizer
        self.learning_rate, self.momentum, self.score = learning_rate, momentum, score
        self.augmentation = augmentation

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        weights: Any = None,
        validation: tuple[Any, Any] | None = None,
        epochs: int | None = None,
    ) -> History:
        """Train from where training stands; return the history.

        Parameters
        ----------
        x : array, shape (n, *input_shape)
            Memory maps are read a minibatch at a time.
        y : array
            Labels (n,), or targets (n,) or (n, output_size), as the loss needs them.
        weights : array, shape (n,), optional
            Non-negative weights of the examples; scaled to a mean of 1.
        validation : (x, y), optional
        epochs : int, optional
            How many more epochs at most; the trainer's ``epochs`` in all if not given.

        Raises
        ------
        DivergenceError
            The loss or the weights are not finite; names epoch, minibatch and learning rate.
        ValueError
            Data of the wrong shape, not finite, empty, or labels out of range.
        """
        batches = self._batches(x, y, weights)
        held_out = None if validation is None else self._checked(*validation, "validation ")
        if self.early_stopping is not None and held_out is None:
            raise ValueError("early stopping needs validation data: fit(..., validation=(x, y))")
        self.optimizer.prepare(
            self.network.parameters, self.network.weight_segments, self.network.weight_matrices
        )
        return self._run(batches, held_out, epochs)

    # --- the loop's questions --------------------------------------------------------------------

    @property
    def current_learning_rate(self) -> float:
        return float(self.optimizer.learning_rate)

    def _schedule(self, epoch: float) -> None:
        if self.learning_rate is not None:
            self.optimizer.learning_rate = self.learning_rate(epoch)
        if self.momentum is not None:
            self.optimizer.momentum = self.momentum(epoch)  # type: ignore[attr-defined]

    def _step(self, batch: Any) -> float:
        if isinstance(self.optimizer, HessianFree):
            return self._iterate(self.optimizer, batch)
        if self.processes.alone:
            loss = self._abandonable(lambda: self.network.loss_and_gradient(*batch))
        else:
            loss = shared_gradient(self.network, batch, self.processes)
        self._update(loss)
        return loss

    def _takes_transferred(self) -> bool:
        # Processes cut their shares, and curvature its parts, out of what is on the host.
        return self.processes.alone and not isinstance(self.optimizer, HessianFree)

    def _abandonable(
        self, work: Callable[[], Result], put_back: Callable[[], None] = lambda: None
    ) -> Result:
        if not self.processes.alone:  # all must leave at the same place
            return work()
        running = self.network.state.copy()  # of batch normalization

        def put_all_back() -> None:
            self.network.state[...] = running
            put_back()

        return super()._abandonable(work, put_all_back)

    def _iterate(self, optimizer: HessianFree, batch: Any) -> float:
        """Make one iteration with curvature on a batch; return its loss afterwards."""
        parameters = self.network.parameters
        before, damping, steps = parameters.copy(), optimizer.damping, optimizer.steps
        state = {name: values.copy() for name, values in optimizer.state.items()}

        def put_back() -> None:
            parameters[...] = before
            optimizer.damping, optimizer.steps = damping, steps
            for name in list(optimizer.state):
                if name in state:
                    optimizer.state[name][...] = state[name]
                else:
                    del optimizer.state[name]

        try:
            objective = NetworkObjective(self.network, batch, self.processes)
            log = self._abandonable(lambda: optimizer.iterate(objective, self._report), put_back)
        except BreakdownError as error:
            raise self._diverged(str(error)) from error
        return log.new_loss - log.penalty

    def _update(self, loss: float) -> None:
        """Move the parameters along the gradient that came with this loss."""
        if not math.isfinite(loss):
            raise self._diverged(f"loss {loss}")
        self.optimizer.step(self.network.parameters, self.network.gradient)

    def save(self, path: str | os.PathLike[str]) -> None:
        if self.processes.rank == 0:
            super().save(path)

    def _stop_requested(self, guard: InterruptGuard) -> bool:
        # All processes must leave at the same place.
        return self.processes.sum(float(guard.requested)) > 0

    def _end(self) -> str:
        if not isinstance(self.optimizer, HessianFree):
            return ""
        reason = self.optimizer.exhausted
        if reason:
            warnings.warn(
                f"hessian-free training ends in epoch {self.epoch}: {reason}, damping "
                f"{self.optimizer.damping:.3g}; the {self.kind} has its best weights",
                RuntimeWarning,
                stacklevel=2,
            )
        return reason

    def _advice(self) -> str:
        if isinstance(self.optimizer, HessianFree):
            return "Try a larger damping."
        return super()._advice()

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        measured = {"loss": loss}
        if isinstance(self.optimizer, HessianFree) and self.optimizer.iteration is not None:
            measured |= log_of(self.optimizer.iteration)
        if held_out is None:
            return measured
        measured["validation_loss"] = self.network.loss(*held_out)
        if self.score is not None:
            measured["validation_score"] = self.score(self.network, *held_out)
        return measured

    def _stopping_criterion(self, measured: dict[str, float]) -> float:
        if self.score is not None:
            return -measured["validation_score"]
        return measured["validation_loss"]

    def _kept(self) -> Array:
        return self.network.numbers

    def _training_state(self) -> list[Array]:
        # A velocity that is not finite would spoil the next attempt, too.
        return [self.network.numbers, *self.optimizer.state.values()]

    def _tensors(self) -> dict[str, Array]:
        state = self.optimizer.state.items()
        tensors = super()._tensors() | {f"optimizer.{name}": to_host(v) for name, v in state}
        return tensors | self.network.tensors()

    def _state(self) -> dict[str, Any]:
        state = {"optimizer": self.optimizer.config(), "steps": self.optimizer.steps}
        if isinstance(self.optimizer, HessianFree) and self.optimizer.iteration is not None:
            state["iteration"] = asdict(self.optimizer.iteration)  # the history has yet to note it
        return state

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        if state["optimizer"]["name"] != self.optimizer.name:
            raise CheckpointError(
                "the checkpoint belongs to another training: its optimizer differs"
            )
        super()._load(tensors, state)
        if self.network.state.size:
            self.network.state[...] = to_device(self.network.device, tensors["state"])
        for name, values in tensors.items():
            if name.startswith("optimizer."):
                self.optimizer.state[name.removeprefix("optimizer.")] = to_device(
                    self.network.device, values
                )
        self.optimizer.steps = state["steps"]
        if isinstance(self.optimizer, HessianFree) and "iteration" in state:
            self.optimizer.iteration = Iteration(**state["iteration"])
        for name in self.optimizer.scheduled:  # what schedules and rules had set last
            if name in state["optimizer"]:
                setattr(self.optimizer, name, state["optimizer"][name])

    # --- data ----------------------------------------------------------------------------------

    def _shuffles(self, size: int) -> bool:
        # A batch of all examples is the same in any order, and is not copied in its own.
        return self.shuffle and not (
            isinstance(self.optimizer, HessianFree) and self.batch_size >= size
        )

    def _checked(self, x: Any, y: Any, what: str = "") -> tuple[Array, Array]:
        x = self.network.examples(x, f"{what}x")
        if len(x) == 0:
            raise ValueError(f"{what}x must have at least one row, got 0")
        for first in range(0, len(x), 4096):  # in parts: x may be a memory map
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
                part = np.asarray(x[first : first + 4096]).astype(self.network.dtype, copy=False)
            finite = np.isfinite(part).all(axis=tuple(range(1, x.ndim)))
            if not finite.all():
                row = first + int(np.argmin(finite))
                raise ValueError(f"{what}x must be finite in {part.dtype}, row {row} is not")
        return x, self.network.checked_targets(y, x)

    def _batches(self, x: Any, y: Any, weights: Any) -> BatchOrder:
        x, y = self._checked(x, y)
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if weights.shape != (len(x),):
                raise ValueError(f"weights must have shape ({len(x)},), got {weights.shape}")
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
                raise ValueError("weights must be finite, not negative, and not all zero")
            weights = np.ascontiguousarray(weights / weights.mean(), self.network.dtype)
        batches = Batches(
            x,
            y,
            weights,
            batch_size=self.batch_size,
            shuffle=self._shuffles(len(x)),
            seed=self.seed,
            dtype=self.network.dtype,
        )
        if self.augmentation is None:
            return batches
        return AugmentedBatches(batches, self.augmentation)
