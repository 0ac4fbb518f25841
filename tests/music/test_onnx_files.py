"""Beat and onset models as ONNX files, from samples to activations, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from ictus.music import BeatTracker, load_networks, model_path, save_onnx
from ictus.music.onsets import ONSET_MODELS, SPECTRA, slide_patches
from ictus.nn import (
    LSTM,
    Bidirectional,
    Conv2D,
    Dense,
    Flatten,
    MaxPool,
    Network,
    SequenceNetwork,
    Standardize,
)

onnx = pytest.importorskip("onnx", reason="onnx.checker says whether a file is right")
runtime = pytest.importorskip("onnxruntime", reason="it runs the files")

HOP = 441


def signal(samples, seed=0):
    """Noise and a tone that come and go."""
    time = np.arange(samples)
    noise = np.random.default_rng(seed).normal(size=samples)
    return (0.2 * (noise + np.sin(time / 9)) * (time % 8000 < 3000)).astype(np.float32)


def session(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    return runtime.InferenceSession(path)


def run(opened, x):
    return opened.run(None, {"signal": x})[0]


@pytest.mark.parametrize("name", ["beats", "downbeats", "online"])
def test_models_that_ictus_brings(name, tmp_path):
    networks = load_networks([model_path(name)])
    save_onnx(tmp_path / "model.onnx", networks)
    opened, tracker = session(tmp_path / "model.onnx"), BeatTracker(networks)
    # The first sample alone, hops that are full and not, and some seconds.
    for samples in (1, 300, HOP, HOP + 1, 2 * 44_100):
        x = signal(samples)
        expected = tracker.activations([x])
        got = run(opened, x)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("inputs", [162, 300])
def test_several_networks_on_causal_features(inputs, tmp_path):
    networks = [
        SequenceNetwork(inputs, [LSTM(4), Dense(3)], "softmax_cross_entropy", seed=s)
        for s in (1, 2, 3)
    ]
    save_onnx(tmp_path / "model.onnx", networks, metadata={"name": "three"})
    opened = session(tmp_path / "model.onnx")
    for samples in (1, 299, HOP, HOP + 1, 44_100):
        x = signal(samples)
        expected = BeatTracker(networks).activations([x])
        np.testing.assert_allclose(run(opened, x), expected, atol=1e-5)
    texts = opened.get_modelmeta().custom_metadata_map
    assert texts["name"] == "three" and texts["sample_rate"] == "44100"


def onset_networks(model):
    if model == "onsets_rnn":
        return [SequenceNetwork(266, [Bidirectional(LSTM(4)), Dense(1)], "binary_cross_entropy")]
    layers = [Standardize(), Conv2D(3, (7, 3), "tanh"), MaxPool((1, 3)), Conv2D(4, 3, "relu"),
              MaxPool((1, 3)), Flatten(), Dense(9, "sigmoid", dropout=0.5), Dense(1)]  # fmt: skip
    made = [Network((15, 80, 3), layers, "binary_cross_entropy", seed=s) for s in (1, 2)]
    for network in made:
        network.layer_views[0][0][...] = np.random.default_rng(3).normal(size=(80, 3))
    return made


@pytest.mark.parametrize("model", sorted(ONSET_MODELS))
def test_onset_models(model, tmp_path):
    networks, kind = onset_networks(model), ONSET_MODELS[model]
    save_onnx(tmp_path / "model.onnx", networks, model)
    opened, features = session(tmp_path / "model.onnx"), kind.features()
    for samples in (1, HOP + 1, 30_000):
        x = features(signal(samples))
        if kind.surroundings == (0, 0):
            each = [n.predict([x])[0] for n in networks]
        else:
            each = [slide_patches(n, x, kind.surroundings, SPECTRA) for n in networks]
        got = run(opened, signal(samples))
        np.testing.assert_allclose(got, np.mean(each, axis=0)[:, 0], atol=1e-5)


def test_mistakes(tmp_path):
    network = SequenceNetwork(162, [Dense(1)], "binary_cross_entropy")
    with pytest.raises(ValueError, match="model must be one of beats, onsets, onsets_online"):
        save_onnx(tmp_path / "model.onnx", [network], "melody")
    with pytest.raises(ValueError, match=r"networks of onsets must take \(15, 80, 3\)"):
        save_onnx(tmp_path / "model.onnx", [network], "onsets")
    assert not list(tmp_path.iterdir())
