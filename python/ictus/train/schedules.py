"""Learning rate and momentum as functions of the epoch, fractions included."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

#: The schedules by name; each class enters itself.
SCHEDULES: dict[str, type[Schedule]] = {}


class Schedule:
    """A value for each point in training: ``schedule(epoch)``, epoch counted from 0.0."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        SCHEDULES[cls.name] = cls

    def __call__(self, epoch: float) -> float:
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """Return the name and arguments that make this schedule again."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    @staticmethod
    def from_config(config: dict[str, Any]) -> Schedule:
        """Make a schedule from what :meth:`config` gave."""
        arguments = dict(config)
        return SCHEDULES[arguments.pop("name")](**arguments)


@dataclass(frozen=True)
class Constant(Schedule):
    """Always ``value``."""

    value: float
    name: ClassVar[str] = "constant"

    def __call__(self, epoch: float) -> float:
        return self.value


@dataclass(frozen=True)
class Exponential(Schedule):
    """``value * factor**epoch``: constant within an epoch (Hinton et al. 2012: 10 * 0.998**t)."""

    value: float
    factor: float
    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ValueError(f"Exponential: factor must be positive, got {self.factor!r}")

    def __call__(self, epoch: float) -> float:
        return float(self.value * self.factor ** int(epoch))


@dataclass(frozen=True)
class Linear(Schedule):
    """From ``start`` to ``end`` over ``epochs``, constant from then on.

    Hinton et al. 2012 raise the momentum from 0.5 to 0.99 over 500 epochs.
    """

    start: float
    end: float
    epochs: float
    name: ClassVar[str] = "linear"

    def __call__(self, epoch: float) -> float:
        share = min(max(epoch / self.epochs, 0.0), 1.0) if self.epochs > 0 else 1.0
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True)
class Ramp(Schedule):
    """``start`` until the epoch ``first``, then linearly to ``end`` at ``last``, and ``end``.

    Schlüter & Böck 2014 raise the momentum from 0.45 to 0.9 between epochs 10 and 20.
    """

    start: float
    end: float
    first: float
    last: float
    name: ClassVar[str] = "ramp"

    def __post_init__(self) -> None:
        if not self.first < self.last:
            raise ValueError(f"Ramp: last must be after first, got {self.first} and {self.last}")

    def __call__(self, epoch: float) -> float:
        share = min(max((epoch - self.first) / (self.last - self.first), 0.0), 1.0)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True)
class Steps(Schedule):
    """``values[i]`` from ``boundaries[i - 1]`` to ``boundaries[i]``: one value more than bounds."""

    values: tuple[float, ...]
    boundaries: tuple[float, ...]
    name: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"Steps: values must have one entry more than boundaries, got {len(self.values)} "
                f"and {len(self.boundaries)}"
            )

    def __call__(self, epoch: float) -> float:
        return self.values[sum(epoch >= boundary for boundary in self.boundaries)]


@dataclass(frozen=True)
class NesterovMomentum(Schedule):
    """The momentum of Sutskever et al. 2013, "On the importance of initialization and momentum".

    ``min(1 - 2**(-1 - log2(floor(t / 250) + 1)), maximum)`` at update t (equation 5), and ``final``
    for the last ``final_updates`` of ``updates``, where it brings the loss down by much. For
    ``SGD(nesterov=True)``.

    Parameters
    ----------
    maximum : float
        0.9, 0.99, 0.995 or 0.999 in the paper.
    updates_per_epoch : int
        Minibatches of an epoch.
    updates : int
        Of the whole training; 0: the end is not known, and there is no last part.
    final : float
    final_updates : int
    """

    maximum: float
    updates_per_epoch: int
    updates: int = 0
    final: float = 0.9
    final_updates: int = 1000
    name: ClassVar[str] = "nesterov_momentum"

    def __call__(self, epoch: float) -> float:
        update = round(epoch * self.updates_per_epoch)
        if self.updates and update >= self.updates - self.final_updates:
            return min(self.final, self.maximum)
        return min(1 - 0.5 / (update // 250 + 1), self.maximum)
