"""The one training loop: epochs, stopping, divergence, Ctrl-C, checkpoints; trainers fill it in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import device_of, to_device, to_host
from ictus.train.batches import BatchOrder
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ictus.train.history import History
from ictus.train.interrupt import AbandonedError, InterruptGuard
from ictus.train.progress import Bar, progress_bar
from ictus.train.stopping import Convergence, EarlyStopping
from ictus.train.transfer import TransferredBatches

Array = NDArray[Any]
Callback = Callable[[Any, int], Any]
Result = TypeVar("Result")

#: Minibatches from one look at a model on a GPU, whether it diverges, to the next.
LOOKS_EVERY = 32


class DivergenceError(ArithmeticError):
    """Training met a loss or parameters that are not finite, or explode.

    The model has the parameters of the end of the last epoch again (or its initial ones).
    """


class Model(Protocol):
    """What the loop needs of a model."""

    parameters: Array
    draw_count: int

    def config(self) -> dict[str, Any]: ...


class TrainingLoop:
    """Base of the trainers: passes over the data until epochs, convergence or stopping end them.

    A trainer says what an update is (:meth:`_step`), what is measured after an epoch
    (:meth:`_measure`) and what a checkpoint keeps (:meth:`_tensors`, :meth:`_state`,
    :meth:`_load`). Parameters: see :class:`ictus.train.Trainer`.

    Attributes
    ----------
    epoch, batch : int
        Where training stands: complete epochs, and minibatches of the current one.
    history : History
    data_digest : str or None
        Names the data, where the caller wants a checkpoint of other data to be refused.
    """

    #: What the model is called in messages and checkpoints.
    kind: ClassVar[str] = "model"
    #: The number of the history that convergence goes by.
    training_criterion: ClassVar[str] = "loss"

    def __init__(
        self,
        model: Model,
        *,
        batch_size: int,
        epochs: int,
        shuffle: bool,
        seed: int,
        convergence: Convergence | None,
        early_stopping: EarlyStopping | None,
        callbacks: Sequence[Callback],
        checkpoint: str | os.PathLike[str] | None,
        checkpoint_every: int,
        progress: bool | None,
    ) -> None:
        if int(epochs) != epochs or epochs < 0:
            raise ValueError(f"epochs must be a non-negative integer, got {epochs!r}")
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every must be positive, got {checkpoint_every!r}")
        self._model = model
        self.batch_size, self.epochs, self.shuffle = batch_size, int(epochs), shuffle
        self.seed = int(seed)
        self.convergence, self.early_stopping = convergence, early_stopping
        self.callbacks = list(callbacks)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.checkpoint_every = int(checkpoint_every)
        self.progress = progress
        self.epoch = 0
        self.batch = 0
        self.history = History()
        self.data_digest: str | None = None
        self._loss_sum = 0.0
        self._seconds = 0.0
        self._bar: Bar | None = None
        self._guard = InterruptGuard()

    # --- what a trainer says ---------------------------------------------------------------------

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the last update."""
        raise NotImplementedError

    def _schedule(self, epoch: float) -> None:
        """Set what depends on the epoch, before each minibatch."""

    def _step(self, batch: Any) -> float:
        """Make one update; return the mean loss of the minibatch. Raises DivergenceError."""
        raise NotImplementedError

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        """Return what the history notes of an epoch of this mean loss."""
        raise NotImplementedError

    def _stopping_criterion(self, measured: dict[str, float]) -> float:
        """Return the number that early stopping goes by, lower is better."""
        raise NotImplementedError

    def _kept(self) -> Array:
        """Return the vector that the best epoch gives back."""
        return self._model.parameters

    def _training_state(self) -> list[Array]:
        """Return what divergence puts back."""
        return [self._model.parameters]

    def _postfix(self, loss: float) -> str:
        return f"loss {loss:.4f}"

    def _identity(self) -> dict[str, Any]:
        """Return what a checkpoint must have in common with this training."""
        config = self._model.config()
        identity = {self.kind: config, "batch_size": self.batch_size, "seed": self.seed}
        return identity if self.data_digest is None else identity | {"data": self.data_digest}

    def _tensors(self) -> dict[str, Array]:
        return {"parameters": self._model.parameters}

    def _state(self) -> dict[str, Any]:
        return {}

    def _load(self, tensors: dict[str, Array], state: dict[str, Any]) -> None:
        """Take what :meth:`_tensors` and :meth:`_state` gave; CheckpointError if it is foreign."""
        parameters = self._model.parameters
        parameters[...] = to_device(device_of(parameters).name, tensors["parameters"])

    # --- the loop --------------------------------------------------------------------------------

    def _run(self, batches: BatchOrder, held_out: Any, epochs: int | None) -> History:
        """Train from where training stands; return the history."""
        last = self.epochs if epochs is None else self.epoch + epochs
        self.history.stopped, self.history.interrupted = "epochs", False
        device = device_of(self._model.parameters).name
        if device != "cpu" and self._takes_transferred():
            batches = TransferredBatches(batches, device)
        done = min(self.epoch * batches.size + self.batch * batches.batch_size, last * batches.size)
        bar = self._bar = progress_bar(self.progress, last * batches.size, done, "training")
        try:
            with InterruptGuard() as guard:
                self._guard = guard
                while self.epoch < last:
                    self._run_epoch(batches, bar, guard)
                    if self._stop_requested(guard):
                        self.history.interrupted, self.history.stopped = True, "interrupted"
                        break
                    if self._finish_epoch(batches, held_out):
                        break
        finally:
            bar.close()
            self._guard = InterruptGuard()
        if self.checkpoint is not None:
            self.save(self.checkpoint)
        if self.early_stopping is not None and self.early_stopping.restore:
            best = self.early_stopping.best_parameters
            if best is not None and not self.history.interrupted:
                kept = self._kept()
                kept[...] = to_device(device_of(kept).name, best)
        return self.history

    def _end(self) -> str:
        """Return why the rule of updates has come to its end, if it has."""
        return ""

    def _stop_requested(self, guard: InterruptGuard) -> bool:
        return guard.requested

    def _abandonable(
        self, work: Callable[[], Result], put_back: Callable[[], None] = lambda: None
    ) -> Result:
        """Return what ``work`` returns; Ctrl-C ends it at once, and random draws are taken back.

        For what changes nothing else, or is put back by the other function, before AbandonedError
        passes. (A context manager of its own could itself be left where it ends.)
        """
        draws = self._model.draw_count
        try:
            with self._guard.abandoning():
                return work()
        except AbandonedError:
            self._model.draw_count = draws
            put_back()
            raise

    def _report(self, text: str) -> None:
        """Say how far an update has come, where updates take long."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"epoch {self.epoch + 1} {text}")

    def _run_epoch(self, batches: BatchOrder, bar: Any, guard: InterruptGuard) -> None:
        good = [(array, array.copy()) for array in self._training_state()]
        if self.batch == 0:
            self._loss_sum = self._seconds = 0.0
        started = time.perf_counter()
        shown = started
        try:
            for batch in batches.epoch(self.epoch, self.batch):
                self._schedule(self.epoch + self.batch / len(batches))
                rows = len(batch[0])
                self._loss_sum += self._step(batch) * rows
                self.batch += 1
                bar.update(rows)
                if time.perf_counter() - shown > 0.2:
                    shown = time.perf_counter()
                    seen = min(self.batch * batches.batch_size, batches.size)
                    text = self._postfix(self._loss_sum / seen)
                    bar.set_postfix_str(f"epoch {self.epoch + 1} {text}")
                if self._stop_requested(guard):
                    break
            if not np.isfinite(self._model.parameters).all():
                raise self._diverged("weights that are not finite")
        except AbandonedError:
            pass  # as if this minibatch had not begun
        except DivergenceError:
            for array, values in good:
                array[...] = values
            self.batch = 0
            raise
        self._seconds += time.perf_counter() - started

    def _takes_transferred(self) -> bool:
        """Whether updates of a model on a GPU take minibatches there."""
        return True

    def _looks(self) -> bool:
        """Whether the parameters are looked at after this minibatch.

        On a GPU not after each: to look is to wait.
        """
        return device_of(self._model.parameters).name == "cpu" or self.batch % LOOKS_EVERY == 0

    def _advice(self) -> str:
        return "Try a lower learning rate."

    def _diverged(self, what: str) -> DivergenceError:
        return DivergenceError(
            f"training diverged: {what} in epoch {self.epoch + 1}, minibatch {self.batch + 1}, "
            f"with learning rate {self.current_learning_rate:g}; the {self.kind} has the weights "
            f"of the last complete epoch again. {self._advice()}"
        )

    def _finish_epoch(self, batches: BatchOrder, held_out: Any) -> bool:
        """Measure, write a checkpoint, and return whether training ends."""
        measured = {"seconds": self._seconds, "learning_rate": self.current_learning_rate}
        stop = ""
        end, self.epoch, self.batch = self.batch, self.epoch + 1, 0
        try:
            loss = self._loss_sum / batches.size
            measured |= self._abandonable(lambda: self._measure(loss, held_out))
        except AbandonedError:  # the epoch has still to be finished
            self.epoch, self.batch = self.epoch - 1, end
            return False
        if self.early_stopping is not None and self.early_stopping.observe(
            self._stopping_criterion(measured), self.epoch, to_host(self._kept())
        ):
            stop = "early stopping"
        self.history.append(**measured)
        if self.convergence is not None and self.convergence.update(
            measured[self.training_criterion]
        ):
            stop = stop or "converged"
        stop = stop or self._end()
        if any([callback(self, self.epoch) for callback in self.callbacks]):
            stop = stop or "callback"
        if self.checkpoint is not None and self.epoch % self.checkpoint_every == 0:
            self.save(self.checkpoint)
        if stop:
            self.history.stopped = stop
        return bool(stop)

    # --- checkpoints -----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint of the whole training, atomically."""
        tensors = {name: to_host(array) for name, array in self._tensors().items()}
        state = self._identity() | {
            "draw_count": self._model.draw_count,
            "epoch": self.epoch,
            "batch": self.batch,
            "loss_sum": self._loss_sum,
            "seconds": self._seconds,
            "history": dict(self.history),
        }
        state |= self._state()
        if self.convergence is not None:
            state["convergence"] = self.convergence.state()
        if self.early_stopping is not None:
            state["early_stopping"] = self.early_stopping.state()
            if self.early_stopping.best_parameters is not None:
                tensors["best_parameters"] = self.early_stopping.best_parameters
        save_checkpoint(path, tensors, state)

    def resume(self, path: str | os.PathLike[str] | None = None) -> bool:
        """Go on from a checkpoint (``checkpoint`` if no path is given); False if there is none.

        Training then ends with the same bits as without the interruption, given the same data.

        Raises
        ------
        CheckpointError
            The file is damaged, or belongs to another model, training, batch size or seed.
        """
        path = self.checkpoint if path is None else Path(path)
        if path is None or not path.exists():
            return False
        tensors, state = load_checkpoint(path)
        try:
            for key, value in self._identity().items():
                if state.get(key) != value:
                    raise CheckpointError(f"belongs to another training: its {key} differs")
            self._load(tensors, state)
        except CheckpointError as error:
            raise CheckpointError(f"{path} {error}") from None
        self._model.draw_count = state["draw_count"]
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._loss_sum, self._seconds = state["loss_sum"], state["seconds"]
        self.history = History(state["history"])
        if self.convergence is not None and "convergence" in state:
            self.convergence.load_state(state["convergence"])
        if self.early_stopping is not None and "early_stopping" in state:
            self.early_stopping.load_state(state["early_stopping"])
            self.early_stopping.best_parameters = tensors.get("best_parameters")
        return True
