"""ONNX files as networks: layers made of what the importer planned, and their weights put in."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ictus.io.onnx.axes import Axes, our_order
from ictus.io.onnx.file import read_model
from ictus.io.onnx.importer import SPARE, Importer, Planned
from ictus.io.onnx.layers import HANDLERS
from ictus.io.onnx.layers.linear import ORDER
from ictus.io.onnx.proto import Model, OnnxError
from ictus.nn import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    Layer,
    Network,
    SequenceNetwork,
)
from ictus.nn.activated import ActivatedLayer
from ictus.nn.parameters import connect, parameter_count

DOUBLE = 11


def load(path: str | os.PathLike[str]) -> Network:
    """Read an ONNX file as a network.

    Weights are turned to the layout of ictus, so examples have their channels last, whatever the
    file says: (rows, height, width, channels), (rows, time, channels), or (rows, features); with
    recurrent layers, a list of sequences (steps, features). A sigmoid or softmax at the end becomes
    the output function of the loss (a logarithm of it is left out), else the loss is the squared
    error.

    Parameters
    ----------
    path : path
        Tensors that lie in other files must lie in its folder.

    Returns
    -------
    Network or SequenceNetwork

    Raises
    ------
    OnnxError
        The file is damaged, or is no chain of layers that ictus has; the message names the node.
        :func:`load_graph` may run it.
    OSError
        It cannot be read.
    """
    return network_of(read_model(path))


def network_of(model: Model) -> Network:
    """Return the network of a model; see :func:`load`."""
    importer = Importer(model)
    axes = importer.walk(HANDLERS)
    _end(importer, axes)
    planned = _folded(importer.planned)
    layers = [one.layer() for one in planned]
    dtype = np.float64 if importer.input_type == DOUBLE else np.float32
    shape = importer.input_shape
    assert shape is not None
    _check_size(model, layers, shape, np.dtype(dtype))
    kind = SequenceNetwork if importer.sequence else Network
    try:
        network = kind(shape, layers, importer.loss, dtype=dtype)
    except ValueError as error:
        raise OnnxError(f"no network of ictus: {error}") from None
    for one, views in zip(planned, network.layer_views, strict=True):
        if one.fill is not None:
            try:
                one.fill(views)
            except ValueError as error:
                raise OnnxError(f"{one.node}: its weights do not fit: {error}") from None
    return network


def _end(importer: Importer, axes: Axes) -> None:
    """Check that the output is one that a network has."""
    if not importer.planned or importer.shape is None:
        raise OnnxError("the graph has no layer")
    last = importer.model.nodes[-1]
    if importer.sequence:
        return
    if len(axes.axes) == 2:
        if our_order(axes.axes[1], ORDER) is not None:
            raise OnnxError(f"{last}: the output is flattened with the channels first")
        if len(importer.shape) > 1:
            importer.add(Planned(last, Flatten, {}))


def _folded(planned: list[Planned]) -> list[Planned]:
    """Activation functions inside the layers before them.

    The last layer with parameters stays linear, as networks want it.
    """
    fusible = (Dense, Conv1D, Conv2D, ConvTranspose2D, BatchNorm)
    with_parameters = [i for i, one in enumerate(planned) if one.fill is not None]
    result: list[Planned] = []
    for number, one in enumerate(planned):
        before = result[-1] if result else None
        if (
            one.kind is Activation
            and before is not None
            and before.kind in fusible
            and "activation" not in before.arguments
            and not (issubclass(before.kind, ActivatedLayer) and with_parameters[-1] == number - 1)
        ):
            before.arguments["activation"] = one.arguments["activation"]
        else:
            result.append(one)
    return result


def _check_size(model: Model, layers: list[Layer], shape: Any, dtype: np.dtype[Any]) -> None:
    """Raise OnnxError where the layers have more numbers than the file: weights used many times."""
    try:
        connect(layers, shape)
    except ValueError as error:
        raise OnnxError(f"no network of ictus: {error}") from None
    size = model.all_bytes
    wanted = parameter_count(layers) * dtype.itemsize
    if wanted > 2 * size + SPARE:
        raise OnnxError(f"its layers would take {wanted} bytes, the file has {size}")
