"""Minibatches on their way to a GPU: while one is trained on, the next is copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import is_device_array, named_device
from ictus.nn import SequenceBatch
from ictus.train.batches import BatchOrder

Array = NDArray[Any]


class _Slot:
    """Room for one minibatch, page-locked on the host and on the device; it only grows."""

    def __init__(self, arrays: Any, stream: Any) -> None:
        self._arrays, self._stream = arrays, stream
        self._rooms: list[tuple[Array, Any]] = []
        self._taken = 0
        self.copied: Any = None  # an event behind the last copy
        self.used: Any = None  # an event behind the last kernels that read it

    def begin(self) -> None:
        """Wait until the room is free: on the host for the copy, in the stream for the kernels."""
        if self.copied is not None:
            self.copied.synchronize()
        if self.used is not None:
            self._stream.wait_event(self.used)
        self._taken = 0

    def _room(self, size: int) -> tuple[Array, Any]:
        number = self._taken
        self._taken += 1
        if number == len(self._rooms) or len(self._rooms[number][0]) < size:
            locked = self._arrays.cuda.alloc_pinned_memory(size)
            room = np.frombuffer(locked, np.uint8, size), self._arrays.empty((size,), np.uint8)
            self._rooms[number : number + 1] = [room]
        return self._rooms[number]

    def copy(self, values: Array) -> Any:
        """Begin to copy an array; return the one on the device that will have its numbers."""
        if values.size == 0:
            return self._arrays.empty(values.shape, values.dtype)
        locked, room = self._room(values.nbytes)
        host, there = locked[: values.nbytes], room[: values.nbytes]
        staged = host.view(values.dtype).reshape(values.shape)
        staged[...] = values
        out: Any = there.view(values.dtype).reshape(values.shape)
        out.set(staged, stream=self._stream)
        return out


class Transfer:
    """Copies minibatches to a device in a stream of its own, one ahead of the training.

    Copies come from page-locked memory, else they could not run beside kernels. There is room for
    two minibatches; the current stream waits for the copy of each, and the copy of the next but one
    for the kernels that read it.

    Parameters
    ----------
    device : str
    """

    def __init__(self, device: str) -> None:
        self._arrays = arrays = named_device(device).arrays
        self._stream = arrays.cuda.Stream(non_blocking=True)
        self._slots = [_Slot(arrays, self._stream) for _ in range(2)]

    def batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the minibatches, tuples of arrays, on the device; the next but one overwrites."""
        ahead: tuple[_Slot, Any] | None = None
        for number, batch in enumerate(batches):
            slot = self._slots[number % 2]
            slot.begin()
            copied = tuple(self._copy(slot, each) for each in batch)
            slot.copied = self._stream.record()
            if ahead is not None:
                yield from self._lend(*ahead)
            ahead = slot, copied
        if ahead is not None:
            yield from self._lend(*ahead)

    def _copy(self, slot: _Slot, part: Any) -> Any:
        if isinstance(part, SequenceBatch):
            frames = part.frames if is_device_array(part.frames) else slot.copy(part.frames)
            return SequenceBatch(frames, part.lengths)
        return part if part is None or is_device_array(part) else slot.copy(np.asarray(part))

    def _lend(self, slot: _Slot, batch: Any) -> Iterator[Any]:
        current = self._arrays.cuda.get_current_stream
        current().wait_event(slot.copied)
        try:
            yield batch
        finally:
            slot.used = current().record()


class TransferredBatches(BatchOrder):
    """Minibatches of others, on a device.

    Parameters
    ----------
    batches : BatchOrder
    device : str
    """

    def __init__(self, batches: BatchOrder, device: str) -> None:
        super().__init__(
            batches.size, batch_size=batches.batch_size, shuffle=batches.shuffle, seed=batches.seed
        )
        self._batches, self._transfer = batches, Transfer(device)

    def epoch(self, number: int, first: int = 0) -> Iterator[Any]:
        return self._transfer.batches(self._batches.epoch(number, first))
