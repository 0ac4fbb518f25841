"""The layers as ONNX nodes.

Between nodes a tensor is (batch, features), (batch, steps, features), or images with channels
first or last as it comes: a Transpose is written where a node needs the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.onnx.builder import Builder
from ictus.io.onnx.operators.windows import same_pads
from ictus.nn import LSTM, Network, Recurrent, SequenceNetwork
from ictus.nn.recurrent import RecurrentBase

Array = NDArray[Any]
Views = Sequence[Array]

ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "softplus": "Softplus"}
#: Stands for an axis of any size where a layer is asked for its geometry.
ANY = 1 << 20


class Writer:
    """Where the chain stands: the tensor's name, and how it lies.

    Attributes
    ----------
    name : str
    sizes : tuple or None
        Of an example in our order, None for any; only of a network that is no SequenceNetwork.
    first : bool
        Whether images have their channels first now.
    """

    def __init__(self, builder: Builder, network: Network, x: str) -> None:
        self.builder, self.name, self.first = builder, x, False
        self.sequence = isinstance(network, SequenceNetwork)
        self.last = False  # whether one output a sequence is left
        self.sizes: tuple[int | None, ...] = network.input_shape
        self.matrices: dict[int, str] = {}  # names of the weights of Dense layers, by identity

    def node(self, op: str, *more: str, **attributes: Any) -> str:
        """Write a node that takes the tensor and whatever else; it becomes the tensor."""
        self.name = self.builder.node(op, [self.name, *more], **attributes)
        return self.name

    def follow(self, layer: Any) -> None:
        """Take the size of an example behind a layer."""
        if self.sequence:
            self.sizes = (layer.output_size,)
        else:
            self.sizes = layer.connect_shape(self.sizes)

    @property
    def images(self) -> bool:
        """Whether the tensor has places beside batch and channels."""
        return not self.sequence and len(self.sizes) > 1

    @property
    def shape(self) -> tuple[int | str, ...]:
        """The tensor's shape, for people and checkers."""
        units = int(self.sizes[-1] or 0)
        if self.sequence:
            return ("batch", units) if self.last else ("batch", "steps", units)
        names = {2: ("steps_out",), 3: ("height_out", "width_out")}.get(len(self.sizes), ())
        return ("batch", *(n or names[i] for i, n in enumerate(self.sizes[:-1])), units)

    def channels_first(self) -> None:
        """Write a Transpose where the channels are not first."""
        if self.images and not self.first:
            rank = len(self.sizes) + 1
            self.node("Transpose", perm=[0, rank - 1, *range(1, rank - 1)])
            self.first = True

    def channels_last(self) -> None:
        """Write a Transpose where the channels are first."""
        if self.images and self.first:
            rank = len(self.sizes) + 1
            self.node("Transpose", perm=[0, *range(2, rank), 1])
        self.first = False

    def weights(self, array: Array, name: str) -> str:
        """Add weights."""
        return self.builder.constant(np.ascontiguousarray(array), name)

    def per_channel(self, array: Array) -> str:
        """Add a number a channel, as it goes with the tensor."""
        shape = (-1, *[1] * (len(self.sizes) - 1)) if self.images and self.first else (-1,)
        return self.weights(array.reshape(shape), "channels")

    def activation(self, name: str) -> None:
        """Write an activation function."""
        if name != "identity":
            self.node(ACTIVATIONS[name])


def _nothing(w: Writer, layer: Any, views: Views) -> None:
    """Layers of training alone."""


def _linear(w: Writer, weights: str, bias: Array, activation: str, turned: bool) -> None:
    if w.sequence and not w.last:
        if turned:
            weights = w.builder.node("Transpose", [weights], perm=[1, 0])
        w.node("MatMul", weights)
        w.node("Add", w.weights(bias, "bias"))
    else:
        w.node("Gemm", weights, w.weights(bias, "bias"), transB=int(turned))
    w.activation(activation)


def _dense(w: Writer, layer: Any, views: Views) -> None:
    name = w.weights(views[0], "weights")
    w.matrices[id(layer)] = name
    _linear(w, name, views[1], layer.activation, False)


def _tied(w: Writer, layer: Any, views: Views) -> None:
    _linear(w, w.matrices[id(layer._encoder)], views[0], layer.activation, True)


def _flatten(w: Writer, layer: Any, views: Views) -> None:
    w.channels_last()
    if len(w.sizes) > 1:
        w.node("Flatten", axis=1)


