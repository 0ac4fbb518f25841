"""The layers of an autoencoder: from an estimator's parameters to a chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels.noise import check_level
from ictus.nn import Activation, Dense, Layer, Noise, TiedDense
from ictus.nn.penalties import BOUNDED


def check_combination(model: Any) -> None:
    """Raise ValueError for parameters that are right alone, but not together."""
    name = type(model).__name__
    code = model.activation if model.code_activation is None else model.code_activation
    if model.corruption is not None:
        check_level(name, model.corruption, model.corruption_level)
    units = np.atleast_1d(model.hidden_units).size
    bounded = [code, *([model.activation] if units > 1 else [])]
    if model.sparsity_cost and not any(each in BOUNDED for each in bounded):
        raise ValueError(
            f"{name}: sparsity_cost must be 0 where no layer of the encoder is sigmoid or tanh, "
            f"got {model.sparsity_cost!r}"
        )
    if model.code_noise and model.contraction:
        raise ValueError(
            f"{name}: contraction must be 0 with code_noise, got {model.contraction!r}"
        )


def autoencoder_layers(model: Any, features: int) -> tuple[list[Layer], int]:
    """Return the chain of layers of an Autoencoder, and the number of the code layer."""
    units = [int(n) for n in np.atleast_1d(model.hidden_units)]
    code = model.activation if model.code_activation is None else model.code_activation
    activations = [model.activation] * (len(units) - 1) + [code]
    sparsity = {"sparsity_target": model.sparsity_target, "sparsity_cost": model.sparsity_cost}
    layers: list[Layer] = []
    if model.corruption is not None:
        low, high = model.low_, model.high_
        layers.append(Noise(model.corruption, model.corruption_level, low=low, high=high))
    encoder = []
    for number, (count, activation) in enumerate(zip(units, activations, strict=True)):
        encoder.append(len(layers))
        penalties = sparsity if activation in BOUNDED else {}
        if model.code_noise and number + 1 == len(units):
            layers.append(Dense(count, initialization=model.initialization))
            layers.append(Noise("gaussian", model.code_noise))
            layers.append(Activation(activation, **penalties))
        else:
            layers.append(
                Dense(
                    count,
                    activation,
                    initialization=model.initialization,
                    contraction=model.contraction,
                    **penalties,
                )
            )
    code_layer = len(layers) - 1
    sizes = [features, *units[:-1]]
    # The output starts small, so that the first reconstructions are undecided.
    rule = "glorot" if model.initialization == "auto" else model.initialization
    for number in range(len(units) - 1, -1, -1):
        activation = model.activation if number else "identity"
        if model.tied:
            layers.append(TiedDense(encoder[number], activation))
        else:
            start = model.initialization if number else rule
            layers.append(Dense(sizes[number], activation, initialization=start))
    return layers, code_layer
