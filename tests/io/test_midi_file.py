"""Standard MIDI files as other programs write them."""

import struct

import numpy as np
import pytest

from ictus.io.annotations import AnnotationError, Events, read_annotation, write_annotation
from ictus.io.midi_file import parse_midi


def chunk(name, body):
    return name + struct.pack(">I", len(body)) + body


def midi(*tracks, division=480, format=1):
    header = chunk(b"MThd", struct.pack(">HHH", format, len(tracks), division))
    return header + b"".join(chunk(b"MTrk", track) for track in tracks)


TEMPO = b"\x00\xff\x51\x03\x07\xa1\x20"  # half a second a quarter note
END = b"\x00\xff\x2f\x00"


def test_notes_tempi_metres_programs_and_running_status():
    conductor = (
        TEMPO + b"\x00\xff\x58\x04\x03\x02\x18\x08" + b"\x83\x60\xff\x51\x03\x0f\x42\x40" + END
    )
    # Program 40 on channel 2; C4 for a quarter; then in running status D4, ended by velocity 0.
    notes = (
        b"\x00\xc2\x28\x00\x92\x3c\x50\x83\x60\x82\x3c\x00" + b"\x00\x92\x3e\x40\x83\x60\x3e\x00"
    )
    read = parse_midi(midi(conductor, notes + END))
    assert read.metres == [(0.0, 3, 4)]
    assert read.tempi == [(0.0, 0.5), (1.0, 1.0)]
    assert read.notes["pitch"].tolist() == [60, 62]
    assert read.notes["velocity"].tolist() == [80, 64]
    assert set(read.notes["program"].tolist()) == {40}
    assert set(read.notes["channel"].tolist()) == {2}
    np.testing.assert_array_equal(read.notes["start"], [0.0, 1.0])
    np.testing.assert_array_equal(read.notes["duration"], [1.0, 1.0])
    # The second quarter note lasts a second.
    np.testing.assert_allclose(read.seconds([0.0, 0.5, 1.0, 2.0]), [0.0, 0.25, 0.5, 1.5])


def test_system_exclusive_and_unended_notes():
    track = b"\x00\xf0\x03\x01\x02\xf7" + b"\x00\x90\x3c\x50" + b"\x83\x60\xff\x2f\x00"
    read = parse_midi(midi(track))
    np.testing.assert_array_equal(read.notes["duration"], [1.0])


def test_damage_is_refused():
    with pytest.raises(AnnotationError, match="its times are not in quarter notes"):
        parse_midi(midi(END, division=0xE728))
    with pytest.raises(AnnotationError, match="an event without a known status"):
        parse_midi(midi(b"\x00\x3c\x50"))
    with pytest.raises(AnnotationError, match="a number of more than four bytes"):
        parse_midi(midi(b"\xff\xff\xff\xff\x00"))
    with pytest.raises(AnnotationError, match="track 1: it ends within an event"):
        parse_midi(midi(b"\x00\x90\x3c"))


def test_segments_keep_labels_and_ends(tmp_path):
    events = Events([0.0, 1.5, 1.5], ["A", "B", "été"], [4.0, 2.0, 1.5])
    write_annotation(tmp_path / "s.mid", events, "midi", kind="segments")
    read = read_annotation(tmp_path / "s.mid")
    np.testing.assert_allclose(read.times, events.times, atol=1e-3)
    np.testing.assert_allclose(read.ends, events.ends, atol=1e-3)  # the shortest is half a tick
    assert read.labels == events.labels
    damaged = (tmp_path / "s.mid").read_bytes().replace(b'["A"', b'["A,')
    (tmp_path / "d.mid").write_bytes(damaged)
    with pytest.raises(AnnotationError, match="labels of segments are damaged"):
        read_annotation(tmp_path / "d.mid")
    many = Events(np.arange(93.0), [str(i) for i in range(93)], np.arange(93.0) + 1)
    with pytest.raises(ValueError, match="room for 92 labels"):
        write_annotation(tmp_path / "m.mid", many, "midi")
