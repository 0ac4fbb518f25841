"""Small convolutional networks: LeNet-5, and onset detection of Schlueter & Boeck (2014).

Training steps and inference at minibatches, inference of one digit, and of 18,000 frames through
the onset network as a convolution. PyTorch takes the memory layout with which it is faster.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from benchmarks.runner import Case

RATE, MOMENTUM = 0.01, 0.9

#: ("conv", filters, window, padding, activation, pooling) or ("dense", units, activation)
LENET = [
    ("conv", 6, (5, 5), 2, "tanh", (2, 2)),
    ("conv", 16, (5, 5), 0, "tanh", (2, 2)),
    ("conv", 120, (5, 5), 0, "tanh", None),
    ("dense", 84, "tanh"),
    ("dense", 10, "identity"),
]
STAGES = [("conv", 10, (7, 3), 0, "tanh", (1, 3)), ("conv", 20, (3, 3), 0, "tanh", (1, 3))]
ONSETS = [*STAGES, ("dense", 256, "sigmoid"), ("dense", 1, "identity")]
SLIDING = [
    *STAGES,
    ("conv", 256, (7, 8), 0, "sigmoid", None),
    ("conv", 1, (1, 1), 0, "identity", None),
]
NETWORKS: dict[str, dict[str, Any]] = {
    "LeNet-5": {"layers": LENET, "shape": (28, 28, 1), "loss": "softmax_cross_entropy"},
    "onset detection": {"layers": ONSETS, "shape": (15, 80, 3), "loss": "binary_cross_entropy"},
    "onset detection, 18,000 frames": {
        "layers": SLIDING,
        "shape": (18014, 80, 3),
        "loss": "binary_cross_entropy",
    },
}


def weights_of(name: str) -> list[np.ndarray]:
    """Weights, channels last, the same on each side, and how many multiply-adds they take."""
    generator = np.random.default_rng(0)
    height, width, channels = NETWORKS[name]["shape"]
    inputs, weights = 0, []
    for kind, units, *rest in NETWORKS[name]["layers"]:
        if kind == "conv":
            window, padding, _, pool = rest
            shape = (*window, channels, units)
            height, width = (
                (n + 2 * padding - k + 1) // by
                for n, k, by in zip((height, width), window, pool or (1, 1), strict=True)
            )
            channels, inputs = units, height * width * units
        else:
            shape, inputs = (inputs, units), units
        scale = math.prod(shape[:-1]) ** -0.5
        weights.append((generator.standard_normal(shape) * scale).astype(np.float32))
    return weights


def operations(name: str) -> float:
    """Two for each multiply-add of a forward pass of one example."""
    height, width, _ = NETWORKS[name]["shape"]
    total = 0.0
    for (kind, _, *rest), w in zip(NETWORKS[name]["layers"], weights_of(name), strict=True):
        if kind == "conv":
            window, padding, _, pool = rest
            height, width = (
                n + 2 * padding - k + 1 for n, k in zip((height, width), window, strict=True)
            )
            total += 2.0 * height * width * w.size
            height, width = height // (pool or (1, 1))[0], width // (pool or (1, 1))[1]
        else:
            total += 2.0 * w.size
    return total


def data(name: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Examples and targets."""
    generator = np.random.default_rng(1)
    x = generator.standard_normal((batch, *NETWORKS[name]["shape"])).astype(np.float32)
    if NETWORKS[name]["loss"] == "softmax_cross_entropy":
        return x, generator.integers(0, 10, batch)
    return x, generator.integers(0, 2, (batch, 1)).astype(np.float32)


