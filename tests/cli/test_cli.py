"""The command line as a user meets it: results, files, and one-line errors."""

import json
import signal
import subprocess
import sys
import time

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
    assert "3 > 100 relu > 3" in out
    assert max(map(len, out.splitlines())) <= 100


def test_regression_and_text_output(data, capsys):
    result = train(capsys, "sums.csv")
    assert result["test_r2"] > 0.8
    assert (data / "model.ictus").is_file()
    status, out, _ = run(capsys, "train", "sums.csv", "--quiet", "--epochs", 2)
    assert status == 0
    assert "regression on sums.csv: 160 training examples" in out
    assert "test R^2" in out
    assert "model written to model.ictus" in out


def test_text_targets_with_and_without_a_name(data, capsys):
    names = np.array(["alto", "bass", "tenor"])[np.load("y.npy")]
    for lines in (["voice", *names], list(names)):
        (data / "voices.csv").write_text("\n".join(lines) + "\n")
        result = train(capsys, "x.npy", "--targets", "voices.csv")
        assert result["test_error_percent"] < 5


def test_several_labels(data, capsys):
    x = np.load("x.npy")
    y = np.stack([x[:, 0] > 1, x[:, 1] + x[:, 2] > 1.5], axis=1).astype(int)
    np.savez("labels.npz", x=x, y=y)
    result = train(capsys, "labels.npz", "--plot", "curve.png", epochs=100)
    assert result["test_error_percent"] < 15
    _, out, _ = run(capsys, "predict", "model.ictus", "new.csv")
    assert {len(line.split(",")) for line in out.splitlines()} == {2}


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


def test_interrupted_training_leaves_a_usable_model(data):
    process = subprocess.Popen(
        [sys.executable, "-m", "ictus", "train", "blobs.npz", "--epochs", "100000000", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("classification on blobs.npz")
    time.sleep(0.5)  # from the first line to the first minibatch
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.strip() == "ictus: interrupted; the model so far is saved"
    assert "(interrupted)" in out
    assert main(["evaluate", "model.ictus", "blobs.npz"]) == 0


def test_info(capsys):
    status, out, _ = run(capsys, "info", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["instruction_set"] in facts["instruction_sets"]
    assert facts["threads"] >= 1


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
