"""RMSprop: gradients divided by a running average of their magnitude."""

from __future__ import annotations

from typing import Any

from ictus.kernels._device import native_module
from ictus.optim.optimizer import Array, Optimizer, check_range


class RMSprop(Optimizer):
    """RMSprop with momentum (Tieleman & Hinton 2012, lecture 6.5).

    Parameters
    ----------
    learning_rate : float
    decay : float in [0, 1)
        Of the running mean of squared gradients.
    momentum : float in [0, 1)
    epsilon : float
        Added to the root of the mean square.
    **options
        ``l1``, ``l2``, ``max_norm``, ``clip_norm``, ``clip_value``: see :class:`Optimizer`.
    """

    name = "rmsprop"
    vectors = ("mean_square", "velocity")

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.9,
        *,
        momentum: float = 0.0,
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.decay = check_range(self, "decay", decay, lambda x: 0 <= x < 1, "in [0, 1)")
        self.momentum = check_range(self, "momentum", momentum, lambda x: 0 <= x < 1, "in [0, 1)")
        self.epsilon = check_range(self, "epsilon", epsilon, lambda x: x > 0, "positive")

    def _update(self, parameters: Array, gradient: Array, gradient_scale: float) -> None:
        native_module(parameters).rmsprop_update(
            parameters,
            gradient,
            self.state["mean_square"],
            self.state["velocity"],
            self.learning_rate,
            self.decay,
            self.epsilon,
            self.momentum,
            gradient_scale,
            self.l1,
            self.l2,
            self._segments,
        )

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "decay": self.decay,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
