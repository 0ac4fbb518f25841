"""The corpus on disk: complete, reproducible, resumable; scores from MIDI files."""

import json
import struct

import numpy as np
import pytest

from ictus.io.annotations import AnnotationError, read_annotation
from ictus.music.synthesis import corpus, make_piece, pieces, read_score, render, write_corpus
from ictus.music.training import find_examples

OPTIONS = {"seconds": 4.0, "synthesizer": "builtin", "sample_rate": 16000}


def midi_file(path, events, division=480):
    """A MIDI file of one track from (ticks since the last, bytes)."""
    body = b""
    for ticks, message in events:
        delta = bytes([0x80 | ticks >> 7, ticks & 0x7F]) if ticks > 127 else bytes([ticks])
        body += delta + message
    body += b"\0\xff\x2f\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, division)
    path.write_bytes(header + b"MTrk" + struct.pack(">I", len(body)) + body)


def test_pieces_do_not_depend_on_each_other():
    several = list(pieces(2, 5, first=3, **OPTIONS))
    alone = make_piece(4, 5, **OPTIONS)
    assert several[1].audio.tobytes() == alone.audio.tobytes()
    np.testing.assert_array_equal(several[1].beats, alone.beats)
    assert several[0].audio.tobytes() != alone.audio.tobytes()


def test_pieces_whose_beat_is_not_heard_are_replaced_by_others_of_their_style(monkeypatch):
    first = make_piece(2, 7, **OPTIONS)
    answers = iter([False, False, True])
    monkeypatch.setattr(corpus, "is_heard", lambda *_: next(answers))
    third = make_piece(2, 7, clear=True, **OPTIONS)
    assert list(answers) == []
    assert third.description["style"] == first.description["style"]
    assert third.audio.tobytes() != first.audio.tobytes()
    monkeypatch.setattr(corpus, "is_heard", lambda *_: True)
    assert make_piece(2, 7, clear=True, **OPTIONS).audio.tobytes() == first.audio.tobytes()


def test_a_corpus_is_written_read_and_kept(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    paths = write_corpus(tmp_path, 2, seed=1, format="wav", **OPTIONS)
    examples = find_examples(tmp_path)
    assert [example.audio for example in examples] == paths
    piece = make_piece(1, 1, **OPTIONS)
    audio, rate = soundfile.read(paths[1])
    assert rate == 16000
    np.testing.assert_allclose(audio, piece.audio, atol=1e-4)
    np.testing.assert_allclose(examples[1].events.times, piece.beats[:, 0], atol=1e-6)
    np.testing.assert_array_equal(examples[1].events.numbers, piece.beats[:, 1])
    onsets = read_annotation(tmp_path / "piece00001.onsets").times
    np.testing.assert_allclose(onsets, piece.onsets, atol=1e-6)
    segments = read_annotation(tmp_path / "piece00001.segments", kind="segments")
    assert segments.ends[-1] == pytest.approx(piece.beats[-1, 0], abs=3.0)
    assert (
        json.loads((tmp_path / "piece00001.json").read_text())["style"]
        == piece.description["style"]
    )
    stamps = [path.stat().st_mtime_ns for path in paths]
    grown = write_corpus(tmp_path, 3, seed=1, format="wav", **OPTIONS)
    assert [path.stat().st_mtime_ns for path in grown[:2]] == stamps and len(grown) == 3


def test_a_score_from_midi_keeps_times_metres_and_tempi(tmp_path):
    path = tmp_path / "song.mid"
    tempo = [b"\xff\x51\x03" + n.to_bytes(3, "big") for n in (500000, 250000)]
    events = [
        (0, tempo[0]),
        (0, b"\xff\x58\x04\x06\x03\x18\x08"),  # 6/8
        (0, b"\xc0\x20"),
        (0, b"\x90\x24\x64"),
        (240, b"\x80\x24\x00"),
        (0, b"\x99\x26\x64"),
        (480, b"\x89\x26\x00"),
        (0, tempo[1]),
        (0, b"\x90\x26\x64"),
        (720, b"\x80\x26\x00"),
    ]
    midi_file(path, events)
    score = read_score(path)
    # 1440 ticks are one bar of 6/8: two beats of 720 ticks.
    np.testing.assert_array_equal(score.beats_per_bar, [2])
    np.testing.assert_allclose(score.beat_times, [0.0, 0.75, 1.125])
    assert sorted(part.role for part in score.parts) == ["bass", "drums"]
    starts = np.sort(np.concatenate([part.notes["start"] for part in score.parts]))
    np.testing.assert_allclose(score.times(starts), [0.0, 0.25, 0.75], atol=1e-9)
    recording = render(score, 1, synthesizer="builtin", effect=0.0)
    np.testing.assert_allclose(recording.onsets, [0.0, 0.25, 0.75], atol=1e-9)


def test_mistakes_are_explained(tmp_path):
    with pytest.raises(ValueError, match="format must be one of flac, wav, ogg"):
        write_corpus(tmp_path, 1, format="mp3")
    with pytest.raises(ValueError, match="count must be positive, got 0"):
        write_corpus(tmp_path, 0)
    midi_file(tmp_path / "empty.mid", [])
    with pytest.raises(AnnotationError, match="it has no notes"):
        read_score(tmp_path / "empty.mid")
