"""Products of a network's curvature matrices and directions in the space of its parameters."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ictus.nn.curvature import GaussNewton
from ictus.nn.hessian import hessian_product
from ictus.nn.layer import Array

# Rows that are worked on at once where a whole data set is.
PART_ROWS = 1000


class CurvatureProducts:
    """The part of :class:`ictus.nn.Network` that makes products with curvature matrices."""

    #: Whether the mean of a weighted loss is over the sum of weights, not over rows.
    _weighted_mean: ClassVar[bool] = False

    def parts(self: Any, x: Any, weights: Any = None, rows: int = PART_ROWS) -> list[Any]:
        """Return a batch as parts of at most `rows` rows, each with its weights."""
        x = self.check_input(x)
        rows = min(rows, self._passes.rows_at_once(x.shape[1:]))
        if weights is not None:
            weights = np.ascontiguousarray(weights, self.dtype)
        cuts = [slice(first, first + rows) for first in range(0, len(x), rows)]
        return [(x[cut], None if weights is None else weights[cut]) for cut in cuts]

    def output_rows(self: Any, x: Any) -> int:
        """Rows of the logits of a batch."""
        return len(x)

    def gauss_newton(self: Any, x: Any, weights: Any = None, **options: Any) -> GaussNewton:
        """Return the Gauss-Newton matrix of the mean loss over x, for many products.

        Parameters
        ----------
        x : as of :meth:`forward`
        weights : array, shape (rows,), optional
            Of the rows; of sequences a list.
        **options
            ``structural_damping``, ``kept_bytes``: see :class:`GaussNewton`.
        """
        parts = self.parts(x, weights)
        rows = sum(
            float(own.sum()) if self._weighted_mean and own is not None else self.output_rows(part)
            for part, own in parts
        )
        return GaussNewton(self, parts, 1.0 / rows, **options)

    def gauss_newton_product(
        self: Any, x: Any, direction: Array, out: Array | None = None, weights: Any = None
    ) -> Array:
        """Return ``G direction``, G the Gauss-Newton matrix of the mean loss over the batch.

        ``G = 1/rows sum J^T H J`` with J the Jacobian of the logits and H the loss's Hessian with
        respect to them (Schraudolph 2002; Martens 2010). For more than one product at the same
        parameters, :meth:`gauss_newton` makes the forward pass once.

        Parameters
        ----------
        x : array-like, shape (rows, *input_shape)
        direction : array, shape (parameter_count,)
        out : array, shape (parameter_count,), optional
        weights : array, shape (rows,), optional
            As of :meth:`loss_and_gradient`.
        """
        matrix: GaussNewton = self.gauss_newton(x, weights)
        return matrix.product(direction, out)

    def hessian_product(
        self: Any,
        x: Any,
        y: Any,
        direction: Array,
        out: Array | None = None,
        weights: Any = None,
    ) -> Array:
        """Return ``H direction``, H the Hessian of the mean loss over the batch: exact.

        Of networks of Dense layers (Pearlmutter 1994). Unlike the Gauss-Newton matrix it need not
        be positive semi-definite.

        Parameters
        ----------
        x, y, weights
            As of :meth:`loss_and_gradient`.
        direction : array, shape (parameter_count,)
        out : array, shape (parameter_count,), optional

        Raises
        ------
        ValueError
            A layer whose second derivatives are not known.
        """
        x = self.check_input(x)
        y = self.checked_targets(y, x)
        direction = self._check_direction(direction)
        if out is None:
            out = np.empty_like(self.parameters)
        parts, first = [], 0
        for part, own in self.parts(x, weights):
            parts.append((part, y[first : first + len(part)], own))
            first += len(part)
        return hessian_product(self, parts, 1.0 / len(x), direction, out)
