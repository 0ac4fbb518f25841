"""The conditional RBM: a machine whose biases follow a context, such as a sequence's past."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import gemm
from ictus.models.boltzmann.machine import fill
from ictus.models.boltzmann.rbm import RBM
from ictus.models.boltzmann.windows import Windows

Array = NDArray[Any]


class ConditionalMachine(RBM):
    """An RBM with dynamic biases ``b + u A`` and ``c + u B`` of a context u (Taylor & Hinton 2006).

    The context of a frame of a sequence holds the frames before it (A is then autoregressive) and
    further inputs. Methods of :class:`RBM` that take visible or hidden states take the context
    beside them, shape (rows, context_units).

    Parameters
    ----------
    visible_units, hidden_units, context_units : int
    visible_type, hidden_type, group_size, learn_variance, dtype, seed, parameters
        As of :class:`RBM`.

    Attributes
    ----------
    visible_context : array, shape (context_units, visible_units)
        A; a view of ``parameters``, like
    hidden_context : array, shape (context_units, hidden_units)
        B.
    """

    def __init__(
        self,
        visible_units: int,
        hidden_units: int,
        context_units: int,
        *,
        visible_type: str = "bernoulli",
        hidden_type: str = "bernoulli",
        group_size: int = 1,
        learn_variance: bool = False,
        dtype: DTypeLike = "float32",
        seed: int = 0,
        parameters: Array | None = None,
    ) -> None:
        self.context_units = self.positive("context_units", context_units)
        super().__init__(
            visible_units,
            hidden_units,
            visible_type=visible_type,
            hidden_type=hidden_type,
            group_size=group_size,
            learn_variance=learn_variance,
            dtype=dtype,
            seed=seed,
            parameters=parameters,
        )

    # --- parameters ---------------------------------------------------------------------------

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {
            "visible_context": (self.context_units, self.visible_units),
            "hidden_context": (self.context_units, self.hidden_units),
        }

    def _set_views(self) -> None:
        super()._set_views()
        views = self.views(self.parameters)
        self.visible_context = views["visible_context"]
        self.hidden_context = views["hidden_context"]

    def initialize(self, seed: int | None = None) -> None:
        """Draw weights, A and B from N(0, 0.01^2), set the rest to 0, start the draws anew."""
        super().initialize(seed)
        generator = np.random.Generator(np.random.PCG64([self.seed, 1]))
        for matrix in (self.visible_context, self.hidden_context):
            fill(matrix, generator.normal(0.0, 0.01, matrix.shape))

    def config(self) -> dict[str, Any]:
        return super().config() | {"context_units": self.context_units}

    # --- training -----------------------------------------------------------------------------

    def examples(self, x: Any, name: str, check_range: bool = True) -> Any:
        """Return a source of minibatches: x is :class:`Windows` of sequences."""
        if not isinstance(x, Windows):
            raise TypeError(f"{name} must be Windows of sequences, got {type(x).__name__}")
        found = x.visible.shape[1], x.context_units
        if found != (self.visible_units, self.context_units):
            raise ValueError(
                f"{name} must have {self.visible_units} visible and {self.context_units} context "
                f"units, got {found[0]} and {found[1]}"
            )
        x.check(self, name, check_range)
        return x

    def more_updates(self, velocity: dict[str, Array]) -> dict[str, Array]:
        return super().more_updates(velocity) | {
            "visible_context": self.visible_context,
            "hidden_context": self.hidden_context,
            "visible_context_velocity": velocity["visible_context"],
            "hidden_context_velocity": velocity["hidden_context"],
        }

    # --- layers -------------------------------------------------------------------------------

    def biases(self, context: Any, rows: int) -> tuple[Array | None, Array | None]:
        """Return the biases of visible and hidden units in each row's context.

        Raises
        ------
        ValueError
            No context, or one of another shape than (rows, context_units).
        """
        if context is None:
            raise ValueError("context must be given: the machine is conditional")
        context = self._states(context, "context", self.context_units)
        if len(context) != rows:
            raise ValueError(f"context must have {rows} rows, got {len(context)}")
        visible = gemm(context, self.visible_context, bias=self.visible_bias)
        return visible, gemm(context, self.hidden_context, bias=self.hidden_bias)
