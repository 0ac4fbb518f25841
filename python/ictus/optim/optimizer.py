"""What every first-order optimiser shares: penalties, clipping, max-norm, and its state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import device_of, native_module, to_device, to_host

Array = NDArray[Any]

#: The optimisers by name; each class enters itself.
OPTIMIZERS: dict[str, type[Optimizer]] = {}


def check_range(
    owner: object, name: str, value: float, allowed: Callable[[float], bool], expected: str
) -> float:
    """Return value as a float; ValueError where it is no finite number or is not allowed."""
    if not isinstance(value, Real) or not math.isfinite(value) or not allowed(float(value)):
        raise ValueError(f"{type(owner).__name__}: {name} must be {expected}, got {value!r}")
    return float(value)


class Optimizer(ABC):
    """A rule that turns gradients into updates of a flat parameter vector, in place.

    Parameters
    ----------
    learning_rate : float
        Positive. A schedule may change it (the attribute) between updates.
    l1, l2 : float
        Penalties: the gradient gains ``l1 * sign(w) + l2 * w`` for weights, not for biases.
    max_norm : float or None
        Upper bound of the Euclidean length of each unit's incoming weights, enforced after every
        update (Hinton et al. 2012; Srivastava et al. 2014).
    clip_norm : float or None
        Gradients longer than this are scaled down to it (Pascanu et al. 2013).
    clip_value : float or None
        Gradient elements are clipped to +-clip_value.
    """

    name: ClassVar[str]
    #: Vectors of the parameters' size that the rule keeps.
    vectors: tuple[str, ...] = ()
    #: Attributes that change in training, where the rule has them: a checkpoint puts them back.
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate", "momentum")

    def __init_subclass__(cls) -> None:
        OPTIMIZERS[cls.name] = cls

    def __init__(
        self,
        learning_rate: float,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        self.learning_rate = check_range(
            self, "learning_rate", learning_rate, lambda x: x > 0, "positive"
        )
        self.l1 = check_range(self, "l1", l1, lambda x: x >= 0, "not negative")
        self.l2 = check_range(self, "l2", l2, lambda x: x >= 0, "not negative")
        self.max_norm = self._limit("max_norm", max_norm)
        self.clip_norm = self._limit("clip_norm", clip_norm)
        self.clip_value = self._limit("clip_value", clip_value)
        self.steps = 0
        self.state: dict[str, Array] = {}
        self._segments: Array = np.zeros((0, 2), np.int64)
        self._matrices: list[Array] = []

    def _limit(self, name: str, value: float | None) -> float | None:
        return (
            None if value is None else check_range(self, name, value, lambda x: x > 0, "positive")
        )

    def prepare(self, parameters: Array, segments: Array, matrices: Sequence[Array]) -> None:
        """Make the state for a parameter vector; keep it if it is there already and fits.

        Parameters
        ----------
        parameters : array, shape (n,)
        segments : array of int64, shape (m, 2)
            Ranges of the vector that hold weights.
        matrices : sequence of arrays
            Views of those weights, each (inputs, units), for ``max_norm``.
        """
        self._segments = np.ascontiguousarray(segments, np.int64)
        self._matrices = list(matrices)
        for name in self.vectors:
            held = self.state.get(name)
            if held is None or held.shape != parameters.shape or held.dtype != parameters.dtype:
                self.state[name] = np.zeros_like(parameters)
            else:
                self.state[name] = to_device(device_of(parameters).name, held)

    def __getstate__(self) -> dict[str, Any]:
        # Views of a network's weights would come back as arrays of their own; `prepare` makes them.
        state = {name: to_host(array) for name, array in self.state.items()}
        return self.__dict__ | {"state": state, "_matrices": []}

    def step(self, parameters: Array, gradient: Array) -> None:
        """Update the parameters in place; the gradient may be changed (clipped)."""
        scale = 1.0
        if self.clip_value is not None:
            np.clip(gradient, -self.clip_value, self.clip_value, out=gradient)
        if self.clip_norm is not None:
            norm = native_module(gradient).sum_of_squares(gradient) ** 0.5
            if norm > self.clip_norm:
                scale = self.clip_norm / norm
        self.steps += 1
        self._update(parameters, gradient, scale)
        if self.max_norm is not None:
            for weights in self._matrices:
                native_module(weights).max_norm(weights, self.max_norm)

    @abstractmethod
    def _update(self, parameters: Array, gradient: Array, gradient_scale: float) -> None:
        """Apply the rule."""

    def config(self) -> dict[str, Any]:
        """Return the name and arguments that make this optimiser again, without its state."""
        return {
            "name": self.name,
            "learning_rate": self.learning_rate,
            "l1": self.l1,
            "l2": self.l2,
            "max_norm": self.max_norm,
            "clip_norm": self.clip_norm,
            "clip_value": self.clip_value,
        }


def make_optimizer(name: str, **options: Any) -> Optimizer:
    """Return the optimiser `name` with the given arguments.

    Raises
    ------
    ValueError
        Unknown name.
    TypeError
        An argument that it does not take.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(sorted(OPTIMIZERS))}, got {name!r}")
    return OPTIMIZERS[name](**options)
