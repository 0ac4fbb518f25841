"""Boltzmann machines on the command line: train, sample, transform, pictures."""

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
    raw = generator.normal([100.0, -3.0, 0.5], [20.0, 0.1, 5.0], (400, 3))
    raw[:, 2] += raw[:, 0] / 10
    np.save("raw.npy", raw)
    first = generator.integers(0, 4, 500)
    codes = np.stack([first, (first + 1) % 4, generator.integers(0, 4, 500)], axis=1)
    np.savetxt("codes.csv", codes, fmt="%d", delimiter=",", header="a,b,c", comments="")
    return tmp_path


def run(capsys, *arguments):
    status = main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return captured.out


def test_train_sample_transform(folder, capsys):
    train = ["train", "digits", "--model", "rbm", "--hidden", "60", "--batch-size", "20"]
    train.append("--no-persistent")
    out = run(capsys, *train, "--epochs", 20, "--output", "m", "--plot", "p.png", "--json")
    result = json.loads(out)
    assert result["test_reconstruction_error"] < 0.75 * result["test_error_of_a_constant"]
    assert result["test_pseudo_likelihood"] > -26
    for ending in ("", "-updates", "-filters", "-reconstructions", "-samples"):
        assert (folder / f"p{ending}.png").stat().st_size > 5000
    assert "rbm" in run(capsys, *train, "--epochs", 1, "--output", "other", "--quiet")
    assert "visible units  " in run(capsys, "info", "m")

    lines = run(capsys, "sample", "m", "--count", 3, "--steps", 5).splitlines()
    assert len(lines) == 3
    assert set(lines[0].split(",")) == {"0.0", "1.0"}
    run(capsys, "sample", "m", "--count", 7, "--steps", 5, "--means", "--output", "s.npy")
    assert np.load("s.npy").shape == (7, 64)
    same = [run(capsys, "sample", "m", "--seed", 3, "--steps", 2, "--json") for _ in range(2)]
    assert same[0] == same[1]
    run(capsys, "sample", "m", "--steps", 5, "--plot", "s.png")
    assert (folder / "s.png").stat().st_size > 2000

    run(capsys, "transform", "m", "digits", "--output", "f.npz")
    with np.load("f.npz") as file:
        assert set(file.files) == {"x", "y", "x_test", "y_test"}
        assert file["x"].shape[1] == 60
    error = json.loads(run(capsys, "train", "f.npz", "--epochs", 30, "--json", "--output", "c"))
    assert error["test_error_percent"] < 12
    run(capsys, "transform", "m", "digits.npz", "--output", "f.csv")
    row = (folder / "f.csv").read_text().splitlines()[0].split(",")
    assert len(row) == 61
    out = run(capsys, "transform", "c", "f.npz", "--output", "g.npy", "--json")
    assert json.loads(out)["features"] == np.load("g.npy").shape[1] == 100


def test_a_gaussian_machine_takes_raw_numbers(folder, capsys):
    options = ["--hidden", 20, "--epochs", 60, "--learning-rate", 0.01, "--output", "m", "--json"]
    out = run(capsys, "train", "raw.npy", "--model", "gaussian-rbm", *options)
    raw = np.load("raw.npy")
    assert json.loads(out)["test_error_of_a_constant"] > 100
    samples = ictus.load("m").sample(2000, steps=50)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    np.testing.assert_allclose((samples.mean(axis=0) - mean) / deviation, 0, atol=0.4)
    np.testing.assert_allclose(samples.std(axis=0) / deviation, 1, atol=0.35)


def test_raw_and_standardised_machines_are_the_same(folder):
    from ictus.cli.standardize import Scaling, fold_into_machine

    raw = np.load("raw.npy")
    scaling = Scaling.of(raw)
    for learn in (False, True):
        rbm = ictus.RBM(3, 4, visible_type="gaussian", learn_variance=learn, dtype="float64")
        generator = np.random.default_rng(1)
        rbm.parameters[...] = generator.normal(0, 0.5, rbm.parameter_count)
        folded = fold_into_machine(rbm, scaling)
        z = (raw - scaling.mean) / scaling.deviation
        np.testing.assert_allclose(folded.mean_hiddens(raw), rbm.mean_hiddens(z), rtol=1e-9)
        expected = rbm.reconstruct(z) * scaling.deviation + scaling.mean
        np.testing.assert_allclose(folded.reconstruct(raw), expected, rtol=1e-9)
        difference = folded.free_energy(raw) - rbm.free_energy(z)
        np.testing.assert_allclose(difference, difference[0], rtol=1e-7, atol=1e-7)


def test_categories(folder, capsys):
    options = ["--model", "softmax-rbm", "--hidden", 16, "--batch-size", 20, "--output", "m"]
    options += ["--epochs", 100, "--learning-rate", 0.2, "--learning-rate-decay", 0.97]
    train = ["train", "codes.csv", "--all-columns", *options]
    result = json.loads(run(capsys, *train, "--json"))
    assert result["test_reconstruction_error"] < 0.3  # a third of the features is free
    assert result["test_error_of_a_constant"] > 0.6
    rows = [line.split(",") for line in run(capsys, "sample", "m", "--count", 200).splitlines()]
    samples = np.array(rows, int)
    assert (samples[:, 1] == (samples[:, 0] + 1) % 4).mean() > 0.7
    run(capsys, "transform", "m", "codes.csv", "--all-columns", "--output", "f.npy")
    assert np.load("f.npy").shape == (500, 16)
