"""``ictus speech-music`` and ``ictus train speech-music``."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ictus
from ictus.cli import main
from ictus.io.annotations import Events, read_annotation, write_annotation
from ictus.io.audio import write_audio
from ictus.music.networks import MODEL_FOLDER
from tests.music.test_speech_music import RATE, level_network, loud_then_quiet

PRETRAINED = MODEL_FOLDER / "speech_music.ictus"
needs_model = pytest.mark.skipif(not PRETRAINED.is_file(), reason="no model is installed")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.ictus"
    ictus.save(path, level_network())
    return str(path)


@pytest.fixture
def show(tmp_path):
    path = tmp_path / "show.wav"
    write_audio(path, loud_then_quiet(), RATE)
    return str(path)


def test_one_file_goes_to_standard_output(show, model, capfdbinary):
    assert main(["speech-music", show, "--model", model]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert [line.split("\t")[2] for line in lines].count("speech") == 2
    assert float(lines[0].split("\t")[0]) == 0.0


@pytest.mark.parametrize("format", ["txt", "audacity", "sonic-visualiser", "json", "jams", "midi"])
def test_several_files_are_written(show, model, format, tmp_path):
    other = tmp_path / "other.flac"
    write_audio(other, np.zeros(RATE), RATE)
    out = tmp_path / "out"
    command = ["speech-music", show, str(other), "--model", model, "-o", str(out), "--format"]
    assert main([*command, format, "-j", "2"]) == 0
    written = sorted(out.iterdir())
    assert [path.stem for path in written] == ["other", "show"]
    read = [read_annotation(path, format, kind="segments") for path in written]
    assert [len(each) for each in read] == [0, 3]


def test_summary_and_picture(show, model, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "show.png"
    command = ["speech-music", show, "--model", model, "--summary", "--plot", str(picture)]
    assert main(command) == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    assert found["seconds"] == 12
    assert found["music"] == pytest.approx(1 / 3, abs=0.03)
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_mistakes_are_one_line(show, model, tmp_path, capsys):
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no audio at all")
    assert main(["speech-music", str(broken), "--model", model]) == 1
    assert "not an audio file" in capsys.readouterr().err
    for words, text in (
        ([show, show], "need -o"),
        ([show, "--threshold", "0.1", "0.2", "0.3"], "one or two numbers"),
        ([show, "--threshold", "0"], "threshold must be in"),
        ([show, "--plot", "a.xyz"], "pictures must end in"),
        ([show, show, "-o", str(tmp_path)], "both be written"),
    ):
        assert main(["speech-music", *words, "--model", model]) == 2
        assert text in capsys.readouterr().err
    assert main(["speech-music", show, "--model", str(tmp_path / "none.ictus")]) == 2
    assert "none.ictus" in capsys.readouterr().err


@needs_model
def test_the_model_of_the_wheel_hears_noise_as_neither(tmp_path, capsys):
    path = tmp_path / "silence.wav"
    write_audio(path, np.zeros(5 * RATE), RATE)
    assert main(["speech-music", str(path)]) == 0
    assert capsys.readouterr().out == ""
    assert PRETRAINED.stat().st_size < 2_000_000


SMALL = ["--components", "8", "--factors", "8", "--mean-units", "4", "--hidden", "4", "--quiet"]
SMALL += ["--machine-epochs", "1", "--epochs", "2"]


def test_training_on_folders_of_classes(tmp_path, capsys):
    generator = np.random.default_rng(0)
    for name in ("speech", "music"):
        (tmp_path / name).mkdir()
        for number in range(5):
            x = 0.1 * generator.standard_normal(2 * RATE)
            if name == "music":
                x = 0.1 * np.sin(np.arange(2 * RATE) * 0.1 * (number + 1))
            write_audio(tmp_path / name / f"{number}.wav", x, RATE)
    out = tmp_path / "mine.ictus"
    command = ["train", "speech-music", str(tmp_path), "--output", str(out), "--minutes", "1"]
    assert main([*command, *SMALL, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["recordings"] == 10
    assert set(result["frame_errors"]) == {"speech", "music"}
    assert main(["speech-music", str(tmp_path / "music" / "0.wav"), "--model", str(out)]) == 0


def test_training_on_annotations(tmp_path, capsys):
    for number in range(3):
        write_audio(tmp_path / f"{number}.wav", loud_then_quiet((2, 1, 2)), RATE)
        events = Events([0.0, 0.0], ["speech", "music"], [4.0, 2.0])
        write_annotation(tmp_path / f"{number}.segments", events, kind="segments")
    out = tmp_path / "mine.ictus"
    command = ["train", "speech-music", str(tmp_path), "--output", str(out)]
    assert main([*command, *SMALL, "--checkpoint", str(tmp_path / "work")]) == 0
    assert "3 recordings" in capsys.readouterr().out
    assert (tmp_path / "work" / "speech_music.checkpoint").exists()
    assert ictus.load(out).output_size == 2


def test_folders_that_cannot_train(tmp_path, capsys):
    assert main(["train", "speech-music", str(tmp_path / "none")]) == 2
    assert "must be a folder" in capsys.readouterr().err
    assert main(["train", "speech-music", str(tmp_path)]) == 2
    assert "none with an annotation" in capsys.readouterr().err
    (tmp_path / "speech").mkdir()
    (tmp_path / "music").mkdir()
    assert main(["train", "speech-music", str(tmp_path)]) == 2
    assert "has no recordings" in capsys.readouterr().err
