"""``ictus beats`` and ``ictus tempo`` on recordings of clicks, with a detector of clicks."""

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
from tests.music.sounds import clicks, detector

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
    signal, times = clicks()
    write_audio("song.flac", signal)
    write_audio("other.wav", clicks(6.0, 0.4)[0])
    np.save("times.npy", times)
    ictus.save("m.ictus", detector(), {})
    ictus.save("online.ictus", detector(162), {})
    ictus.save("bars.ictus", detector(314, 3), {})
    return tmp_path


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_one_file_to_standard_output(folder, capsys):
    assert main(["beats", "song.flac", "--model", "m.ictus"]) == 0
    np.testing.assert_allclose([float(x) for x in lines(capsys)], np.load("times.npy"), atol=0.025)


@pytest.mark.parametrize(
    ("format", "ending"),
    [
        ("txt", "beats"),
        ("audacity", "txt"),
        ("sonic-visualiser", "csv"),
        ("json", "json"),
        ("jams", "jams"),
        ("midi", "mid"),
    ],
)
def test_formats(folder, format, ending):
    command = ["beats", "song.flac", "other.wav", "--model", "m.ictus", "-j", "2", "-o", "out"]
    assert main([*command, "--format", format]) == 0
    found = read_annotation(f"out/song.{ending}", format)
    np.testing.assert_allclose(found.times, np.load("times.npy"), atol=0.03)
    assert (folder / "out" / f"other.{ending}").is_file()


def test_downbeats_are_numbered(folder, capsys):
    command = ["beats", "song.flac", "--downbeats", "--meter", "4", "--model", "bars.ictus"]
    assert main(command) == 0
    numbers = [int(line.split("\t")[1]) for line in lines(capsys)]
    assert set(numbers) == {1, 2, 3, 4}
    assert main(["beats", "song.flac", "--downbeats", "--model", "m.ictus"]) == 2
    assert "needs a model that knows them" in capsys.readouterr().err


def test_click_and_plot(folder, capsys):
    pytest.importorskip("matplotlib")
    options = ["--click", "c.wav", "--plot", "p.png"]
    assert main(["beats", "song.flac", "--model", "m.ictus", *options]) == 0
    assert len(read_audio("c.wav")) == len(read_audio("song.flac"))
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")


def test_report(folder):
    options = ["--report", "r.html", "--downbeats", "--meter", "4"]
    assert main(["beats", "song.flac", "--model", "bars.ictus", *options]) == 0
    page = (folder / "r.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "Beats of song.flac" in page


def test_tempo_range(folder, capsys):
    assert main(["beats", "song.flac", "--model", "m.ictus", "--tempo", "55", "70"]) == 0
    assert len(lines(capsys)) in (7, 8)


def test_a_bad_file_stops_nothing(folder, capsys):
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("no sound " * 100)
    files = ["empty.wav", "song.flac", "missing.wav", "text.mp3", "other.wav"]
    assert main(["beats", *files, "--model", "m.ictus", "-o", "out"]) == 1
    errors = capsys.readouterr().err
    assert "ictus: empty.wav: the file is empty" in errors
    assert "ictus: missing.wav: No such file or directory" in errors
    assert "ictus: text.mp3: not an audio file" in errors
    assert "3 of 5 files failed" in errors
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["other.beats", "song.beats"]


def test_a_file_that_is_cut_off_gives_beats_and_a_warning(folder, capsys):
    data = (folder / "other.wav").read_bytes()
    (folder / "other.wav").write_bytes(data[: len(data) // 2])
    assert main(["beats", "other.wav", "--model", "m.ictus"]) == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) in (7, 8)
    assert "ictus: other.wav: cut off after 3.00 s" in output.err


class TestOnline:
    def test_a_file(self, folder, capsys):
        assert main(["beats", "song.flac", "--online", "--model", "online.ictus"]) == 0
        heard = np.array([float(x) for x in lines(capsys)])
        times = np.load("times.npy")
        np.testing.assert_allclose(heard[heard > 3.9], times[times > 4], atol=0.045)

    def test_raw_samples_from_a_pipe_are_the_same(self, folder, capsys, monkeypatch):
        assert main(["beats", "song.flac", "--online", "--model", "online.ictus"]) == 0
        expected = lines(capsys)
        samples = np.round(read_audio("song.flac") * 32768).astype("<i2").tobytes()
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(samples)))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["beats", "-", "--online", "--model", "online.ictus"]) == 0
        assert lines(capsys) == expected

    def test_to_a_folder(self, folder):
        command = ["beats", "song.flac", "other.wav", "--online", "--model", "online.ictus"]
        assert main([*command, "-o", "out"]) == 0
        assert len(read_annotation("out/other.beats")) > 8


class TestTempo:
    def test_one_file(self, folder, capsys):
        assert main(["tempo", "song.flac", "--model", "m.ictus"]) == 0
        (line,) = lines(capsys)
        assert float(line.split("\t")[0]) == pytest.approx(120, abs=2)

    def test_json_of_many(self, folder, capsys):
        (folder / "empty.wav").touch()
        files = ["song.flac", "empty.wav", "other.wav"]
        assert main(["tempo", *files, "--json", "--model", "m.ictus"]) == 1
        result = json.loads(capsys.readouterr().out)
        assert set(result) == {"song.flac", "other.wav"}
        assert result["other.wav"][0]["bpm"] == pytest.approx(150, abs=3)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["song.flac", "other.wav"], "several files need -o DIR"),
        (["song.flac", "song.flac", "-o", "out"], "would both be written"),
        (["song.flac", "other.wav", "--plot", "p.png", "-o", "out"], "take one recording"),
        (["song.flac", "--plot", "p.xyz"], "xyz"),
        (["song.flac", "--click", "no/c.wav"], "folder that exists"),
        (["song.flac", "--model", "none.ictus"], "none.ictus"),
        (["song.flac", "--online", "--downbeats"], "--online goes without"),
        (["song.flac", "--online", "--format", "json"], "other formats need -o"),
        (["song.flac", "--tempo", "200", "100", "--model", "m.ictus"], "tempo must be"),
    ],
)
def test_mistakes(folder, capsys, command, message):
    assert main(["beats", *command]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
