"""A network fed frame by frame: every layer keeps its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ictus import _core
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
    turned = np.ascontiguousarray(weights.T).T
    bias = bias.copy()
    gemm = _core.gemm

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
    weights of the moment it was made.

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
        room = np.empty((1, self._features), dtype)
        self._frame: list[tuple[Call, Array, Array]] = []
        for call, size in self._calls:
            out = np.empty((1, size), dtype)
            self._frame.append((call, room, out))
            room = out
        self._last = room
        self._first = self._calls[0][0] if self._calls and self._table is None else None

    def _call(self, layer: Layer, views: Views) -> Call:
        if isinstance(layer, RecurrentBase):
            if layer.directions == 2 or layer.output == "last":
                what = "two directions" if layer.directions == 2 else "output 'last'"
                raise ValueError(f"stream: a layer with {what} cannot run frame by frame")
            native = layer.native_stream(layer.native_layer([v.copy() for v in views]))
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
            self._first(x, self._frame[0][2])
            for call, room, out in self._frame[1:]:
                call(room, out)
            result: Array = self._loss.output(self._last, self._last.copy())
            return result[0]  # type: ignore[no-any-return]
        return self._block(x)

    def _block(self, x: Any) -> Array:
        if self._table is not None:
            symbols = np.asarray(x)
            if symbols.ndim > 1 or symbols.dtype.kind not in "iu":
                raise ValueError(f"stream: x must be symbols, got {symbols.dtype} of "
                                 f"shape {symbols.shape}")  # fmt: skip
            if symbols.size and not (symbols.min() >= 0 and symbols.max() < self._features):
                raise ValueError(f"stream: x must hold symbols in [0, {self._features})")
            single = symbols.ndim == 0
            frames = self._table[np.atleast_1d(symbols)]
        else:
            frames = np.asarray(x, self._dtype)
            single = frames.ndim == 1
            frames = frames[None] if single else frames
            if frames.ndim != 2 or frames.shape[1] != self._features:
                raise ValueError(
                    f"stream: x must have shape ({self._features},) or (steps, {self._features}), "
                    f"got {np.shape(x)}"
                )
            frames = np.ascontiguousarray(frames)
        for call, size in self._calls:
            out = np.empty((len(frames), size), self._dtype)
            if len(frames):
                call(frames, out)
            frames = out
        result = self._loss.output(frames, np.empty_like(frames))
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
            native.state = state
