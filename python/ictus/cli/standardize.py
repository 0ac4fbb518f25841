"""Boltzmann machines trained on standardised numbers that take and give the raw ones.

:mod:`ictus.models.scaling` has the scaling, and the same for networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.models import RBM, DeepBeliefMachine
from ictus.models.scaling import Scaling, fold_into

__all__ = ["Scaling", "fold_into", "fold_into_deep", "fold_into_machine"]


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
