"""Which native module serves an array, and how one makes an array beside it.

NumPy arrays are served by ``ictus._core``; arrays on a GPU, CuPy's or whatever has
``__cuda_array_interface__`` or DLPack, by ``ictus._cuda``, in the caller's stream. Both modules
have the same functions with the same arguments and messages: ``native_module(x).gemm(x, ...)``.

Tests add a device that runs the sources of ``ictus._cuda`` on the CPU (`add_device`).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ictus import _core


class Device(NamedTuple):
    """What serves the arrays of a device: a native module, and a module that makes arrays."""

    name: str
    native: Any
    arrays: Any


CPU = Device("cpu", _core, np)

# The device of each type of array that was seen; other types are looked at once.
_devices: dict[type, Device] = {np.ndarray: CPU}
_added: dict[str, Device] = {}


def cuda_module() -> ModuleType:
    """Return ``ictus._cuda``.

    Raises
    ------
    RuntimeError
        This build has no CUDA kernels.
    """
    try:
        from ictus import _cuda  # type: ignore[attr-defined, unused-ignore]
    except ImportError as error:
        raise RuntimeError(
            "the arrays lie on a GPU, but this ictus was built without CUDA: build it where nvcc "
            "is, with pip install . -C cmake.define.CUDA=ON"
        ) from error
    module: ModuleType = _cuda
    return module


def _cuda_device() -> Device:
    native = cuda_module()
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "arrays on a GPU need CuPy: install it with pip install 'ictus[cuda]'"
        ) from error
    return Device("cuda", native, cupy)


def add_device(name: str, native: Any, arrays: Any, array_type: type) -> None:
    """Make known a device whose arrays have a type of their own."""
    _added[name] = _devices[array_type] = Device(name, native, arrays)


def is_device_name(name: object) -> bool:
    """Whether it is the name of a device, which need not be there."""
    return isinstance(name, str) and (name in ("cpu", "cuda") or name in _added)


def named_device(name: str) -> Device:
    """Return the device of a name: "cpu" or "cuda".

    Raises
    ------
    RuntimeError
        "cuda" where this build has no CUDA kernels, CuPy is missing, or no GPU answers.
    ValueError
        Another name.
    """
    if name == "cpu":
        return CPU
    if name in _added:
        return _added[name]
    if name != "cuda":
        raise ValueError(f"device must be 'cpu' or 'cuda', got {name!r}")
    try:
        device = _cuda_device()
        count = device.native.device_count()
    except RuntimeError as error:
        raise RuntimeError(f"device='cuda' cannot be used here: {error}") from error
    if count == 0:
        raise RuntimeError("device='cuda' cannot be used here: there is no GPU")
    return device


def is_device_array(array: Any) -> bool:
    """Whether an array lies on a GPU."""
    return device_of(array) is not CPU


def is_array(array: Any) -> bool:
    """Whether something is an array that kernels can take, wherever it lies."""
    return isinstance(array, np.ndarray) or is_device_array(array)


def device_of(array: Any) -> Device:
    """Return the device of an array; what is no array goes to the CPU, for its message."""
    try:
        return _devices[type(array)]
    except KeyError:
        return _look_at(array)


def _look_at(array: Any) -> Device:
    if isinstance(array, np.ndarray) or not hasattr(array, "shape"):
        return CPU
    in_dlpack = getattr(array, "__dlpack_device__", lambda: (1, 0))()[0] in (2, 13)
    if not hasattr(array, "__cuda_array_interface__") and not in_dlpack:
        return CPU
    device = _cuda_device()
    if type(array).__module__.partition(".")[0] == "cupy":
        _devices[type(array)] = device  # a type of PyTorch has arrays on any device
    return device


def native_module(array: Any) -> Any:
    """Return the native module for an array; what is no array goes to ``_core`` for its message."""
    try:
        return _devices[type(array)].native
    except KeyError:
        return _look_at(array).native


def empty(like: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return a new C-contiguous array where `like` lies, of its dtype if none is given."""
    device = device_of(like)
    return device.arrays.empty(shape, like.dtype if dtype is None else dtype)


def zeros(like: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """As `empty`, filled with zeros."""
    device = device_of(like)
    return device.arrays.zeros(shape, like.dtype if dtype is None else dtype)


def contiguous(array: Any, dtype: Any = None) -> Any:
    """Return the array itself, or a C-contiguous copy of the given dtype where it is not that."""
    return device_of(array).arrays.ascontiguousarray(array, dtype)


def to_host(array: Any) -> Any:
    """Return the numbers of an array on a GPU as a NumPy array; anything else as it is."""
    device = device_of(array)
    on_host = device is CPU or isinstance(array, np.ndarray)
    return array if on_host else device.arrays.asnumpy(array)


def as_given(given: Any, result: Any) -> Any:
    """Return a result where what was given lies: on its device, else as a NumPy array."""
    return result if is_device_array(given) else to_host(result)


def to_device(name: str, array: Any) -> Any:
    """Return the array on the named device; itself where it is there."""
    if device_of(array).name == name:
        return array
    return to_host(array) if name == "cpu" else named_device(name).arrays.asarray(array)