def _pads(w: Writer, layer: Any) -> dict[str, Any]:
    """Attributes of a window's geometry, its axes as ONNX counts them."""
    size = tuple(n or ANY for n in w.sizes)
    axes = len(size) - 1
    window = layer.window_on(layer._size(size))
    steps, wide = layer.steps(window), layer.across(layer.dilation, 1)
    result: dict[str, Any] = {
        "kernel_shape": list(window[2 - axes :]),
        "strides": list(steps[2 - axes :]),
        "dilations": list(wide[2 - axes :]),
    }
    if layer.padding == "same":
        both = [
            same_pads(n or ANY, s, (k - 1) * d + 1, False) if n or s == 1 else None
            for n, k, s, d in zip(w.sizes[:-1], *result.values(), strict=True)
        ]
        if None in both:  # by a size that a file for images of any size does not have
            if max(wide) > 1:
                raise ValueError(
                    f"save: {type(layer).__name__} with padding 'same', stride and dilation has no "
                    "form in ONNX for images of any size: give the network's input size"
                )
            return result | {"auto_pad": "SAME_UPPER"}
        before, after = [b[0] for b in both if b], [b[1] for b in both if b]
    else:
        before, after = _numbers(layer, axes)
    return result | {"pads": [*before, *after]}


def _numbers(layer: Any, axes: int) -> tuple[list[int], list[int]]:
    """Padding that is numbers, before and after on each axis."""
    padding = 0 if layer.padding == "valid" else layer.padding
    if isinstance(padding, int):
        return [padding] * axes, [padding] * axes
    if axes == 1:
        return [int(padding[0])], [int(padding[1])]
    both = [(p, p) if isinstance(p, int) else (int(p[0]), int(p[1])) for p in padding]
    return [b for b, _ in both], [a for _, a in both]


def _conv(w: Writer, layer: Any, views: Views) -> None:
    w.channels_first()
    axes = len(w.sizes) - 1
    weights = np.moveaxis(views[0], (-1, -2), (0, 1))
    weights = weights.reshape(*weights.shape[:2], *weights.shape[4 - axes :])
    names = w.weights(weights, "weights"), w.weights(views[1], "bias")
    w.node("Conv", *names, group=layer.groups, **_pads(w, layer))
    w.activation(layer.activation)
    if layer.pool is not None:
        pool = list(layer.across(layer.pool, 1)[2 - axes :])
        w.node("MaxPool", kernel_shape=pool, strides=pool)


def _conv_transpose(w: Writer, layer: Any, views: Views) -> None:
    w.channels_first()
    window = layer.window_on((1, 1))
    steps, wide = layer.steps(window), layer.across(layer.dilation, 1)
    before, after = [0, 0], [0, 0]
    extra = [0, 0]
    if layer.padding == "same":
        for i in range(2):
            over = (window[i] - 1) * wide[i] + 1 - steps[i]
            before[i], after[i] = max(0, over) // 2, max(0, over) - max(0, over) // 2
            extra[i] = max(0, -over)
    else:
        before, after = _numbers(layer, 2)
    names = w.weights(views[0].transpose(3, 2, 0, 1), "weights"), w.weights(views[1], "bias")
    w.node(
        "ConvTranspose",
        *names,
        kernel_shape=list(window),
        strides=list(steps),
        dilations=list(wide),
        pads=[*before, *after],
        output_padding=extra,
    )
    w.activation(layer.activation)


def _pool(w: Writer, layer: Any, views: Views) -> None:
    w.channels_first()
    kind = "MaxPool" if layer.kind == "max_pool" else "AveragePool"
    if layer.window is None:
        w.node(f"Global{kind}")
    else:
        w.node(kind, **_pads(w, layer))


def _subsampling(w: Writer, layer: Any, views: Views) -> None:
    _pool(w, layer, views)
    w.node("Mul", w.per_channel(views[0]))
    w.node("Add", w.per_channel(views[1]))
    w.activation(layer.activation)


def _upsample(w: Writer, layer: Any, views: Views) -> None:
    w.channels_first()
    factors = [1.0, 1.0, *map(float, layer.window_on((1, 1)))]
    scales = w.weights(np.array(factors, np.float32), "scales")
    w.node(
        "Resize",
        "",
        scales,
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )


def _batch_norm(w: Writer, layer: Any, views: Views) -> None:
    if w.sequence and not w.last:  # whose frames are no channels
        factor = views[0] / np.sqrt(views[3] + np.float32(layer.epsilon))
        w.node("Mul", w.per_channel(factor))
        w.node("Add", w.per_channel(views[1] - views[2] * factor))
    else:
        w.channels_first()
        names = [w.weights(view, "statistics") for view in views]
        w.node("BatchNormalization", *names, epsilon=layer.epsilon, momentum=1 - layer.momentum)
    w.activation(layer.activation)


def _affine(w: Writer, layer: Any, views: Views) -> None:
    w.node("Mul", w.per_channel(views[0]))
    w.node("Add", w.per_channel(views[1]))


def _standardize(w: Writer, layer: Any, views: Views) -> None:
    w.channels_last()
    w.node("Sub", w.weights(views[0], "mean"))
    w.node("Mul", w.weights(views[1], "scale"))


def _layer_norm(w: Writer, layer: Any, views: Views) -> None:
    w.channels_last()
    names = [w.weights(view, "scale") for view in views]
    w.node("LayerNormalization", *names, axis=-1, epsilon=layer.epsilon)


