"""``ictus train boundaries``: from a folder to a model file that ``ictus segments`` takes."""

import json

import numpy as np
import pytest

import ictus
from ictus.cli import main
from ictus.io.annotations import Events, write_annotation
from ictus.io.audio import write_audio

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    generator = np.random.default_rng(5)
    for number in range(3):
        parts = [generator.standard_normal(10 * 22_050) * level for level in (0.2, 0.01)]
        sound = np.concatenate(parts).astype(np.float32)
        write_audio(folder / f"song{number}.wav", sound, 22_050)
        write_annotation(
            folder / f"song{number}.segments", Events([0.0, 10.0], ["A", "B"], [10.0, 20.0])
        )
    return folder


SMALL = ["--maps", "2", "4", "--units", "4", "--epochs", "2", "--examples", "64", "--quiet"]


def test_a_folder_gives_a_model(songs, tmp_path, capsys):
    output = tmp_path / "mine.ictus"
    arguments = ["train", "boundaries", str(songs), "--output", str(output), *SMALL, "--json"]
    assert main([*arguments, "--cache", str(tmp_path / "cache"), "--licence", "CC0-1.0"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["models"]
    assert result["epochs"] == 2 and result["recordings"] == 2
    assert 0 <= result["scores"]["segment_F 0.5s"] <= 1
    assert ictus.load(output).input_shape == (115, 80, 2)
    card = ictus.read_card(output)["card"]
    assert card["licence"] == "CC0-1.0" and "2 recordings" in card["training_data"]
    assert 0 < card["metrics"]["threshold"] < 1
    assert main(["segments", str(songs / "song0.wav"), "--model", str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split("\t")[1] == "20.000000"


def test_folds_and_checkpoints(songs, tmp_path, capsys):
    arguments = ["train", "boundaries", str(songs), "--output", str(tmp_path / "m.ictus"), *SMALL]
    arguments += ["--folds", "3", "--no-lag-matrix", "--cache", str(tmp_path / "cache")]
    arguments += ["--checkpoint", str(tmp_path / "work"), "--validation", "0", "--json"]
    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out)["models"]
    assert sorted(name for r in first for name in r["measured_on"]) == ["song0", "song1", "song2"]
    before = ictus.load(tmp_path / "m-2.ictus").parameters.tobytes()
    assert ictus.load(tmp_path / "m-2.ictus").input_shape == (115, 80, 1)
    assert len(list((tmp_path / "work").iterdir())) == 3
    assert main(arguments) == 0  # the checkpoints give the same models again, without an epoch
    assert ictus.load(tmp_path / "m-2.ictus").parameters.tobytes() == before


def test_mistakes_are_one_line(songs, tmp_path, capsys):
    assert main(["train", "boundaries", str(tmp_path)]) == 2
    assert "none with an annotation beside it" in capsys.readouterr().err
    (tmp_path / "one.wav").write_bytes((songs / "song0.wav").read_bytes())
    (tmp_path / "one.segments").write_text("0\t20\tA\n")
    arguments = [
        "train",
        "boundaries",
        str(tmp_path),
        *SMALL,
        "--output",
        str(tmp_path / "m.ictus"),
    ]
    assert main(arguments) == 2
    assert "recordings with boundaries between their sections" in capsys.readouterr().err
    assert main(["train", "boundaries", str(songs), *SMALL, "--early-stopping", "2"]) == 2
    assert "takes no --early-stopping" in capsys.readouterr().err
