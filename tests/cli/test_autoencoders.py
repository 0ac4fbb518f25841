"""Autoencoders on the command line: train, transform, pictures; pre-training of networks."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ictus
from ictus.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small data files in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ICTUS_DATA", raising=False)
    data = load_digits()
    np.savez("digits.npz", x=data.data / 16, y=data.target)
    generator = np.random.default_rng(0)
    factors = generator.standard_normal((400, 2))
    raw = factors @ generator.standard_normal((2, 6)) * [100, 0.1, 1, 1, 5, 1] + [
        1e3,
        0,
        0,
        0,
        9,
        0,
    ]
    np.save("raw.npy", raw)
    return tmp_path


def run(capsys, *arguments):
    status = main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return captured.out


def test_codes_in_two_dimensions(folder, capsys):
    train = ["train", "digits", "--model", "autoencoder", "--hidden", 60, 2, "--quiet"]
    train += ["--code-activation", "identity", "--pretrain", "rbm", "--learning-rate", 0.005]
    out = run(capsys, *train, "--epochs", 20, "--output", "m", "--plot", "p.png", "--json")
    result = json.loads(out)
    assert result["test_reconstruction_error"] < 0.85 * result["test_error_of_a_constant"]
    for ending in ("", "-filters", "-reconstructions", "-codes"):
        assert (folder / f"p{ending}.png").stat().st_size > 5000
    model = ictus.load("m")
    assert model.pretraining_epochs == 10 and model.n_iter_ == 20
    info = run(capsys, "info", "m")
    assert "64 > 60 sigmoid > 2 > 60 sigmoid > 64" in info

    run(capsys, "transform", "m", "digits", "--output", "f.npz")
    with np.load("f.npz") as file:
        features = file["x"]
        assert features.shape[1] == 2 and len(file["y"]) == len(features)
    x = (load_digits().data / 16).astype(np.float32)
    found = model.transform(x)
    assert np.isin(features[:50], found).all()


def test_denoising(folder, capsys):
    train = ["train", "digits", "--model", "denoising-autoencoder", "--hidden", 64, "--tied"]
    out = run(capsys, *train, "--epochs", 15, "--output", "m", "--plot", "p.png", "--quiet")
    assert "encoder 64-64" in out and "pictures written to p.png" in out
    model = ictus.load("m")
    assert (model.corruption, model.corruption_level, model.tied) == ("masking", 0.3, True)
    for ending in ("", "-filters", "-reconstructions", "-samples"):
        assert (folder / f"p{ending}.png").stat().st_size > 5000
    assert "64 > masking noise 0.3 > 64 sigmoid > tied to layer 1" in run(capsys, "info", "m")
    more = ["--corruption", "salt_and_pepper", "--corruption-level", 0.1, "--contraction", 0.01]
    run(capsys, *train, *more, "--epochs", 1, "--output", "m", "--quiet")
    model = ictus.load("m")
    assert (model.corruption, model.corruption_level, model.contraction) == (
        "salt_and_pepper", 0.1, 0.01)  # fmt: skip


def test_raw_numbers_are_standardised_and_come_back_raw(folder, capsys):
    train = ["train", "raw.npy", "--model", "autoencoder", "--hidden", 2, "--quiet", "--json"]
    train += ["--activation", "tanh", "--epochs", 150, "--learning-rate", 0.01, "--output", "m"]
    result = json.loads(run(capsys, *train))
    assert result["test_reconstruction_error"] < 0.3 * result["test_error_of_a_constant"]
    raw = np.load("raw.npy")
    model = ictus.load("m")
    spread = raw.std(axis=0)
    error = np.sqrt(np.square(model.reconstruct(raw) - raw).mean(axis=0)) / spread
    assert error.max() < 0.6  # in every feature, whatever its scale
    np.testing.assert_allclose(model.mean_, raw.mean(axis=0), atol=0.5 * spread.max())


def test_checkpoint_of_every_phase(folder, capsys):
    train = ["train", "digits.npz", "--model", "autoencoder", "--hidden", 30, 8, "--quiet"]
    train += ["--pretrain", "autoencoder", "--pretraining-epochs", 2, "--epochs", 3]
    run(capsys, *train, "--output", "a")
    run(capsys, *train, "--output", "b", "--checkpoint", "c")
    assert sorted(p.name for p in folder.glob("c*")) == ["c", "c.layer-1", "c.layer-2"]
    run(capsys, *train, "--output", "b", "--checkpoint", "c")
    models = [ictus.load(name) for name in "ab"]
    np.testing.assert_array_equal(*(model.network_.parameters for model in models))


def test_network_with_pretraining(folder, capsys):
    train = ["train", "digits.npz", "--hidden", 50, 50, "--activation", "sigmoid", "--quiet"]
    out = run(capsys, *train, "--pretrain", "supervised", "--epochs", 25, "--json")
    assert json.loads(out)["test_error_percent"] < 15
    assert ictus.load("model.ictus").pretrain == "supervised"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "autoencoder", "--dropout", 0.5], "--dropout is for networks"),
        (["--model", "autoencoder", "--pretrain", "supervised"], "--pretrain must be rbm or auto"),
        (["--model", "autoencoder", "--corruption-level", 0.1], "--corruption-level needs"),
        (
            ["--model", "denoising-autoencoder", "--corruption-level", 1.5],
            "level of masking noise must be in [0, 1], got 1.5",
        ),
        (
            ["--model", "autoencoder", "--activation", "relu", "--sparsity-cost", 1],
            "sparsity_cost must be 0 where",
        ),
        (
            ["--model", "autoencoder", "--code-noise", 1, "--contraction", 1],
            "contraction must be 0 with code_noise",
        ),
        (["--model", "autoencoder", "--tied", "--standardize"], "--standardize is not for tied"),
        (["--model", "autoencoder", "--pretraining-epochs", 3], "--pretraining-epochs needs"),
        (["--tied"], "--tied is for autoencoders, not for a network"),
        (
            ["--model", "rbm", "--contraction", 1],
            "--contraction is for autoencoders",
        ),
        (["--model", "rbm", "--pretrain", "rbm"], "--pretrain is for networks, not for a rbm"),
        (["--model", "denoising", "--output", "m"], "--model must be one of network, convnet,"),
    ],
)
def test_mistakes_are_found_before_training(folder, capsys, options, message):
    status = main(["train", "digits.npz", *map(str, options)])
    captured = capsys.readouterr()
    assert status != 0
    assert message in captured.err and captured.err.count("\n") == 1
    assert "training examples" not in captured.out
    assert not (folder / "model.ictus").exists()
