"""Standard MIDI files: notes, tempi and metres read; events written."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import AnnotationError, Events

Array = NDArray[Any]

MIDI_NOTE = np.dtype(
    [
        ("start", "f8"),
        ("duration", "f8"),
        ("pitch", "i4"),
        ("velocity", "i4"),
        ("channel", "i4"),
        ("program", "i4"),
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
    """

    notes: Array
    tempi: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.5)])
    metres: list[tuple[float, int, int]] = field(default_factory=lambda: [(0.0, 4, 4)])

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
    notes: list[tuple[float, float, int, int, int, int]] = []
    tempi: dict[float, float] = {0.0: 0.5}
    metres: dict[float, tuple[int, int]] = {0.0: (4, 4)}
    programs: dict[int, int] = {}
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
            _read_track(track, float(division), notes, tempi, metres, programs)
        place += 8 + size
    made = np.array(sorted(notes), MIDI_NOTE) if notes else np.zeros(0, MIDI_NOTE)
    return MidiFile(
        made, sorted(tempi.items()), [(at, *metre) for at, metre in sorted(metres.items())]
    )


def _read_track(
    track: _Track,
    division: float,
    notes: list[tuple[float, float, int, int, int, int]],
    tempi: dict[float, float],
    metres: dict[float, tuple[int, int]],
    programs: dict[int, int],
) -> None:
    ticks, status = 0, 0
    sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    while track.place < len(track.data):
        ticks += track.quantity()
        first = track.byte()
        if first == 0xFF:
            _read_meta(track, ticks / division, tempi, metres)
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
            programs[channel] = first
        elif kind == 0x90 and second:
            program = programs.get(channel, 0)
            sounding.setdefault((channel, first), []).append((ticks, second, program))
        elif kind in (0x80, 0x90):
            begun = sounding.get((channel, first))
            if begun:
                start, velocity, program = begun.pop(0)
                duration = (ticks - start) / division
                notes.append((start / division, duration, first, velocity, channel, program))
    for (channel, pitch), begun in sounding.items():
        for start, velocity, program in begun:
            duration = (ticks - start) / division
            notes.append((start / division, duration, pitch, velocity, channel, program))


def _read_meta(
    track: _Track,
    quarter: float,
    tempi: dict[float, float],
    metres: dict[float, tuple[int, int]],
) -> None:
    kind = track.byte()
    content = track.take(track.quantity())
    if kind == 0x51 and len(content) == 3:
        microseconds = int.from_bytes(content, "big")
        if microseconds:
            tempi[quarter] = microseconds / 1e6
    elif kind == 0x58 and len(content) >= 2 and content[0]:
        metres[quarter] = (content[0], 1 << min(content[1], 6))


# --- events --------------------------------------------------------------------------------------

# Quarter notes of half a second in so many ticks: a tick is 0.5 ms / 0.96.
TICKS = 960
#: Wood blocks: high for downbeats, low for the others.
DOWNBEAT, BEAT = 76, 77


def _variable(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append((value & 0x7F) | 0x80)
    return bytes(reversed(parts))


def format_events(events: Events) -> bytes:
    """Return a MIDI file at 120 beats a minute with a stroke of percussion at each time."""
    numbers = events.numbers
    messages = []
    for i, time in enumerate(events.times):
        if time < 0:
            raise ValueError(f"MIDI has no negative times, got {time}")
        key = DOWNBEAT if numbers is not None and numbers[i] == 1 else BEAT
        tick = round(time * 2 * TICKS)
        messages.append((tick, 1, bytes([0x99, key, 110 if key == DOWNBEAT else 90])))
        messages.append((tick + TICKS // 10, 0, bytes([0x89, key, 0])))
    messages.sort()
    body = b"\0\xff\x51\x03" + (500000).to_bytes(3, "big")
    before = 0
    for tick, _, message in messages:
        body += _variable(tick - before) + message
        before = tick
    body += b"\0\xff\x2f\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(body)) + body


def read_events(data: bytes, path: str) -> Events:
    """Return the onsets of all notes, or the beats that :func:`format_events` wrote."""
    midi = parse_midi(data, path)
    times = midi.seconds(midi.notes["start"])
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
