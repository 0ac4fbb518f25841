"""Annotations of audio: times of beats, onsets or segments, in the usual formats.

Text (a time a line, with or without a label), Audacity's label tracks, Sonic Visualiser's CSV,
JSON, JAMS and MIDI are read and written.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.train.files import write_atomically

__all__ = [
    "AnnotationError",
    "Events",
    "format_annotation",
    "format_beats",
    "format_sections",
    "format_times",
    "read_annotation",
    "write_annotation",
]

Array = NDArray[Any]


class AnnotationError(ValueError):
    """A file is not an annotation, or damaged; the message names file and line."""


@dataclass
class Events:
    """Times in ascending order, with or without labels and ends.

    Attributes
    ----------
    times : array, shape (events,)
        Seconds.
    labels : list of str, optional
        Of a beat the number in its bar ("1" is the downbeat), of a section its name.
    ends : array, shape (events,), optional
        Where sections (or notes) end, in seconds.
    """

    times: Array
    labels: list[str] | None = None
    ends: Array | None = None

    def __post_init__(self) -> None:
        self.times = np.asarray(self.times, np.float64).reshape(-1)
        if not np.isfinite(self.times).all():
            raise ValueError("times must be finite")
        if len(self.times) > 1 and (np.diff(self.times) < 0).any():
            row = int(np.argmax(np.diff(self.times) < 0)) + 1
            raise ValueError(
                f"times must ascend, got {self.times[row]} after {self.times[row - 1]}"
            )
        if self.labels is not None:
            self.labels = [str(label) for label in self.labels]
            if len(self.labels) != len(self.times):
                raise ValueError(
                    f"labels must have {len(self.times)} items, got {len(self.labels)}"
                )
        if self.ends is not None:
            self.ends = np.asarray(self.ends, np.float64).reshape(-1)
            if self.ends.shape != self.times.shape or not (self.ends >= self.times).all():
                raise ValueError("ends must be one for each time, and not before it")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def numbers(self) -> Array | None:
        """The labels as whole numbers (the beat's place in its bar), or None if they are not."""
        if self.labels is None:
            return None
        try:
            values = np.array([float(label) for label in self.labels])
        except ValueError:
            return None
        return values.astype(np.int64) if np.isfinite(values).all() else None

    @property
    def downbeats(self) -> Array | None:
        """Times of the events with the number 1, or None if there are no numbers."""
        numbers = self.numbers
        return None if numbers is None else self.times[numbers == 1]


# --- text ----------------------------------------------------------------------------------------


def format_times(times: Iterable[float], labels: Sequence[str] | None = None) -> str:
    """Return a time a line, in seconds with six decimals, a tab and the label behind it.

    Parameters
    ----------
    times : iterable of float
        Seconds.
    labels : sequence of str, optional
        As many as times.
    """
    if labels is None:
        return "".join(f"{time:.6f}\n" for time in times)
    pairs = zip(times, labels, strict=True)
    return "".join(f"{time:.6f}\t{label}\n" for time, label in pairs)


def format_beats(beats: Any) -> str:
    """Return a line for each row (time, number in the bar).

    Parameters
    ----------
    beats : array, shape (beats, 2)
        Time in seconds and number in the bar.
    """
    table = np.asarray(beats, np.float64).reshape(-1, 2)
    return format_times(table[:, 0], [str(int(number)) for number in table[:, 1]])


def format_sections(sections: Iterable[tuple[float, float, str]]) -> str:
    """Return begin, end and label a line, as Audacity's label tracks have them.

    Parameters
    ----------
    sections : iterable of (begin, end, label)
        Seconds, and text.
    """
    return "".join(f"{begin:.6f}\t{end:.6f}\t{label}\n" for begin, end, label in sections)


def _format_text(events: Events) -> str:
    if events.ends is not None:
        labels = events.labels or [""] * len(events)
        return format_sections(zip(events.times, events.ends, labels, strict=True))
    return format_times(events.times, events.labels)


def _format_audacity(events: Events) -> str:
    labels = events.labels or [str(i + 1) for i in range(len(events))]
    ends = events.times if events.ends is None else events.ends
    return format_sections(zip(events.times, ends, labels, strict=True))


def _format_csv(events: Events) -> str:
    """Times and labels as Sonic Visualiser's time instants, or with durations as its regions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    labels = events.labels or [""] * len(events)
    for i, (time, label) in enumerate(zip(events.times, labels, strict=True)):
        if events.ends is None:
            writer.writerow([f"{time:.6f}", label])
        else:
            writer.writerow([f"{time:.6f}", i + 1, f"{events.ends[i] - time:.6f}", label])
    return out.getvalue()


def _number(text: str, what: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{place}: {what} must be a number, got {text[:40]!r}")
    return value


def _decoded(data: bytes, path: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"{path}: it is not text ({error.reason} at byte {error.start})"
        ) from None
    if "\0" in text:
        raise AnnotationError(f"{path}: it is not text (it holds zero bytes)")
    return text


def _read_text(data: bytes, path: str) -> Events:
    """One column: times; two: times and labels; three or more: begin, end and label."""
    rows: list[tuple[float, float | None, str | None]] = []
    for number, line in enumerate(_decoded(data, path).splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#%;":
            continue
        place = f"{path}, line {number}"
        cells = line.split("\t") if "\t" in line else line.replace(",", " ").split()
        cells = [cell.strip() for cell in cells]
        time = _number(cells[0] if cells else line, "the time", place)  # none: commas alone
        if len(cells) == 1:
            rows.append((time, None, None))
        elif len(cells) == 2:
            rows.append((time, None, cells[1]))
        else:
            end = _number(cells[1], "the end", place)
            if end < time:
                raise AnnotationError(f"{place}: the end {end} lies before the begin {time}")
            rows.append((time, end, " ".join(cells[2:])))
        if len(rows) > 1 and time < rows[-2][0]:
            raise AnnotationError(f"{place}: the time {time} comes after {rows[-2][0]}")
    return _from_rows(rows)


def _read_csv(data: bytes, path: str) -> Events:
    """Sonic Visualiser: time, label; or time, value, duration, label. A header is skipped."""
    rows: list[tuple[float, float | None, str | None]] = []
    for number, cells in enumerate(_csv_rows(_decoded(data, path), path), 1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not rows and number == 1 and cells[0].upper().startswith(("TIME", "START", "ONSET")):
            continue
        place = f"{path}, line {number}"
        time = _number(cells[0], "the time", place)
        if len(cells) >= 4:
            duration = _number(cells[2], "the duration", place)
            if duration < 0:
                raise AnnotationError(f"{place}: the duration must not be negative, got {duration}")
            rows.append((time, time + duration, cells[3]))
        else:
            rows.append((time, None, cells[-1] if len(cells) > 1 else None))
        if len(rows) > 1 and time < rows[-2][0]:
            raise AnnotationError(f"{place}: the time {time} comes after {rows[-2][0]}")
    return _from_rows(rows)


def _csv_rows(text: str, path: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text))
    try:
        yield from reader
    except csv.Error as error:
        raise AnnotationError(f"{path}, line {reader.line_num}: {error}") from None


def _from_rows(rows: list[tuple[float, float | None, str | None]]) -> Events:
    times = np.array([row[0] for row in rows])
    labelled = any(row[2] is not None for row in rows)
    labels = ["" if row[2] is None else row[2] for row in rows] if labelled else None
    ends = None
    if any(row[1] is not None for row in rows):
        ends = np.array([row[0] if row[1] is None else row[1] for row in rows])
    return Events(times, labels, ends)


# --- all formats ---------------------------------------------------------------------------------

#: Names of the formats, and the file endings that stand for them when a file is read.
FORMATS: dict[str, tuple[str, ...]] = {
    "txt": (".txt", ".beats", ".onsets", ".drums", ".segments", ".lab", ".tsv"),
    "audacity": (),
    "sonic-visualiser": (".csv", ".svl"),
    "json": (".json",),
    "jams": (".jams",),
    "midi": (".mid", ".midi"),
}


def read_annotation(
    path: str | os.PathLike[str], format: str | None = None, *, kind: str = "beats"
) -> Events:
    """Read times from a file.

    Parameters
    ----------
    path : path
    format : str, optional
        A name of :data:`FORMATS`; by the file's ending if not given, and text if that is unknown.
    kind : {"beats", "onsets", "segments"}
        What to take from a JAMS file, which can hold many annotations.

    Raises
    ------
    AnnotationError
        The file is damaged or of another format; file and line are named.
    OSError
        It cannot be read.
    """
    from ictus.io import annotation_json, midi_file

    path = os.fspath(path)
    if format is None:
        ending = Path(path).suffix.lower()
        format = next((name for name, endings in FORMATS.items() if ending in endings), "txt")
    readers: dict[str, Callable[[bytes, str], Events]] = {
        "txt": _read_text,
        "audacity": _read_text,
        "sonic-visualiser": _read_csv,
        "json": annotation_json.read_json,
        "jams": lambda data, name: annotation_json.read_jams(data, name, kind),
        "midi": midi_file.read_events,
    }
    if format not in readers:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    data = Path(path).read_bytes()
    try:
        return readers[format](data, path)
    except AnnotationError:
        raise
    except ValueError as error:
        raise AnnotationError(f"{path}: {error}") from None


def format_annotation(
    events: Events, format: str = "txt", *, kind: str = "beats", duration: float | None = None
) -> bytes:
    """Return the bytes of an annotation file; see :func:`write_annotation`."""
    from ictus.io import annotation_json, midi_file

    writers: dict[str, Callable[[], str | bytes]] = {
        "txt": lambda: _format_text(events),
        "audacity": lambda: _format_audacity(events),
        "sonic-visualiser": lambda: _format_csv(events),
        "json": lambda: annotation_json.format_json(events, kind),
        "jams": lambda: annotation_json.format_jams(events, kind, duration),
        "midi": lambda: midi_file.format_events(events),
    }
    if format not in writers:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    made = writers[format]()
    return made.encode() if isinstance(made, str) else made


def write_annotation(
    path: str | os.PathLike[str],
    events: Events,
    format: str = "txt",
    *,
    kind: str = "beats",
    duration: float | None = None,
) -> None:
    """Write times to a file, atomically.

    Parameters
    ----------
    path : path
    events : Events
    format : str
        A name of :data:`FORMATS`.
    kind : {"beats", "onsets", "segments"}
        Noted in JSON and JAMS.
    duration : float, optional
        Of the audio, in seconds, noted in JAMS.
    """
    write_atomically(path, format_annotation(events, format, kind=kind, duration=duration))
