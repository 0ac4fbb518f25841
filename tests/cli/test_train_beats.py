"""``ictus train beats``: from a folder to a model file, in folds, interrupted, with mistakes."""

import json

import numpy as np
import pytest

import ictus
from ictus.cli import main

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    from ictus.music.synthesis import write_corpus

    folder = tmp_path_factory.mktemp("songs")
    write_corpus(folder, 3, seed=4, format="wav", seconds=4.0, synthesizer="builtin")
    return folder


SMALL = ["--units", "4", "--epochs", "2", "--segment", "2", "--quiet", "--json"]


@pytest.mark.parametrize("model", ["beats", "online", "downbeats"])
def test_a_folder_gives_a_model(songs, tmp_path, capsys, model):
    output = tmp_path / "mine.ictus"
    arguments = ["train", "beats", str(songs), "--model", model, "--output", str(output), *SMALL]
    assert main([*arguments, "--cache", str(tmp_path / "cache"), "--licence", "CC0-1.0"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["models"]
    assert result["epochs"] == 2 and result["recordings"] == 2
    network = ictus.load(output)
    width = {"beats": 266, "online": 300, "downbeats": 314}[model]
    outputs = network.predict([np.zeros((50, width), np.float32)])[0]
    assert outputs.shape == (50, 3 if model == "downbeats" else 1)
    card = ictus.read_card(output)["card"]
    assert card["licence"] == "CC0-1.0" and "2 recordings" in card["training_data"]


def test_folds_speeds_and_checkpoints(songs, tmp_path, capsys):
    arguments = ["train", "beats", str(songs), "--output", str(tmp_path / "m.ictus"), *SMALL]
    arguments += [
        "--folds",
        "3",
        "--speeds",
        "1.1",
        "--tempi",
        "0.9",
        "--semitones",
        "-2",
        "--cache",
        str(tmp_path / "cache"),
    ]
    arguments += ["--checkpoint", str(tmp_path / "work"), "--validation", "0"]
    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out)["models"]
    assert [r["model"] for r in first] == [str(tmp_path / f"m-{i}.ictus") for i in (1, 2, 3)]
    assert sorted(name for r in first for name in r["measured_on"]) == [
        f"piece0000{i}" for i in range(3)
    ]
    assert len(list((tmp_path / "work").iterdir())) == 3
    # All is trained: the checkpoints give the same models again, without an epoch.
    before = ictus.load(tmp_path / "m-2.ictus").parameters.tobytes()
    assert main(arguments) == 0
    assert ictus.load(tmp_path / "m-2.ictus").parameters.tobytes() == before


def test_training_begins_with_a_model(songs, tmp_path, capsys):
    shared = ["train", "beats", str(songs), "--cache", str(tmp_path / "cache"), "--quiet", "--json"]
    shared += ["--segment", "2", "--epochs", "1", "--learning-rate", "1e-9"]
    output = tmp_path / "m.ictus"
    assert main([*shared, "--output", str(output), "--start", "ictus"]) == 0
    expected = ictus.load(ictus.music.model_path("beats"))
    frames = np.random.default_rng(0).random((60, 266)).astype(np.float32)
    got = ictus.load(output).predict([frames])[0]
    np.testing.assert_allclose(got, expected.predict([frames])[0], atol=1e-3)
    assert main([*shared, "--start", str(output), "--units", "3"]) == 2
    assert "start must have the layers" in capsys.readouterr().err


def test_mistakes_are_one_line(songs, tmp_path, capsys):
    for arguments, message in (
        ([str(tmp_path / "none")], "must be a folder"),
        ([str(tmp_path)], "0 recordings, none with an annotation"),
        ([str(songs), "--folds", "9"], "folds must be between 2 and the 3"),
        ([str(songs), "--output", str(tmp_path / "no" / "m.ictus")], "folder that exists"),
    ):
        assert main(["train", "beats", *arguments, "--json"]) == 2
        error = capsys.readouterr().err
        assert (
            error.count("\n") == 1 and message in error and error.startswith("ictus train beats:")
        )
