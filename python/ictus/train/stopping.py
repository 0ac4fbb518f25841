"""When training ends: convergence of the training loss, and early stopping on a validation set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Convergence:
    """Ends training when the training loss has not improved for ``patience`` epochs.

    Parameters
    ----------
    tolerance : float
        Least improvement of the best loss so far that counts.
    patience : int
        Epochs in a row without such an improvement.
    """

    def __init__(self, tolerance: float = 1e-4, patience: int = 10) -> None:
        if patience < 1:
            raise ValueError(f"{type(self).__name__}: patience must be positive, got {patience!r}")
        self.tolerance = float(tolerance)
        self.patience = int(patience)
        self.best = float("inf")
        self.waited = 0

    def update(self, loss: float) -> bool:
        """Take the loss of an epoch; return whether training should end."""
        if loss < self.best - self.tolerance:
            self.best = loss
            self.waited = 0
        else:
            self.best = min(self.best, loss)
            self.waited += 1
        return self.waited >= self.patience

    def state(self) -> dict[str, float]:
        """Return the numbers that a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def load_state(self, state: dict[str, float]) -> None:
        """Continue from what :meth:`state` gave."""
        self.best = float(state["best"])
        self.waited = int(state["waited"])


class EarlyStopping(Convergence):
    """Ends training when the validation score has not improved, and gives back the best weights.

    Prechelt 1998, "Early stopping, but when?". The score is the validation loss (lower is better),
    or what ``Trainer(score=...)`` returns (higher is better).

    Parameters
    ----------
    patience : int
        Epochs in a row without improvement.
    tolerance : float
        Least improvement that counts.
    restore : bool
        Whether the network gets the parameters of its best epoch at the end.

    Attributes
    ----------
    best_parameters : array or None
        Parameters of the best epoch so far.
    best_epoch : int
    """

    def __init__(self, patience: int = 10, tolerance: float = 0.0, *, restore: bool = True) -> None:
        super().__init__(tolerance, patience)
        self.restore = bool(restore)
        self.best_parameters: Array | None = None
        self.best_epoch = -1

    def observe(self, loss: float, epoch: int, parameters: Array) -> bool:
        """Take the validation loss after an epoch; return whether training should end."""
        if loss < self.best:
            if self.best_parameters is None:
                self.best_parameters = np.empty_like(parameters)
            self.best_parameters[...] = parameters
            self.best_epoch = epoch
        return self.update(loss)

    def state(self) -> dict[str, float]:
        return super().state() | {"best_epoch": self.best_epoch}

    def load_state(self, state: dict[str, float]) -> None:
        super().load_state(state)
        self.best_epoch = int(state["best_epoch"])


class GapStopping(EarlyStopping):
    """Ends training when a gap has been above a limit, and gives back the last weights below it.

    For energy models: the free-energy gap between held-out and training examples is how much more
    probable, in nats an example, the machine finds what it has seen (Hinton 2010, section 6).

    Parameters
    ----------
    limit : float
        The largest gap that is no overfitting.
    patience : int
        Epochs in a row above the limit.
    restore : bool
        Whether the model gets the parameters of its last epoch below the limit at the end.
    """

    def __init__(self, limit: float, patience: int = 5, *, restore: bool = True) -> None:
        super().__init__(patience, restore=restore)
        if not limit > 0:
            raise ValueError(f"GapStopping: limit must be positive, got {limit!r}")
        self.limit = float(limit)

    def observe(self, loss: float, epoch: int, parameters: Array) -> bool:
        """Take the gap after an epoch; return whether training should end."""
        if loss > self.limit:
            self.waited += 1
            return self.waited >= self.patience
        self.waited = 0
        self.best = loss
        self.best_epoch = epoch
        if self.best_parameters is None:
            self.best_parameters = np.empty_like(parameters)
        self.best_parameters[...] = parameters
        return False