class Ours:
    """Network.loss_and_gradient and SGD.step, as the trainer calls them; Network.forward."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(self, name: str, batch: int, training: bool) -> None:
        from ictus import SGD, Conv2D, Dense, Flatten, Network

        layers: list[Any] = []
        for kind, units, *rest in NETWORKS[name]["layers"]:
            if kind == "conv":
                window, padding, activation, pool = rest
                layers.append(Conv2D(units, window, activation, padding=padding, pool=pool))
            else:
                if isinstance(layers[-1], Conv2D):
                    layers.append(Flatten())
                layers.append(Dense(units, rest[0]))
        self.x, self.y = data(name, batch)
        self.training = training

        def network() -> tuple[Any, Any]:
            net = Network(NETWORKS[name]["shape"], layers, NETWORKS[name]["loss"])
            for view, values in zip(net.weight_matrices, weights_of(name), strict=True):
                view[...] = values.reshape(view.shape)
            optimizer = SGD(RATE, MOMENTUM)
            optimizer.prepare(net.parameters, net.weight_segments, net.weight_matrices)
            return net, optimizer

        self.plain, (net, optimizer) = network(), network()
        x, y = self.x, net.checked_targets(self.y, self.x) if training else None

        def step() -> None:
            net.loss_and_gradient(x, y)
            optimizer.step(net.parameters, net.gradient)

        self.run = step if training else lambda: net.forward(x)

    def result(self) -> list[np.ndarray]:
        """Logits, or all weights after two steps."""
        net, optimizer = self.plain
        if not self.training:
            return [net.forward(self.x).ravel()]
        for _ in range(2):
            net.loss_and_gradient(self.x, net.checked_targets(self.y, self.x))
            optimizer.step(net.parameters, net.gradient)
        return [w.ravel().copy() for w in net.weight_matrices]


class PyTorch:
    """Eager PyTorch, in the faster of its two memory layouts."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def network(self, name: str) -> Any:
        torch = self.torch
        from torch import nn

        functions = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
        layers: list[Any] = []
        channels = NETWORKS[name]["shape"][2]
        for (kind, units, *rest), w in zip(NETWORKS[name]["layers"], weights_of(name), strict=True):
            if kind == "conv":
                window, padding, activation, pool = rest
                layer = nn.Conv2d(w.shape[2], units, window, padding=padding)
                values = w.transpose(3, 2, 0, 1)
                layers += [layer, functions[activation]()]
                if pool:
                    layers.append(nn.MaxPool2d(pool))
                channels = units
            else:
                if channels:  # its vectors have the channels first
                    layers.append(nn.Flatten())
                    w = w.reshape(-1, channels, units).transpose(1, 0, 2).reshape(-1, units)
                    channels = 0
                layer = nn.Linear(len(w), units)
                values = w.T
                layers += [layer, functions[rest[0]]()]
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(values.copy()))
                layer.bias.zero_()
        return nn.Sequential(*[each for each in layers if not isinstance(each, nn.Identity)])

    def prepare(self, name: str, batch: int, training: bool) -> None:
        torch = self.torch
        x, y = data(name, batch)
        self.name, self.training, self.y = name, training, torch.from_numpy(y)
        self.criterion = (
            torch.nn.CrossEntropyLoss()
            if NETWORKS[name]["loss"] == "softmax_cross_entropy"
            else torch.nn.BCEWithLogitsLoss()
        )
        found = []
        for layout in (torch.contiguous_format, torch.channels_last):
            images = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
            net = self.network(name).to(memory_format=layout)
            run = self._step(net, images) if training else self._inference(net, images)
            times = []
            for _ in range(3):  # the first passes make primitives and take memory
                run()
            for _ in range(7):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            found.append((min(times), layout, images, run))
        _, self.layout, self.images, self.run = min(found, key=lambda each: each[0])

    def _step(self, net: Any, images: Any) -> Any:
        optimizer = self.torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            self.criterion(net(images), self.y).backward()
            optimizer.step()

        return step

    def _inference(self, net: Any, images: Any) -> Any:
        def forward() -> Any:
            with self.torch.inference_mode():
                return net(images)

        return forward

    def result(self) -> list[np.ndarray]:
        net = self.network(self.name).to(memory_format=self.layout)
        if not self.training:
            return [self._inference(net, self.images)().numpy().ravel()]
        step = self._step(net, self.images)
        for _ in range(2):
            step()
        nn, weights = self.torch.nn, []
        channels = 0
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                weights.append(layer.weight.detach().numpy().transpose(2, 3, 1, 0))
                channels = layer.out_channels
            elif isinstance(layer, nn.Linear):
                w = layer.weight.detach().numpy().T
                if channels:
                    w = w.reshape(channels, -1, w.shape[1]).transpose(1, 0, 2)
                    channels = 0
                weights.append(w)
        return [w.ravel().copy() for w in weights]


