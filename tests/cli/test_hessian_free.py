"""``ictus train --optimizer hessian-free``: a network, an autoencoder, and its mistakes."""

import json

import numpy as np
import pytest

from ictus.cli import main


@pytest.fixture
def blobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    y = np.arange(150) % 3
    np.savez("blobs.npz", x=np.eye(3)[y] * 2 + 0.4 * generator.standard_normal((150, 3)), y=y)
    return "blobs.npz"


def train(capsys, *arguments):
    command = ["train", *arguments, "--optimizer", "hessian-free", "--json"]
    assert main([*command, "--model", "model"] if "--model" not in arguments else command) == 0
    return json.loads(capsys.readouterr().out)


def test_network(blobs, capsys):
    options = ["--damping", "0.5", "--curvature-examples", "50", "--hidden", "8"]
    result = train(capsys, blobs, *options, "--epochs", "10")
    assert result["test_error_percent"] < 5
    assert result["epochs"] == 10


def test_autoencoder(blobs, capsys):
    options = ["--model", "autoencoder", "--output", "model", "--hidden", "2", "--epochs", "15"]
    result = train(capsys, blobs, *options)
    assert result["test_reconstruction_error"] < 0.5 * result["test_error_of_a_constant"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--damping", "2"], "--damping and --curvature-examples need --optimizer hessian-free"),
        (["--optimizer", "hessian-free", "--damping", "0"], "--damping"),
        (["--optimizer", "hessian-free", "--dropout", "0.5"], "without random draws"),
        (["--optimizer", "hessian-free", "--max-norm", "3"], "max_norm must be None"),
    ],
)
def test_mistakes(blobs, capsys, arguments, message):
    try:
        status = main(["train", blobs, *arguments])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err
