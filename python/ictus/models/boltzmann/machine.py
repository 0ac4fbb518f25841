"""What energy models share: parameters in one flat vector, random streams, configuration."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels._device import (
    contiguous,
    device_of,
    is_device_array,
    named_device,
    to_device,
    to_host,
)

Array = NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Machine")


def _back(result: Any) -> Any:
    return tuple(map(to_host, result)) if isinstance(result, tuple) else to_host(result)


def answers_where_asked(
    method: Callable[Concatenate[M, P], R],
) -> Callable[Concatenate[M, P], R]:
    """Decorate a machine's method: its results are NumPy arrays unless an argument is on a GPU."""

    @functools.wraps(method)
    def call(self: M, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result = method(self, *args, **kwargs)
        if any(map(is_device_array, (*args, *kwargs.values()))):
            return result
        back: R = _back(result)
        return back

    return call


def fill(view: Array, values: Any) -> None:
    """Copy values, wherever they lie, to an array."""
    view[...] = to_device(device_of(view).name, values)


def as_matrix_on(device: str, given: Any, name: str, units: int, dtype: np.dtype[Any]) -> Array:
    """Return states as a C-contiguous matrix of a dtype on a device.

    Raises
    ------
    ValueError
        Another shape than (rows, units), or what is not finite.
    """
    states: Array = given if is_device_array(given) else np.asarray(given)
    if states.ndim != 2 or states.shape[1] != units:
        raise ValueError(f"{name} must have shape (rows, {units}), got {states.shape}")
    states = contiguous(to_device(device, states), dtype)
    check_finite(states, name)
    return states


def check_finite(states: Array, name: str) -> None:
    """Raise ValueError naming the first row that is not finite."""
    finite = np.isfinite(states)
    if not finite.all():
        rows = to_host(finite.reshape(len(states), -1).all(axis=1))
        raise ValueError(f"{name} must be finite, row {int(np.argmin(rows))} is not")


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
            self.parameters[...] = to_host(parameters)

    # --- where it lies ------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """Where the parameters lie and the work is done: "cpu" or "cuda"."""
        return device_of(self.parameters).name

    def to(self, device: str) -> Self:
        """Move the machine to a device; return it.

        Its methods take arrays from anywhere; what they return is on the device where an argument
        was, else a NumPy array. Draws, model files and checkpoints do not depend on the device.

        Parameters
        ----------
        device : {"cpu", "cuda"}

        Raises
        ------
        RuntimeError
            "cuda" where this build has no CUDA kernels, CuPy is missing, or no GPU answers.
        ValueError
            Another name.
        """
        if named_device(device).name != self.device:
            self._place(to_device(device, self.parameters))
        return self

    def _place(self, parameters: Array) -> None:
        """Take a vector, wherever it lies, for the parameters."""
        self.parameters = parameters
        self._set_views()

    def _set_views(self) -> None:
        """Make the attributes that are views of the parameters, and native objects over them."""
        raise NotImplementedError

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
            "parameters": to_host(self.parameters),
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
