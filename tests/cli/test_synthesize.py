"""``ictus synthesize``: composed pieces and MIDI files on the command line."""

import numpy as np
import pytest

from ictus.cli import main
from ictus.io.annotations import Events, read_annotation, write_annotation
from ictus.music.synthesis.songs import NAMES

pytest.importorskip("soundfile")


def test_pieces_of_a_style(tmp_path, capsys):
    options = ["--pieces", "1", "--seconds", "3", "--style", "waltz", "--synthesizer", "builtin"]
    assert main(["synthesize", str(tmp_path / "corpus"), *options, "--format", "wav"]) == 0
    assert "1 pieces in" in capsys.readouterr().out
    beats = read_annotation(tmp_path / "corpus" / "piece00000.beats")
    assert set(beats.numbers) == {1, 2, 3}
    assert (tmp_path / "corpus" / "piece00000.wav").stat().st_size > 100000
    assert main(["synthesize", str(tmp_path), "--style", "noise"]) == 2
    assert "style must be one of" in capsys.readouterr().err


def test_songs_have_sections(tmp_path):
    options = ["--songs", "--pieces", "1", "--seconds", "14", "--synthesizer", "builtin"]
    assert main(["synthesize", str(tmp_path), *options, "--format", "wav", "--seed", "0"]) == 0
    sections = read_annotation(tmp_path / "piece00000.segments", kind="segments")
    assert len(sections) >= 2 and sections.ends is not None
    np.testing.assert_array_equal(sections.ends[:-1], sections.times[1:])
    assert set(sections.labels) <= set(NAMES.values())


def test_midi_files_and_a_bad_one(tmp_path, capsys):
    write_annotation(tmp_path / "clicks.mid", Events([0.5, 1.0, 1.5, 2.0]), "midi")
    (tmp_path / "bad.mid").write_text("no music")
    files = [str(tmp_path / name) for name in ("bad.mid", "clicks.mid")]
    arguments = ["synthesize", str(tmp_path / "out"), "--midi", *files, "--format", "wav"]
    assert main([*arguments, "--synthesizer", "builtin"]) == 2
    assert "bad.mid: it is not a MIDI file" in capsys.readouterr().err
    onsets = read_annotation(tmp_path / "out" / "clicks.onsets").times
    np.testing.assert_allclose(onsets, [0.5, 1.0, 1.5, 2.0], atol=1e-3)
