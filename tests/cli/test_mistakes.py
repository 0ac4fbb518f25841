"""What the command line says to mistakes: one line naming the argument or file, and status 2."""

import os
import re

import numpy as np
import pytest

from ictus.cli import main


def files():
    """Contents of the files, by name: bytes, or arrays for an .npz file."""
    generator = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = np.eye(3)[y] * 2 + 0.4 * generator.standard_normal((60, 3))
    rows = "".join(",".join(map(str, [*row, k])) + "\n" for row, k in zip(x, y, strict=True))
    bad_x, bad_y = x.copy(), y.astype(float)
    bad_x[7, 1], bad_y[4] = np.nan, np.inf
    return {
        "good.npz": {"x": x, "y": y},
        "no_targets.npz": {"x": x},
        "names.npz": {"z": x},
        "nan.npz": {"x": bad_x, "y": y},
        "inf_targets.npz": {"x": x, "y": bad_y},
        "huge.npz": {"x": x * 1e200, "y": y},
        "no_rows.npz": {"x": x[:0], "y": y[:0]},
        "no_features.npz": {"x": x[:, :0], "y": y},
        "scalar.npz": {"x": 3.0, "y": 1},
        "complex.npz": {"x": x + 1j, "y": y},
        "text.npz": {"x": x.astype(str), "y": y},
        "cube.npz": {"x": x, "y": np.ones((60, 2, 2))},
        "short.npz": {"x": x, "y": y[:5]},
        "few.npz": {"x": x[:8], "y": y[:8]},
        "words.npz": {"x": x, "y": np.array(["a", "b", "c"])[y]},
        "fractions.npz": {"x": x, "y": y + 0.5},
        "wide.npz": {"x": np.ones((20, 7)), "y": y[:20]},
        "others.npz": {"x": x, "y": y + 5},
        "bad_test.npz": {"x": x, "y": y, "x_test": x[:, :2], "y_test": y},
        "ragged.csv": b"1,2,3\n1,2\n",
        "text.csv": b"a,b,y\n1,2,3\n4,five,6\n",
        "gap.csv": b"a,b,y\n1,2,3\n4,,6\n",
        "songs.csv": b"one.wav,2,3\ntwo.wav,2,3\n",
        "empty.csv": b"",
        "names.csv": b"a,b,y\n",
        "latin.csv": b"a,b\n1,caf\xe9\n",
        "nul.csv": b"1,2\n1,\0\n",
        "long.csv": b"a,b\n" + b"x" * 200_000 + b",1\n",
        "one_column.csv": b"1\n2\n3\n",
        "targets.csv": b"1\n2\n3\n",
        "table.csv": rows.encode(),
        "words": b"hello world",
        "pickle.npy": b"\x80\x04K\x01.",
        "disguised.npz": b"\x93NUMPY\x01\x00v\x00",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of :func:`files`, a model, and cut and foreign files."""
    path = tmp_path_factory.mktemp("mistakes")
    for name, content in files().items():
        if isinstance(content, dict):
            np.savez(path / name, **content)
        else:
            (path / name).write_bytes(content)
    whole = (path / "good.npz").read_bytes()
    (path / "cut.npz").write_bytes(whole[:200])
    np.save(path / "x.npy", files()["good.npz"]["x"])
    np.save(path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    (path / "cut.npy").write_bytes((path / "x.npy").read_bytes()[:300])
    (path / "archive.npy").write_bytes(whole)
    (path / "folder").mkdir()
    arguments = ["train", str(path / "good.npz"), "--epochs", "1", "--json"]
    assert main([*arguments, "--model", str(path / "model")]) == 0
    return path


TRAINING = [
    # the data
    ("none.npz", "no such data file, folder, or name: none.npz"),
    ("folder", "no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in folder"),
    ("mnist", "set ICTUS_DATA"),
    ("no_targets.npz", "no_targets.npz has no targets: name their file with --targets"),
    ("names.npz", "names.npz must hold an array x, got z"),
    ("nan.npz", "nan.npz: expected finite numbers .* got nan in example 8, column 2"),
    ("inf_targets.npz", "inf_targets.npz: targets: expected finite .* got inf in example 5"),
    ("huge.npz", r"huge.npz: .* range of float32, got .*e\+200 in example 1, column 1"),
    ("no_rows.npz", r"at least one example and feature are needed, got \(0, "),
    ("no_features.npz", r"at least one example and feature are needed, got \(60, 0\)"),
    ("scalar.npz", r"must be a numeric array of shape \(rows, features\), got .* shape \(\)"),
    ("complex.npz", "numeric array .* got dtype complex128"),
    ("text.npz", "numeric array .* got dtype <U"),
    ("cube.npz", r"targets must have shape \(rows,\) or \(rows, k\), got \(60, 2, 2\)"),
    ("short.npz", "short.npz: 60 examples, but 5 targets"),
    ("few.npz", "at least 10 examples are needed to hold out a test set, got 8"),
    ("bad_test.npz", "x_test must have 3 features like x, got 2"),
    ("cut.npz", "cut.npz is not a readable NumPy file"),
    ("disguised.npz", "disguised.npz is not a readable NumPy file"),
    ("archive.npy", "archive.npy is an .npz archive by its content"),
    ("objects.npy", "objects.npy is not a readable NumPy file"),
    ("pickle.npy", "pickle.npy is not a readable NumPy file"),
    ("cut.npy", "cut.npy is not a readable NumPy file"),
    ("x.npy", "x.npy has no targets"),
    ("ragged.csv", "ragged.csv, line 2: expected 3 columns, got 2"),
    ("text.csv", "text.csv, line 3, column 2: expected a number, got 'five'"),
    ("gap.csv", "gap.csv, line 3, column 2: expected a number, got ''"),
    ("songs.csv", "songs.csv, line 2, column 1: expected a number, got 'two.wav'"),
    ("empty.csv", "empty.csv is empty"),
    ("names.csv", "names.csv has a line of names and no data"),
    ("latin.csv", "latin.csv must be text in UTF-8, got byte 9"),
    ("nul.csv", "nul.csv|at least 10 examples"),
    ("long.csv", "long.csv is not a readable table: field larger"),
    ("one_column.csv", "one_column.csv has no targets"),
    ("words", "words is not an idx file"),
    # other files
    ("x.npy --targets none.npy", "--targets must name a file that exists, got none.npy"),
    ("x.npy --targets targets.csv", "60 examples, but 3 targets"),
    ("x.npy --targets names.npz", "names.npz must hold an array y, got z"),
    ("good.npz --test wide.npz", "wide.npz must have 3 features like good.npz, got 7"),
    (
        "good.npz --test others.npz",
        "targets must be classes that the model knows, such as 0, got 5",
    ),
    ("good.npz --test none.npz", "none.npz"),
    ("words.npz --task regression", "targets of a regression must be numbers, got 'a'"),
    ("fractions.npz --task classification", "classes must be text or whole numbers, got 0.5"),
    # what would be written, before training
    ("good.npz --model none/model", "--model must name a file in a folder that exists"),
    ("good.npz --model folder", "--model must name a file, got the folder folder"),
    ("good.npz --plot none/a.png", "--plot must name a file in a folder that exists"),
    ("good.npz --plot a.xyz", "pictures must end in one of .*.png.* got a.xyz"),
    ("good.npz --checkpoint none/c", "--checkpoint must name a file in a folder that exists"),
    ("good.npz --checkpoint good.npz", "good.npz is not a checkpoint"),
    # options
    ("good.npz --hidden 0", "argument --hidden: must be a positive integer, got '0'"),
    ("good.npz --epochs -1", "argument --epochs: must be an integer of 0 or more, got '-1'"),
    ("good.npz --epochs many", "argument --epochs: must be an integer"),
    ("good.npz --batch-size 0", "argument --batch-size: must be a positive integer"),
    ("good.npz --dropout 1", "argument --dropout: must be a number from 0 to below 1, got '1'"),
    ("good.npz --input-dropout nan", "argument --input-dropout: must be a number from 0"),
    ("good.npz --learning-rate 0", "argument --learning-rate: must be a positive number"),
    ("good.npz --learning-rate-decay -1", "argument --learning-rate-decay: must be a positive"),
    ("good.npz --momentum 2", "argument --momentum: must be a number from 0 to below 1"),
    ("good.npz --max-norm inf", "argument --max-norm: must be a positive number, got 'inf'"),
    ("good.npz --l2 -1", "argument --l2: must be a number of 0 or more"),
    ("good.npz --patience 0", "argument --patience: must be a positive integer"),
    ("good.npz --seed -1", "argument --seed: must be an integer from 0 to 4294967295"),
    ("good.npz --threads 0", "argument --threads: must be an integer from 1 to 256, got '0'"),
    ("good.npz --optimizer newton", "argument --optimizer: invalid choice: 'newton'"),
    ("good.npz --hidden 100000000000000000", "(?i)unable to allocate"),
    (
        "good.npz --optimizer sgd --learning-rate 1e30",
        "training diverged: .* epoch [12], minibatch 1, with learning rate 1e",
    ),
    ("good.npz --frobnicate", "unrecognized arguments: --frobnicate"),
    ("", "the following arguments are required: DATA"),
]
OTHER = [
    ("predict none x.npy", "none: No such file or directory"),
    ("predict folder x.npy", "folder: Is a directory"),
    ("predict good.npz x.npy", "good.npz is not a usable model file"),
    ("predict model wide.npz", "wide.npz has 7 features, the model takes 3"),
    ("predict model nan.npz", "nan.npz: expected finite numbers"),
    ("predict model x.npy --output none/out.csv", "--output must name a file in a folder"),
    ("predict model x.npy --output folder", "--output must name a file, got the folder"),
    ("evaluate model x.npy", "x.npy has no targets"),
    ("evaluate model wide.npz", "wide.npz has 7 features, the model takes 3"),
    ("evaluate model words.npz", "classes that the model knows, such as 0, got a"),
    ("train good.npz --model rbm", r"x must be in \[0, 1\] for bernoulli visible units, got"),
    ("train good.npz --model rbm --dropout 0.5", "--dropout is for networks, not for a rbm"),
    ("train good.npz --model rbm --hidden 5 6", "--hidden must be one number for a rbm, got 2"),
    ("train good.npz --model softmax-rbm", "X must hold integer codes from 0 on, got"),
    ("train good.npz --model gaussian-rbm --test wide.npz", "wide.npz must have 3 features like"),
    ("train few.npz --model gaussian-rbm", "at least 10 examples are needed"),
    ("train good.npz --model svm --output m", "--model must be one of network, .*rbm, .* got svm"),
    ("train good.npz --model rbm --gibbs-steps 0", "argument --gibbs-steps: must be a positive"),
    ("train good.npz --model rbm --output none/m", "--output must name a file in a folder"),
    ("transform model x.npy --output none/f.npy", "--output must name a file in a folder"),
    (
        "transform model x.npy --output f.txt",
        "--output must end in .npz, .npy, .csv, .arff, got f.txt",
    ),
    ("transform model wide.npz --output f.npy", "wide.npz has 7 features, the model takes 3"),
    ("transform none x.npy --output f.npy", "none: No such file or directory"),
    ("sample model", "model holds a MLPClassifier, which has no samples"),
    ("sample model --count 0", "argument --count: must be a positive integer"),
    ("sample none", "none: No such file or directory"),
    ("info none", "none: No such file or directory"),
    ("info x.npy", "x.npy is not a usable model file"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(f"train {rest} --quiet", message) for rest, message in TRAINING] + OTHER,
    ids=lambda value: value if value.startswith(("tra", "pred", "eval", "info", "sam")) else "",
)
def test_mistakes_are_one_line(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ICTUS_DATA", raising=False)
    before = sorted(os.listdir(folder))
    words = arguments.split()
    with np.errstate(all="ignore"):
        try:
            status = main(words)
        except SystemExit as stopped:
            status = stopped.code
    error = capsys.readouterr().err
    assert status == 2, error
    assert len(error.strip().splitlines()) == 1, error
    assert re.match(rf"ictus( {words[0]})?: ", error)
    assert re.search(message, error), error
    assert sorted(os.listdir(folder)) == before, "a mistake left a file behind"


@pytest.mark.parametrize("arguments", ["", "trian", "info --model"])
def test_wrong_commands(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


COMMANDS = ["", "train", "predict", "evaluate", "transform", "sample", "info", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", ["good.npz", "x.npy"])
@pytest.mark.parametrize("command", ["train", "predict model"])
def test_cut_data_files(folder, tmp_path, monkeypatch, capsys, name, command):
    monkeypatch.chdir(tmp_path)
    whole = (folder / name).read_bytes()
    cut = tmp_path / name
    words = command.replace("model", str(folder / "model")).split()
    for length in range(0, len(whole), 64):
        cut.write_bytes(whole[:length])
        assert main([*words, str(cut)]) == 2, length
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert str(cut) in error
