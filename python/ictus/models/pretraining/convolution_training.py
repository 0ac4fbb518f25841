"""How one convolution layer of a network is trained on its own: machines and autoencoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.convolutional_divergence import ConvolutionalTrainer
from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine
from ictus.models.pretraining.layer_training import (
    LayerData,
    LayerSettings,
    TrainedLayer,
    in_unit_interval,
    train_network,
)
from ictus.nn import Conv2D, ConvTranspose2D, Layer, MaxPool, Network, Noise

Array = NDArray[Any]

#: Activations whose units a detection unit of a convolutional machine can stand for.
DETECTION_UNITS = ("sigmoid", "relu", "softplus")
#: Of a convolutional machine: its filters are more than the pixels that they see.
SPARSITY = {"sparsity_target": 0.05, "sparsity_cost": 0.1}


def check_convolution(layer: Conv2D, method: str, activation: str) -> None:
    """Raise ValueError for a convolution layer that the method cannot train."""
    if method not in TRAIN_CONVOLUTION:
        known = ", ".join(TRAIN_CONVOLUTION)
        raise ValueError(f"pretrain: method must be one of {known} for convolutions, got {method}")
    name = type(layer).__name__
    for what in ("stride", "dilation"):
        if np.max(getattr(layer, what)) > 1:
            raise ValueError(f"pretrain: {name} must have {what} 1, got {getattr(layer, what)}")
    if layer.groups > 1:
        raise ValueError(f"pretrain: {name} must have groups 1, got {layer.groups}")
    if method == "rbm" and activation not in DETECTION_UNITS:
        raise ValueError(
            "pretrain: method rbm has no detection units for the activation "
            f"{activation!r}; it has for {', '.join(DETECTION_UNITS)}"
        )


def _images(x: Array) -> Array:
    """Sequences (rows, time, channels) as images of one row."""
    return x[:, None] if x.ndim == 3 else x


def _padding(layer: Conv2D) -> Any:
    if layer.axes == 1 and not isinstance(layer.padding, str):
        return ((0, 0), layer.padding)
    return layer.padding


def _block(network: Network, number: int) -> Any:
    """The window of the max pooling that follows, the block of the pooling units; else 1."""
    for layer in network.layers[number + 1 :]:
        if isinstance(layer, MaxPool) and layer.window is not None:
            return layer.across(layer.window, 1)
        if layer.parameter_shapes:
            break
    return 1


def train_convolutional_machine(
    network: Network,
    number: int,
    activation: str,
    data: LayerData,
    settings: LayerSettings,
    progress: bool | None,
) -> TrainedLayer:
    """Train a convolutional RBM by CD-1 (Lee, Grosse, Ranganath & Ng 2009).

    A max pooling after the layer says what the blocks of the probabilistic pooling are.
    """
    layer = network.layers[number]
    assert isinstance(layer, Conv2D) and layer.window is not None
    x, bernoulli = _images(data.x), in_unit_interval(data.x)
    mean, deviation = np.zeros(layer.channels), np.ones(layer.channels)
    if not bernoulli:
        pixels = x.reshape(-1, layer.channels)
        mean, deviation = pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0)
        deviation = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1.0)
        if settings.tied:  # the decoder has the same weights: no scale can be undone
            deviation = np.ones_like(deviation)
        x = ((x - mean) / deviation).astype(network.dtype)
    machine = ConvolutionalMachine(
        x.shape[1:],
        layer.filters,
        layer.across(layer.window, 1),
        block=_block(network, number),
        padding=_padding(layer),
        visible_type="bernoulli" if bernoulli else "gaussian",
        dtype=network.dtype,
        seed=settings.seed,
    ).to(network.device)
    rate = settings.learning_rate
    trainer = ConvolutionalTrainer(
        machine,
        learning_rate=(1.0 if bernoulli else 0.1) if rate is None else rate,
        l2=settings.l2,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        checkpoint=data.checkpoint,
        progress=progress,
        **SPARSITY,
    )
    history = data.train(trainer, x)
    machine.to("cpu")
    weights = machine.weights / deviation[:, None]
    return TrainedLayer(
        weights,
        machine.hidden_bias - mean @ weights.sum(axis=(0, 1)),
        machine.weights * deviation[:, None],
        machine.visible_bias * deviation + mean,
        history,
    )


def train_convolutional_autoencoder(
    network: Network,
    number: int,
    activation: str,
    data: LayerData,
    settings: LayerSettings,
    progress: bool | None,
) -> TrainedLayer:
    """Train the layer with a transposed convolution above it (Masci, Meier, Ciresan &
    Schmidhuber 2011), denoising with corruption.

    Cross-entropy where the layer's inputs are in [0, 1], else the squared error.
    """
    layer = network.layers[number]
    assert isinstance(layer, Conv2D) and layer.window is not None
    x = _images(data.x)
    kernel, padding = layer.across(layer.window, 1), _padding(layer)
    below: list[Layer] = []
    if settings.corruption is not None and settings.corruption_level:
        below = [Noise(settings.corruption, settings.corruption_level)]
    small = Network(
        x.shape[1:],
        [
            *below,
            Conv2D(
                layer.filters,
                kernel,
                activation,
                padding=padding,
                initialization=layer.initialization,
                scale=layer.scale,
                bias=layer.bias,
            ),
            ConvTranspose2D(layer.channels, kernel, padding=padding),
        ],
        "binary_cross_entropy" if in_unit_interval(x) else "squared_error",
        dtype=network.dtype,
        seed=settings.seed,
    )
    history = train_network(small, x, x, data, settings, progress, network.device)
    views = small.views(small.parameters)
    weights, bias = views[len(below)]
    decoder_weights, decoder_bias = views[-1]
    return TrainedLayer(weights, bias, decoder_weights, decoder_bias, history)


#: The methods of pre-training convolutions by name.
TRAIN_CONVOLUTION: dict[str, Callable[..., TrainedLayer]] = {
    "rbm": train_convolutional_machine,
    "autoencoder": train_convolutional_autoencoder,
}
