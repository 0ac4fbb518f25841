"""``ictus train --model convnet``: images, rows with a shape, and options that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ictus
from ictus.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ICTUS_DATA", raising=False)
    return tmp_path


def test_digits(folder, capsys):
    command = ["train", "digits", "--model", "convnet", "--filters", "8", "--dropout", "0"]
    assert main([*command, "--epochs", "25", "--json", "--plot", "curve.png"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["test_error_percent"] < 8
    model = ictus.load("model.ictus")
    assert isinstance(model, ictus.ConvNetClassifier)
    assert model.network_.input_shape == (8, 8, 1)
    assert (folder / "curve-filters.png").is_file()
    assert main(["info", "model.ictus"]) == 0
    assert (
        "8 x 8 x 1 > 8 conv2d 3 relu > max pool 2 > flatten > 100 relu" in capsys.readouterr().out
    )


def test_rows_with_a_shape_and_regression(folder, capsys):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 6 * 5 * 2)).astype(np.float32)
    np.savez("data.npz", x=x, y=x[:, :3].sum(axis=1) + 0.5)
    command = ["train", "data.npz", "--model", "convnet", "--task", "regression", "--quiet"]
    more = ["--image-shape", "6", "5", "2", "--filters", "4", "3", "--batch-norm", "--epochs", "2"]
    assert main([*command, *more, "--output", "m.ictus"]) == 0
    model = ictus.load("m.ictus")
    assert model.network_.input_shape == (6, 5, 2)
    assert model.network_.state.size == 14
    assert main(["predict", "m.ictus", "data.npz", "--output", "p.csv"]) == 0
    assert "60-4 maps-3 maps-100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--filters", "3"], "--filters is for a convnet, not for a network"),
        (["--model", "rbm", "--batch-norm"], "--batch-norm is for a convnet, not for a rbm"),
        (["--model", "convnet", "--pretrain", "rbm"], "--pretrain is for networks"),
        (["--model", "convnet", "--standardize"], "--standardize is for networks"),
        (["--model", "convnet", "--image-shape", "8"], "--image-shape must be height and width"),
        (["--model", "convnet", "--image-shape", "8", "9"], "must have the 64 numbers of a row"),
        (["--model", "convnet", "--tied"], "--tied is for autoencoders"),
    ],
)
def test_options_that_do_not_fit(options, message, capsys):
    assert main(["train", "digits", *options, "--epochs", "1"]) == 2
    assert message in capsys.readouterr().err
