"""Ragged batches of sequences, and the cache of a layer that sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import (
    contiguous,
    device_of,
    is_device_array,
    native_module,
    to_device,
    to_host,
)
from ictus.kernels._foreign import shared_as_numpy
from ictus.nn.layer import Array, Cache


class SequenceBatch:
    """Sequences of different lengths, without padding: their frames one after another.

    Parameters
    ----------
    frames : array, shape (rows, features), or (rows,) of symbols
    lengths : array of int, shape (count,)
        Positive; their sum is ``rows``.

    Raises
    ------
    ValueError
        A length that is not positive, or another sum.
    """

    __slots__ = ("frames", "lengths", "sequences")

    def __init__(self, frames: Array, lengths: Any) -> None:
        self.lengths: Array = np.ascontiguousarray(lengths, np.int64)
        self.sequences = native_module(frames).Sequences(self.lengths)
        if self.sequences.rows != len(frames):
            raise ValueError(
                f"frames must have {self.sequences.rows} rows, the sum of lengths, got "
                f"{len(frames)}"
            )
        self.frames = frames

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    def to(self, device: str) -> SequenceBatch:
        """Return the batch with its frames on a device; itself where they are there."""
        if device_of(self.frames).name == device:
            return self
        return SequenceBatch(to_device(device, self.frames), self.lengths)

    def split(self, rows: Array) -> list[Array]:
        """Cut an array with a row a frame into one array a sequence (views)."""
        return np.split(rows, np.cumsum(self.lengths)[:-1].tolist())


def placed(device: str, part: Any) -> Any:
    """Return a batch of sequences, an array, or None on a device; itself where it is there."""
    if part is None:
        return None
    return part.to(device) if isinstance(part, SequenceBatch) else to_device(device, part)


def check_sequences(x: Any, features: int, dtype: Any, *, symbols: bool, name: str = "x") -> Any:
    """Return ragged sequences as a list of arrays that the network can take.

    Parameters
    ----------
    x : sequence of array-like, each (steps, features), or (steps,) with `symbols`
        An array (count, steps, features) serves as well.
    features : int
        Features of a frame, or the number of symbols.
    dtype : dtype
        What frames become; symbols become int64.

    Raises
    ------
    ValueError
        No sequence, an empty one, another rank or number of features, values that are not finite,
        or symbols out of range; the message names the sequence.
    """
    if isinstance(x, np.ndarray) and x.ndim != (2 if symbols else 3) and x.dtype != object:
        raise ValueError(
            f"{name} must be a list of sequences, or an array (count, steps"
            f"{'' if symbols else ', features'}), got shape {x.shape}"
        )
    result = [_check_one(one, i, features, dtype, symbols, name) for i, one in enumerate(x)]
    if not result:
        raise ValueError(f"{name} must have at least one sequence, got 0")
    return result


def _check_one(one: Any, number: int, features: int, dtype: Any, symbols: bool, name: str) -> Array:
    where = f"{name}[{number}]"
    values = one if is_device_array(one) else np.asarray(shared_as_numpy(one, where))
    if symbols:
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
            raise ValueError(f"{where} must be integers (steps,), got {values.dtype} of shape "
                             f"{values.shape}")  # fmt: skip
    elif values.ndim != 2 or values.shape[1] != features:
        raise ValueError(f"{where} must have shape (steps, {features}), got {values.shape}")
    if len(values) == 0:
        raise ValueError(f"{where} must have at least one step, got 0")
    if symbols:
        bad = (values < 0) | (values >= features)
        if bad.any():
            step = int(np.argmax(to_host(bad)))
            raise ValueError(
                f"{where} must hold symbols in [0, {features}), got {values[step]} at step {step}"
            )
        return contiguous(values, np.int64)  # type: ignore[no-any-return]
    frames: Array = contiguous(values, dtype)
    # One pass in the vectors' speed; only where it fails is there more to find out.
    if not math.isfinite(native_module(frames).sum_of_squares(frames.reshape(-1))):
        finite = to_host(np.isfinite(frames).all(axis=1))
        if not finite.all():
            raise ValueError(f"{where} must be finite, step {int(np.argmin(finite))} is not")
    return frames


def join(arrays: Sequence[Array]) -> SequenceBatch:
    """Return the batch of these sequences."""
    frames = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return SequenceBatch(frames, [len(one) for one in arrays])


#: Arrays that a forward pass does not leave to others: caches beside each other share them.
SCRATCH = frozenset(
    ["input gradient", "tangent", "steps tangent", "final tangent", "final gradient",
     "gates gradient", "memory gradient", "steps gradient"]
)  # fmt: skip


class SequenceCache(Cache):
    """A cache whose arrays follow the size of each batch, in memory that only grows.

    Attributes
    ----------
    sequences : Sequences
        Of the batch in work, of the native module that serves its frames.
    record : bool
        Whether a pass keeps what its backward pass and its R-operator need.
    state : array or None, shape (states, directions, count, units)
        A recurrent layer begins there and leaves its final state there; None: zeros, not kept.
    layer : object or None
        A recurrent layer's native one, with the parameters of the last forward pass.
    keep : bool
        Whether a backward pass leaves what was recorded as it is, for more passes.
    structural_damping : float
        What a backward pass adds of the last tangent to the gradient of a recurrent layer's
        outputs; see :class:`ictus.nn.GaussNewton`.
    """

    __slots__ = (
        "_arrays", "_dtype", "_rooms", "_scratch", "gates", "keep", "layer", "memory", "previous",
        "record", "sequences", "start", "state", "steps", "structural_damping",
    )  # fmt: skip

    def __init__(self, dtype: np.dtype[Any], beside: Any = None, arrays: Any = np) -> None:
        super().__init__(0, 0, 0, dtype, arrays=arrays)
        self._dtype, self._arrays = dtype, arrays
        self._rooms: dict[str, Array] = {}
        self._scratch = self._rooms if beside is None else beside._scratch
        self.keep = False
        self.structural_damping = 0.0
        self.sequences: Any = None
        self.record = True
        self.layer: Any = None
        self.state: Array | None = None
        self.start: Array | None = None
        self.steps: Array | None = None
        self.gates: Array | None = None
        self.memory: Array | None = None
        self.previous: Array | None = None

    def array(self, name: str, *shape: int) -> Array:
        """Return room for an array; its contents are what the last batch left."""
        size = math.prod(shape)
        rooms = self._scratch if name in SCRATCH else self._rooms
        room = rooms.get(name)
        if room is None or room.size < size:
            room = rooms[name] = self._arrays.empty(size, self._dtype)
        return room[:size].reshape(shape)

    def fit(self, rows: int, input_size: int, rows_out: int, output_size: int) -> None:
        """Take the sizes of a batch."""
        self.y = self.array("y", rows_out, output_size)
        if self.record:
            self.input_gradient = self.array("input gradient", rows, input_size)
            self.tangent = self.array("tangent", rows_out, output_size)
