"""Arrays of the emulated GPU, and the part of CuPy's module that ictus uses.

``ictus._cuda_emulated`` is the sources of ``ictus._cuda`` compiled for the CPU. Its arrays are
NumPy's behind a wall: as with CuPy, nothing turns one into a NumPy array by itself, operations
stay on the device, and a NumPy array beside one is refused. So what runs here asks nothing of
arrays that CuPy would not give.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ictus.kernels import _device

_PLAIN = {"shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags"}
_METHODS = {
    "all", "any", "argmax", "argmin", "astype", "clip", "copy", "dot", "fill", "max", "mean", "min",
    "ravel", "repeat", "reshape", "squeeze", "std", "sum", "swapaxes", "take", "transpose", "var",
    "view", "cumsum", "sort", "flatten", "item", "tolist", "prod", "nonzero", "conj",
}  # fmt: skip
# NumPy's functions of arrays that CuPy has with the same arguments, of those that ictus calls.
_FUNCTIONS = {
    "broadcast_to", "clip", "concatenate", "cumsum", "dot", "einsum", "empty_like", "full_like",
    "copyto", "ones_like", "pad", "repeat", "split", "tile", "trace", "where", "zeros_like",
}  # fmt: skip


def _unwrap(value: Any) -> Any:
    if isinstance(value, EmulatedArray):
        return value._host
    if isinstance(value, np.ndarray) and value.ndim > 0:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")  # CuPy's words
    if isinstance(value, tuple):
        return tuple(map(_unwrap, value))
    if isinstance(value, list):
        return list(map(_unwrap, value))
    if isinstance(value, dict):
        return {key: _unwrap(each) for key, each in value.items()}
    return value


def _wrap(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return EmulatedArray(value)
    if isinstance(value, np.generic):
        return EmulatedArray(np.asarray(value))  # CuPy's results have axes, or none
    if isinstance(value, tuple):
        return tuple(map(_wrap, value))
    if isinstance(value, list):
        return list(map(_wrap, value))
    return value


class EmulatedArray(NDArrayOperatorsMixin):
    """An array of the emulated device."""

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        host = self._host
        return {
            "shape": host.shape,
            "typestr": host.dtype.str,
            "strides": None if host.flags.c_contiguous else host.strides,
            "data": (host.__array_interface__["data"][0] if host.size else 0,
                     not host.flags.writeable),
            "version": 3,
            "stream": 1,
        }  # fmt: skip

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        out = keywords.get("out")
        result = getattr(ufunc, method)(*map(_unwrap, inputs), **_unwrap(keywords))
        if out is not None:
            return out[0] if len(out) == 1 else out
        return _wrap(result)

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        if function.__name__ not in _FUNCTIONS:
            return NotImplemented
        return _wrap(function(*_unwrap(tuple(arguments)), **_unwrap(keywords)))

    def __getattr__(self, name: str) -> Any:
        if name in _PLAIN:
            return getattr(self._host, name)
        if name in _METHODS:
            method = getattr(self._host, name)
            return lambda *a, **k: _wrap(method(*_unwrap(a), **_unwrap(k)))
        raise AttributeError(f"an array of the emulated device has no attribute {name!r}")

    @property
    def T(self) -> EmulatedArray:  # noqa: N802
        return EmulatedArray(self._host.T)

    @property
    def base(self) -> EmulatedArray | None:
        return _wrap(self._host.base)

    def get(self) -> np.ndarray:
        """Return a copy on the host."""
        return self._host.copy()

    def set(self, values: np.ndarray, stream: Any = None) -> None:
        """Copy from the host; in a stream, when the stream comes to it."""
        if not isinstance(values, np.ndarray) or values.shape != self.shape:
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if stream is None:
            self._host[...] = values
        else:
            stream.work.append(lambda: self._host.__setitem__(Ellipsis, values))

    def __reduce__(self) -> Any:
        raise TypeError("an array of a GPU in a pickle could not be read where there is none")

    def __getitem__(self, index: Any) -> EmulatedArray:
        return _wrap(self._host[_unwrap(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[_unwrap(index)] = _unwrap(value)

    def __len__(self) -> int:
        return len(self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __repr__(self) -> str:
        return f"EmulatedArray({self._host!r})"


def asarray(values: Any, dtype: Any = None) -> EmulatedArray:
    """Copy to the device, unless it is there."""
    if isinstance(values, EmulatedArray):
        return values if dtype is None else EmulatedArray(values._host.astype(dtype, copy=False))
    return EmulatedArray(np.array(values, dtype))


def ascontiguousarray(array: EmulatedArray, dtype: Any = None) -> EmulatedArray:
    """Return the array itself where it is that."""
    host = np.ascontiguousarray(array._host, dtype)
    return array if host is array._host else EmulatedArray(host)


def asnumpy(array: EmulatedArray) -> np.ndarray:
    """Copy to the host."""
    return array.get()


class Event:
    """A place in the work of a stream."""

    def __init__(self, stream: Stream, place: int) -> None:
        self._stream, self._place = stream, place

    def synchronize(self) -> None:
        """Wait on the host."""
        self._stream.run_to(self._place)


class Stream:
    """A stream of copies, each of which is made as late as events allow: the worst case."""

    def __init__(self, non_blocking: bool = False) -> None:
        self.work: list[Any] = []
        self.waited: list[Event] = []
        self._done = 0

    def record(self) -> Event:
        """Return an event behind all work so far."""
        return Event(self, len(self.work))

    def wait_event(self, event: Event) -> None:
        """Wait in the stream; the current one does its work at once."""
        self.waited.append(event)
        event.synchronize()

    def run_to(self, place: int) -> None:
        """Do the work before a place."""
        for copy in self.work[self._done : place]:
            copy()
        self._done = max(self._done, place)


def _cuda() -> Any:
    current = Stream()
    return SimpleNamespace(
        Stream=Stream, get_current_stream=lambda: current, alloc_pinned_memory=bytearray
    )


def _made(function: Any) -> Any:
    return lambda *a, **k: _wrap(function(*_unwrap(a), **_unwrap(k)))


_MAKERS = ("empty", "zeros", "ones", "full", "arange", "eye", "concatenate", "stack", "where",
           "square", "sqrt", "exp", "empty_like", "zeros_like", "ones_like", "take")  # fmt: skip


def array_module() -> ModuleType:
    """Return what stands for the module of CuPy."""
    module = ModuleType("emulated")
    for name in _MAKERS:
        setattr(module, name, _made(getattr(np, name)))
    for function in (asarray, ascontiguousarray, asnumpy):
        setattr(module, function.__name__, function)
    module.array = lambda values, dtype=None: EmulatedArray(np.array(_unwrap(values), dtype))
    module.ndarray, module.cuda = EmulatedArray, _cuda()
    module.float32, module.float64, module.int64 = np.float32, np.float64, np.int64
    return module


def native() -> Any:
    """Return the native module; None where this build has none."""
    try:
        from ictus import _cuda_emulated
    except ImportError:
        return None
    return _cuda_emulated


def add() -> bool:
    """Make the device "emulated" known; False where its module was not built."""
    module = native()
    if module is None:
        return False
    _device.add_device("emulated", module, array_module(), EmulatedArray)
    return True
