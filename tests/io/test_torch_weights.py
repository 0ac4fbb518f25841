"""Weights from PyTorch: the network computes what the modules compute."""

import numpy as np
import pytest

from ictus.io.torch_weights import load_torch_weights
from ictus.nn import (
    GRU,
    LSTM,
    AveragePool,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    MaxPool,
    Network,
    Recurrent,
    SequenceNetwork,
)

torch = pytest.importorskip("torch")
nn = torch.nn

CELLS = {
    "lstm": (lambda *a, **k: nn.LSTM(*a, **k), lambda n: LSTM(n)),
    "gru": (lambda *a, **k: nn.GRU(*a, **k), lambda n: GRU(n)),
    "tanh": (lambda *a, **k: nn.RNN(*a, **k), lambda n: Recurrent(n)),
    "relu": (
        lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
        lambda n: Recurrent(n, "relu"),
    ),
}


def build(cell, directions, bias=True):
    torch.manual_seed(1)
    module = CELLS[cell][0](
        5, 7, num_layers=2, batch_first=True, bidirectional=directions == 2, bias=bias
    )
    model = nn.ModuleDict({"rnn": module, "head": nn.Linear(7 * directions, 3)})
    layers = [CELLS[cell][1](7) for _ in range(2)]
    if directions == 2:
        layers = [Bidirectional(layer) for layer in layers]
    return model, SequenceNetwork(5, [*layers, Dense(3)], "squared_error")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_agree(cell, directions, bias, tmp_path):
    from safetensors.torch import save_file

    model, network = build(cell, directions, bias)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    load_torch_weights(network, tmp_path / "model.safetensors", ["rnn", "head"])
    x = torch.randn(4, 30, 5)
    with torch.no_grad():
        expected = model["head"](model["rnn"](x)[0]).numpy()
    np.testing.assert_allclose(np.stack(network.predict(x.numpy())), expected, atol=1e-5)


def test_embedding_agrees():
    model = nn.ModuleDict({"table": nn.Embedding(9, 4), "rnn": nn.GRU(4, 6, batch_first=True)})
    network = SequenceNetwork(9, [Embedding(4), GRU(6)], "squared_error")
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    load_torch_weights(network, tensors, ["table", "rnn"])
    x = np.array([[1, 8, 0, 3]])
    with torch.no_grad():
        expected = model["rnn"](model["table"](torch.from_numpy(x)))[0].numpy()
    np.testing.assert_allclose(np.stack(network.predict(x)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("modules", "change", "message"),
    [
        (["rnn"], None, "no module is left for the layer Dense"),
        (["rnn", "head", "head"], None, "'head' has no layer left"),
        (["lstm", "head"], None, "there is no module 'lstm'"),
        (["rnn", "head"], "rnn.weight_hh_l1", r"rnn.weight_hh_l1 must have shape \(28, 7\), got"),
        (["rnn", "head"], "rnn.weight_hr_l0", "projections"),
        (["rnn", "head"], "rnn.weight_ih_l0_reverse", "number of directions differs"),
        (["head", "rnn"], None, "a layer LSTM needs a recurrent one"),
    ],
)
def test_mistakes(modules, change, message):
    model, network = build("lstm", 1)
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    if change:
        tensors[change] = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=message):
        load_torch_weights(network, tensors, modules)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (LSTM(7, peepholes=True), "PyTorch's LSTM has no peepholes"),
        (LSTM(7, forget_gate=False), "PyTorch's LSTM has forget gates"),
    ],
)
def test_cells_that_pytorch_does_not_have(layer, message):
    tensors = {name: t.numpy() for name, t in nn.LSTM(5, 7).state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_torch_weights(SequenceNetwork(5, [layer], "squared_error"), tensors, [""])


def test_convolutional_network_agrees():
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(2, 6, (3, 2), padding=(1, 0), stride=(1, 2)),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 2, groups=2, bias=False),
        nn.Tanh(),
        nn.Flatten(),
        nn.BatchNorm1d(24),
        nn.Linear(24, 5),
    )
    x = torch.randn(30, 2, 7, 16)
    model(x)  # running statistics that are not the initial ones
    layers = [
        Conv2D(6, (3, 2), padding=(1, 0), stride=(1, 2)),
        BatchNorm("relu"),
        MaxPool(2),
        Conv2D(4, 2, "tanh", groups=2),
        Flatten(),
        BatchNorm(),
        Dense(5),
    ]
    network = Network((7, 16, 2), layers, "squared_error")
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    load_torch_weights(network, tensors, ["0", "1", "4", "7", "8"])
    with torch.no_grad():
        expected = model.eval()(x).numpy()
    np.testing.assert_allclose(network.predict(x.permute(0, 2, 3, 1).numpy()), expected, atol=1e-5)


def test_convolution_in_time_agrees():
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv1d(3, 8, 5, dilation=2), nn.ReLU(), nn.AvgPool1d(3), nn.Flatten(), nn.Linear(24, 2)
    )
    layers = [Conv1D(8, 5, "relu", dilation=2), AveragePool(3), Flatten(), Dense(2)]
    network = Network((18, 3), layers, "squared_error")
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    load_torch_weights(network, tensors, ["0", "4"])
    x = torch.randn(4, 3, 18)
    with torch.no_grad():
        expected = model(x).numpy()
    np.testing.assert_allclose(network.predict(x.permute(0, 2, 1).numpy()), expected, atol=1e-5)
    tensors["0.weight"] = tensors["0.weight"][:, :2]
    with pytest.raises(ValueError, match=r"0.weight must have shape \(8, 3, 5\), got \(8, 2, 5\)"):
        load_torch_weights(network, tensors, ["0", "4"])
