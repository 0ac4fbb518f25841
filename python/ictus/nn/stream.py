"""A network fed frame by frame: every layer keeps its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import (
    contiguous,
    device_of,
    empty,
    is_device_array,
    native_module,
    to_device,
    to_host,
)
from ictus.kernels.activation import activation_number
from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.embedding import Embedding
from ictus.nn.layer import Array, Layer, Views
from ictus.nn.losses import Loss
from ictus.nn.recurrent import RecurrentBase

Call = Callable[[Array, Array], Any]


def _dense(weights: Array, bias: Array, activation: int) -> Call:
    """A call of the product on a few rows; the weights lie transposed, as the narrow product reads
    them."""
    turned = contiguous(weights.T).T
    bias = bias.copy()
    gemm = native_module(weights).gemm

    def call(x: Array, out: Array) -> None:
        gemm(x, turned, out, 1.0, 0.0, bias, activation, 0.0, 0, 0, 0, 0)

    return call


def _beside(step: Call, units: int) -> Call:
    """A call of a recurrent layer whose input lies beside its output."""

    def call(x: Array, out: Array) -> None:
        step(x, out[:, :units])
        out[:, units:] = x

    return call


class Stream:
    """Made by ``SequenceNetwork.stream()``. Call it with frames in their order.

    The outputs equal those of :meth:`SequenceNetwork.predict` on the whole sequence. It has the
    weights of the moment it was made, and lies where the network was then; NumPy's frames are
    copied there, and their outputs back. One stream is faster on the CPU.

    Parameters
    ----------
    layers, views, loss, dtype
        The network's.

    Raises
    ------
    ValueError
        A layer has two directions or gives the last output alone.
    """

    def __init__(
        self, layers: Sequence[Layer], views: Sequence[Views], loss: Loss, dtype: np.dtype[Any]
    ) -> None:
        self._dtype, self._loss = dtype, loss
        self._features = layers[0].input_size
        self._table: Array | None = None
        self._recurrent: list[Any] = []
        self._calls: list[tuple[Call, int]] = []
        for layer, own in zip(layers, views, strict=True):
            if isinstance(layer, Embedding):
                self._table = own[0].copy()
            elif not isinstance(layer, Dropout):
                self._calls.append((self._call(layer, own), layer.output_size))
        # One frame: all arrays are there.
        like = next(own[0] for own in views if own)
        self._like, self._device = like, device_of(like).name
        room = empty(like, (1, self._features))
        self._frame: list[tuple[Call, Array, Array]] = []
        for call, size in self._calls:
            out = empty(like, (1, size))
            self._frame.append((call, room, out))
            room = out
        self._last = room
        self._first = self._calls[0][0] if self._calls and self._table is None else None

    def _call(self, layer: Layer, views: Views) -> Call:
        if isinstance(layer, RecurrentBase):
            if layer.directions == 2 or layer.output == "last":
                what = "two directions" if layer.directions == 2 else "output 'last'"
                raise ValueError(f"stream: a layer with {what} cannot run frame by frame")
            make = getattr(native_module(views[0]), layer.native_stream)
            native = make(layer.native_layer([v.copy() for v in views]))
            self._recurrent.append(native)
            call: Call = native.step
            return _beside(call, layer.units) if layer.skip else call
        if isinstance(layer, Dense):
            return _dense(views[0], views[1], activation_number("Stream", layer.activation))
        raise ValueError(f"stream: a layer {type(layer).__name__} cannot run frame by frame")

    def __call__(self, x: Any) -> Array:
        """Feed one frame (features,), or a block (steps, features); symbols are integers.

        Returns
        -------
        array, shape (outputs,) or (steps, outputs)
            The network's outputs, as of :meth:`SequenceNetwork.predict`.
        """
        if self._first is not None and type(x) is np.ndarray and x.ndim == 1:
            x = x[None, :]
            if x.dtype != self._dtype:
                x = x.astype(self._dtype)
            self._first(to_device(self._device, x), self._frame[0][2])
            for call, room, out in self._frame[1:]:
                call(room, out)
            result: Array = self._loss.output(self._last, self._last.copy())
            return to_host(result[0])  # type: ignore[no-any-return]
        return self._block(x)

    def _block(self, x: Any) -> Array:
        given_there = is_device_array(x)
        if self._table is not None:
            symbols = np.asarray(to_host(x))
            if symbols.ndim > 1 or symbols.dtype.kind not in "iu":
                raise ValueError(f"stream: x must be symbols, got {symbols.dtype} of "
                                 f"shape {symbols.shape}")  # fmt: skip
            if symbols.size and not (symbols.min() >= 0 and symbols.max() < self._features):
                raise ValueError(f"stream: x must hold symbols in [0, {self._features})")
            single = symbols.ndim == 0
            frames = self._table[to_device(self._device, np.atleast_1d(symbols))]
        else:
            frames = x if given_there else np.asarray(x, self._dtype)
            single = frames.ndim == 1
            frames = frames[None] if single else frames
            if frames.ndim != 2 or frames.shape[1] != self._features:
                raise ValueError(
                    f"stream: x must have shape ({self._features},) or (steps, {self._features}), "
                    f"got {np.shape(x)}"
                )
            frames = contiguous(to_device(self._device, frames), self._dtype)
        for call, size in self._calls:
            out = empty(self._like, (len(frames), size))
            if len(frames):
                call(frames, out)
            frames = out
        result = self._loss.output(frames, np.empty_like(frames))
        result = result if given_there else to_host(result)
        return result[0] if single else result

    def reset(self) -> None:
        """Begin a new sequence."""
        for native in self._recurrent:
            native.reset()

    @property
    def states(self) -> list[Array]:
        """The state of each recurrent layer, (states, units): copies, which can be set again."""
        return [native.state for native in self._recurrent]

    @states.setter
    def states(self, states: Sequence[Array]) -> None:
        for native, state in zip(self._recurrent, states, strict=True):
            native.state = to_device(self._device, np.ascontiguousarray(state, self._dtype))
