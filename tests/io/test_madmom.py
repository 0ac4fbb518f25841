"""madmom's model files: made here by its class names, and its own where a user has them."""

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import convolve2d

from ictus import music
from ictus.io.audio import read_audio
from ictus.io.madmom import MadmomModelError, load_madmom
from ictus.io.plain_pickle import PickleError, read_pickle

LAYERS = "BidirectionalLayer LSTMLayer GRULayer RecurrentLayer FeedForwardLayer Gate Cell GRUCell"

CONVOLUTIONAL = " ConvolutionalLayer MaxPoolLayer StrideLayer BatchNormLayer"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def classes(monkeypatch):
    """Empty classes and functions under the names that madmom's files use."""

    def module(name, **members):
        new = types.ModuleType(name)
        for key, value in members.items():
            value.__module__, value.__qualname__ = name, key
            setattr(new, key, value)
        monkeypatch.setitem(sys.modules, name, new)

    made = {name: type(name, (), {}) for name in (LAYERS + CONVOLUTIONAL + " PadLayer").split()}
    names = ("sigmoid", "tanh", "elu", "relu", "linear")
    functions = {n: types.FunctionType(sigmoid.__code__, {}, n) for n in names}
    network = type("NeuralNetwork", (), {})
    module("madmom")
    module("madmom.ml")
    module("madmom.ml.nn", NeuralNetwork=network)
    module("madmom.ml.nn.layers", **made)
    module("madmom.ml.nn.activations", **functions)

    def make(kind, **state):
        one = network() if kind == "NeuralNetwork" else made[kind]()
        one.__dict__.update(
            {k: functions.get(v, v) if isinstance(v, str) else v for k, v in state.items()}
        )
        return one

    return make


def random_weights(rng, inputs, units):
    def draw(*shape):
        return (0.7 * rng.standard_normal(shape)).astype(np.float32)

    return {
        "weights": draw(inputs, units),
        "recurrent_weights": draw(units, units),
        "bias": draw(units),
    }


def recurrent_layer(make, kind, rng, inputs, units, peepholes=True):
    def part(cls, function, **more):
        return make(cls, activation_fn=function, **random_weights(rng, inputs, units), **more)

    if kind == "RecurrentLayer":
        return part(kind, "tanh")
    if kind == "GRULayer":
        return make(
            kind,
            reset_gate=part("Gate", "sigmoid"),
            update_gate=part("Gate", "sigmoid"),
            cell=part("GRUCell", "tanh"),
            hid_init=np.zeros(units, np.float32),
        )

    def gate():
        given = rng.standard_normal((1, units)).astype(np.float32) if peepholes else None
        return part("Gate", "sigmoid", peephole_weights=given)

    return make(
        kind,
        input_gate=gate(),
        forget_gate=gate(),
        output_gate=gate(),
        cell=part("Cell", "tanh"),
        activation_fn="tanh",
    )


def total(part, x, h):
    return x @ part.weights + h @ part.recurrent_weights + part.bias


def run_layer(layer, xs):
    """What the layer computes, from its published definition."""
    units = (getattr(layer, "cell", layer)).weights.shape[1]
    h, c, out = np.zeros(units), np.zeros(units), []
    for x in xs:
        if hasattr(layer, "reset_gate"):
            r, u = sigmoid(total(layer.reset_gate, x, h)), sigmoid(total(layer.update_gate, x, h))
            cell = layer.cell
            new = np.tanh(x @ cell.weights + cell.bias + r * (h @ cell.recurrent_weights))
            h = u * new + (1 - u) * h
        elif hasattr(layer, "input_gate"):

            def gated(gate, state, x=x, h=h):
                peephole = gate.peephole_weights
                return sigmoid(
                    total(gate, x, h) + (0 if peephole is None else state * peephole.ravel())
                )

            i, f = gated(layer.input_gate, c), gated(layer.forget_gate, c)
            c = np.tanh(total(layer.cell, x, h)) * i + c * f
            h = np.tanh(c) * gated(layer.output_gate, c)
        else:
            h = np.tanh(total(layer, x, h))
        out.append(h)
    return np.array(out)


CASES = [
    (kind, directions, protocol)
    for kind in ("LSTMLayer", "GRULayer", "RecurrentLayer")
    for directions in (1, 2)
    for protocol in (0, 1, 2)
]


