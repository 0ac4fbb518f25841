"""Deep belief nets on the command line: train, sample, transform, pictures, mistakes."""

import json

import numpy as np
import pytest
from scipy.io import arff

import ictus
from ictus.cli import main
from tests.cli.test_machines import folder, run  # noqa: F401  (a fixture)

pytestmark = pytest.mark.usefixtures("keep_field_size")
TRAIN = ["--model", "dbn", "--hidden", 60, 40, "--batch-size", 20, "--learning-rate", 0.1]


def test_with_targets(folder, capsys):  # noqa: F811
    options = ["--fine-tune-epochs", 10, "--dropout", 0.1, "--output", "m", "--plot", "p.png"]
    result = json.loads(run(capsys, "train", "digits", *TRAIN, *options, "--json"))
    assert result["test_error_percent"] < 8
    assert result["epochs"] == [20, 20, 10]
    assert result["test_reconstruction_error"] < result["test_error_of_a_constant"]
    for ending in ("", "-fine-tuning", "-filters", "-reconstructions", "-samples"):
        assert (folder / f"p{ending}.png").stat().st_size > 5000
    assert "error_percent" in run(capsys, "evaluate", "m", "digits.npz")
    lines = run(capsys, "sample", "m", "--count", 3, "--steps", 5, "--label", 7).splitlines()
    assert len(lines) == 3
    same = [run(capsys, "sample", "m", "--seed", 3, "--steps", 2) for _ in range(2)]
    assert same[0] == same[1]
    run(capsys, "sample", "m", "--steps", 5, "--label", 0, "--plot", "s.png")
    assert (folder / "s.png").stat().st_size > 2000

    run(capsys, "transform", "m", "digits.npz", "--output", "f.arff")
    rows, meta = arff.loadarff("f.arff")
    assert meta.names()[0] == "dbnclassifier0"
    assert meta["class"] == ("nominal", tuple("0123456789"))
    data = np.load("digits.npz")
    features = ictus.load("m").transform(data["x"].astype(np.float32))
    found = np.stack([rows[name] for name in meta.names()[:-1]], axis=1)
    np.testing.assert_array_equal(found.astype(np.float32), features)
    np.testing.assert_array_equal(rows["class"].astype(int), data["y"])
    run(capsys, "transform", "m", "digits.npz", "--output", "f.npz")
    run(capsys, "transform", "m", "digits.npz", "--output", "f.csv")


def test_without_targets(folder, capsys):  # noqa: F811
    np.save("x.npy", np.load("digits.npz")["x"])
    options = ["--epochs", 5, "--fine-tune", "up-down", "--fine-tune-epochs", 2, "--output", "m"]
    out = run(capsys, "train", "x.npy", *TRAIN, *options)
    assert "5 + 5 + 2 epochs" in out
    assert isinstance(ictus.load("m"), ictus.DeepBeliefNet)
    assert "64 bernoulli > 60 bernoulli > 40 bernoulli" in run(capsys, "info", "m")
    run(capsys, "transform", "m", "x.npy", "--output", "f.arff")
    assert arff.loadarff("f.arff")[1].names()[-1] == "deepbeliefnet39"


@pytest.mark.parametrize("fine_tune", ["none", "up-down", "backpropagation"])
def test_raw_numbers_are_standardised_in_training(folder, capsys, fine_tune):  # noqa: F811
    raw = np.load("raw.npy")
    y = (raw[:, 0] > 100).astype(int)
    np.savez("raw.npz", x=raw, y=y)
    options = ["--fine-tune", fine_tune, "--epochs", 40, "--fine-tune-epochs", 30]
    options += ["--fine-tune-learning-rate", 1.0 if fine_tune == "backpropagation" else 0.001]
    train = ["train", "raw.npz", "--model", "dbn", "--hidden", 10, 10, "--batch-size", 20]
    out = run(capsys, *train, "--learning-rate", 0.01, *options, "--output", "m", "--json")
    result = json.loads(out)
    if fine_tune == "backpropagation":
        assert result["test_error_percent"] < 10
    samples = ictus.load("m").sample(500, steps=50)
    np.testing.assert_allclose(
        (samples.mean(axis=0) - raw.mean(axis=0)) / raw.std(axis=0), 0, atol=0.5
    )


