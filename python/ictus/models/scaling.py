"""Standardised numbers for training, and models that take and give the raw ones.

Gradient descent wants features, and targets of a regression, of mean 0 and deviation 1 (LeCun et
al. 1998, "Efficient BackProp", section 4.3). Scaling is affine, so after training it goes into the
first and the last layer, and whoever uses the model needs to know nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import Network

Array = NDArray[Any]


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation of each column, float64; the deviation of a constant column is 1."""

    mean: Array
    deviation: Array

    @staticmethod
    def of(values: Array) -> Scaling:
        """Measure a matrix (rows, columns), or a vector as one column."""
        columns = values.reshape(len(values), -1).astype(np.float64)
        mean, deviation = columns.mean(axis=0), columns.std(axis=0)
        # A constant column has a deviation of rounding errors, not always exactly 0.
        constant = deviation <= 1e-7 * np.abs(mean)
        return Scaling(mean, np.where(constant, 1.0, deviation))

    def apply(self, values: Array) -> Array:
        """Return the standardised values, float32, in the shape of the given ones."""
        columns = values.reshape(len(values), -1)
        scaled = ((columns - self.mean) / self.deviation).astype(np.float32)
        return scaled.reshape(values.shape)


def fold_into(network: Network, features: Scaling, targets: Scaling | None) -> None:
    """Change a network trained on standardised numbers into the same function of the raw ones."""
    dense = [views for views in network.views(network.parameters) if views]
    weights, bias = dense[0]
    scaled = weights / features.deviation[:, None]
    weights[...] = scaled
    bias -= features.mean @ scaled
    if targets is not None:
        weights, bias = dense[-1]
        weights[...] = weights * targets.deviation
        bias[...] = bias * targets.deviation + targets.mean