@pytest.mark.parametrize(("kind", "directions", "protocol"), CASES)
def test_networks(classes, tmp_path, kind, directions, protocol):
    rng = np.random.default_rng(3)
    xs = rng.standard_normal((30, 6))
    layers, expected, inputs = [], xs, 6
    for units in (5, 4):
        forward = recurrent_layer(classes, kind, rng, inputs, units, peepholes=units == 5)
        layer, outputs = forward, run_layer(forward, expected)
        if directions == 2:
            backward = recurrent_layer(classes, kind, rng, inputs, units, peepholes=units == 5)
            layer = classes("BidirectionalLayer", fwd_layer=forward, bwd_layer=backward)
            outputs = np.hstack([outputs, run_layer(backward, expected[::-1])[::-1]])
        layers.append(layer)
        expected, inputs = outputs, outputs.shape[1]
    weights = rng.standard_normal((inputs, 1)).astype(np.float32)
    layers.append(
        classes("FeedForwardLayer", weights=weights, bias=np.array([0.3]), activation_fn="sigmoid")
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(classes("NeuralNetwork", layers=layers), protocol))
    got = load_madmom(path).predict([xs.astype(np.float32)])[0]
    np.testing.assert_allclose(got, sigmoid(expected @ weights + 0.3), atol=2e-6)


def convolutional_layers(make, rng):
    def draw(*shape):
        return (0.5 * rng.standard_normal(shape)).astype(np.float32)

    return [
        make("BatchNormLayer", mean=draw(20, 3), inv_std=1 + draw(20, 3) ** 2, gamma=1, beta=0,
             activation_fn="linear"),
        make("ConvolutionalLayer", weights=draw(3, 4, 7, 3), bias=draw(4), stride=1, pad="valid",
             activation_fn="tanh"),
        make("MaxPoolLayer", size=(1, 3), stride=(1, 3)),
        make("ConvolutionalLayer", weights=draw(4, 5, 3, 3), bias=draw(5), stride=1, pad="valid",
             activation_fn="relu"),
        make("StrideLayer", block_size=7),
        make("FeedForwardLayer", weights=draw(7 * 4 * 5, 6), bias=draw(6), activation_fn="tanh"),
        make("FeedForwardLayer", weights=draw(6, 1), bias=draw(1), activation_fn="sigmoid"),
    ]  # fmt: skip


def run_convolutional(layers, x):
    """What the layers compute of frames (frames, bands, spectra), from their definition."""
    first, one, _, two, _, dense, last = layers
    x = (x - first.mean) * first.inv_std

    def convolved(layer, x, function):
        total = layer.bias
        for channel in range(x.shape[2]):
            maps = [convolve2d(x[:, :, channel], w, "valid") for w in layer.weights[channel]]
            total = total + np.stack(maps, axis=-1)
        return function(total)

    x = convolved(one, x, np.tanh)
    x = np.stack([x[:, 3 * i : 3 * i + 3].max(1) for i in range(x.shape[1] // 3)], axis=1)
    x = convolved(two, x, lambda v: np.maximum(v, 0))
    rows = np.stack([x[i : i + 7].ravel() for i in range(len(x) - 6)])
    rows = np.tanh(rows @ dense.weights + dense.bias)
    return sigmoid(rows @ last.weights + last.bias)


def test_convolutional_networks(classes, tmp_path):
    rng = np.random.default_rng(5)
    layers = convolutional_layers(classes, rng)
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(classes("NeuralNetwork", layers=layers), 2))
    network = load_madmom(tmp_path / "c.pkl")
    assert network.input_shape == (15, 20, 3)
    x = rng.standard_normal((30, 20, 3)).astype(np.float32)
    # Its spectra are those of 2048, 1024, 4096 samples, ours of 1024, 2048, 4096.
    wanted = run_convolutional(layers, x[:, :, [1, 0, 2]])
    np.testing.assert_allclose(network.slide(x), wanted, atol=1e-5)


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harm",)


class TestRefusals:
    @pytest.mark.parametrize("protocol", range(3))
    def test_nothing_is_executed(self, tmp_path, monkeypatch, protocol):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "x.pkl").write_bytes(pickle.dumps([1, Harmful()], protocol))
        with pytest.raises(MadmomModelError, match=r"names posix\.system, which is not allowed"):
            load_madmom("x.pkl")
        assert not (tmp_path / "harm").exists()

    def test_other_content(self, tmp_path):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps([1, 2], 2))
        with pytest.raises(MadmomModelError, match="holds no NeuralNetwork"):
            load_madmom(tmp_path / "x.pkl")

    def test_layers_without_counterpart(self, classes, tmp_path):
        def save(*layers):
            network = classes("NeuralNetwork", layers=list(layers))
            (tmp_path / "x.pkl").write_bytes(pickle.dumps(network, 2))

        save(classes("PadLayer"))
        with pytest.raises(MadmomModelError, match="PadLayer, which is not allowed"):
            load_madmom(tmp_path / "x.pkl")
        save(classes("ConvolutionalLayer", weights=np.ones((3, 2, 3, 3))))
        with pytest.raises(MadmomModelError, match="the first layer is a ConvolutionalLayer"):
            load_madmom(tmp_path / "x.pkl")
        first, *others = convolutional_layers(classes, np.random.default_rng(0))
        save(first, *others[:-1])
        with pytest.raises(MadmomModelError, match="FeedForwardLayer with outputs by tanh"):
            load_madmom(tmp_path / "x.pkl")
        first.mean = np.zeros((20, 2), np.float32)
        save(first, *others)
        with pytest.raises(MadmomModelError, match=r"shape \(bands, 3\), got \(20, 2\)"):
            load_madmom(tmp_path / "x.pkl")
        weights = {"weights": np.ones((2, 1), np.float32), "bias": np.zeros(1, np.float32)}
        save(classes("FeedForwardLayer", activation_fn="elu", **weights))
        with pytest.raises(MadmomModelError, match="outputs by elu"):
            load_madmom(tmp_path / "x.pkl")
        save(recurrent_layer(classes, "LSTMLayer", np.random.default_rng(0), 3, 2))
        with pytest.raises(MadmomModelError, match="the last layer is a LSTMLayer"):
            load_madmom(tmp_path / "x.pkl")

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load_madmom(tmp_path / "x.pkl")

    @pytest.mark.parametrize("protocol", [0, 2])
    def test_random_damage(self, classes, protocol):
        rng = np.random.default_rng(0)
        layer = recurrent_layer(classes, "LSTMLayer", rng, 3, 2)
        whole = pickle.dumps(classes("NeuralNetwork", layers=[layer]), protocol)
        allowed = {f"madmom.ml.nn.layers {n}": n for n in LAYERS.split()}
        allowed |= {"madmom.ml.nn NeuralNetwork": "NeuralNetwork"}
        allowed |= {f"madmom.ml.nn.activations {n}": n for n in ("sigmoid", "tanh")}
        read_pickle(whole, allowed)
        errors = 0
        for cut in range(0, len(whole), 7):
            with pytest.raises(PickleError):
                read_pickle(whole[:cut], allowed)
        for _ in range(400):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 5):
                data[place] = rng.integers(0, 256)
            try:
                read_pickle(bytes(data), allowed)
            except PickleError:
                errors += 1
        assert errors > 100


