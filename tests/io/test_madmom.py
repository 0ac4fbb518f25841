"""madmom's model files: made here by its class names, and its own where a user has them."""

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ictus import music
from ictus.io.audio import read_audio
from ictus.io.madmom import MadmomModelError, load_madmom
from ictus.io.plain_pickle import PickleError, read_pickle

LAYERS = "BidirectionalLayer LSTMLayer GRULayer RecurrentLayer FeedForwardLayer Gate Cell GRUCell"


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

    made = {name: type(name, (), {}) for name in [*LAYERS.split(), "ConvolutionalLayer"]}
    functions = {n: types.FunctionType(sigmoid.__code__, {}, n) for n in ("sigmoid", "tanh", "elu")}
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

        save(classes("ConvolutionalLayer"))
        with pytest.raises(MadmomModelError, match="ConvolutionalLayer, which is not allowed"):
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
