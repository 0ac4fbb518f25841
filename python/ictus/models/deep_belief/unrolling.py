"""A deep belief net unrolled into a feed-forward network, for backpropagation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import to_host
from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine
from ictus.nn import Dense, Dropout, Layer, Network

Array = NDArray[Any]

#: The activation whose value is the mean of hidden units.
ACTIVATION_OF = {"bernoulli": "sigmoid", "rectified": "softplus", "gaussian": "identity"}


def unrolled(
    machine: DeepBeliefMachine,
    outputs: int | None = None,
    *,
    loss: str = "softmax_cross_entropy",
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    seed: int | None = None,
) -> Network:
    """Return a network whose hidden layers give the means of the machine's upward pass.

    The label units, where there are some, become the output layer: its weights are those by which
    the hidden units of the top predict them. The hidden units get no input from the label.

    Parameters
    ----------
    machine : DeepBeliefMachine
    outputs : int, optional
        Output units; the number of labels if not given. Where it is another number, or there are
        no label units, the output layer starts at small random weights.
    loss : str
        As of :class:`ictus.nn.Network`.
    dropout, input_dropout : float in [0, 1)
        Probability of dropping a hidden unit, or an input, in training. Dropout scales what is
        kept, so that the weights serve as they are (Srivastava et al. 2014, section 5.2).
    seed : int, optional
        That of the machine if not given.

    Raises
    ------
    ValueError
        No number of outputs, and no label units.
    """
    if outputs is None:
        if not machine.labels:
            raise ValueError("outputs must be given: the machine has no label units")
        outputs = machine.labels
    parts = [*machine.recognition, machine.top]
    layers: list[Layer] = [Dropout(input_dropout)] if input_dropout else []
    layers += [
        Dense(part.hidden_units, ACTIVATION_OF[part.hidden_type], dropout=dropout) for part in parts
    ]
    layers.append(Dense(outputs, initialization="gaussian"))
    network = Network(
        machine.visible_units,
        layers,
        loss,
        dtype=machine.dtype,
        seed=machine.seed if seed is None else seed,
    )
    views = [view for view in network.views(network.parameters) if view]
    for part, (weights, bias) in zip(parts, views, strict=False):
        rows = weights.shape[0]  # without those of the labels
        variance = None if part.variance is None else to_host(part.variance)
        scale = np.ones(rows, machine.dtype) if variance is None else 1 / variance[:rows]
        np.multiply(to_host(part.weights)[:rows], scale[:, None], out=weights)
        bias[...] = to_host(part.hidden_bias)
    if outputs == machine.labels:
        weights, bias = views[-1]
        weights[...] = to_host(machine.top.weights)[machine.top_units :].T
        bias[...] = to_host(machine.top.visible_bias)[machine.top_units :]
    return network.to(machine.device)
