"""The command line as a user meets it: results, files, and one-line errors."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ictus.cli import main


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Small data files in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ICTUS_DATA", raising=False)
    generator = np.random.default_rng(0)
    y = np.arange(200) % 3
    x = np.eye(3)[y] * 2 + 0.4 * generator.standard_normal((200, 3))
    np.savez("blobs.npz", x=x, y=y)
    np.save("x.npy", x)
    np.save("y.npy", y)
    names = np.array(["alto", "bass", "tenor"])[y]
    rows = [",".join([*map(str, row), name]) for row, name in zip(x, names, strict=True)]
    (tmp_path / "named.csv").write_text("a,b,c,voice\n" + "\n".join(rows) + "\n")
    rows = [",".join(map(str, [*row, row.sum()])) for row in x]
    (tmp_path / "sums.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "new.csv").write_text("\n".join(",".join(map(str, row)) for row in x[:5]) + "\n")
    np.savez("only_x.npz", x=x)
    np.savez("wrong.npz", z=x)
    (tmp_path / "ragged.csv").write_text("1,2,3\n1,2\n")
    (tmp_path / "words.csv").write_text("1,two,3\n4,five,6\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "blobs.npz").read_bytes()[:200])
    np.save("objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    return tmp_path


def run(capsys, *arguments):
    status = main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def train(capsys, *arguments, epochs=30):
    status, out, _ = run(capsys, "train", *arguments, "--json", "--epochs", epochs)
    assert status == 0
    return json.loads(out)


@pytest.mark.parametrize(
    "source", [["blobs.npz"], ["x.npy", "--targets", "y.npy"], ["named.csv"]], ids=str
)
def test_train_evaluate_predict(data, capsys, source):
    result = train(capsys, *source, "--model", "m.ictus", "--plot", "curve.png")
    assert result["test_error_percent"] < 5
    assert (data / "curve.png").stat().st_size > 5000
    assert (data / "curve-confusion.png").is_file()
    status, out, _ = run(capsys, "evaluate", "m.ictus", *source, "--json")
    assert status == 0
    assert json.loads(out)["error_percent"] < 5
    status, out, _ = run(capsys, "predict", "m.ictus", "new.csv")
    voices = ["alto", "bass", "tenor"] if source == ["named.csv"] else ["0", "1", "2"]
    assert out.split() == [voices[i % 3] for i in range(5)]
    status, out, _ = run(capsys, "predict", "m.ictus", "new.csv", "--json", "--probabilities")
    np.testing.assert_allclose(np.sum(json.loads(out)["predictions"], axis=1), 1, rtol=1e-5)
    run(capsys, "predict", "m.ictus", "new.csv", "--output", "out.npy")
    assert len(np.load(data / "out.npy")) == 5
    status, out, _ = run(capsys, "info", "m.ictus")
    assert status == 0
    assert "MLPClassifier" in out


def test_regression_and_text_output(data, capsys):
    result = train(capsys, "sums.csv", "--learning-rate", "0.01", epochs=300)
    assert result["test_r2"] > 0.8
    assert (data / "model.ictus").is_file()
    status, out, _ = run(capsys, "train", "sums.csv", "--quiet", "--epochs", 2)
    assert status == 0
    assert "regression on sums.csv: 160 training examples" in out
    assert "test R^2" in out
    assert "model written to model.ictus" in out


def test_digits_without_data_folder(data, capsys):
    result = train(capsys, "digits", "--plot", "digits.png")
    assert result["data"] == "digits 8 x 8"
    assert result["test_error_percent"] < 8
    assert (data / "digits-filters.png").is_file()


def test_mnist_from_the_data_folder(data, capsys, data_folder, monkeypatch):
    monkeypatch.setenv("ICTUS_DATA", str(data_folder))
    status, out, _ = run(capsys, "train", "digits", "--json", "--epochs", 1, "--hidden", 100)
    assert status == 0
    result = json.loads(out)
    assert result["data"] == "MNIST"
    assert result["test_error_percent"] < 12


def test_info(capsys):
    status, out, _ = run(capsys, "info", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["instruction_set"] in facts["instruction_sets"]
    assert facts["threads"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.npz"], "no such data file, folder, or name: none.npz"),
        (["train", "only_x.npz"], "has no targets: name their file with --targets"),
        (["train", "wrong.npz"], r"must hold an array x \(and y\), got \['z'\]"),
        (["train", "cut.npz"], "cut.npz is not a readable"),
        (
            ["train", "objects.npy", "--targets", "y.npy"],
            "objects.npy is not a readable NumPy file",
        ),
        (["train", "ragged.csv"], "ragged.csv: data row 2 has 2 columns, not 3"),
        (["train", "words.csv"], "words.csv: examples must be numbers"),
        (["train", "empty.csv"], "empty.csv is empty"),
        (["train", "x.npy", "--targets", "new.csv"], "200 examples, but 5 targets"),
        (["train", "mnist"], "set ICTUS_DATA"),
        (["train", "."], "no train-images-idx3-ubyte"),
        (["train", "blobs.npz", "--dropout", "2"], r"dropout must be in \[0, 1\), got 2.0"),
        (["train", "blobs.npz", "--model", "no/folder/m"], "no such folder for the model file"),
        (["train", "blobs.npz", "--threads", "0"], "threads must be in 1 .. 256, got 0"),
        (["train", "blobs.npz", "--learning-rate", "1e30", "--epochs", "9"], "training diverged"),
        (["evaluate", "blobs.npz", "blobs.npz"], "blobs.npz is not a usable model file"),
        (["predict", "none.ictus", "new.csv"], "No such file"),
        (["bench"], "no benchmark binary"),
    ],
)
def test_mistakes_are_one_line(data, capsys, arguments, message):
    import re

    with np.errstate(all="ignore"):
        status, _, err = run(capsys, *arguments, *(["--quiet"] if arguments[0] == "train" else []))
    if arguments == ["bench"] and status == 0:
        pytest.skip("this build has the benchmark binary")
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert err.startswith(f"ictus {arguments[0]}: ")
    assert re.search(message, err)


def test_usage_errors_and_help(capsys):
    for arguments in (["trian"], [], ["train"], ["train", "x", "--epochs", "many"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--help"])
    assert stopped.value.code == 0
    assert "DATA is one of" in capsys.readouterr().out


def test_wrong_number_of_features(data, capsys):
    train(capsys, "blobs.npz")
    np.savez("wide.npz", x=np.ones((20, 7)), y=np.arange(20) % 3)
    status, _, err = run(capsys, "evaluate", "model.ictus", "wide.npz")
    assert status == 2
    assert "wide.npz has 7 features, the model takes 3" in err


def test_as_a_program(data):
    result = subprocess.run(
        [sys.executable, "-m", "ictus", "info", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "version" in json.loads(result.stdout)
