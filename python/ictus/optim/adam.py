"""Adam: adaptive moments of the gradient, with bias correction."""

from __future__ import annotations

from typing import Any

from ictus.kernels._device import native_module
from ictus.optim.optimizer import Array, Optimizer, check_range


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), with optional decoupled decay (AdamW).

    Parameters
    ----------
    learning_rate : float
    beta1, beta2 : float in [0, 1)
        Decay of the running means of the gradient and of its square.
    epsilon : float
    decoupled_decay : float
        Each update shrinks the weights by ``learning_rate * decoupled_decay`` of themselves
        (Loshchilov & Hutter 2019); ``l2`` instead enters the gradient.
    **options
        ``l1``, ``l2``, ``max_norm``, ``clip_norm``, ``clip_value``: see :class:`Optimizer`.
    """

    name = "adam"
    vectors = ("mean", "mean_square")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        epsilon: float = 1e-8,
        decoupled_decay: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta1 = check_range(self, "beta1", beta1, lambda x: 0 <= x < 1, "in [0, 1)")
        self.beta2 = check_range(self, "beta2", beta2, lambda x: 0 <= x < 1, "in [0, 1)")
        self.epsilon = check_range(self, "epsilon", epsilon, lambda x: x > 0, "positive")
        self.decoupled_decay = check_range(
            self, "decoupled_decay", decoupled_decay, lambda x: x >= 0, "not negative"
        )

    def _update(self, parameters: Array, gradient: Array, gradient_scale: float) -> None:
        native_module(parameters).adam_update(
            parameters,
            gradient,
            self.state["mean"],
            self.state["mean_square"],
            self.steps,
            self.learning_rate,
            self.beta1,
            self.beta2,
            self.epsilon,
            self.decoupled_decay,
            gradient_scale,
            self.l1,
            self.l2,
            self._segments,
        )

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
            "decoupled_decay": self.decoupled_decay,
        }
