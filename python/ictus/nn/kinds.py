"""The layers by their names in a configuration, and a network's arguments from one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ictus.nn.activated import ActivatedLayer
from ictus.nn.affine import Affine
from ictus.nn.batch_normalization import BatchNorm, SpatialDropout
from ictus.nn.convolution import Conv1D, Conv2D
from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.elementwise import Activation
from ictus.nn.embedding import Embedding
from ictus.nn.layer import Array, Layer
from ictus.nn.layer_normalization import LayerNorm, LocalResponseNorm
from ictus.nn.lstm import LSTM
from ictus.nn.mean_covariance import MeanCovariance
from ictus.nn.noise import Noise
from ictus.nn.parameters import connect, parameter_count
from ictus.nn.pooling import AveragePool, Flatten, MaxPool
from ictus.nn.recurrent import GRU, Recurrent
from ictus.nn.shapes import as_shape
from ictus.nn.standardize import Standardize
from ictus.nn.subsampling import Subsampling
from ictus.nn.tied import TiedDense
from ictus.nn.transposed_convolution import ConvTranspose2D, Upsample

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Activation,
        Affine,
        AveragePool,
        BatchNorm,
        Conv1D,
        Conv2D,
        ConvTranspose2D,
        Dense,
        Dropout,
        Embedding,
        Flatten,
        GRU,
        LSTM,
        LayerNorm,
        LocalResponseNorm,
        MaxPool,
        MeanCovariance,
        Noise,
        Recurrent,
        SpatialDropout,
        Standardize,
        Subsampling,
        TiedDense,
        Upsample,
    )
}


def layers_from_config(entries: Iterable[Mapping[str, Any]]) -> list[Layer]:
    """Return the layers that gave these configurations.

    Raises
    ------
    KeyError, TypeError
        An unknown kind of layer, or arguments it does not take.
    """
    layers = []
    for entry in entries:
        arguments = dict(entry)
        layers.append(LAYERS[arguments.pop("kind")](**arguments))
    return layers


def check_output_layer(layers: Sequence[Layer]) -> None:
    """Raise ValueError where the last layer with parameters is no logits."""
    last = next((layer for layer in reversed(layers) if layer.parameter_shapes), None)
    dropout = getattr(last, "dropout", 0.0)
    if isinstance(last, ActivatedLayer | TiedDense) and (last.activation != "identity" or dropout):
        raise ValueError(
            f"Network: the last {type(last).__name__} layer must be linear and without dropout "
            f"(the loss has the output function), got activation {last.activation!r}, dropout "
            f"{dropout}"
        )


def network_arguments(config: dict[str, Any], parameters: Array | None) -> dict[str, Any]:
    """Return the arguments of the network of a configuration, its layers made.

    Raises
    ------
    KeyError, TypeError, AttributeError, OverflowError
        Not the configuration of a network.
    ValueError
        Arguments that the layers do not take, or another number of parameters: compared before
        memory is taken for the network.
    """
    config = dict(config)
    layers = layers_from_config(config.pop("layers"))
    connect(layers, as_shape(config["input_size"]))
    count = parameter_count(layers)
    if parameters is not None and parameters.shape != (count,):
        raise ValueError(f"parameters must have shape ({count},), got {parameters.shape}")
    return config | {"layers": layers}
