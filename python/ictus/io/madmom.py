"""madmom's networks from its own model files, as networks of ictus.

The files are pickles; :mod:`ictus.io.plain_pickle` reads them and executes nothing. They come with
madmom and have its licence for data (CC BY-NC-SA 4.0: not for commercial use), so none is part of
ictus; give the path of yours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.io.madmom_convolution import KINDS, convolutional_network, is_convolutional
from ictus.io.plain_pickle import Name, PickleError, Record, read_pickle
from ictus.nn import GRU, LSTM, Dense, Layer, Network, Recurrent, SequenceNetwork

__all__ = ["MadmomModelError", "load_madmom"]

Array = npt.NDArray[Any]

_LAYERS = (
    "BidirectionalLayer",
    "Cell",
    "FeedForwardLayer",
    "GRUCell",
    "GRULayer",
    "Gate",
    "LSTMLayer",
    "RecurrentLayer",
)
_FUNCTIONS = ("elu", "linear", "relu", "sigmoid", "softmax", "tanh")
ALLOWED = {
    "madmom.ml.nn NeuralNetwork": "NeuralNetwork",
    **{f"madmom.ml.nn.layers {name}": name for name in (*_LAYERS, *KINDS)},
    **{f"madmom.ml.nn.activations {name}": name for name in _FUNCTIONS},
}
# The activation of the last layer, and the loss it belongs to.
LOSSES = {
    "sigmoid": "binary_cross_entropy",
    "softmax": "softmax_cross_entropy",
    "linear": "squared_error",
}


class MadmomModelError(ValueError):
    """The file is not one of madmom's networks that have a counterpart."""


def load_madmom(path: str | os.PathLike[str]) -> SequenceNetwork | Network:
    """Return a network with the weights of one of madmom's model files.

    Parameters
    ----------
    path : str or path
        A ``.pkl`` of madmom with LSTM, GRU, simple recurrent and dense layers, of one or two
        directions (its beats, downbeats, onsets and notes), or the convolutional one of onsets.

    Returns
    -------
    SequenceNetwork or Network
        Its outputs are the activations. A softmax over no beat, beat and downbeat keeps all three.
        A Network is one of patches (frames, bands, spectra) of :func:`ictus.music.onset_features`;
        :func:`ictus.music.onsets.slide_patches` runs it over a recording.

    Raises
    ------
    MadmomModelError
        Not such a file, or with layers that have no counterpart.
    OSError
        The file cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        model = read_pickle(data, ALLOWED)
    except PickleError as error:
        raise MadmomModelError(
            f"{os.fspath(path)}: not a network of madmom that is known; {error}"
        ) from (error)
    if not isinstance(model, Record) or model.kind != "NeuralNetwork":
        raise MadmomModelError(f"{os.fspath(path)}: it holds no NeuralNetwork")
    try:
        layers = model.state["layers"]
        if is_convolutional(layers):
            return convolutional_network(layers, _function, LOSSES)
        return _network(layers)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise MadmomModelError(f"{os.fspath(path)}: {error}") from error


def _function(layer: Record) -> str:
    name = layer.state["activation_fn"]
    return name.text if isinstance(name, Name) else str(name)


def _network(layers: Sequence[Record]) -> SequenceNetwork:
    directions = [
        [one.state["fwd_layer"], one.state["bwd_layer"]]
        if one.kind == "BidirectionalLayer"
        else [one]
        for one in layers
    ]
    last = directions[-1][0]
    if last.kind != "FeedForwardLayer" or len(directions[-1]) != 1:
        raise ValueError(f"the last layer is a {last.kind}, expected a FeedForwardLayer")
    loss = LOSSES.get(_function(last))
    if loss is None:
        raise ValueError(f"outputs by {_function(last)} are not supported")
    made = [_layer(one, index == len(layers) - 1) for index, one in enumerate(directions)]
    network = SequenceNetwork(_input_size(directions[0][0]), made, loss)
    for given, views in zip(directions, network.views(network.parameters), strict=True):
        _fill(given, views)
    return network


def _parts(layer: Record) -> list[Record]:
    """What has weights in one direction of a layer, in the order of our gates."""
    s = layer.state
    if layer.kind == "LSTMLayer":
        return [s["input_gate"], s["forget_gate"], s["output_gate"], s["cell"]]
    if layer.kind == "GRULayer":
        return [s["reset_gate"], s["update_gate"], s["cell"]]
    return [layer]


def _input_size(layer: Record) -> int:
    return int(np.atleast_2d(_parts(layer)[0].state["weights"]).shape[0])


def _units(layer: Record) -> int:
    return int(np.atleast_2d(_parts(layer)[0].state["weights"]).shape[1])


def _layer(given: Sequence[Record], last: bool) -> Layer:
    kind, units, directions = given[0].kind, _units(given[0]), len(given)
    if kind == "FeedForwardLayer" and directions == 1:
        function = "identity" if last or _function(given[0]) == "linear" else _function(given[0])
        return Dense(units, function)
    for part in _parts(given[0])[: -1 if kind in ("LSTMLayer", "GRULayer") else None]:
        if kind != "RecurrentLayer" and _function(part) != "sigmoid":
            raise ValueError(f"gates by {_function(part)} are not supported")
    if kind == "LSTMLayer":
        peepholes = given[0].state["input_gate"].state.get("peephole_weights") is not None
        return LSTM(units, peepholes=peepholes, directions=directions)
    if kind == "GRULayer":
        return GRU(units, directions=directions)
    if kind == "RecurrentLayer":
        return Recurrent(units, _function(given[0]), directions=directions)
    raise ValueError(f"a layer {kind} is not supported")


def _vector(values: Any, units: int) -> Array:
    """A bias may be one number for all units."""
    return np.broadcast_to(np.asarray(values).ravel(), (units,))


def _fill(given: Sequence[Record], views: Sequence[Array]) -> None:
    inputs, units = _input_size(given[0]), _units(given[0])
    if given[0].kind == "FeedForwardLayer":
        views[0][...] = given[0].state["weights"]
        views[1][...] = _vector(given[0].state["bias"], units)
        return
    for d, layer in enumerate(given):
        init = layer.state.get("init", layer.state.get("hid_init"))
        if init is not None and np.any(init):
            raise ValueError("initial states other than 0 are not supported")
        parts = _parts(layer)
        gates, count = len(parts), len(given)
        weights = views[0].reshape(inputs, count, gates, units)
        recurrent = views[1].reshape(count, units, gates, units)
        bias = views[2].reshape(count, gates, units)
        for gate, part in enumerate(parts):
            # Our GRU keeps the old state where madmom's takes the new one: 1 - sigmoid(x).
            sign = -1.0 if layer.kind == "GRULayer" and gate == 1 else 1.0
            weights[:, d, gate] = sign * part.state["weights"]
            recurrent[d, :, gate] = sign * part.state["recurrent_weights"]
            bias[d, gate] = sign * _vector(part.state["bias"], units)
        if layer.kind == "LSTMLayer" and len(views) == 4:
            for gate, part in enumerate(parts[:3]):
                views[3].reshape(count, 3, units)[d, gate] = part.state["peephole_weights"].ravel()
        if layer.kind == "GRULayer":
            views[3].reshape(count, units)[d] = 0  # madmom adds no bias before the reset gate
