"""Weights of PyTorch modules, from a state_dict saved as safetensors, into a network.

PyTorch's LSTM has its gates in the order input, forget, candidate, output, weights as (gates,
inputs), and two biases that are added; its GRU has the candidate's second bias inside the reset
gate. Its images have their channels first: a convolution's weights are (filters, channels, height,
width), and what it flattens is in that order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import GRU, LSTM, BatchNorm, Conv2D, Dense, Embedding, Flatten, Layer, Network
from ictus.nn.recurrent import RecurrentBase

__all__ = ["load_torch_weights"]

Array = NDArray[Any]
Views = Sequence[Array]
Flattened = tuple[int, ...] | None

# Where each of our gates is in PyTorch's order.
GATE_ORDER = {"lstm": (0, 1, 3, 2), "gru": (0, 1, 2), "recurrent": (0,)}


def load_torch_weights(
    network: Network,
    weights: str | os.PathLike[str] | Mapping[str, Array],
    modules: Sequence[str],
) -> None:
    """Copy the weights of PyTorch modules into a network of the same shape.

    Parameters
    ----------
    network : Network or SequenceNetwork
    weights : path or mapping
        A safetensors file with a state_dict, or its tensors as arrays.
    modules : sequence of str
        The names of the modules in the order of the network's layers: LSTM, GRU or RNN (of any
        number of layers, which are as many layers of the network), Linear, Embedding, Conv1d,
        Conv2d, BatchNorm. "" is a state_dict that is one module's.

    Raises
    ------
    ValueError
        A tensor that is missing or has another shape, a kind of module that is not known, or
        modules that do not fill the network's layers exactly.

    Examples
    --------
    >>> load_torch_weights(network, "model.safetensors", ["lstm", "output"])  # doctest: +SKIP
    """
    if isinstance(weights, Mapping):
        tensors = {name: np.asarray(value) for name, value in weights.items()}
    else:
        from safetensors.numpy import load_file

        tensors = load_file(os.fspath(weights))
    own = _layers_with_parameters(network)
    for module in modules:
        prefix = f"{module}." if module else ""
        for suffix in _parts(tensors, prefix):
            entry = next(own, None)
            if entry is None:
                raise ValueError(f"module {module!r} has no layer left in the network")
            _fill(*entry, _Module(tensors, prefix, suffix))
    left = next(own, None)
    if left is not None:
        raise ValueError(f"no module is left for the layer {type(left[0]).__name__}")


def _layers_with_parameters(network: Network) -> Iterator[tuple[Layer, Views, Flattened]]:
    """The layers that have parameters, their views, and the images that were flattened before."""
    flattened: Flattened = None
    for layer, views in zip(network.layers, network.layer_views, strict=True):
        if isinstance(layer, Flatten) and len(layer.input_shape) > 1:
            flattened = tuple(n or 0 for n in layer.input_shape)
        if layer.parameter_shapes:
            yield layer, views, flattened
        if isinstance(layer, Dense):
            flattened = None


def _parts(tensors: Mapping[str, Array], prefix: str) -> Iterator[str]:
    """The suffixes of a module's layers; "" for a module of one layer that is not recurrent."""
    if f"{prefix}weight_hr_l0" in tensors:
        raise ValueError(f"{prefix}weight_hr_l0: projections of LSTM outputs are not supported")
    if f"{prefix}weight" in tensors:
        yield ""
        return
    number = 0
    while f"{prefix}weight_ih_l{number}" in tensors:
        yield f"_l{number}"
        number += 1
    if number == 0:
        known = sorted({name.rpartition(".")[0] for name in tensors})
        raise ValueError(f"there is no module {prefix.rstrip('.')!r}; there are {known}")