def test_plain_values():
    value = {
        "a": [1, -5, 2.5, None, True, False, 70_000, 300],
        "b": (b"", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "c": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "d": np.float32(1.5),
    }
    for protocol in (0, 1, 2, 3):
        got = read_pickle(pickle.dumps(value, protocol), {})
        if "a" not in got:
            got = {k.decode(): v for k, v in got.items()}
        np.testing.assert_array_equal(got["c"], value["c"])
        assert got["a"] == value["a"]
        assert got["d"] == 1.5
        if protocol == 3:
            assert got["b"] == value["b"]


class TestItsOwnModels:
    """Its stored activations from its sample recording: features and networks at once."""

    @pytest.fixture
    def models(self):
        folder = os.environ.get("ICTUS_MADMOM_MODELS")
        if not folder:
            pytest.skip("ICTUS_MADMOM_MODELS does not name the folder of madmom's models")
        return Path(folder)

    @pytest.mark.parametrize(
        ("features", "pattern", "name", "columns"),
        [
            ("beat_features", "beats/2015/beats_blstm_*.pkl", "beats_blstm", [0]),
            ("online_beat_features", "beats/2016/beats_lstm_*.pkl", "beats_lstm", [0]),
            (
                "downbeat_features",
                "downbeats/2016/downbeats_blstm_*.pkl",
                "downbeats_blstm",
                [1, 2],
            ),
            ("recurrent_onset_features", "onsets/2013/onsets_brnn_?.pkl", "onsets_brnn", [0]),
        ],
    )
    def test_activations(self, data_folder, models, features, pattern, name, columns):
        pytest.importorskip("soundfile")
        folder = data_folder / "madmom_testdata"
        x = getattr(music, features)()(read_audio(folder / "audio" / "sample.wav"))
        networks = [load_madmom(path) for path in sorted(models.glob(pattern))]
        assert len(networks) >= 6
        mean = np.mean([network.predict([x])[0] for network in networks], axis=0)
        expected = np.load(folder / "activations" / f"sample.{name}.npz")["activations"]
        np.testing.assert_allclose(np.squeeze(mean[:, columns]), expected, atol=1e-5)

    def test_onsets_of_the_convolutional_network(self, data_folder, models):
        folder = data_folder / "madmom_testdata"
        x = read_audio(folder / "audio" / "sample.wav")
        detector = music.OnsetDetector([load_madmom(models / "onsets/2013/onsets_cnn.pkl")])
        stored = np.load(folder / "activations" / "sample.onsets_cnn.npz")["activations"]
        np.testing.assert_allclose(detector.activations([x]), stored, atol=1e-4)
        detector.threshold = 0.54
        wanted = np.loadtxt(folder / "detections" / "sample.cnn_onset_detector.txt")
        np.testing.assert_allclose(detector.detect_signal(x).times, wanted, atol=1e-6)
