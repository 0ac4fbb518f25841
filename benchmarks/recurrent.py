"""Recurrent networks: inference of whole sequences, training steps, and frame by frame."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.runner import Case

# Layers of LSTM units after the inputs; one sigmoid output a frame.
NETWORKS: dict[str, dict[str, Any]] = {
    "inference BLSTM 3x25, 266 inputs, 18000 frames": {
        "sizes": [266, 25, 25, 25], "directions": 2, "batch": 1, "frames": 18000, "task": "infer"},
    "training BLSTM 3x25, 266 inputs, 500 frames, batch 8": {
        "sizes": [266, 25, 25, 25], "directions": 2, "batch": 8, "frames": 500, "task": "train"},
    "training LSTM 128, 64 inputs, 100 frames, batch 32": {
        "sizes": [64, 128], "directions": 1, "batch": 32, "frames": 100, "task": "train"},
    "training LSTM 512, 512 inputs, 50 frames, batch 64": {
        "sizes": [512, 512], "directions": 1, "batch": 64, "frames": 50, "task": "train"},
    "training GRU 128, 64 inputs, 100 frames, batch 32": {
        "sizes": [64, 128], "directions": 1, "batch": 32, "frames": 100, "task": "train",
        "cell": "gru"},
    "one frame through LSTM 3x25, 266 inputs": {
        "sizes": [266, 25, 25, 25], "directions": 1, "batch": 1, "frames": 64, "task": "stream"},
}  # fmt: skip
GATES = {"lstm": 4, "gru": 3}


def torch_tensors(sizes: list[int], directions: int, cell: str) -> dict[str, np.ndarray]:
    """Weights of all sides under PyTorch's names."""
    generator = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {}
    inputs = sizes[0]
    for number, units in enumerate(sizes[1:]):
        bound = units**-0.5
        for end in ["", "_reverse"][:directions]:
            rows = GATES[cell] * units
            for name, shape in (
                ("weight_ih", (rows, inputs)), ("weight_hh", (rows, units)),
                ("bias_ih", (rows,)), ("bias_hh", (rows,)),
            ):  # fmt: skip
                values = generator.uniform(-bound, bound, shape)
                tensors[f"rnn.{name}_l{number}{end}"] = values.astype(np.float32)
        inputs = directions * units
    tensors["head.weight"] = generator.uniform(-0.2, 0.2, (1, inputs)).astype(np.float32)
    tensors["head.bias"] = np.zeros(1, np.float32)
    return tensors