class OnnxRuntime:
    """onnxruntime on a graph with the same weights; inference alone."""

    def __init__(self, threads: int) -> None:
        import onnxruntime

        self.onnxruntime, self.threads = onnxruntime, threads

    def prepare(self, name: str, batch: int, training: bool) -> None:
        options = self.onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session = self.onnxruntime.InferenceSession(
            graph(name, batch), options, providers=["CPUExecutionProvider"]
        )
        x, _ = data(name, batch)
        feed = {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
        self.run = lambda: session.run(None, feed)

    def result(self) -> list[np.ndarray]:
        return [self.run()[0].ravel()]


def graph(name: str, batch: int) -> bytes:
    """The network as an ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    functions = {"tanh": "Tanh", "sigmoid": "Sigmoid"}
    now = "x"

    def constant(values: np.ndarray) -> str:
        constants.append(
            numpy_helper.from_array(np.ascontiguousarray(values), f"c{len(constants)}")
        )
        return str(constants[-1].name)

    def add(kind: str, *inputs: str, **attributes: Any) -> None:
        nonlocal now
        nodes.append(helper.make_node(kind, [now, *inputs], [f"t{len(nodes)}"], **attributes))
        now = nodes[-1].output[0]

    height, width, channels = NETWORKS[name]["shape"]
    shape = [batch, channels, height, width]
    for (kind, units, *rest), w in zip(NETWORKS[name]["layers"], weights_of(name), strict=True):
        bias = constant(np.zeros(units, np.float32))
        if kind == "conv":
            window, padding, activation, pool = rest
            filters = constant(w.transpose(3, 2, 0, 1))
            add("Conv", filters, bias, kernel_shape=list(window), pads=[padding] * 4)
            channels = units
        else:
            activation, pool = rest[0], None
            if channels:
                add("Flatten")
                w = w.reshape(-1, channels, units).transpose(1, 0, 2).reshape(-1, units)
                channels = 0
            add("Gemm", constant(w), bias)
        if activation in functions:
            add(functions[activation])
        if pool:
            add("MaxPool", kernel_shape=list(pool), strides=list(pool))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(now, TensorProto.FLOAT, None)],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    return bytes(model.SerializeToString())


def case(name: str, batch: int, training: bool) -> Case:
    """Return a case, with the operations of its products."""
    images = f", batch {batch}" if batch > 1 or name == "LeNet-5" else ""
    factor = 1.0
    if training:
        first = 2.0 * weights_of(name)[0].size
        height, width, _ = NETWORKS[name]["shape"]
        _, _, window, padding, _, _ = NETWORKS[name]["layers"][0]
        first *= (height + 2 * padding - window[0] + 1) * (width + 2 * padding - window[1] + 1)
        factor = 3.0 - first / operations(name)  # the first layer's data needs no gradient
    return Case(
        f"{name}{images}, {'training step' if training else 'inference'}",
        {"name": name, "batch": batch, "training": training},
        ("PyTorch",) if training else ("PyTorch", "OnnxRuntime"),
        operations=factor * batch * operations(name),
        tolerance=1e-4,
    )


CASES = [
    case("onset detection", 256, True),
    case("onset detection", 256, False),
    case("onset detection, 18,000 frames", 1, False),
    case("LeNet-5", 128, True),
    case("LeNet-5", 128, False),
    case("LeNet-5", 1, False),
]