class _Module:
    """The tensors of one layer of a module."""

    def __init__(self, tensors: Mapping[str, Array], prefix: str, suffix: str) -> None:
        self.tensors, self.prefix, self.suffix = tensors, prefix, suffix

    def has(self, name: str, direction: str = "") -> bool:
        return f"{self.prefix}{name}{self.suffix}{direction}" in self.tensors

    def get(self, name: str, shape: tuple[int, ...], direction: str = "") -> Array:
        full = f"{self.prefix}{name}{self.suffix}{direction}"
        if full not in self.tensors:
            raise ValueError(f"{full} is missing")
        tensor = self.tensors[full]
        if tensor.shape != shape:
            raise ValueError(f"{full} must have shape {shape}, got {tensor.shape}")
        return tensor


def _channels_last(tensor: Array, flattened: Flattened) -> Array:
    """A tensor whose last axis is a flattened image, in our order."""
    if flattened is None:
        return tensor
    *size, channels = flattened
    images = tensor.reshape(*tensor.shape[:-1], channels, *size)
    return np.moveaxis(images, tensor.ndim - 1, -1).reshape(tensor.shape)


def _fill(layer: Layer, views: Views, flattened: Flattened, module: _Module) -> None:
    if isinstance(layer, RecurrentBase):
        if not module.has("weight_ih"):
            raise ValueError(
                f"{module.prefix} a layer {type(layer).__name__} needs a recurrent one"
            )
        _fill_recurrent(layer, views, module)
    elif isinstance(layer, Dense):
        weights = module.get("weight", (layer.units, layer.input_size))
        views[0][...] = _channels_last(weights, flattened).T
        views[1][...] = module.get("bias", (layer.units,)) if module.has("bias") else 0
    elif isinstance(layer, Conv2D):
        *window, channels, filters = views[0].shape
        weights = module.get("weight", (filters, channels, *window[2 - layer.axes :]))
        views[0][...] = np.moveaxis(weights, (0, 1), (-1, -2)).reshape(views[0].shape)
        views[1][...] = module.get("bias", (filters,)) if module.has("bias") else 0
    elif isinstance(layer, BatchNorm):
        names = ("weight", "bias", "running_mean", "running_var")
        for view, name in zip(views, names, strict=True):
            view[...] = _channels_last(module.get(name, view.shape), flattened)
    elif isinstance(layer, Embedding):
        views[0][...] = module.get("weight", (layer.input_size, layer.units))
    else:
        raise ValueError(f"a layer {type(layer).__name__} cannot be loaded from PyTorch")


def _fill_recurrent(layer: RecurrentBase, views: Sequence[Array], module: _Module) -> None:
    inputs, units, gates = layer.input_size, layer.units, layer.gates
    if isinstance(layer, LSTM) and layer.peepholes:
        raise ValueError("PyTorch's LSTM has no peepholes, the network's layer has")
    if isinstance(layer, LSTM) and not layer.forget_gate:
        raise ValueError("PyTorch's LSTM has forget gates, the network's layer has none")
    if module.has("weight_ih", "_reverse") != (layer.directions == 2):
        raise ValueError(
            f"{module.prefix}weight_ih{module.suffix}: the number of directions differs from the "
            f"layer's, {layer.directions}"
        )
    order = list(GATE_ORDER[layer.kind])
    weights = views[0].reshape(inputs, layer.directions, gates, units)
    recurrent = views[1].reshape(layer.directions, units, gates, units)
    bias = views[2].reshape(layer.directions, gates, units)
    for d, name in enumerate(["", "_reverse"][: layer.directions]):
        of_input = module.get("weight_ih", (gates * units, inputs), name)
        of_output = module.get("weight_hh", (gates * units, units), name)
        weights[:, d] = of_input.reshape(gates, units, inputs)[order].transpose(2, 0, 1)
        recurrent[d] = of_output.reshape(gates, units, units)[order].transpose(2, 0, 1)
        first = second = np.zeros((gates, units))
        if module.has("bias_ih", name):
            first = module.get("bias_ih", (gates * units,), name).reshape(gates, units)[order]
            second = module.get("bias_hh", (gates * units,), name).reshape(gates, units)[order]
        bias[d] = first + second
        if isinstance(layer, GRU):
            bias[d, 2] = first[2]
            views[3].reshape(layer.directions, units)[d] = second[2]
