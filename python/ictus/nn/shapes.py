"""The shapes of examples in a chain of layers: vectors, sequences of frames, images.

Between layers a batch is always a matrix (rows, numbers of an example); a layer that sees images
knows their shape. An axis of None may have any length: parameters do not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ictus.kernels._device import is_device_array
from ictus.kernels._foreign import shared_as_numpy
from ictus.nn.layer import Array, Cache, Layer, Shape, Sizes
from ictus.nn.losses import Loss

# Caches are kept for this many batch sizes: the minibatch, the last of an epoch, validation.
KEPT_BATCH_SIZES = 4
# Numbers of the largest layer's output that inference makes at once.
NUMBERS_AT_ONCE = 1 << 21


def as_shape(input_size: Any) -> Shape:
    """Return the shape of an example from what a network was given.

    Raises
    ------
    ValueError
        No positive integer, and no 2 or 3 of them (or None, but not for the channels).
    """
    if isinstance(input_size, Sequence) and not isinstance(input_size, str):
        shape = tuple(input_size)
        if len(shape) == 1:
            return as_shape(shape[0])
        if (
            2 <= len(shape) <= 3
            and shape[-1] is not None
            and all(n is None or (int(n) == n and n >= 1) for n in shape)
        ):
            return tuple(None if n is None else int(n) for n in shape)
        raise ValueError(
            "Network: input_size must be (time, channels) or (height, width, channels), all but "
            f"the channels None or a positive integer, got {input_size!r}"
        )
    if int(input_size) != input_size or input_size < 1:
        raise ValueError(f"Network: input_size must be a positive integer, got {input_size!r}")
    return (int(input_size),)


def size_of(shape: Shape) -> int:
    """Return how many numbers an example of this shape has, 0 where that is not fixed."""
    return math.prod(n or 0 for n in shape)


def examples(x: Any, shape: Shape, name: str = "x") -> Array:
    """Return x as an array (rows, *shape); a matrix of whole examples will do, or one channel.

    Raises
    ------
    ValueError
        Another shape; the message names `name`.
    """
    if not is_device_array(x):
        x = np.asanyarray(shared_as_numpy(x, name))
    given = x.shape
    if len(shape) > 1:
        if x.ndim == 2 and size_of(shape) and x.shape[1] == size_of(shape):
            x = x.reshape(len(x), *(n or 0 for n in shape))
        elif x.ndim == len(shape) and shape[-1] == 1:
            x = x[..., None]
    if x.ndim != len(shape) + 1 or any(
        wanted not in (None, got) for wanted, got in zip(shape, x.shape[1:], strict=True)
    ):
        raise ValueError(f"{name} must have shape ({_text(shape)}), got {given}")
    array: Array = x
    return array


def _text(shape: Shape) -> str:
    return ", ".join(["rows", *("any" if n is None else str(n) for n in shape)])


def targets_by_place(
    loss: Loss, y: Any, rows: int, places: Sizes, outputs: int, dtype: np.dtype[Any]
) -> Array:
    """Return targets of outputs (rows, *places, outputs), checked, a row an example.

    Raises
    ------
    ValueError
        Another number of examples or places, or targets that the loss does not take.
    """
    if not places:
        return loss.check_targets(y, rows, outputs, dtype)
    y = np.asarray(y)
    shape = (rows, *places)
    if y.shape[: len(shape)] != shape:
        raise ValueError(f"y must have shape {shape} or {(*shape, outputs)}, got {y.shape}")
    flat = y.reshape(math.prod(shape), *y.shape[len(shape) :])
    checked = loss.check_targets(flat, len(flat), outputs, dtype)
    return checked.reshape(*shape, *checked.shape[1:])


def by_place(
    logits: Array, y: Array, weights: Array | None, outputs: int
) -> tuple[Array, Array, Array | None]:
    """Return logits, targets and weights of examples with a row a place.

    Weights may be those of the places already.
    """
    flat = logits.reshape(-1, outputs)
    if weights is not None and weights.size == len(flat):
        weights = weights.reshape(-1)
    elif weights is not None:
        weights = np.repeat(weights, len(flat) // max(len(logits), 1))
    labels = y.dtype.kind == "i"
    return flat, y.reshape(-1) if labels else y.reshape(-1, outputs), weights


class Passes:
    """The caches of a chain of layers, for a few sizes of a batch.

    Parameters
    ----------
    layers : sequence of Layer
        Connected.
    shape : tuple
        Of an example at the input.
    dtype : dtype
    arrays : module
        What makes the arrays: NumPy, or CuPy.
    """

    def __init__(
        self, layers: Sequence[Layer], shape: Shape, dtype: np.dtype[Any], arrays: Any = np
    ) -> None:
        self._layers, self._shape, self._dtype, self._arrays = layers, shape, dtype, arrays
        self._kept: dict[tuple[int, Sizes], list[Cache]] = {}

    def enter(self, x: Array) -> tuple[Array, list[Cache]]:
        """Return a batch (rows, *shape) as a matrix, and the caches of a pass of it."""
        if not hasattr(x, "shape"):
            raise TypeError(f"x must be an array, got {type(x).__name__}")
        shape = x.shape[1:]
        if x.ndim == 2:
            shape = tuple(n or 0 for n in self._shape)
        return (x if x.ndim == 2 else x.reshape(len(x), -1)), self.of(len(x), shape)

    def of(self, rows: int, shape: Sizes) -> list[Cache]:
        """Return the caches of a pass of so many examples of this shape."""
        caches = self._kept.get((rows, shape))
        if caches is None:
            if len(self._kept) >= KEPT_BATCH_SIZES:
                del self._kept[next(iter(self._kept))]
            caches = self._kept[rows, shape] = self.made(rows, shape)
        return caches

    def made(self, rows: int, shape: Sizes, beside: Sequence[Cache] | None = None) -> list[Cache]:
        """Return new caches, whose room for gradients and tangents is that of `beside` if given."""
        caches = []
        for number, layer in enumerate(self._layers):
            below, shape = shape, layer.output_shape(shape)
            other = None if beside is None else beside[number]
            cache = Cache(rows, size_of(below), size_of(shape), self._dtype, other, self._arrays)
            cache.input_shape, cache.output_shape = below, shape
            caches.append(cache)
        return caches

    def output_shape(self, shape: Sizes, layers: int | None = None) -> Sizes:
        """Return the shape of the outputs (of the first `layers`) for an example of this shape."""
        for layer in self._layers[:layers]:
            shape = layer.output_shape(shape)
        return shape

    def rows_at_once(self, shape: Sizes) -> int:
        """Return how many examples of this shape inference takes at once: bounds the memory."""
        if len(self._shape) == 1:
            return 1024
        largest = 1
        for layer in self._layers:
            shape = layer.output_shape(shape)
            largest = max(largest, size_of(shape))
        return min(1024, max(1, NUMBERS_AT_ONCE // largest))
