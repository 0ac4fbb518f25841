"""Standard MIDI files: notes, tempi, metres and keys read; notes and events written."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import AnnotationError, Events

__all__ = ["MidiFile", "format_events", "format_notes", "parse_midi", "read_events", "read_midi"]

Array = NDArray[Any]

MIDI_NOTE = np.dtype(
    [
        ("start", "f8"),
        ("duration", "f8"),
        ("pitch", "i4"),
        ("velocity", "i4"),
        ("channel", "i4"),
        ("program", "i4"),
        ("track", "i4"),
    ],
    align=True,
)


@dataclass
class MidiFile:
    """What a Standard MIDI file says.

    Attributes
    ----------
    notes : array of MIDI_NOTE
        Start and duration in quarter notes; channel 9 is percussion.
    tempi : list of (quarter, seconds of a quarter)
        Ascending; the first is at 0.
    metres : list of (quarter, numerator, denominator)
        Ascending; the first is at 0.
    keys : list of (quarter, sharps, mode)
        Key signatures, ascending; flats are negative, the mode is "major" or "minor".
    texts : list of str
        Text events of all tracks.
    """

    notes: Array
    tempi: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.5)])
    metres: list[tuple[float, int, int]] = field(default_factory=lambda: [(0.0, 4, 4)])
    keys: list[tuple[float, int, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def seconds(self, quarters: Any) -> Array:
        """Return times in seconds of positions in quarter notes."""
        quarters = np.asarray(quarters, np.float64)
        at = np.array([place for place, _ in self.tempi])
        length = np.array([seconds for _, seconds in self.tempi])
        begin = np.concatenate([[0.0], np.cumsum(np.diff(at) * length[:-1])])
        part = np.maximum(np.searchsorted(at, quarters, "right") - 1, 0)
        return np.asarray(begin[part] + (quarters - at[part]) * length[part])


class _Track:
    """Reads one track chunk."""

    def __init__(self, data: bytes, path: str, number: int) -> None:
        self.data, self.place, self.where = data, 0, f"{path}, track {number}"

    def byte(self) -> int:
        if self.place >= len(self.data):
            raise AnnotationError(f"{self.where}: it ends within an event")
        self.place += 1
        return self.data[self.place - 1]

    def take(self, count: int) -> bytes:
        if self.place + count > len(self.data):
            raise AnnotationError(f"{self.where}: it ends within an event")
        self.place += count
        return self.data[self.place - count : self.place]

    def quantity(self) -> int:
        value = 0
        for _ in range(4):
            byte = self.byte()
            value = (value << 7) | (byte & 0x7F)
            if byte < 0x80:
                return value
        raise AnnotationError(f"{self.where}: a number of more than four bytes")


def read_midi(path: str | os.PathLike[str]) -> MidiFile:
    """Read a Standard MIDI file of format 0 or 1.

    Parameters
    ----------
    path : path

    Raises
    ------
    AnnotationError
        The file is damaged, or counts time in frames instead of quarter notes.
    OSError
        It cannot be read.
    """
    return parse_midi(Path(path).read_bytes(), os.fspath(path))


def parse_midi(data: bytes, path: str = "MIDI") -> MidiFile:
    """Return what the bytes of a MIDI file say; see :func:`read_midi`."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise AnnotationError(f"{path}: it is not a MIDI file")
    length, _, tracks, division = struct.unpack(">IHHH", data[4:14])
    if division & 0x8000 or division == 0:
        raise AnnotationError(f"{path}: its times are not in quarter notes")
    place = 8 + length
    found = _Found()
    for number in range(tracks):
        if place + 8 > len(data):
            raise AnnotationError(f"{path}: it has {number} of {tracks} tracks")
        name, size = (
            data[place : place + 4],
            int(struct.unpack(">I", data[place + 4 : place + 8])[0]),
        )
        if place + 8 + size > len(data):
            raise AnnotationError(f"{path}: track {number + 1} is cut off")
        if name == b"MTrk":
            track = _Track(data[place + 8 : place + 8 + size], path, number + 1)
            _read_track(track, float(division), found, number)
        place += 8 + size
    notes = found.notes
    return MidiFile(
        np.array(sorted(notes), MIDI_NOTE) if notes else np.zeros(0, MIDI_NOTE),
        sorted(found.tempi.items()),
        [(at, *metre) for at, metre in sorted(found.metres.items())],
        [(at, *key) for at, key in sorted(found.keys.items())],
        found.texts,
    )


