"""Which native module serves an array: ``ictus._core`` for NumPy, ``ictus._cuda`` for CuPy."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ictus import _core


def is_device_array(array: Any) -> bool:
    """Whether an array lies on a GPU."""
    return hasattr(array, "__cuda_array_interface__")


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


def native_module(array: Any) -> ModuleType:
    """Return the native module for an array; what is no array goes to ``_core`` for its message."""
    return cuda_module() if is_device_array(array) else _core
