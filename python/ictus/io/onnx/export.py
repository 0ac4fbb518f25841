"""Networks and estimators as ONNX files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.builder import Builder
from ictus.io.onnx.export_layers import WRITERS, Writer
from ictus.nn import Network, SequenceNetwork
from ictus.nn.losses import LOSSES
from ictus.train.files import write_atomically

Array = NDArray[Any]

OUTPUT_FUNCTIONS = {
    "softmax_cross_entropy": "Softmax",
    "binary_cross_entropy": "Sigmoid",
    "squared_error": "",
}


def save(
    path: str | os.PathLike[str], model: Any, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a network or a fitted estimator as an ONNX file (operator set 20), atomically.

    The file takes what ``predict`` takes, and gives what it gives: of a classifier, the
    probabilities. Input ``x`` is float32 of shape (batch, features), (batch, time, channels) or
    (batch, height, width, channels); of a sequence network (batch, steps, features), or integers
    (batch, steps), where all sequences of a batch have the same number of steps. What is only for
    training (dropout, noise) is left out; weights of float64 become float32.

    Parameters
    ----------
    path : path
    model : Network, SequenceNetwork, or an estimator with a network or a layer of hidden units
    metadata : mapping, optional
        Texts that the file keeps; the classes of a classifier are added as JSON.

    Raises
    ------
    TypeError
        A model that is no network and has none.
    ValueError
        A layer that ONNX cannot say, or an estimator that is not fitted.
    """
    write_atomically(path, encode(model, metadata))


def encode(model: Any, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of the file that :func:`save` writes."""
    builder, texts = Builder(), dict(metadata or {})
    kind = type(model).__name__
    if isinstance(model, Network):
        add_model(builder, model)
    elif isinstance(getattr(model, "network_", None), Network):
        add_model(builder, model.network_)
    elif hasattr(model, "__ictus_getstate__"):
        from ictus.io.onnx.export_machines import add_machine

        add_machine(builder, model)
    else:
        raise TypeError(f"save: model must be a network or an estimator of ictus, got {kind}")
    return builder.model({"ictus_kind": kind} | texts | _classes(model))


def _classes(model: Any) -> dict[str, str]:
    classes = getattr(model, "classes_", None)
    return {} if classes is None else {"classes": json.dumps(np.asarray(classes).tolist())}


def add_model(builder: Builder, network: Network) -> None:
    """Add a network with its input ``x`` and its output ``y`` to a graph."""
    symbols = isinstance(network, SequenceNetwork) and network.symbols
    if isinstance(network, SequenceNetwork):
        shape: tuple[int | str, ...] = ("batch", "steps")
        shape = shape if symbols else (*shape, network.input_size)
    else:
        names = ("time",) if len(network.input_shape) == 2 else ("height", "width")
        axes = (*names, "channels") if len(network.input_shape) > 1 else ("features",)
        shape = ("batch", *(n or axes[i] for i, n in enumerate(network.input_shape)))
    x = builder.input("x", np.int64 if symbols else np.float32, shape)
    writer = add_network(builder, network, x)
    builder.output(writer.name, np.float32, writer.shape)


def add_network(builder: Builder, network: Network, x: str, name: str = "y") -> Writer:
    """Add the layers of a network, from the tensor `x` to its outputs, to a graph.

    Raises
    ------
    ValueError
        A layer that ONNX cannot say.
    """
    writer = Writer(builder, network, x)
    for number, (layer, views) in enumerate(zip(network.layers, network.layer_views, strict=True)):
        write = WRITERS.get(layer.kind)
        if write is None:
            raise ValueError(f"save: layer {number}, {type(layer).__name__}, has no form in ONNX")
        write(writer, layer, [view.astype(np.float32) for view in views])
        writer.follow(layer)
    writer.channels_last()
    assert set(OUTPUT_FUNCTIONS) == set(LOSSES)
    op = OUTPUT_FUNCTIONS[network.loss_name]
    inputs, outputs = [writer.name], [builder.unique(name)]
    if op == "Softmax":
        writer.name = builder.node(op, inputs, outputs=outputs, axis=-1)
    else:
        writer.name = builder.node(op or "Identity", inputs, outputs=outputs)
    return writer
