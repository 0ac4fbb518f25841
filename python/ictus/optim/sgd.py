"""Stochastic gradient descent with classical or Nesterov momentum."""

from __future__ import annotations

from typing import Any

from ictus.kernels._device import native_module
from ictus.optim.optimizer import Array, Optimizer, check_range


class SGD(Optimizer):
    """Gradient descent: ``v = momentum * v - learning_rate * g; w = w + v``.

    Parameters
    ----------
    learning_rate : float
    momentum : float in [0, 1]
        A schedule may change it between updates.
    nesterov : bool
        Nesterov's accelerated gradient in the form of Sutskever et al. 2013.
    dampened : bool
        The gradient counts ``1 - momentum`` times, so that the step does not grow with momentum
        (Hinton et al. 2012, appendix A.1).
    **options
        ``l1``, ``l2``, ``max_norm``, ``clip_norm``, ``clip_value``: see :class:`Optimizer`.
    """

    name = "sgd"
    vectors = ("velocity",)

    def __init__(
        self,
        learning_rate: float = 0.1,
        momentum: float = 0.0,
        *,
        nesterov: bool = False,
        dampened: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = check_range(self, "momentum", momentum, lambda x: 0 <= x <= 1, "in [0, 1]")
        self.nesterov = bool(nesterov)
        self.dampened = bool(dampened)

    def _update(self, parameters: Array, gradient: Array, gradient_scale: float) -> None:
        native_module(parameters).sgd_update(
            parameters,
            gradient,
            self.state["velocity"],
            self.learning_rate,
            self.momentum,
            self.nesterov,
            self.dampened,
            gradient_scale,
            self.l1,
            self.l2,
            self._segments,
        )

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "dampened": self.dampened,
        }
