"""Normalization within an example: of all channels of a place, or of neighbouring channels."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ictus.kernels._device import empty
from ictus.nn.affine import ChannelLayer, scaling_gradients
from ictus.nn.layer import Array, Cache, Draws, Views


@dataclass(slots=True)
class _Normalized:
    """What a pass keeps: the normalised rows, and 1 / deviation of each."""

    rows: Array
    reciprocal: Array


class LayerNorm(ChannelLayer):
    """Normalises the channels of each place, then scales and shifts them (Ba, Kiros & Hinton 2016).

    ``y = scale * (x - mean) / sqrt(variance + epsilon) + shift`` with mean and variance over the
    last axis of vectors, sequences or images: the same in training and in use.

    Parameters
    ----------
    epsilon : float
        Added to the variance.

    Raises
    ------
    ValueError
        epsilon is not positive.
    """

    kind = "layer_norm"

    def __init__(self, *, epsilon: float = 1e-5) -> None:
        if not isinstance(epsilon, Real) or not 0 < epsilon < np.inf:
            raise ValueError(f"LayerNorm: epsilon must be a positive number, got {epsilon!r}")
        self.epsilon: float = float(epsilon)

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.channels,), (self.channels,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        views[0][...] = 1
        views[1][...] = 0

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        rows = self.rows(x)
        kept: _Normalized | None = cache.kept
        if kept is None or kept.rows.shape != rows.shape:
            kept = cache.kept = _Normalized(empty(rows, rows.shape), empty(x, (len(rows), 1)))
        np.subtract(rows, rows.mean(axis=1, keepdims=True), out=kept.rows)
        variance = np.einsum("ij,ij->i", kept.rows, kept.rows)[:, None] / self.channels
        np.divide(1, np.sqrt(variance + self.epsilon), out=kept.reciprocal)
        kept.rows *= kept.reciprocal
        out = self.rows(cache.y)
        np.multiply(kept.rows, views[0], out=out)
        out += views[1]
        return cache.y

    def _through(self, values: Array, kept: _Normalized, out: Array) -> Array:
        """The derivative of normalised rows along `values`; it is symmetric."""
        mean = values.mean(axis=1, keepdims=True)
        along = np.einsum("ij,ij->i", values, kept.rows)[:, None] / self.channels
        np.multiply((values - mean - kept.rows * along), kept.reciprocal, out=out)
        return out

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        kept: _Normalized = cache.kept
        rows = self.rows(grad)
        scaling_gradients(rows, kept.rows, gradient_views, accumulate)
        if not propagate:
            return None
        self._through(rows * views[0], kept, rows)
        return grad

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        kept: _Normalized = cache.kept
        out = self.rows(cache.tangent)
        if x_dot is None:
            out[...] = direction_views[1]
        else:
            self._through(self.rows(x_dot), kept, out)
            out *= views[0]
            out += direction_views[1]
        out += kept.rows * direction_views[0]
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "epsilon": self.epsilon}


@dataclass(slots=True)
class _Local:
    """What a pass keeps: its input, and what it was divided by before the power."""

    x: Array
    base: Array


class LocalResponseNorm(ChannelLayer):
    """Divides each channel by the strength of its neighbours (Krizhevsky et al. 2012, section 3.3).

    ``y_i = x_i / (bias + alpha / size * sum_j x_j^2)^beta``, j over the `size` channels around i
    (one more behind than before where that is even).

    Parameters
    ----------
    size : int
        Channels in a sum.
    alpha, beta, bias : float

    Raises
    ------
    ValueError
        A value outside its range.
    """

    kind = "local_response_norm"

    def __init__(
        self, size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
    ) -> None:
        if int(size) != size or size < 1:
            raise ValueError(f"LocalResponseNorm: size must be a positive integer, got {size!r}")
        for name, value in (("alpha", alpha), ("beta", beta), ("bias", bias)):
            least = value > 0 if name == "bias" else value >= 0
            if not isinstance(value, Real) or not least or not value < np.inf:
                raise ValueError(
                    f"LocalResponseNorm: {name} must be a number in its range, got {value!r}"
                )
        self.size = int(size)
        self.alpha, self.beta, self.bias = float(alpha), float(beta), float(bias)

    def _sums(self, rows: Array, before: int, after: int) -> Array:
        """Sums over the channels from `before` before each to `after` behind it."""
        out, channels = rows.copy(), self.channels
        for step in range(1, min(before, channels - 1) + 1):
            out[:, step:] += rows[:, :-step]
        for step in range(1, min(after, channels - 1) + 1):
            out[:, :-step] += rows[:, step:]
        return out

    @property
    def _around(self) -> tuple[int, int]:
        before = (self.size - 1) // 2
        return before, self.size - 1 - before

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        rows = self.rows(x)
        base = self._sums(np.square(rows), *self._around)
        base *= self.alpha / self.size
        base += self.bias
        cache.kept = _Local(rows, base)
        np.multiply(rows, base**-self.beta, out=self.rows(cache.y))
        return cache.y

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        if not propagate:
            return None
        kept: _Local = cache.kept
        rows, (before, after) = self.rows(grad), self._around
        slope = 2 * self.beta * self.alpha / self.size
        power = kept.base**-self.beta
        # Whom channel j disturbs: those that it is a neighbour of.
        pulled = self._sums(rows * kept.x * power / kept.base, after, before)
        rows *= power
        rows -= slope * kept.x * pulled
        return grad

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None:
            return None
        kept: _Local = cache.kept
        rows, out = self.rows(x_dot), self.rows(cache.tangent)
        slope = 2 * self.beta * self.alpha / self.size
        power = kept.base**-self.beta
        moved = self._sums(kept.x * rows, *self._around)
        np.multiply(power, rows - slope * kept.x * moved / kept.base, out=out)
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "size": self.size,
            "alpha": self.alpha,
            "beta": self.beta,
            "bias": self.bias,
        }
