"""The layer of long short-term memory, with and without forget gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels._device import zeros
from ictus.nn.layer import Array, Views
from ictus.nn.recurrent import RecurrentBase

# Bias of a forget gate that is always open.
HELD_OPEN = 100.0


class LSTM(RecurrentBase):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with or without forget gates.

    Parameters
    ----------
    forget_bias : float
        Initial bias of the forget gates (Gers et al. 2000; Jozefowicz et al. 2015).
    peepholes : bool
        Connections from the cell state to the gates (Gers et al. 2002); they start at zero.
    forget_gate : bool
        False: the cell of 1997, ``c' = c + i * g``. The layer then has a quarter fewer parameters,
        and the gradient along the cell state does not decay.
    units, output, directions, scale, skip
        See :class:`RecurrentBase`. Equations: :func:`ictus.kernels.lstm`.
    """

    kind = "lstm"
    gates, states = 4, 2
    native, native_stream = "LSTMLayer", "LSTMStream"

    def __init__(
        self,
        units: int,
        *,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        forget_gate: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(units, **shared)
        self.forget_bias, self.peepholes = float(forget_bias), bool(peepholes)
        self.forget_gate = bool(forget_gate)

    @property
    def parameter_gates(self) -> int:
        return 4 if self.forget_gate else 3

    @property
    def extra_size(self) -> int:
        return (self.parameter_gates - 1) * self.units if self.peepholes else 0

    def extra_shape(self) -> tuple[int, ...]:
        return (self.directions, 3, self.units)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        super().initialize(views, generator)
        if self.forget_gate:
            views[2].reshape(self.directions, 4, self.units)[:, 1] = self.forget_bias

    # Without forget gates the kernel gets ones whose bias holds them open: their output is exactly
    # 1 and their slope exactly 0, so their gradients and tangents are 0, too.

    def _gates(self, views: Views, gates: int) -> list[Array]:
        """Views of the parameters with the gates in the last axis but one."""
        weights, recurrent, bias, *extra = views
        shaped = [
            weights.reshape(len(weights), self.directions, gates, self.units),
            recurrent.reshape(self.directions, self.units, gates, self.units),
            bias.reshape(self.directions, gates, self.units),
        ]
        return shaped + [one.reshape(self.directions, gates - 1, self.units) for one in extra]

    def kernel_views(self, views: Views) -> Views:
        if self.forget_gate:
            return views
        result = []
        for number, narrow in enumerate(self._gates(views, 3)):
            wide = zeros(narrow, (*narrow.shape[:-2], narrow.shape[-2] + 1, self.units))
            wide[..., 0, :], wide[..., 2:, :] = narrow[..., 0, :], narrow[..., 1:, :]
            if number == 2:
                wide[..., 1, :] = HELD_OPEN
            result.append(wide)
        weights, recurrent, bias, *extra = result
        columns = 4 * self.units
        return [
            weights.reshape(len(weights), -1),
            recurrent.reshape(-1, columns),
            bias.reshape(-1),
            *(one.reshape(-1) for one in extra),
        ]

    def take_gradients(self, gradients: Views, gradient_views: Views) -> None:
        if self.forget_gate:
            return
        pairs = zip(self._gates(gradients, 4), self._gates(gradient_views, 3), strict=True)
        for wide, narrow in pairs:
            narrow[..., 0, :], narrow[..., 1:, :] = wide[..., 0, :], wide[..., 2:, :]

    def options(self) -> dict[str, Any]:
        return {
            "forget_bias": self.forget_bias,
            "peepholes": self.peepholes,
            "forget_gate": self.forget_gate,
        }