@dataclass
class _Found:
    """What the tracks read so far say."""

    notes: list[tuple[float, float, int, int, int, int, int]] = field(default_factory=list)
    tempi: dict[float, float] = field(default_factory=lambda: {0.0: 0.5})
    metres: dict[float, tuple[int, int]] = field(default_factory=lambda: {0.0: (4, 4)})
    keys: dict[float, tuple[int, str]] = field(default_factory=dict)
    programs: dict[int, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def _read_track(track: _Track, division: float, found: _Found, number: int) -> None:
    ticks, status = 0, 0
    sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = {}

    def end(note: tuple[int, int, int], channel: int, pitch: int) -> None:
        start, velocity, program = note
        duration = (ticks - start) / division
        found.notes.append((start / division, duration, pitch, velocity, channel, program, number))

    while track.place < len(track.data):
        ticks += track.quantity()
        first = track.byte()
        if first == 0xFF:
            _read_meta(track, ticks / division, found)
            continue
        if first in (0xF0, 0xF7):
            track.take(track.quantity())
            continue
        if first >= 0x80:
            status, first = first, track.byte()
        if status < 0x80 or status >= 0xF0:
            raise AnnotationError(f"{track.where}: an event without a known status")
        kind, channel = status & 0xF0, status & 0x0F
        second = 0 if kind in (0xC0, 0xD0) else track.byte()
        if kind == 0xC0:
            found.programs[channel] = first
        elif kind == 0x90 and second:
            program = found.programs.get(channel, 0)
            sounding.setdefault((channel, first), []).append((ticks, second, program))
        elif kind in (0x80, 0x90):
            begun = sounding.get((channel, first))
            if begun:
                end(begun.pop(0), channel, first)
    for (channel, pitch), begun in sounding.items():
        for note in begun:
            end(note, channel, pitch)


def _read_meta(track: _Track, quarter: float, found: _Found) -> None:
    kind = track.byte()
    content = track.take(track.quantity())
    if kind == 0x01:
        found.texts.append(content.decode("utf-8", "replace"))
    if kind == 0x51 and len(content) == 3:
        microseconds = int.from_bytes(content, "big")
        if microseconds:
            found.tempi[quarter] = microseconds / 1e6
    elif kind == 0x58 and len(content) >= 2 and content[0]:
        found.metres[quarter] = (content[0], 1 << min(content[1], 6))
    elif kind == 0x59 and len(content) == 2:
        sharps = content[0] - 256 if content[0] > 127 else content[0]
        if abs(sharps) <= 7 and content[1] in (0, 1):
            found.keys[quarter] = (sharps, "minor" if content[1] else "major")


# --- notes ---------------------------------------------------------------------------------------


def format_notes(
    voices: Sequence[Any],
    *,
    names: Sequence[str] = (),
    tempo: float = 120.0,
    metre: tuple[int, int] = (4, 4),
    key: tuple[int, str] | None = None,
    upbeat: float = 0.0,
    program: int = 0,
    velocity: int = 80,
) -> bytes:
    """Return a MIDI file of format 1 with a track for each voice.

    Parameters
    ----------
    voices : sequence of arrays
        Fields ``start``, ``duration`` (quarter notes) and ``pitch``.
    names : sequence of str
        Of the tracks.
    tempo : float
        Quarter notes a minute.
    metre : (numerator, denominator)
    key : (sharps, mode), optional
    upbeat : float
        Quarter notes before the first bar line: a bar of its own, where its metre can be written.
    program : int
        Instrument of General MIDI.
    velocity : int
    """
    micro = min(max(round(60e6 / tempo), 1), 0xFFFFFF)
    head = b"\0\xff\x51\x03" + micro.to_bytes(3, "big")
    if key is not None:
        head += b"\0\xff\x59\x02" + bytes([key[0] & 0xFF, int(key[1] == "minor")])
    first = round(upbeat * metre[1] / 4)
    if first and abs(first * 4 / metre[1] - upbeat) < 1e-6:
        head += _metre_event(0, first, metre[1])
        head += _metre_event(round(upbeat * TICKS), *metre)
    else:
        head += _metre_event(0, *metre)
    tracks = [head]
    for number, notes in enumerate(voices):
        channel = number % 9  # 9 is percussion
        name = (names[number] if number < len(names) else f"Voice {number + 1}").encode()
        body = b"\0\xff\x03" + _variable(len(name)) + name + bytes([0, 0xC0 | channel, program])
        messages = []
        for note in notes:
            begin = round(float(note["start"]) * TICKS)
            end = max(round(float(note["start"] + note["duration"]) * TICKS), begin + 1)
            pitch = int(note["pitch"])
            messages.append((begin, 1, bytes([0x90 | channel, pitch, velocity])))
            messages.append((end, 0, bytes([0x80 | channel, pitch, 0])))
        tracks.append(body + _timed(messages))
    written = [track + b"\0\xff\x2f\0" for track in tracks]
    return (
        b"MThd"
        + struct.pack(">IHHH", 6, 1, len(written), TICKS)
        + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in written)
    )


