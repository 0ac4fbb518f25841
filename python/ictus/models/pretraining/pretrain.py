"""Greedy layer-wise pre-training of networks: one layer after the other, from the data up.

Hinton, Osindero & Teh 2006 and Hinton & Salakhutdinov 2006 (Boltzmann machines), Bengio, Lamblin,
Popovici & Larochelle 2007 (autoencoders, and supervised), Vincent et al. 2010 (denoising ones),
Lee, Grosse, Ranganath & Ng 2009 (convolutional machines), Masci et al. 2011 (convolutional
autoencoders).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import to_device, to_host
from ictus.models.pretraining.convolution_training import TRAIN_CONVOLUTION, check_convolution
from ictus.models.pretraining.layer_training import (
    METHODS,
    TRAIN_LAYER,
    LayerData,
    LayerSettings,
    TrainedLayer,
)
from ictus.nn import (
    Activation,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Network,
    TiedDense,
    part_outputs,
)
from ictus.train import History

Array = NDArray[Any]


@dataclass
class PretrainedLayer:
    """What pre-training found for one layer.

    Attributes
    ----------
    layer : int
        Number of the Dense or convolution layer in ``network.layers``.
    history : History
        Of its training.
    decoder_weights : array, shape (units, inputs), or None
        What reconstructs the layer's inputs from its outputs; None after supervised training. Of a
        convolution: the weights of a ConvTranspose2D layer, of the shape of its own.
    decoder_bias : array, shape (inputs,) or (channels,), or None
    """

    layer: int
    history: History
    decoder_weights: Array | None
    decoder_bias: Array | None


def hidden_layers(network: Network) -> list[tuple[int, int, str]]:
    """Return the hidden Dense and convolution layers: number, last of that stage, activation.

    What follows such a layer up to the next one belongs to its stage: in a code layer with noise
    before the activation, the activation is a layer of its own.
    """
    kinds = (Dense, TiedDense, Conv2D, ConvTranspose2D)
    weighted = [i for i, each in enumerate(network.layers) if isinstance(each, kinds)]
    found = []
    for number, following in itertools.pairwise(weighted):
        layer = network.layers[number]
        if not isinstance(layer, Dense | Conv2D):
            break
        names = [layer.activation] + [
            each.activation
            for each in network.layers[number + 1 : following]
            if isinstance(each, Activation)
        ]
        named = [name for name in names if name != "identity"]
        found.append((number, following - 1, named[0] if named else "identity"))
    return found


def pretrain(
    network: Network,
    x: Any,
    y: Any = None,
    method: str = "rbm",
    *,
    layers: int | None = None,
    epochs: int | Sequence[int] = 10,
    learning_rate: float | Sequence[float | None] | None = None,
    l2: float | Sequence[float] = 0.0,
    corruption: str | Sequence[str | None] | None = None,
    corruption_level: float | Sequence[float] = 0.3,
    tied: bool = False,
    batch_size: int = 100,
    seed: int | None = None,
    checkpoint: Any = None,
    data_digest: str = "",
    progress: bool | None = False,
) -> list[PretrainedLayer]:
    """Set the weights of a network's hidden layers one by one, from the data up.

    Each layer learns from the outputs of the layers below it, which stay as they are; dropout and
    noise of the network are not active meanwhile. Dropped units need no scaling afterwards: what
    is kept is scaled in training.

    Parameters
    ----------
    network : Network
        Dense layers, with dropout, noise and activations between them; convolutions, with what lies
        between those. The output layer is left as it is.
    x : array, shape (n, *input_shape)
    y : array, optional
        Targets as the network's loss takes them, for ``method="supervised"``.
    method : {"rbm", "autoencoder", "supervised"}
        rbm: restricted Boltzmann machines by contrastive divergence. Hidden units: Bernoulli for
        sigmoid, rectified for relu and softplus, Gaussian for identity (a linear code). Visible
        units: Bernoulli where the data is in [0, 1], else Gaussian on standardised data (the
        standardisation is then folded into the weights).
        autoencoder: autoencoders of one hidden layer, denoising ones with ``corruption``.
        Of convolutions (stride, dilation and groups 1): convolutional machines, whose blocks are
        the windows of the max pooling that follows, for sigmoid, relu and softplus; autoencoders
        with a transposed convolution.
        supervised: the layer with a temporary output layer above it, on the network's own loss.
    layers : int, optional
        How many hidden layers, from the lowest; all if not given.
    epochs, learning_rate, l2, corruption, corruption_level
        For all layers, or a sequence with one value for each. The learning rate, where not given,
        is 0.1 for Bernoulli machines, 0.01 with Gaussian visible or rectified hidden units, 0.001
        with Gaussian hidden units (Hinton & Salakhutdinov 2006), and 0.001 (Adam) for the other
        methods.
    tied : bool
        Whether encoder and decoder of the layer share weights: data is then not standardised, and
        an autoencoder's decoder has the transposed weights.
    batch_size : int
    seed : int, optional
        Of the order of examples and of draws; the network's if not given.
    checkpoint : path, optional
        Files of this name with the number of the layer appended are written after each epoch and
        gone on from.
    data_digest : str
        Names the data, where a checkpoint of other data is to be refused.
    progress : bool or None

    Returns
    -------
    list of PretrainedLayer
        Fewer than layers after an interruption: the last one's history then says so.

    Raises
    ------
    ValueError
        An unknown method, an activation that the method has no units for, settings that do not
        match the layers, missing targets.

    Examples
    --------
    >>> network = Network(784, [Dense(500, "sigmoid"), Dense(250, "sigmoid"), Dense(10)])
    >>> pretrained = pretrain(network, images, epochs=20)
    """
    if method not in TRAIN_LAYER:
        raise ValueError(f"pretrain: method must be one of {', '.join(METHODS)}, got {method!r}")
    stages = hidden_layers(network)
    count = len(stages) if layers is None else layers
    if not 0 <= count <= len(stages):
        raise ValueError(f"pretrain: layers must be at most {len(stages)}, got {layers!r}")
    given = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "l2": l2,
        "corruption": corruption,
        "corruption_level": corruption_level,
    }
    seed = network.seed if seed is None else seed
    settings = [
        LayerSettings(
            **{name: _one(name, value, k, count) for name, value in given.items()},
            tied=tied,
            batch_size=batch_size,
            seed=seed + k,
        )
        for k in range(count)
    ]
    for (number, _, activation), one in zip(stages, settings, strict=False):
        one.check(method, activation)
        if isinstance(layer := network.layers[number], Conv2D):
            check_convolution(layer, method, activation)
    # What layers learn from lies on the host, in the minibatches of each on the network's device.
    x = images = np.ascontiguousarray(to_host(network.examples(x)), network.dtype)
    if method == "supervised":
        if y is None:
            raise ValueError("pretrain: y must be given for supervised pre-training")
        y = network.loss_function.check_targets(y, len(x), network.output_size, network.dtype)
    found: list[PretrainedLayer] = []
    for (number, _, activation), one in zip(stages, settings, strict=False):
        data = LayerData(
            x,
            y,
            None if checkpoint is None else checkpoint_of_layer(checkpoint, len(found)),
            _past(data_digest, method, settings[: len(found)]),
        )
        convolution = isinstance(network.layers[number], Conv2D)
        methods = TRAIN_CONVOLUTION if convolution else TRAIN_LAYER
        trained = methods[method](network, number, activation, data, one, progress)
        found.append(_take(network, number, trained))
        if trained.history.interrupted:
            break
        if len(found) < count:
            x = _outputs(network, images, x, stages, len(found))
    return found


def _outputs(network: Network, images: Array, x: Array, stages: list[Any], done: int) -> Array:
    """Outputs of the stages that are done: from those of the stage before, or from the images."""
    last = stages[done - 1][1]
    if len(network.input_shape) > 1:
        return network.activations(images, last)
    return part_outputs(network, x, 0 if done == 1 else stages[done - 2][1] + 1, last)


def _past(data_digest: str, method: str, below: Sequence[LayerSettings]) -> str:
    """What a layer's checkpoint must have in common: the data, and how the layers below learned."""
    past = json.dumps([data_digest, method, *(vars(one) for one in below)])
    return hashlib.sha256(past.encode()).hexdigest()


