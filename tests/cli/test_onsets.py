"""``ictus onsets`` and ``ictus train onsets`` on recordings of clicks."""

import io
import json
import sys
import warnings

import numpy as np
import pytest

import ictus
from ictus.cli import main
from ictus.io.annotations import read_annotation
from ictus.io.audio import read_audio, write_audio
from tests.music.sounds import clicks
from tests.music.test_onset_detector import click_patches, live_patches, sequences

pytest.importorskip("soundfile")


@pytest.fixture(autouse=True)
def keep_warnings():
    show = warnings.showwarning
    with warnings.catch_warnings():
        yield
    warnings.showwarning = show


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    signal, times = clicks(4.0, 0.4)
    write_audio("song.flac", signal)
    write_audio("other.wav", clicks(3.0, 0.3)[0])
    np.save("times.npy", times)
    ictus.save("m.ictus", click_patches(), {})
    ictus.save("live.ictus", live_patches(), {})
    return tmp_path


def times_of(capsys):
    return np.array([float(line) for line in capsys.readouterr().out.splitlines()])


def test_one_file_to_standard_output(folder, capsys):
    assert main(["onsets", "song.flac", "--model", "m.ictus"]) == 0
    np.testing.assert_allclose(times_of(capsys), np.load("times.npy"), atol=0.011)
    assert main(["onsets", "song.flac", "--superflux"]) == 0
    np.testing.assert_allclose(times_of(capsys), np.load("times.npy"), atol=0.016)
    assert main(["onsets", "song.flac", "--model", "m.ictus", "--threshold", "0.999"]) == 0
    assert len(times_of(capsys)) == 0
    assert main(["onsets", "song.flac", "--model", "m.ictus", "--combine", "0.5"]) == 0
    assert len(times_of(capsys)) < len(np.load("times.npy"))


@pytest.mark.parametrize(
    ("format", "ending"),
    [("txt", "onsets"), ("midi", "mid"), ("jams", "jams"), ("audacity", "txt")],
)
def test_formats(folder, format, ending):
    command = ["onsets", "song.flac", "other.wav", "--model", "m.ictus", "-j", "2", "-o", "out"]
    assert main([*command, "--format", format]) == 0
    found = read_annotation(f"out/song.{ending}", format, kind="onsets")
    np.testing.assert_allclose(found.times, np.load("times.npy"), atol=0.011)
    assert (folder / "out" / f"other.{ending}").is_file()
    if format == "jams":
        content = json.loads((folder / "out" / "song.jams").read_text())
        assert content["annotations"][0]["namespace"] == "onset"


def test_click_plot_and_report(folder):
    pytest.importorskip("matplotlib")
    options = ["--click", "c.wav", "--plot", "p.png", "--report", "r.html"]
    assert main(["onsets", "song.flac", "--model", "m.ictus", *options]) == 0
    assert len(read_audio("c.wav")) == len(read_audio("song.flac"))
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "r.html").read_text()
    assert "Onsets of song.flac" in page and "ticks above and below" in page
    assert '"kind": "onsets"' in page and f"{len(np.load('times.npy'))} onsets" in page


def test_live_input(folder, capsys, monkeypatch):
    assert main(["onsets", "song.flac", "--online", "--model", "live.ictus"]) == 0
    heard = times_of(capsys)
    np.testing.assert_allclose(heard, np.load("times.npy"), atol=0.021)
    samples = np.round(read_audio("song.flac") * 32768).astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(samples))))
    assert main(["onsets", "-", "--online", "--model", "live.ictus"]) == 0
    np.testing.assert_array_equal(times_of(capsys), heard)


def test_a_bad_file_stops_nothing(folder, capsys):
    (folder / "empty.wav").touch()
    command = ["onsets", "empty.wav", "song.flac", "missing.wav", "--model", "m.ictus", "-o", "out"]
    assert main(command) == 1
    errors = capsys.readouterr().err
    assert "ictus: empty.wav: the file is empty" in errors and "2 of 3 files failed" in errors
    assert [path.name for path in (folder / "out").iterdir()] == ["song.onsets"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--superflux", "--online"], "--superflux goes without"),
        (["--online", "--model", "live.ictus", "--report", "r.html"], "--online goes without"),
        (["--model", "times.npy"], "times.npy"),
        (["--online", "--model", "s.ictus"], "holds a SequenceNetwork, not an onset model"),
        (["--model", "m.ictus", "--threshold", "2"], "threshold must be in"),
    ],
)
def test_mistakes(folder, capsys, options, message):
    ictus.save("s.ictus", sequences(), {})
    assert main(["onsets", "song.flac", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("model", ["onsets", "onsets_rnn"])
def test_training(folder, capsys, model):
    pytest.importorskip("mir_eval")
    (folder / "songs").mkdir()
    for number in range(3):
        signal, times = clicks(3.0, 0.25 + 0.02 * number, seed=number)
        write_audio(f"songs/{number}.wav", signal)
        (folder / "songs" / f"{number}.onsets").write_text("".join(f"{t}\n" for t in times))
    command = ["train", "onsets", "songs", "--model", model, "--epochs", "2", "--json"]
    assert main([*command, "--output", "mine.ictus", "--checkpoint", "work"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["models"]
    assert result["epochs"] == 2 and 0 <= result["scores"]["onset_F"] <= 1
    assert (folder / "work" / f"{model}-all.checkpoint").is_file()
    card = ictus.read_card("mine.ictus")["card"]
    assert card["provenance"] == f"ictus train onsets --model {model} --seed 0"
    assert main(["onsets", "song.flac", "--model", "mine.ictus"]) == 0