def data(sizes: list[int], batch: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((batch, frames, sizes[0])).astype(np.float32)
    y = (generator.random((batch, frames, 1)) < 0.1).astype(np.float32)
    return x, y


class Ours:
    """SequenceNetwork: predict, loss_and_gradient (without the update), stream."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(
        self, sizes: list[int], directions: int, batch: int, frames: int, task: str,
        cell: str = "lstm",
    ) -> None:  # fmt: skip
        from ictus.io.torch_weights import load_torch_weights
        from ictus.nn import GRU, LSTM, Bidirectional, Dense, SequenceBatch, SequenceNetwork

        kind = {"lstm": LSTM, "gru": GRU}[cell]
        layers: list[Any] = [kind(units) for units in sizes[1:]]
        if directions == 2:
            layers = [Bidirectional(layer) for layer in layers]
        network = SequenceNetwork(sizes[0], [*layers, Dense(1)], "binary_cross_entropy")
        load_torch_weights(network, torch_tensors(sizes, directions, cell), ["rnn", "head"])
        x, y = data(sizes, batch, frames)
        self.network, self.task, self.x = network, task, x
        if task == "infer":
            self.run = lambda: network.predict(x)
        elif task == "train":
            whole = SequenceBatch(x.reshape(-1, sizes[0]), [frames] * batch)
            targets = y.reshape(-1, 1)
            self.run = lambda: network.loss_and_gradient(whole, targets)
        else:
            self.stream, self.turn = network.stream(), 0
            self.run = self._one_frame

    def _one_frame(self) -> None:
        self.turn = (self.turn + 1) % self.x.shape[1]
        self.stream(self.x[0, self.turn])

    def result(self) -> list[np.ndarray]:
        if self.task == "infer":
            return [np.stack(self.network.predict(self.x))]
        if self.task == "stream":
            self.stream.reset()
            return [np.stack([self.stream(frame) for frame in self.x[0]])]
        self.run()
        recurrent = self.network.views(self.network.gradient)[-2]
        return [recurrent[0][:, : recurrent[0].shape[1] // 4].copy()]


class PyTorch:
    """torch.nn.LSTM or GRU, eager, without gradients where none are needed."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def prepare(
        self, sizes: list[int], directions: int, batch: int, frames: int, task: str,
        cell: str = "lstm",
    ) -> None:  # fmt: skip
        torch = self.torch
        nn = torch.nn
        assert len(set(sizes[1:])) == 1
        rnn = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](
            sizes[0],
            sizes[1],
            num_layers=len(sizes) - 1,
            batch_first=True,
            bidirectional=directions == 2,
        )
        model = nn.ModuleDict({"rnn": rnn, "head": nn.Linear(directions * sizes[1], 1)})
        tensors = torch_tensors(sizes, directions, cell)
        model.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
        x, y = (torch.from_numpy(part) for part in data(sizes, batch, frames))
        self.model, self.task, self.x, self.y = model, task, x, y
        self.criterion = nn.BCEWithLogitsLoss()
        self.state: Any = None
        self.turn, self.units, self.gates = 0, sizes[1], GATES[cell]
        self.run = {"infer": self._infer, "train": self._train, "stream": self._one_frame}[task]

    def _infer(self) -> Any:
        with self.torch.inference_mode():
            return self.torch.sigmoid(self.model["head"](self.model["rnn"](self.x)[0]))

    def _train(self) -> None:
        self.model.zero_grad(set_to_none=True)
        self.criterion(self.model["head"](self.model["rnn"](self.x)[0]), self.y).backward()

    def _one_frame(self) -> Any:
        self.turn = (self.turn + 1) % self.x.shape[1]
        with self.torch.inference_mode():
            out, self.state = self.model["rnn"](self.x[:, self.turn : self.turn + 1], self.state)
            return self.torch.sigmoid(self.model["head"](out))

    def result(self) -> list[np.ndarray]:
        if self.task == "infer":
            return [self._infer().numpy()]
        if self.task == "stream":
            self.state, self.turn = None, -1
            return [np.stack([self._one_frame().numpy()[0, 0] for _ in range(self.x.shape[1])])]
        self._train()
        last = self.model["rnn"].num_layers - 1
        gradient = getattr(self.model["rnn"], f"weight_ih_l{last}").grad.numpy()
        directions = 2 if self.model["rnn"].bidirectional else 1
        wanted = self.gates * self.units * directions // 4
        # The first gates of the first direction are in the same order on both sides.
        return [gradient.T[:, :wanted].copy()]


class OnnxRuntime:
    """The same network as an ONNX graph of LSTM nodes."""

    def __init__(self, threads: int) -> None:
        import onnxruntime

        self.runtime, self.threads = onnxruntime, threads

    def prepare(
        self, sizes: list[int], directions: int, batch: int, frames: int, task: str,
        cell: str = "lstm",
    ) -> None:  # fmt: skip
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        graph = onnx_lstm(torch_tensors(sizes, directions, cell), sizes, directions)
        self.session = self.runtime.InferenceSession(graph, options)
        x, _ = data(sizes, batch, frames)
        self.x = np.ascontiguousarray(x.transpose(1, 0, 2))
        self.layers, self.units, self.task, self.turn = len(sizes) - 1, sizes[1], task, 0
        self.directions, self.batch = directions, batch
        self._reset()
        self.run = self._infer if task == "infer" else self._one_frame

    def _reset(self) -> None:
        shape = (self.directions, self.batch, self.units)
        self.states = {
            f"{s}{k}": np.zeros(shape, np.float32) for k in range(self.layers) for s in "hc"
        }

    def _infer(self) -> np.ndarray:
        return self.session.run(["y"], {"x": self.x, **self.states})[0]

    def _one_frame(self) -> np.ndarray:
        self.turn = (self.turn + 1) % len(self.x)
        y, *states = self.session.run(None, {"x": self.x[self.turn][None], **self.states})
        self.states = dict(zip(self.states, states, strict=True))
        return y

    def result(self) -> list[np.ndarray]:
        if self.task == "infer":
            return [self._infer().transpose(1, 0, 2)]
        self._reset()
        self.turn = -1
        return [np.stack([self._one_frame()[0, 0] for _ in range(len(self.x))])]


