"""Losses with their matching output functions (Bishop 2006, section 5.2).

A loss is taken from the logits, the linear outputs of the last layer, together with the output
function it matches: so the gradient is output minus target, and Gauss-Newton products are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import native_module
from ictus.kernels.loss import LOSSES as NUMBERS

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of logits and targets.

    Attributes
    ----------
    name : str
        "squared_error": 1/2 of the summed squared error, identity output. "binary_cross_entropy":
        independent sigmoid units. "softmax_cross_entropy": one of several classes.
    number : int
        By which the native kernels know it.
    """

    name: str
    number: int

    def value(
        self,
        logits: Array,
        targets: Array,
        gradient: Array | None,
        weights: Array | None,
        scale: float,
    ) -> float:
        """Return ``scale * sum(weights * loss)``; write its gradient to ``gradient`` if given."""
        value: float = native_module(logits).loss(
            self.number, logits, targets, gradient, weights, scale
        )
        return value

    def output(self, logits: Array, out: Array) -> Array:
        """Write the output function of the logits (softmax, sigmoid, identity) to ``out``."""
        if self.name == "softmax_cross_entropy":
            native_module(logits).softmax(logits, out)
        elif self.name == "binary_cross_entropy":
            native_module(logits).elementwise("sigmoid", logits, out, 1)
        elif out is not logits:
            out[...] = logits
        return out

    def curvature(
        self, logits: Array, v: Array, out: Array, weights: Array | None, scale: float
    ) -> Array:
        """Write the product of the loss's Hessian with respect to the logits and ``v``."""
        native_module(logits).output_curvature(self.number, logits, v, out, weights, scale)
        return out

    def check_targets(self, y: Any, rows: int, columns: int, dtype: np.dtype[Any]) -> Array:
        """Return targets as the kernels take them: int64 labels, or a matrix of ``dtype``.

        Raises
        ------
        ValueError
            Another number of examples or columns, labels out of range, or targets that are not
            finite; the message names the first row at fault.
        """
        y = np.asarray(y)
        if y.shape[:1] != (rows,):
            raise ValueError(f"y must have {rows} rows like x, got shape {y.shape}")
        if self.name == "softmax_cross_entropy" and y.ndim == 1:
            return self._check_labels(y, columns)
        if y.ndim == 1:
            y = y[:, None]
        if y.shape != (rows, columns):
            raise ValueError(f"y must have shape ({rows}, {columns}), got {y.shape}")
        y = np.ascontiguousarray(y, dtype)
        bad = ~np.isfinite(y).all(axis=1)
        if self.name == "binary_cross_entropy":
            bad |= ((y < 0) | (y > 1)).any(axis=1)
        if bad.any():
            row = int(np.argmax(bad))
            expected = "in [0, 1]" if self.name == "binary_cross_entropy" else "finite"
            raise ValueError(f"y must be {expected}, got {y[row]} in row {row}")
        matrix: Array = y
        return matrix

    @staticmethod
    def _check_labels(y: Array, classes: int) -> Array:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y must hold integer labels, got dtype {y.dtype}")
        bad = (y < 0) | (y >= classes)
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"y must hold labels in [0, {classes}), got {y[row]} in row {row}")
        labels: Array = np.ascontiguousarray(y, np.int64)
        return labels


#: The losses by name.
LOSSES = {name: Loss(name, number) for name, number in NUMBERS.items()}
