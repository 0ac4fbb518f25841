"""Annotation files: every format back to what was written, and damage by name and line."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus.io.annotations import (
    FORMATS,
    AnnotationError,
    Events,
    format_annotation,
    read_annotation,
    write_annotation,
)

BEATS = Events([0.5, 1.0, 1.512, 2.0, 2.5], ["1", "2", "3", "4", "1"])
SECTIONS = Events([0.0, 10.25, 30.0], ["verse", "chorus", "verse"], [10.25, 30.0, 41.5])
ENDINGS = {"txt": "txt", "audacity": "txt", "sonic-visualiser": "csv"}


@pytest.mark.parametrize("format", list(FORMATS))
def test_beats_survive(tmp_path, format):
    path = tmp_path / f"song.{ENDINGS.get(format, format)}"
    write_annotation(path, BEATS, format)
    again = read_annotation(path, format)
    np.testing.assert_allclose(again.times, BEATS.times, atol=3e-4 if format == "midi" else 1e-6)
    np.testing.assert_array_equal(again.numbers, [1, 2, 3, 4, 1])
    np.testing.assert_allclose(again.downbeats, [0.5, 2.5], atol=3e-4)
    if format != "audacity":
        by_ending = read_annotation(path) if format != "midi" else read_annotation(path, "midi")
        np.testing.assert_allclose(by_ending.times, again.times)


@pytest.mark.parametrize("format", ["txt", "audacity", "sonic-visualiser", "json", "jams"])
def test_sections_survive(tmp_path, format):
    path = tmp_path / "song"
    write_annotation(path, SECTIONS, format, kind="segments", duration=42.0)
    again = read_annotation(path, format, kind="segments")
    np.testing.assert_allclose(again.times, SECTIONS.times)
    np.testing.assert_allclose(again.ends, SECTIONS.ends)
    assert again.labels == SECTIONS.labels


@pytest.mark.parametrize("format", list(FORMATS))
def test_no_events_survive(tmp_path, format):
    path = tmp_path / "empty"
    write_annotation(path, Events([]), format)
    assert len(read_annotation(path, format)) == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 3e4), max_size=30), st.sampled_from(list(FORMATS)))
def test_any_times_survive(tmp_path_factory, times, format):
    # MIDI cannot strike a key twice at once, and its ticks are half a millisecond.
    times = np.unique(np.round(times, 1))
    path = tmp_path_factory.getbasetemp() / "times"
    write_annotation(path, Events(times), format, kind="onsets")
    again = read_annotation(path, format, kind="onsets").times
    np.testing.assert_allclose(again, times, atol=3e-4)


def test_columns_separators_and_comments(tmp_path):
    path = tmp_path / "song.txt"
    path.write_text("# made by hand\n\n 0.5 1\n1.0,2\n1.5\t3\n")
    events = read_annotation(path)
    np.testing.assert_array_equal(events.times, [0.5, 1.0, 1.5])
    np.testing.assert_array_equal(events.numbers, [1, 2, 3])
    path.write_text("0.0 10.0 guitar solo\n")
    sections = read_annotation(path)
    assert sections.labels == ["guitar solo"] and sections.ends[0] == 10.0
    path.write_text("0.0\n2.5\n")
    assert read_annotation(path).labels is None and read_annotation(path).numbers is None


def test_a_header_of_sonic_visualiser_is_skipped(tmp_path):
    path = tmp_path / "song.csv"
    path.write_text('TIME,LABEL\n0.5,"verse, loud"\n1.0,\n')
    events = read_annotation(path)
    assert events.labels == ["verse, loud", ""]


def test_jams_of_other_programs(tmp_path):
    path = tmp_path / "song.jams"
    columns = {"time": [0.5, 1.0], "duration": [0, 0], "value": [1.0, 2.0], "confidence": [1, 1]}
    old = {"namespace": "beat", "data": columns}
    position = {"namespace": "onset", "data": [{"time": 3.0, "duration": 0, "value": None}]}
    path.write_text(json.dumps({"annotations": [position, old]}))
    assert read_annotation(path).labels == ["1", "2"]
    np.testing.assert_array_equal(read_annotation(path, kind="onsets").times, [3.0])
    with pytest.raises(AnnotationError, match="it has no segments, but beat, onset"):
        read_annotation(path, kind="segments")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "0.5\nx\n", "a.txt, line 2: the time must be a number, got 'x'"),
        ("a.txt", "0.5\nnan\n", "line 2: the time must be a number"),
        ("a.txt", "0.5\n , ,\n", "line 2: the time must be a number, got ', ,'"),
        ("a.txt", "1.0\n0.5\n", "line 2: the time 0.5 comes after 1.0"),
        ("a.txt", "1.0 0.5 a\n", "line 1: the end 0.5 lies before the begin 1.0"),
        ("a.beats", b"\xff\xfe\x00", "it is not text"),
        ("a.beats", b"1.0\x00\n", "it is not text"),
        ("a.csv", "0.1,a\nb,c\n", "a.csv, line 2: the time must be"),
        ("a.csv", "0.1,1,-2,c\n", "the duration must not be negative"),
        ("a.json", "{", "a.json, line 1: it is not JSON"),
        ("a.json", "{}", "must have a list 'events'"),
        ("a.json", '[0.5, "x"]', "event 2: time must be a number, got 'x'"),
        ("a.json", '[{"time": true}]', "event 1: time must be a number"),
        ("a.jams", "{}", "it is not JAMS"),
        ("a.jams", '{"annotations": [{"namespace": "beat", "data": 3}]}', "are not rows"),
        ("a.mid", b"RIFF", "it is not a MIDI file"),
    ],
)
def test_damage_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AnnotationError, match=message):
        read_annotation(path)


def test_cut_off_midi_is_refused_at_every_byte(tmp_path):
    whole = format_annotation(BEATS, "midi")
    path = tmp_path / "a.mid"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(AnnotationError):
            read_annotation(path)


def test_mistakes_are_explained(tmp_path):
    with pytest.raises(ValueError, match=r"times must ascend, got 1\.0 after 2\.0"):
        Events([2.0, 1.0])
    with pytest.raises(ValueError, match="labels must have 2 items, got 1"):
        Events([1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="ends must be one for each time"):
        Events([1.0], ends=[0.5])
    with pytest.raises(ValueError, match="format must be one of txt"):
        write_annotation(tmp_path / "a", BEATS, "wav")
    with pytest.raises(ValueError, match="kind must be one of beats"):
        write_annotation(tmp_path / "a", BEATS, "jams", kind="chords")
    assert not (tmp_path / "a").exists()
    with pytest.raises(FileNotFoundError):
        read_annotation(tmp_path / "none.txt")