def onnx_lstm(tensors: dict[str, np.ndarray], sizes: list[int], directions: int) -> bytes:
    """A model of LSTM nodes (gates i, o, f, c in ONNX), whose states are inputs and outputs."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, inputs, outputs = [], [], [], []
    value, units = "x", sizes[1]
    for k in range(len(sizes) - 1):
        parts: dict[str, list[np.ndarray]] = {"W": [], "R": [], "B": []}
        for end in ["", "_reverse"][:directions]:
            own = {n: tensors[f"rnn.{n}_l{k}{end}"].reshape(4, units, -1)[[0, 3, 1, 2]]
                   for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}  # fmt: skip
            parts["W"].append(own["weight_ih"].reshape(4 * units, -1))
            parts["R"].append(own["weight_hh"].reshape(4 * units, -1))
            parts["B"].append(np.concatenate([own["bias_ih"].ravel(), own["bias_hh"].ravel()]))
        for name, arrays in parts.items():
            weights.append(numpy_helper.from_array(np.stack(arrays), f"{name}{k}"))
        names = [value, f"W{k}", f"R{k}", f"B{k}", "", f"h{k}", f"c{k}"]
        nodes.append(helper.make_node(
            "LSTM", names, [f"Y{k}", f"h{k}_out", f"c{k}_out"], hidden_size=units,
            direction="bidirectional" if directions == 2 else "forward"))  # fmt: skip
        # (time, directions, batch, units) to directions side by side.
        nodes.append(helper.make_node("Transpose", [f"Y{k}"], [f"T{k}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"T{k}", "flat"], [f"F{k}"]))
        value = f"F{k}"
        shape = [directions, None, units]
        for s in "hc":
            inputs.append(helper.make_tensor_value_info(f"{s}{k}", TensorProto.FLOAT, shape))
            outputs.append(helper.make_tensor_value_info(f"{s}{k}_out", TensorProto.FLOAT, shape))
    weights += [
        numpy_helper.from_array(np.array([0, 0, directions * units]), "flat"),
        numpy_helper.from_array(tensors["head.weight"].T.copy(), "head_w"),
        numpy_helper.from_array(tensors["head.bias"], "head_b"),
    ]
    nodes += [
        helper.make_node("MatMul", [value, "head_w"], ["product"]),
        helper.make_node("Add", ["product", "head_b"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None, sizes[0]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None, 1])
    graph = helper.make_graph(nodes, "lstm", [x, *inputs], [y, *outputs], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def operations(
    sizes: list[int], directions: int, batch: int, frames: int, task: str, cell: str = "lstm"
) -> float:
    """Two for each multiply-add: forward, and twice that backward but for the first inputs."""
    total, inputs = 0, sizes[0]
    for number, units in enumerate(sizes[1:]):
        columns = directions * GATES[cell] * units
        forward = (inputs + units) * columns
        backward = 2 * forward - (inputs * columns if number == 0 else 0)
        total += forward + (backward if task == "train" else 0)
        inputs = directions * units
    return 2.0 * batch * frames * total


CASES = [
    Case(
        name,
        arguments,
        ("PyTorch",) if arguments["task"] == "train" else ("PyTorch", "OnnxRuntime"),
        operations=0.0 if arguments["task"] == "stream" else operations(**arguments),
        tolerance=2e-4,
    )
    for name, arguments in NETWORKS.items()
]


def extra(quick: bool) -> list[dict[str, Any]]:
    """Percentiles of a frame's time through the stream, printed."""
    side = Ours(1)
    side.prepare(**NETWORKS["one frame through LSTM 3x25, 266 inputs"])
    count = 2000 if quick else 100_000
    frames, stream = side.x[0], side.stream
    times = np.empty(count)
    clock = time.perf_counter
    for i in range(count):
        frame = frames[i % len(frames)]
        start = clock()
        stream(frame)
        times[i] = clock() - start
    median, high, highest = np.percentile(times, [50, 99.9, 100]) * 1e6
    print(
        f"recurrent: one frame of {count}: median {median:.2f} us, 99.9th percentile "
        f"{high:.2f} us, longest {highest:.0f} us"
    )
    return []