def _take(network: Network, number: int, trained: TrainedLayer) -> PretrainedLayer:
    weights, bias = network.views(network.parameters)[number]
    weights[...] = to_device(network.device, trained.weights)
    bias[...] = to_device(network.device, trained.bias)
    return PretrainedLayer(number, trained.history, trained.decoder_weights, trained.decoder_bias)


def _one(name: str, value: Any, number: int, count: int) -> Any:
    """A layer's value of a setting."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        return value
    if len(value) != count:
        raise ValueError(
            f"pretrain: {name} must be one value or {count}, one for each layer, got {len(value)}"
        )
    return value[number]


def checkpoint_of_layer(checkpoint: Any, number: int) -> Path:
    """Return where pre-training of the layer of that number, from 0, keeps its state."""
    path = Path(checkpoint)
    return path.with_name(f"{path.name}.layer-{number + 1}")


def unroll(network: Network, pretrained: Sequence[PretrainedLayer]) -> None:
    """Set the decoder of an autoencoder from its pre-trained encoder.

    The layers after the encoder get the weights and biases that reconstruct, in reverse order
    (Hinton & Salakhutdinov 2006, figure 1); of a :class:`ictus.nn.TiedDense` the biases alone.

    Parameters
    ----------
    network : Network
        Encoder and decoder, as many layers each.
    pretrained : sequence of PretrainedLayer
        What :func:`pretrain` gave for the encoder.

    Raises
    ------
    ValueError
        Layers without a decoder (supervised pre-training), or whose sizes do not fit the network.
    """
    views = network.views(network.parameters)
    kinds = (Dense, TiedDense, Conv2D, ConvTranspose2D)
    numbers = [i for i, each in enumerate(network.layers) if isinstance(each, kinds)]
    decoder = numbers[len(pretrained) :]
    if len(decoder) != len(pretrained):
        raise ValueError(
            f"unroll: network must have {len(pretrained)} decoder layers, got {len(decoder)}"
        )
    for number, one in zip(decoder, reversed(pretrained), strict=True):
        if one.decoder_weights is None or one.decoder_bias is None:
            raise ValueError("unroll: supervised pre-training gives no decoder")
        layer = network.layers[number]
        weights = one.decoder_weights
        if weights.ndim == 4:
            if views[number][0].shape != weights.shape:
                raise ValueError(
                    f"unroll: layer {number} must have weights of shape {weights.shape}, got "
                    f"{views[number][0].shape}"
                )
        elif (layer.input_size, layer.output_size) != weights.shape:
            raise ValueError(
                f"unroll: layer {number} must map {one.decoder_weights.shape[0]} to "
                f"{one.decoder_weights.shape[1]}, got {layer.input_size} to {layer.output_size}"
            )
        bias = to_device(network.device, one.decoder_bias)
        if isinstance(layer, TiedDense):
            views[number][0][...] = bias
        else:
            views[number][0][...] = to_device(network.device, one.decoder_weights)
            views[number][1][...] = bias
