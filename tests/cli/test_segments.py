"""``ictus segments``: sections of recordings in all the ways that they can be written."""

import json

import numpy as np
import pytest

from ictus.cli import main
from ictus.io.annotations import read_annotation
from ictus.io.audio import write_audio
from ictus.io.model_file import save
from ictus.music.training import BoundaryTraining
from tests.music.test_sections import song

pytest.importorskip("soundfile")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings") / "song.flac"
    write_audio(path, song())
    return path


def sections(text):
    rows = [line.split("\t") for line in text.splitlines()]
    return [(float(begin), float(end), label) for begin, end, label in rows]


def test_one_file_goes_to_standard_output(recording, capsys):
    assert main(["segments", str(recording), "--novelty"]) == 0
    found = sections(capsys.readouterr().out)
    assert [label for _, _, label in found] == ["A", "B", "A"]
    np.testing.assert_allclose([begin for begin, _, _ in found], [0, 16, 30], atol=0.3)
    assert [end for _, end, _ in found] == [*(begin for begin, _, _ in found[1:]), 46.0]


@pytest.mark.parametrize(
    ("format", "ending"),
    [
        ("txt", "segments"),
        ("audacity", "txt"),
        ("sonic-visualiser", "csv"),
        ("json", "json"),
        ("jams", "jams"),
        ("midi", "mid"),
    ],
)
def test_formats_are_read_again(recording, tmp_path, format, ending):
    options = ["--novelty", "-o", str(tmp_path / "out"), "--format", format]
    assert main(["segments", str(recording), *options]) == 0
    events = read_annotation(tmp_path / "out" / f"song.{ending}", kind="segments")
    assert events.labels == ["A", "B", "A"]
    np.testing.assert_allclose(events.times, [0, 16, 30], atol=0.3)
    assert events.ends is not None and events.ends[-1] == pytest.approx(46.0, abs=1e-3)


def test_pictures_pages_and_clicks(recording, tmp_path):
    files = {kind: tmp_path / f"out.{kind}" for kind in ("png", "html", "wav")}
    options = ["--plot", files["png"], "--report", files["html"], "--click", files["wav"]]
    assert main(["segments", str(recording), "--novelty", *map(str, options)]) == 0
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    page = files["html"].read_text()
    data = json.loads(page.split('<script type="application/json" id="data">')[1].split("<")[0])
    assert data["kind"] == "segments" and data["labels"] == ["A", "B", "A"]
    assert data["ends"] == [*data["times"][1:], 46.0]
    assert files["wav"].stat().st_size > 46 * 44_100


def test_models_and_thresholds(recording, tmp_path, capsys):
    settings = BoundaryTraining(maps=(4, 4), units=4)
    paths = [tmp_path / f"{name}.ictus" for name in ("a", "b")]
    save(paths[0], settings.network(), {"metrics": {"threshold": 0.9}}, half=True)
    save(paths[1], settings.network(), {"metrics": {"threshold": 0.7}})
    options = ["segments", str(recording), "--model", *map(str, paths)]
    # Untrained networks are sure of nothing: the mean of the cards' thresholds is out of reach.
    assert main(options) == 0
    assert sections(capsys.readouterr().out) == [(0.0, 46.0, "A")]
    assert main([*options, "--threshold", "0", "--similarity", "1"]) == 0
    found = sections(capsys.readouterr().out)
    assert len(found) > 1 and len({label for _, _, label in found}) == len(found)


def test_mistakes(recording, tmp_path, capsys):
    silent = tmp_path / "silent.wav"
    write_audio(silent, np.zeros(44_100, np.float32))
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"no sound")
    files = [str(silent), str(broken), str(tmp_path / "none.wav")]
    assert main(["segments", *files, "--novelty", "-o", str(tmp_path / "o")]) == 1
    assert "2 of 3 files failed" in capsys.readouterr().err
    assert sections((tmp_path / "o" / "silent.segments").read_text()) == [(0.0, 1.0, "A")]
    assert main(["segments", *files, "--novelty"]) == 2
    assert "several files need -o DIR, where their segments are written" in capsys.readouterr().err
    assert main(["segments", files[0], "--novelty", "--model", "m.ictus"]) == 2
    assert "--novelty goes without --model" in capsys.readouterr().err
    from tests.music.sounds import detector

    save(tmp_path / "beats.ictus", detector())
    assert main(["segments", files[0], "--model", str(tmp_path / "beats.ictus")]) == 2
    assert "holds a SequenceNetwork, not a segment model" in capsys.readouterr().err


@pytest.mark.parametrize(("rate", "factor"), [(11_025, 4), (88_200, None)])
def test_other_rates_and_channels(tmp_path, capsys, rate, factor):
    signal = np.repeat(song(), 2) if factor is None else song()[::factor]
    write_audio(tmp_path / "song.wav", np.column_stack([signal, 0.5 * signal]), rate)
    assert main(["segments", str(tmp_path / "song.wav"), "--novelty"]) == 0
    found = sections(capsys.readouterr().out)
    np.testing.assert_allclose([begin for begin, _, _ in found], [0, 16, 30], atol=0.3)
    assert [label for _, _, label in found] == ["A", "B", "A"]


def test_evaluation_of_what_was_written(recording, tmp_path, capsys):
    main(["segments", str(recording), "--novelty", "-o", str(tmp_path / "found")])
    (tmp_path / "true").mkdir()
    (tmp_path / "true" / "song.segments").write_text("0\t16\tx\n16\t30\ty\n30\t46\tx\n")
    capsys.readouterr()
    assert main(["evaluate", "segments", str(tmp_path / "found"), str(tmp_path / "true")]) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[0] == "song" and set(map(float, row[1:7])) == {1.0}
