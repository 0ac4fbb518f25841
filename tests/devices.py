"""Kernel tests on a GPU, real or emulated, as one more level beside the instruction sets.

Within `serving`, NumPy arrays are served by ``ictus._cuda`` instead of ``ictus._core``: each array
among the arguments of a native call is shown to it as an array of the device, at the same address
and with the same strides, so the tests of the CPU serve as they are, layouts and overlaps included.
The emulation works on the memory of the host anyway; on a real GPU, NumPy's memory is made managed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from ictus.kernels import _device
from tests import emulated

DEVICES = ("emulated", "cuda")


class ManagedArray:
    """A NumPy array in managed memory, as an array on a GPU; others are copied there and back."""

    def __init__(self, host: np.ndarray, native: Any) -> None:
        self.dtype = host.dtype
        self._host, self._managed = host, host
        if host.size and not native.is_managed(host.__array_interface__["data"][0]):
            self._managed = host.copy()
        self.__cuda_array_interface__ = {
            "shape": host.shape,
            "typestr": host.dtype.str,
            "strides": self._managed.strides,
            "data": (self._managed.__array_interface__["data"][0] if host.size else 0,
                     not host.flags.writeable),
            "version": 3,
        }  # fmt: skip

    def give_back(self) -> None:
        """Copy what a kernel may have written to where the array was."""
        if self._managed is not self._host and self._host.flags.writeable:
            self._host[...] = self._managed


class _OfDevice:
    """A native module, or an object of it, that takes NumPy arrays for arrays of the device."""

    def __init__(self, native: Any, module: Any, calls: list[int]) -> None:
        self._native, self._module, self._calls = native, module, calls

    def _inside(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if hasattr(self._module, "is_managed"):
                return ManagedArray(value, self._module)
            return emulated.EmulatedArray(value)
        if isinstance(value, list | tuple):
            return tuple(map(self._inside, value))
        return value._native if isinstance(value, _OfDevice) else value

    def _outside(self, value: Any) -> Any:
        if type(value).__module__.startswith("ictus._cuda"):
            return _OfDevice(value, self._module, self._calls)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._native, name, self._inside(value))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._native, name)
        if not callable(found):
            return self._outside(found)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self._calls[0] += 1
            given = [self._inside(each) for each in arguments]
            named = {name: self._inside(each) for name, each in keywords.items()}
            result = found(*given, **named)
            if hasattr(self._module, "synchronize"):
                self._module.synchronize()
            for value in (*given, *named.values()):
                for each in value if isinstance(value, tuple) else (value,):
                    if isinstance(each, ManagedArray):
                        each.give_back()
            return self._outside(result)

        return call


def close(a: Any, b: Any, tolerance: float = 1e-4) -> None:
    """Assert that numbers of a device, or losses there, are those of the CPU."""
    a, b = (np.asarray(_device.to_host(each), np.float64) for each in (a, b))
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@cache
def native_of(device: str) -> tuple[Any, str]:
    """Return the native module of a device, or None and the reason."""
    if device == "emulated":
        module = emulated.native()
        return module, "" if module else "ictus._cuda_emulated was not built (preset emulated)"
    try:
        from ictus import _cuda
    except ImportError:
        return None, "ictus._cuda was not built (option CUDA)"
    try:
        count = _cuda.device_count()
    except RuntimeError as error:
        return None, str(error)
    return (_cuda, "") if count else (None, "there is no GPU here")


@contextmanager
def serving(device: str) -> Iterator[list[int]]:
    """NumPy arrays are served by a device; gives the count of its calls."""
    native, reason = native_of(device)
    if native is None:
        raise RuntimeError(reason)
    calls = [0]
    if device == "cuda":
        native.use_managed_memory(True)
    module = _OfDevice(native, native, calls)
    before = _device._devices[np.ndarray]
    _device._devices[np.ndarray] = _device.Device(device, module, np)
    try:
        yield calls
    finally:
        _device._devices[np.ndarray] = before
        if device == "cuda":
            native.use_managed_memory(False)