def _metre_event(ticks: int, numerator: int, denominator: int) -> bytes:
    power = max(denominator.bit_length() - 1, 0)
    return _variable(ticks) + b"\xff\x58\x04" + bytes([numerator & 0xFF, power, 24, 8])


def _timed(messages: list[tuple[int, int, bytes]]) -> bytes:
    """Messages (tick, order within the tick, bytes) as those of a track."""
    body, before = b"", 0
    for tick, _, message in sorted(messages):
        body += _variable(tick - before) + message
        before = tick
    return body


# --- events --------------------------------------------------------------------------------------

# Quarter notes of half a second in so many ticks: a tick is 0.5 ms / 0.96.
TICKS = 960
#: Wood blocks: high for downbeats, low for the others.
DOWNBEAT, BEAT = 76, 77
#: Text before the labels of segments, the first of which has this pitch, the next the next one.
SEGMENTS, FIRST_PITCH = "segments: ", 36


def _variable(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append((value & 0x7F) | 0x80)
    return bytes(reversed(parts))


def format_events(events: Events) -> bytes:
    """Return a MIDI file at 120 beats a minute with a stroke of percussion at each time.

    Of events with ends each is a note that lasts as long, its pitch that of its label.
    """
    if len(events) and events.times[0] < 0:
        raise ValueError(f"MIDI has no negative times, got {events.times[0]}")
    return _file(b"", _strokes(events)) if events.ends is None else _segments(events)


def _segments(events: Events) -> bytes:
    labels = events.labels or [""] * len(events)
    names = list(dict.fromkeys(labels))
    if len(names) > 128 - FIRST_PITCH:
        raise ValueError(f"MIDI has room for {128 - FIRST_PITCH} labels, got {len(names)}")
    assert events.ends is not None
    messages = []
    for time, end, label in zip(events.times, events.ends, labels, strict=True):
        pitch, tick = FIRST_PITCH + names.index(label), round(time * 2 * TICKS)
        messages.append((tick, 1, bytes([0x90, pitch, 90])))
        last = max(tick + 1, round(end * 2 * TICKS))
        messages.append((last, 0, bytes([0x80, pitch, 0])))
    text = (SEGMENTS + json.dumps(names, ensure_ascii=False)).encode()
    return _file(b"\0\xff\x01" + _variable(len(text)) + text, messages)


def _strokes(events: Events) -> list[tuple[int, int, bytes]]:
    numbers = events.numbers
    messages = []
    for i, time in enumerate(events.times):
        key = DOWNBEAT if numbers is not None and numbers[i] == 1 else BEAT
        tick = round(time * 2 * TICKS)
        messages.append((tick, 1, bytes([0x99, key, 110 if key == DOWNBEAT else 90])))
        messages.append((tick + TICKS // 10, 0, bytes([0x89, key, 0])))
    return messages


def _file(text: bytes, messages: list[tuple[int, int, bytes]]) -> bytes:
    body = b"\0\xff\x51\x03" + (500000).to_bytes(3, "big") + text
    body += _timed(messages) + b"\0\xff\x2f\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(body)) + body


def read_events(data: bytes, path: str) -> Events:
    """Return the onsets of all notes, or the beats or segments that :func:`format_events` wrote.

    Parameters
    ----------
    data : bytes
        A Standard MIDI file.
    path : str
        What messages call it.
    """
    midi = parse_midi(data, path)
    times = midi.seconds(midi.notes["start"])
    for text in midi.texts:
        if text.startswith(SEGMENTS):
            return _read_segments(midi, text, path)
    blocks = np.isin(midi.notes["pitch"], (DOWNBEAT, BEAT)) & (midi.notes["channel"] == 9)
    if len(times) and blocks.all():
        has_downbeats = bool((midi.notes["pitch"] == DOWNBEAT).any())
        labels = None
        if has_downbeats:
            number = 0
            labels = []
            for pitch in midi.notes["pitch"].tolist():
                number = 1 if pitch == DOWNBEAT else number + 1
                labels.append(str(number))
        return Events(times, labels)
    return Events(np.unique(np.round(times, 6)))


def _read_segments(midi: MidiFile, text: str, path: str) -> Events:
    order = np.lexsort((midi.notes["pitch"], -midi.notes["duration"], midi.notes["start"]))
    notes = midi.notes[order]
    try:
        names = [str(name) for name in json.loads(text.removeprefix(SEGMENTS))]
        labels = [names[pitch - FIRST_PITCH] for pitch in notes["pitch"].tolist()]
    except (ValueError, TypeError, IndexError):
        raise AnnotationError(f"{path}: its labels of segments are damaged") from None
    ends = midi.seconds(notes["start"] + notes["duration"])
    return Events(midi.seconds(notes["start"]), labels if any(names) else None, ends)
