"""Weights under PyTorch's names, without PyTorch: the network computes what its manual says."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from ictus.io.torch_weights import load_torch_weights
from ictus.nn import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Network,
    Recurrent,
    SequenceNetwork,
)

INPUTS, UNITS, STEPS = 4, 3, 6
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
LAYERS = {"lstm": LSTM, "gru": GRU, "rnn": Recurrent}
GENERATOR = np.random.default_rng(0)


def numbers(*shape):
    return GENERATOR.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def module(cell, directions, bias=True):
    """The tensors of nn.LSTM, nn.GRU or nn.RNN, called "rnn", and of nn.Linear, called "head"."""
    rows = GATES[cell] * UNITS
    tensors = {"head.weight": numbers(2, directions * UNITS), "head.bias": numbers(2)}
    for end in ["", "_reverse"][:directions]:
        tensors |= {
            f"rnn.weight_ih_l0{end}": numbers(rows, INPUTS),
            f"rnn.weight_hh_l0{end}": numbers(rows, UNITS),
        }
        if bias:
            tensors |= {f"rnn.bias_{k}_l0{end}": numbers(rows) for k in ("ih", "hh")}
    return tensors


def run_cell(cell, tensors, end, frames):
    """The equations of PyTorch's manual, step by step, in float64."""
    part = {
        k.split("_l0")[0]: v.astype(float) for k, v in tensors.items() if k.endswith(f"l0{end}")
    }
    none = np.zeros(GATES[cell] * UNITS)
    of_input, of_output = part.get("rnn.bias_ih", none), part.get("rnn.bias_hh", none)
    h, c, outputs = np.zeros(UNITS), np.zeros(UNITS), []
    for x in frames:
        a = np.split(part["rnn.weight_ih"] @ x + of_input, GATES[cell])
        b = np.split(part["rnn.weight_hh"] @ h + of_output, GATES[cell])
        if cell == "rnn":
            h = np.tanh(a[0] + b[0])
        elif cell == "gru":
            reset, update = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
            h = (1 - update) * np.tanh(a[2] + reset * b[2]) + update * h
        else:
            i, f, g, o = (p + q for p, q in zip(a, b, strict=True))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def network_for(cell, directions=1, **options):
    layer = LAYERS[cell](UNITS, **options)
    layers = [Bidirectional(layer) if directions == 2 else layer, Dense(2)]
    return SequenceNetwork(INPUTS, layers, "squared_error")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", sorted(GATES))
def test_recurrent_modules(cell, directions, bias, tmp_path):
    tensors, network = module(cell, directions, bias), network_for(cell, directions)
    save_file(tensors, tmp_path / "model.safetensors")
    load_torch_weights(network, tmp_path / "model.safetensors", ["rnn", "head"])
    x = numbers(STEPS, INPUTS)
    hidden = run_cell(cell, tensors, "", x)
    if directions == 2:
        hidden = np.hstack([hidden, run_cell(cell, tensors, "_reverse", x[::-1])[::-1]])
    expected = hidden @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(network.predict([x])[0], expected, atol=1e-5)


def test_tables_of_vectors():
    tensors = {"table.weight": numbers(5, INPUTS)} | module("rnn", 1)
    layers = [Embedding(INPUTS), Recurrent(UNITS), Dense(2)]
    network = SequenceNetwork(5, layers, "squared_error")
    load_torch_weights(network, tensors, ["table", "rnn", "head"])
    symbols = np.array([4, 0, 2])
    hidden = run_cell("rnn", tensors, "", tensors["table.weight"][symbols])
    expected = hidden @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(network.predict([symbols])[0], expected, atol=1e-5)


def test_images():
    """PyTorch's images have the channels first, and so has what it flattens."""
    tensors = {
        "conv.weight": numbers(3, 2, 2, 2), "conv.bias": numbers(3),
        "norm.weight": numbers(3), "norm.bias": numbers(3),
        "norm.running_mean": numbers(3), "norm.running_var": np.abs(numbers(3)) + 0.5,
        "norm.num_batches_tracked": np.array(7), "head.weight": numbers(2, 3 * 3 * 4),
    }  # fmt: skip
    network = Network((4, 5, 2), [Conv2D(3, 2), BatchNorm(), Flatten(), Dense(2)], "squared_error")
    load_torch_weights(network, tensors, ["conv", "norm", "head"])
    x = numbers(2, 4, 5)
    maps = np.zeros((3, 3, 4))
    for i, j in np.ndindex(3, 4):
        patch = x[:, i : i + 2, j : j + 2]
        maps[:, i, j] = (tensors["conv.weight"] * patch).sum((1, 2, 3)) + tensors["conv.bias"]
    scale = tensors["norm.weight"] / np.sqrt(tensors["norm.running_var"] + 1e-5)
    shifted = maps - tensors["norm.running_mean"][:, None, None]
    maps = shifted * scale[:, None, None] + tensors["norm.bias"][:, None, None]
    expected = tensors["head.weight"] @ maps.reshape(-1)
    np.testing.assert_allclose(network.predict(x.transpose(1, 2, 0)[None])[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "modules", "change", "message"),
    [
        (lambda: network_for("rnn"), ["rnn"], {}, "no module is left for the layer Dense"),
        (lambda: network_for("rnn"), ["rnn", "head", "head"], {}, "'head' has no layer left"),
        (lambda: network_for("rnn"), ["cell"], {}, r"no module 'cell'; there are \['head', 'rnn"),
        (lambda: network_for("gru"), ["rnn", "head"], {}, r"must have shape \(9, 4\), got \(3"),
        (lambda: network_for("rnn"), ["head", "rnn"], {}, "needs a recurrent one"),
        (lambda: network_for("rnn", 2), ["rnn", "head"], {}, "the number of directions differs"),
        (
            lambda: network_for("lstm", peepholes=True), ["rnn", "head"], {}, "has no peepholes",
        ),
        (
            lambda: network_for("lstm", forget_gate=False), ["rnn", "head"], {}, "has forget gates",
        ),
        (
            lambda: network_for("rnn"), ["rnn", "head"], {"rnn.weight_hh_l0": None},
            "rnn.weight_hh_l0 is missing",
        ),
        (
            lambda: network_for("rnn"), ["rnn", "head"], {"rnn.weight_hr_l0": numbers(2, 3)},
            "projections of LSTM outputs are not supported",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(network, modules, change, message):
    tensors = module("rnn", 1) | change
    tensors = {name: value for name, value in tensors.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        load_torch_weights(network(), tensors, modules)
