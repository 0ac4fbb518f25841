"""The layers by their names in a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.embedding import Embedding
from ictus.nn.layer import Layer
from ictus.nn.lstm import LSTM
from ictus.nn.recurrent import GRU, Recurrent

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer for layer in (Dense, Dropout, Embedding, Recurrent, LSTM, GRU)
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