def test_folding_the_scaling_changes_nothing(folder):  # noqa: F811
    from ictus.cli.standardize import Scaling, fold_into_deep

    raw = np.load("raw.npy")
    y = (raw[:, 0] > 100).astype(int)
    scaling = Scaling.of(raw)
    z = scaling.apply(raw).astype(np.float64)
    for fine_tune in ("up-down", "backpropagation"):
        model = ictus.DBNClassifier(
            (5, 4), visible_type="gaussian", n_iter=3, fine_tune=fine_tune, fine_tune_epochs=2,
            fine_tune_learning_rate=1e-3, random_state=0,
        ).fit(z, y)  # fmt: skip
        p, reconstructed = model.predict_proba(z), model.reconstruct(z)
        fold_into_deep(model, scaling)
        np.testing.assert_allclose(model.predict_proba(raw), p, atol=1e-5)
        expected = reconstructed * scaling.deviation + scaling.mean
        np.testing.assert_allclose(model.reconstruct(raw), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits.npz", "--optimizer", "adam"], "--optimizer must be sgd for a dbn, got adam"),
        (["digits.npz", "--early-stopping"], "--early-stopping is not for a dbn"),
        (["digits.npz", "--hidden-type", "rectified"], "--hidden-type must be bernoulli"),
        (
            ["digits.npz", "--dropout", 0.5, "--fine-tune", "up-down"],
            "--dropout is for backpropagation",
        ),
        (["raw.npy", "--max-norm", 2], "--max-norm is for backpropagation"),
        (["raw.npy", "--fine-tune", "backpropagation"], "backpropagation needs targets"),
        (["regression.npz"], "targets of a dbn must be classes"),
        (["labels.npz"], r"targets of a dbn must have shape \(rows,\)"),
    ],
)
def test_mistakes_in_training(folder, capsys, arguments, message):  # noqa: F811
    x = np.random.default_rng(0).random((50, 3))
    np.savez("regression.npz", x=x, y=x[:, 0])
    np.savez("labels.npz", x=x, y=(x > 0.5).astype(int))
    status = main(["train", *map(str, arguments), "--model", "dbn", "--output", "m"])
    assert status != 0
    import re

    assert re.search(message, capsys.readouterr().err)


def test_mistakes_in_sampling(folder, capsys):  # noqa: F811
    X, y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 2
    ictus.save("dbn", ictus.DBNClassifier((3,), n_iter=1, fine_tune=None).fit(X, y))
    assert "4 bernoulli + 2 labels > 3 bernoulli" in run(capsys, "info", "dbn")
    ictus.save("rbm", ictus.BernoulliRBM(3, n_iter=1).fit(X))
    ictus.save("mlp", ictus.MLPClassifier((3,), max_epochs=1).fit(X, y))
    for arguments, message in (
        (["dbn", "--label", "2"], "--label must be one of 0, 1, got 2"),
        (["rbm", "--label", "2"], "--label is for models of classes, not for a BernoulliRBM"),
        (["mlp"], "holds a MLPClassifier, which has no samples"),
    ):
        assert main(["sample", *arguments, "--steps", "2"]) != 0
        assert message in capsys.readouterr().err


def test_samples_of_other_models(folder, capsys):  # noqa: F811
    X = np.random.default_rng(0).standard_normal((60, 4))
    ictus.save("mcrbm", ictus.MeanCovarianceRBM(4, 4, n_iter=1, random_state=0).fit(X))
    assert len(run(capsys, "sample", "mcrbm", "--count", 3, "--steps", 2).splitlines()) == 3
    assert main(["sample", "mcrbm", "--means"]) != 0
    assert "--means is not for samples of a MeanCovarianceRBM" in capsys.readouterr().err
    options = {"corruption": "gaussian", "max_epochs": 1, "random_state": 0}
    ictus.save("dae", ictus.Autoencoder((3,), **options).fit(X))
    same = [run(capsys, "sample", "dae", "--count", 3, "--steps", 2, "--seed", 1) for _ in "ab"]
    assert same[0] == same[1]
    generator = ictus.SequenceGenerator(5, max_epochs=1, random_state=0).fit(["abab", "baba"] * 5)
    ictus.save("generator", generator)
    assert len(run(capsys, "sample", "generator", "--count", 3).splitlines()) == 3
    assert len(json.loads(run(capsys, "sample", "generator", "--json"))["samples"]) == 20
    assert main(["sample", "generator", "--label", "a"]) != 0
    assert "--label is not for samples of a SequenceGenerator" in capsys.readouterr().err
