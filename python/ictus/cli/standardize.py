"""Training on standardised numbers with a model that takes and gives the raw ones.

Gradient descent wants features, and targets of a regression, of mean 0 and deviation 1 (LeCun et
al. 1998, "Efficient BackProp", section 4.3). Scaling is affine, so after training it goes into the
first and the last layer, and the model file needs to know nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models import RBM, DeepBeliefMachine
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


def fold_into_machine(rbm: RBM, features: Scaling) -> RBM:
    """Return a machine of the raw numbers that is one of the standardised ones, up to scale.

    With v the raw numbers, m and s their mean and deviation: W and the visible bias are multiplied
    by s, the variance by s^2, m is added to the visible bias, and W m / s is taken from the hidden
    one, so that the inputs of hidden and visible units stay as they were.
    """
    variance = np.ones(rbm.visible_units) if rbm.variance is None else rbm.variance
    raw = RBM.from_config(rbm.config() | {"learn_variance": True})
    raw.draw_count = rbm.draw_count
    deviation = features.deviation
    raw.weights[...] = rbm.weights * deviation[:, None]
    raw.visible_bias[...] = rbm.visible_bias * deviation + features.mean
    assert raw.log_variance is not None
    raw.log_variance[...] = np.log(variance * np.square(deviation))
    raw.hidden_bias[...] = rbm.hidden_bias - (features.mean / (deviation * variance)) @ rbm.weights
    return raw


def fold_into_deep(model: Any, features: Scaling) -> None:
    """Change a deep belief net trained on standardised numbers into the same one of the raw ones.

    Of its lowest layer the recognition and the generative weights, as :func:`fold_into_machine`
    does it, and of the network that came from it, where there is one, the first layer.
    """
    old = model.machine_
    layers = [dict(layer) for layer in old.layers]
    layers[0]["learn_variance"] = True
    new = DeepBeliefMachine(**old.config() | {"layers": layers})
    lowest = {id((old.recognition or [old.top])[0]), id((old.generative or [old.top])[0])}
    for before, after in zip(old.parts, new.parts, strict=True):
        changed = fold_into_machine(before, features) if id(before) in lowest else before
        after.parameters[...] = changed.parameters
    new.draw_count = old.draw_count
    model.machine_ = new
    if hasattr(model, "network_"):
        fold_into(model.network_, features, None)
