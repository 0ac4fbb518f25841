"""What energy models share: parameters in one flat vector, random streams, configuration."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Machine:
    """Base of the models that are trained by sampling; a subclass names its parameters.

    Attributes
    ----------
    parameters : array, shape (parameter_count,)
        The flat vector. Assign to its elements, not to the attribute.
    draw_count : int
        Number of random streams used so far: names the next draws. Part of a checkpoint.
    """

    def __init__(self, dtype: DTypeLike, seed: int, parameters: Array | None) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(
                f"{type(self).__name__}: dtype must be float32 or float64, got {self.dtype}"
            )
        self.seed = int(seed)
        self.draw_count = 0
        shape = (self.parameter_count,)
        if parameters is not None and parameters.shape != shape:
            raise ValueError(f"parameters must have shape {shape}, got {parameters.shape}")
        self.parameters: Array = np.zeros(shape, self.dtype)
        if parameters is not None:
            self.parameters[...] = parameters

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """Return plain data that make this machine again, without its parameters."""
        raise NotImplementedError

    @property
    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes().values())

    def views(self, flat: Array) -> dict[str, Array]:
        """Return views of a flat vector in the names and shapes of the parameters."""
        views, begin = {}, 0
        for name, shape in self.shapes().items():
            end = begin + math.prod(shape)
            views[name] = flat[begin:end].reshape(shape)
            begin = end
        return views

    def next_streams(self, count: int) -> int:
        """Take the next `count` random streams; return the number of the first."""
        first = self.draw_count
        self.draw_count += count
        return first

    def positive(self, argument: str, value: Any) -> int:
        """Return an argument as an int; ValueError naming it where it is no positive integer."""
        try:
            whole = not isinstance(value, bool) and int(value) == value and value >= 1
        except (TypeError, ValueError, OverflowError):
            whole = False
        if not whole:
            raise ValueError(
                f"{type(self).__name__}: {argument} must be a positive integer, got {value!r}"
            )
        return int(value)

    def __getstate__(self) -> dict[str, Any]:
        # Views would come back as separate arrays, and native objects not at all.
        return {
            "config": self.config(),
            "parameters": self.parameters,
            "draw_count": self.draw_count,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = self.from_config(state["config"], state["parameters"]).__dict__
        self.draw_count = state["draw_count"]

    @classmethod
    def from_config(cls, config: dict[str, Any], parameters: Array | None = None) -> Self:
        """Make a machine from what :meth:`config` gave.

        Parameters
        ----------
        config : dict
        parameters : array, shape (parameter_count,), optional

        Raises
        ------
        ValueError
            Arguments that it does not take, or another number of parameters.
        """
        try:
            return cls(**config, parameters=parameters)
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not the configuration of a {cls.__name__}: {error!r}") from error