def _mean_covariance(w: Writer, layer: Any, views: Views) -> None:
    filters, weights, biases = views
    add, x = w.builder.node, w.name
    length = add("ReduceMean", [add("Mul", [x, x]), w.builder.integers(-1)], keepdims=1)
    length = add("Add", [length, w.weights(np.array(layer.offset, np.float32), "offset")])
    outputs = add("MatMul", [x, w.weights(filters, "filters")])
    w.name = add("Div", [add("Mul", [outputs, outputs]), length])
    w.node("Mul", w.weights(np.array(-0.5, np.float32), "half"))
    if layer.mean_units:
        w.node("Concat", add("MatMul", [x, w.weights(weights, "weights")]), axis=-1)
    w.node("Add", w.weights(biases, "bias"))
    w.activation("sigmoid")


def _local_response_norm(w: Writer, layer: Any, views: Views) -> None:
    options = {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta, "bias": layer.bias}
    w.channels_first()
    frames = w.sequence and not w.last
    if frames:
        w.node("Transpose", perm=[0, 2, 1])
    # LRN takes images (onnxruntime: nothing else); vectors are ones of one pixel.
    axes = list(range(3 if frames else len(w.sizes) + 1, 4))
    if axes:
        w.node("Unsqueeze", w.builder.integers(*axes))
    w.node("LRN", **options)
    if axes:
        w.node("Squeeze", w.builder.integers(*axes))
    if frames:
        w.node("Transpose", perm=[0, 2, 1])


def _activation(w: Writer, layer: Any, views: Views) -> None:
    w.activation(layer.activation)


def _embedding(w: Writer, layer: Any, views: Views) -> None:
    w.name = w.builder.node("Gather", [w.weights(views[0], "table"), w.name], axis=0)


def _gates(array: Array, order: list[int]) -> Array:
    """Gates, in the axis before the last, in ONNX's order."""
    return array[..., order, :]


def _recurrent(w: Writer, layer: RecurrentBase, views: Views) -> None:
    views = layer.kernel_views(views)
    d, units, gates = layer.directions, layer.units, layer.gates
    order = {"lstm": [0, 2, 1, 3], "gru": [1, 0, 2], "recurrent": [0]}[layer.kind]
    of_input = _gates(views[0].reshape(-1, d, gates, units), order).transpose(1, 2, 3, 0)
    of_output = _gates(views[1].reshape(d, units, gates, units), order).transpose(0, 2, 3, 1)
    bias = np.zeros((d, 2, gates, units), np.float32)
    bias[:, 0] = _gates(views[2].reshape(d, gates, units), order)
    inputs = [
        w.weights(of_input.reshape(d, gates * units, -1), "W"),
        w.weights(of_output.reshape(d, gates * units, units), "R"),
    ]
    options: dict[str, Any] = {"hidden_size": units}
    options["direction"] = "forward" if d == 1 else "bidirectional"
    if layer.kind == "gru":
        bias[:, 1, 2] = views[3].reshape(d, units)
        options["linear_before_reset"] = 1
    elif isinstance(layer, Recurrent) and layer.activation == "relu":
        options["activations"] = ["Relu"] * d
    inputs.append(w.weights(bias.reshape(d, -1), "B"))
    if isinstance(layer, LSTM) and layer.peepholes:
        peepholes = views[3].reshape(d, 3, units)[:, [0, 2, 1]]
        inputs += ["", "", "", w.weights(peepholes.reshape(d, -1), "P")]
    below = w.name
    w.node("Transpose", perm=[1, 0, 2])  # (steps, batch, features)
    op, last = (
        {"lstm": "LSTM", "gru": "GRU", "recurrent": "RNN"}[layer.kind],
        (layer.output == "last"),
    )
    name = w.builder.unique(op.lower())
    w.node(op, *inputs, outputs=["", name] if last else [name], **options)
    w.node("Transpose", perm=[1, 0, 2] if last else [2, 0, 1, 3])
    w.node("Reshape", w.builder.integers(*([0, -1] if last else [0, 0, -1])))
    if layer.skip:
        w.node("Concat", below, axis=2)
    w.last = last


WRITERS: dict[str, Callable[[Writer, Any, Views], None]] = {
    "activation": _activation,
    "affine": _affine,
    "average_pool": _pool,
    "batch_norm": _batch_norm,
    "conv1d": _conv,
    "conv2d": _conv,
    "conv_transpose2d": _conv_transpose,
    "dense": _dense,
    "dropout": _nothing,
    "embedding": _embedding,
    "flatten": _flatten,
    "gru": _recurrent,
    "layer_norm": _layer_norm,
    "local_response_norm": _local_response_norm,
    "lstm": _recurrent,
    "max_pool": _pool,
    "mean_covariance": _mean_covariance,
    "noise": _nothing,
    "recurrent": _recurrent,
    "spatial_dropout": _nothing,
    "standardize": _standardize,
    "subsampling": _subsampling,
    "tied_dense": _tied,
    "upsample": _upsample,
}
