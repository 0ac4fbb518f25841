"""Inverted dropout as a layer of its own: on a network's inputs."""

from __future__ import annotations

from numbers import Real
from typing import Any

from ictus.kernels._device import native_module
from ictus.nn.layer import Array, Cache, Draws, Layer, Views


class Dropout(Layer):
    """In training, set inputs to zero with probability ``rate``, divide them by ``1 - rate`` else.

    Hinton et al. 2012; Srivastava et al. 2014. For hidden units use ``Dense(..., dropout=rate)``,
    which does it inside the matrix product.

    Parameters
    ----------
    rate : float in [0, 1)
    """

    kind = "dropout"
    passes_on = True
    elementwise = True

    def __init__(self, rate: float) -> None:
        if not isinstance(rate, Real) or not 0.0 <= rate < 1.0:
            raise ValueError(f"Dropout: rate must be in [0, 1), got {rate!r}")
        self.rate: float = float(rate)

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = input_size
        return input_size

    def _apply(self, x: Array, out: Array, draws: Draws) -> Array:
        native_module(x).dropout(x, out, self.rate, draws.seed, draws.stream, draws.first_row)
        return out

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        cache.draws = draws if self.rate else None
        return x if cache.draws is None else self._apply(x, cache.y, cache.draws)

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        if not propagate or cache.draws is None:
            return grad if propagate else None
        return self._apply(grad, cache.input_gradient, cache.draws)

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None or cache.draws is None:
            return x_dot
        return self._apply(x_dot, cache.tangent, cache.draws)

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "rate": self.rate}
