"""Corruption of a layer's inputs in training: what a denoising autoencoder has to undo."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.kernels.noise import CORRUPTIONS, check_level
from ictus.nn.layer import Array, Cache, Draws, Layer, Views


class Noise(Layer):
    """In training, corrupt the inputs (Vincent et al. 2010, section 3.3); else pass them on.

    Parameters
    ----------
    corruption : {"masking", "gaussian", "salt_and_pepper"}
        masking: an input becomes 0 with probability ``level`` (and nothing is scaled, unlike in
        :class:`Dropout`). salt_and_pepper: with probability ``level`` it becomes ``low`` or
        ``high``, either as likely. gaussian: N(0, ``level ** 2``) is added.
    level : float
        A probability in [0, 1], or a standard deviation, not negative.
    low, high : float
        What salt and pepper put in.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name.
    """

    kind = "noise"
    passes_on = True
    elementwise = True

    def __init__(
        self,
        corruption: str = "masking",
        level: float = 0.3,
        *,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        self.level = check_level("Noise", corruption, level)
        for name, value in (("low", low), ("high", high)):
            if not isinstance(value, Real) or not np.isfinite(value):
                raise ValueError(f"Noise: {name} must be a finite number, got {value!r}")
        self.corruption = corruption
        self.low, self.high = float(low), float(high)
        self._number = CORRUPTIONS[corruption]
        # Added noise lets the gradient through as it is.
        self._adds = corruption == "gaussian"

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = input_size
        return input_size

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.draws = draws if self.level else None
        if cache.draws is None:
            return x
        native_module(x).corrupt(
            self._number,
            x,
            cache.y,
            self.level,
            self.low,
            self.high,
            cache.draws.seed,
            cache.draws.stream,
            cache.draws.first_row,
        )
        return cache.y

    def _keep(self, v: Array, out: Array, draws: Draws) -> Array:
        """Write what of v belongs to inputs that were kept: as masking with the same draws."""
        native_module(v).corrupt(
            CORRUPTIONS["masking"],
            v,
            out,
            self.level,
            0.0,
            0.0,
            draws.seed,
            draws.stream,
            draws.first_row,
        )
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
        if not propagate:
            return None
        if cache.draws is None or self._adds:
            return grad
        return self._keep(grad, cache.input_gradient, cache.draws)

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None or cache.draws is None or self._adds:
            return x_dot
        return self._keep(x_dot, cache.tangent, cache.draws)

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "corruption": self.corruption,
            "level": self.level,
            "low": self.low,
            "high": self.high,
        }
