"""What was measured in each epoch of training."""

from __future__ import annotations

from typing import Any


class History(dict[str, list[float]]):
    """Lists of numbers by name, one entry an epoch: ``history["loss"][-1]``.

    ``ictus.plot.learning_curve(history)`` draws it.

    Names: "seconds", "learning_rate", and of networks "loss" (mean training loss, dropout active),
    with a validation set "validation_loss" and "validation_score" where a score is given; of
    energy models what :class:`ictus.models.DivergenceTrainer` names.

    Parameters
    ----------
    *arguments
        As of dict.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended training.
    stopped : str
        Why training ended: "epochs", "converged", "early stopping", "interrupted", "callback"; of
        hessian-free training also "zero gradient" or "no step reduces the loss".
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.interrupted = False
        self.stopped = ""

    @property
    def epochs(self) -> int:
        """Number of complete epochs."""
        return max(map(len, self.values()), default=0)

    def append(self, **values: float) -> None:
        """Add the numbers of an epoch."""
        for name, value in values.items():
            self.setdefault(name, []).append(float(value))
