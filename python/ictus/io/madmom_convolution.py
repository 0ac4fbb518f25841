"""madmom's convolutional networks as networks of patches, which slide over recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.io.plain_pickle import Record
from ictus.nn import Conv2D, Dense, Flatten, Layer, MaxPool, Network, Standardize

Array = npt.NDArray[Any]

KINDS = ("BatchNormLayer", "ConvolutionalLayer", "MaxPoolLayer", "StrideLayer")
# Its spectra have windows of 2048, 1024, 4096 samples, in this order; those of
# :func:`ictus.music.onset_features` 1024, 2048, 4096.
SPECTRA = [1, 0, 2]


def is_convolutional(layers: Sequence[Record]) -> bool:
    """Return whether one of the layers is a convolution."""
    return any(layer.kind == "ConvolutionalLayer" for layer in layers)


def convolutional_network(
    layers: Sequence[Record], function_of: Callable[[Record], str], losses: dict[str, str]
) -> Network:
    """Return the network of patches (frames, bands, spectra) with these layers.

    Parameters
    ----------
    layers : sequence of Record
        The input's standardisation, convolutions, maxima over bands, a StrideLayer, dense layers.
    function_of : callable
        The name of a layer's activation function.
    losses : dict
        The loss for the activation function of the last layer.

    Raises
    ------
    ValueError
        Layers in another order or of another kind.
    """
    first, last = layers[0], layers[-1]
    if first.kind != "BatchNormLayer" or function_of(first) != "linear":
        raise ValueError(f"the first layer is a {first.kind}, expected a linear BatchNormLayer")
    mean = np.asarray(first.state["mean"])
    if mean.ndim != 2 or mean.shape[1] != len(SPECTRA):
        raise ValueError(f"the input must have shape (bands, {len(SPECTRA)}), got {mean.shape}")
    loss = losses.get(function_of(last))
    if last.kind != "FeedForwardLayer" or loss is None:
        raise ValueError(f"the last layer is a {last.kind} with outputs by {function_of(last)}")
    made: list[Layer] = [Standardize()]
    frames = 1
    for layer in layers[1:]:
        if layer.kind == "ConvolutionalLayer":
            weights = np.asarray(layer.state["weights"])
            made.append(Conv2D(weights.shape[1], weights.shape[2:], function_of(layer)))
            frames += weights.shape[2] - 1
        elif layer.kind == "MaxPoolLayer":
            size = tuple(int(n) for n in layer.state["size"])
            if size[0] != 1 or tuple(layer.state["stride"]) != size:
                raise ValueError(f"maxima over {size} are not supported, only over bands")
            made.append(MaxPool((1, size[1])))
        elif layer.kind == "StrideLayer":
            made.append(Flatten())
            frames += int(layer.state["block_size"]) - 1
        elif layer.kind == "FeedForwardLayer":
            function = "identity" if layer is last else function_of(layer)
            made.append(Dense(np.asarray(layer.state["weights"]).shape[1], function))
        else:
            raise ValueError(f"a layer {layer.kind} is not supported here")
    network = Network((frames, len(mean), len(SPECTRA)), made, loss)
    for number, (layer, views) in enumerate(zip(layers, network.layer_views, strict=True)):
        _fill(layer, views, number == 1)
    return network


def _fill(layer: Record, views: Sequence[Array], from_input: bool) -> None:
    state = layer.state
    if layer.kind == "BatchNormLayer":
        # (x - mean) gamma / deviation + beta, with the shift inside.
        scale = np.broadcast_to(
            np.asarray(state["gamma"]) * np.asarray(state["inv_std"]), views[1].shape
        )
        shift = np.asarray(state["beta"]) / scale
        views[0][...] = (np.asarray(state["mean"]) - shift)[:, SPECTRA]
        views[1][...] = scale[:, SPECTRA]
    elif layer.kind == "ConvolutionalLayer":
        weights = np.asarray(state["weights"])
        weights = weights[SPECTRA] if from_input else weights
        # (channels, filters, height, width), turned round: a convolution, not a correlation.
        turned = weights[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        views[0][...] = turned.reshape(views[0].shape)
        views[1][...] = np.ravel(state["bias"])
    elif layer.kind == "FeedForwardLayer":
        views[0][...] = state["weights"]
        views[1][...] = np.ravel(state["bias"])
