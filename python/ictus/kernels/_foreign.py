"""Arrays of other libraries: taken without a copy where their memory is the CPU's.

What speaks DLPack (torch, JAX, ..) or has NumPy's array interface is seen as a NumPy array over the
same memory, so a kernel may also write into it. What can only be converted (a pandas frame) is
read, never written: the conversion may be a copy, and results would be lost in it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

# Devices of DLPack whose memory the CPU can read: its own, pinned by CUDA or ROCm, CUDA's managed.
_HOST_DEVICES = frozenset({1, 3, 11, 13})


def is_foreign(value: Any) -> bool:
    """Whether `value` is an array of another library whose memory is not a GPU's."""
    if hasattr(value, "__cuda_array_interface__"):
        return False
    return not isinstance(value, np.ndarray | np.generic | type) and any(
        hasattr(value, name)
        for name in ("__dlpack__", "__array_interface__", "__array_struct__", "__array__")
    )


def as_numpy(value: Any) -> Any:
    """Return a NumPy array over the memory of an array of another library; others as they are.

    Read-only where the other library says so, and where the numbers had to be converted.

    Raises
    ------
    TypeError
        The array lies on another device than the CPU, or its library refuses.
    """
    if not is_foreign(value):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    try:
        if hasattr(type(value), "__dlpack_device__"):
            device = int(value.__dlpack_device__()[0])
            if device not in _HOST_DEVICES:
                raise TypeError(f"it lies on device {device} of DLPack; copy it to the CPU first")
        if hasattr(type(value), "__dlpack__"):
            try:
                return np.from_dlpack(value)
            except (BufferError, RuntimeError):
                if not hasattr(type(value), "__array__"):
                    raise
        shared = hasattr(value, "__array_interface__") or hasattr(value, "__array_struct__")
        array = np.asarray(value)
        if not shared:
            array = array.view()
            array.flags.writeable = False
    except Exception as error:
        raise TypeError(f"cannot be read as a NumPy array, got {kind}: {error}") from error
    return array


def shared_as_numpy(value: Any, name: str) -> Any:
    """Return a NumPy array over shared memory, or `value` where no memory can be shared.

    For what is then given to NumPy or scikit-learn, which convert frames and lists themselves, but
    know nothing of DLPack and of other libraries' dtypes. Errors name `name`.
    """
    if isinstance(value, np.ndarray) or not any(
        hasattr(value, each) for each in ("__dlpack__", "__array_interface__", "__array_struct__")
    ):
        return value
    try:
        return as_numpy(value)
    except TypeError as error:
        raise TypeError(f"{name} {error}") from error


def takes_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a kernel function to take arrays of other libraries, too.

    It is called as it stands, since native code refuses whatever is no NumPy array before it works:
    so plain calls pay for no look at their arguments.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception:
            if not any(map(is_foreign, (*args, *kwargs.values()))):
                raise
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        seen = all_as_numpy(function.__name__, given)
        result = function(**seen)  # type: ignore[call-arg]
        # A function returns the array that it was given to write to: as the caller knows it.
        owners = {id(array): given[name] for name, array in seen.items()}
        same: R = owners.get(id(result), result)
        return same

    return call


def all_as_numpy(function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with :func:`as_numpy` of each; errors name function and argument."""
    seen = {}
    for name, value in arguments.items():
        try:
            seen[name] = as_numpy(value)
        except TypeError as error:
            raise TypeError(f"{function}: {name} {error}") from error
    return seen
