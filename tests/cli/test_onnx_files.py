"""ONNX files on the command line: export, info, predict."""

import json

import numpy as np
import pytest

import ictus
from ictus.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A classifier, its data, and the current folder."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    y = np.array(["alto", "bass", "tenor"])[np.arange(90) % 3]
    x = np.eye(3)[np.arange(90) % 3] * 2 + 0.4 * generator.standard_normal((90, 3))
    model = ictus.MLPClassifier((5,), max_epochs=10, random_state=0).fit(x, y)
    ictus.save("voices.ictus", model)
    np.savez("new.npz", x=x)
    return tmp_path


def test_an_estimator_and_back(folder, capsys):
    assert main(["export", "voices.ictus", "voices.onnx"]) == 0
    assert capsys.readouterr().out.startswith("voices.onnx: ")
    assert main(["predict", "voices.ictus", "new.npz"]) == 0
    expected = capsys.readouterr().out
    assert main(["predict", "voices.onnx", "new.npz"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["predict", "voices.onnx", "new.npz", "--probabilities", "--json"]) == 0
    probabilities = np.array(json.loads(capsys.readouterr().out)["predictions"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert main(["info", "voices.onnx"]) == 0
    text = capsys.readouterr().out
    assert "operator set 20, by ictus" in text and "3 > 5 relu > 3" in text
    assert '["alto", "bass", "tenor"]' in text
    assert main(["info", "voices.onnx", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["operators"] == {"Gemm": 2, "Relu": 1, "Softmax": 1} and facts["numbers"] == 38


def test_a_music_model(folder, capsys):
    assert main(["export", "online", "online.onnx"]) == 0
    assert main(["info", "online.onnx"]) == 0
    text = capsys.readouterr().out
    assert "signal (samples)" in text and "as a network  " in text
    network = ictus.SequenceNetwork(162, [ictus.LSTM(3), ictus.Dense(1)], "binary_cross_entropy")
    ictus.save("mine.ictus", network)
    assert main(["export", "mine.ictus", "mine.onnx", "--from-samples", "beats"]) == 0
    assert main(["export", "mine.ictus", "net.onnx"]) == 0
    assert main(["info", "net.onnx"]) == 0
    assert "162 > 3 > 1" in capsys.readouterr().out
    assert main(["predict", "net.onnx", "new.npz"]) == 2
    assert "takes sequences" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "voices.ictus", "voices.bin"], "FILE must end in .onnx, got 'voices.bin'"),
        (["export", "missing.ictus", "voices.onnx"], "missing.ictus: No such file"),
        (["export", "waltzes", "voices.onnx"], "no model for waltzes is installed"),
        (["info", "cut.onnx"], "cut.onnx is not a usable ONNX file"),
        (["predict", "cut.onnx", "new.npz"], "cut.onnx is not a usable ONNX file"),
    ],
)
def test_mistakes(folder, capsys, arguments, message):
    (folder / "cut.onnx").write_bytes(b"\x08\x09\x3a\x50")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
