"""The one loop that trains every gradient-trained model."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import Network
from ictus.optim import SGD, Optimizer
from ictus.train.batches import Batches
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ictus.train.history import History
from ictus.train.interrupt import InterruptGuard
from ictus.train.progress import progress_bar
from ictus.train.schedules import Schedule
from ictus.train.stopping import Convergence, EarlyStopping

Array = NDArray[Any]
Score = Callable[[Network, Array, Array], float]
Callback = Callable[["Trainer", int], Any]


class DivergenceError(ArithmeticError):
    """Training met a loss or weights that are not finite.

    The network has the parameters of the end of the last epoch again (or its initial ones).
    """


class Trainer:
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

    Attributes
    ----------
    epoch, batch : int
        Where training stands: complete epochs, and minibatches of the current one.
    history : History
    """

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
    ) -> None:
        if int(epochs) != epochs or epochs < 0:
            raise ValueError(f"epochs must be a non-negative integer, got {epochs!r}")
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every must be positive, got {checkpoint_every!r}")
        self.network = network
        self.optimizer = SGD(0.1, momentum=0.9) if optimizer is None else optimizer
        self.batch_size, self.epochs, self.shuffle = batch_size, int(epochs), shuffle
        self.seed = int(seed)
        self.learning_rate, self.momentum = learning_rate, momentum
        self.convergence, self.early_stopping, self.score = convergence, early_stopping, score
        self.callbacks = list(callbacks)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.checkpoint_every = int(checkpoint_every)
        self.progress = progress
        self.epoch = 0
        self.batch = 0
        self.history = History()
        self._loss_sum = 0.0
        self._seconds = 0.0

    # --- the loop ------------------------------------------------------------------------------

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
        x : array, shape (n, input_size)
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
        last = self.epochs if epochs is None else self.epoch + epochs
        self.history.stopped, self.history.interrupted = "epochs", False
        done = min(self.epoch * batches.size + self.batch * batches.batch_size, last * batches.size)
        bar = progress_bar(self.progress, last * batches.size, done, "training")
        try:
            with InterruptGuard() as guard:
                while self.epoch < last:
                    self._run_epoch(batches, bar, guard)
                    if guard.requested:
                        self.history.interrupted, self.history.stopped = True, "interrupted"
                        break
                    if self._finish_epoch(batches, held_out):
                        break
        finally:
            bar.close()
        if self.checkpoint is not None:
            self.save(self.checkpoint)
        if self.early_stopping is not None and self.early_stopping.restore:
            best = self.early_stopping.best_parameters
            if best is not None and not self.history.interrupted:
                self.network.parameters[...] = best
        return self.history

    def _run_epoch(self, batches: Batches, bar: Any, guard: InterruptGuard) -> None:
        network, optimizer = self.network, self.optimizer
        good = network.parameters.copy()
        if self.batch == 0:
            self._loss_sum = self._seconds = 0.0
        started = time.perf_counter()
        shown = started
        for x, y, weights in batches.epoch(self.epoch, self.batch):
            self._apply_schedules(self.epoch + self.batch / len(batches))
            loss = network.loss_and_gradient(x, y, weights)
            if not math.isfinite(loss):
                network.parameters[...] = good
                self._diverged(f"loss {loss}")
            optimizer.step(network.parameters, network.gradient)
            self._loss_sum += loss * len(x)
            self.batch += 1
            bar.update(len(x))
            if time.perf_counter() - shown > 0.2:
                shown = time.perf_counter()
                seen = min(self.batch * batches.batch_size, batches.size)
                bar.set_postfix_str(f"epoch {self.epoch + 1} loss {self._loss_sum / seen:.4f}")
            if guard.requested:
                break
        self._seconds += time.perf_counter() - started
        if not np.isfinite(network.parameters).all():
            network.parameters[...] = good
            self._diverged("weights that are not finite")

    def _apply_schedules(self, epoch: float) -> None:
        if self.learning_rate is not None:
            self.optimizer.learning_rate = self.learning_rate(epoch)
        if self.momentum is not None:
            self.optimizer.momentum = self.momentum(epoch)  # type: ignore[attr-defined]

    def _diverged(self, what: str) -> None:
        raise DivergenceError(
            f"training diverged: {what} in epoch {self.epoch + 1}, minibatch {self.batch + 1}, "
            f"with learning rate {self.optimizer.learning_rate:g}; the network has the weights of "
            "the last complete epoch again. Try a lower learning rate."
        )

    def _finish_epoch(self, batches: Batches, held_out: tuple[Array, Array] | None) -> bool:
        """Measure, write a checkpoint, and return whether training ends."""
        loss = self._loss_sum / batches.size
        measured = {
            "loss": loss,
            "seconds": self._seconds,
            "learning_rate": self.optimizer.learning_rate,
        }
        stop = ""
        self.epoch, self.batch = self.epoch + 1, 0
        if held_out is not None:
            criterion = measured["validation_loss"] = self.network.loss(*held_out)
            if self.score is not None:
                measured["validation_score"] = self.score(self.network, *held_out)
                criterion = -measured["validation_score"]
            if self.early_stopping is not None and self.early_stopping.observe(
                criterion, self.epoch, self.network.parameters
            ):
                stop = "early stopping"
        self.history.append(**measured)
        if self.convergence is not None and self.convergence.update(loss):
            stop = stop or "converged"
        if any([callback(self, self.epoch) for callback in self.callbacks]):
            stop = stop or "callback"
        if self.checkpoint is not None and self.epoch % self.checkpoint_every == 0:
            self.save(self.checkpoint)
        if stop:
            self.history.stopped = stop
        return bool(stop)

    # --- data ----------------------------------------------------------------------------------

    def _checked(self, x: Any, y: Any, what: str = "") -> tuple[Array, Array]:
        x = np.asanyarray(x)
        if x.ndim != 2 or x.shape[1] != self.network.input_size:
            raise ValueError(
                f"{what}x must have shape (rows, {self.network.input_size}), got {x.shape}"
            )
        if len(x) == 0:
            raise ValueError(f"{what}x must have at least one row, got 0")
        for first in range(0, len(x), 4096):  # in parts: x may be a memory map
            part = np.isfinite(x[first : first + 4096]).all(axis=1)
            if not part.all():
                raise ValueError(
                    f"{what}x must be finite, row {first + int(np.argmin(part))} is not"
                )
        network = self.network
        targets = network.loss_function.check_targets(y, len(x), network.output_size, network.dtype)
        return x, targets

    def _batches(self, x: Any, y: Any, weights: Any) -> Batches:
        x, y = self._checked(x, y)
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if weights.shape != (len(x),):
                raise ValueError(f"weights must have shape ({len(x)},), got {weights.shape}")
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
                raise ValueError("weights must be finite, not negative, and not all zero")
            weights = np.ascontiguousarray(weights / weights.mean(), self.network.dtype)
        return Batches(
            x,
            y,
            weights,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            dtype=self.network.dtype,
        )

    # --- checkpoints -----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint of the whole training, atomically."""
        tensors = {"parameters": self.network.parameters}
        tensors |= {f"optimizer.{name}": v for name, v in self.optimizer.state.items()}
        state: dict[str, Any] = {
            "network": self.network.config(),
            "optimizer": self.optimizer.config(),
            "steps": self.optimizer.steps,
            "draw_count": self.network.draw_count,
            "epoch": self.epoch,
            "batch": self.batch,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "loss_sum": self._loss_sum,
            "seconds": self._seconds,
            "history": dict(self.history),
        }
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
            The file is damaged, or belongs to another network, optimiser, batch size or seed.
        """
        path = self.checkpoint if path is None else Path(path)
        if path is None or not path.exists():
            return False
        tensors, state = load_checkpoint(path)
        mine = {
            "network": self.network.config(),
            "batch_size": self.batch_size,
            "seed": self.seed,
        }
        for key, value in mine.items():
            if state.get(key) != value:
                raise CheckpointError(f"{path} belongs to another training: its {key} differs")
        if state["optimizer"]["name"] != self.optimizer.name:
            raise CheckpointError(f"{path} belongs to another training: its optimizer differs")
        self.network.parameters[...] = tensors["parameters"]
        self.network.draw_count = state["draw_count"]
        for name in self.optimizer.vectors:
            if f"optimizer.{name}" in tensors:
                self.optimizer.state[name] = tensors[f"optimizer.{name}"]
        self.optimizer.steps = state["steps"]
        for name in ("learning_rate", "momentum"):  # what the schedules had set last
            if name in state["optimizer"]:
                setattr(self.optimizer, name, state["optimizer"][name])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._loss_sum, self._seconds = state["loss_sum"], state["seconds"]
        self.history = History(state["history"])
        if self.convergence is not None and "convergence" in state:
            self.convergence.load_state(state["convergence"])
        if self.early_stopping is not None and "early_stopping" in state:
            self.early_stopping.load_state(state["early_stopping"])
            self.early_stopping.best_parameters = tensors.get("best_parameters")
        return True
