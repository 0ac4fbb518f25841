"""Annotations as JSON, and as JAMS (Humphrey et al. 2014) without its package.

The package of JAMS pins old libraries; the format is plain JSON with a few required fields.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ictus.io.annotations import AnnotationError, Events

#: Namespaces of JAMS by kind; the first is written, all are read.
NAMESPACES = {
    "beats": ("beat", "beat_position"),
    "onsets": ("onset",),
    "segments": (
        "segment_open",
        "segment_salami_function",
        "segment_salami_upper",
        "multi_segment",
    ),
}
JAMS_VERSION = "0.3.4"


def _parsed(data: bytes, path: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise AnnotationError(f"{path}{place}: it is not JSON ({error})") from None


def format_json(events: Events, kind: str) -> str:
    """Return ``{"kind": ..., "events": [{"time": ..., "label": ..., "end": ...}]}``."""
    rows: list[dict[str, Any]] = []
    for i, time in enumerate(events.times):
        row: dict[str, Any] = {"time": round(float(time), 6)}
        if events.ends is not None:
            row["end"] = round(float(events.ends[i]), 6)
        if events.labels is not None:
            row["label"] = events.labels[i]
        rows.append(row)
    return json.dumps({"kind": kind, "events": rows}, indent=1) + "\n"


def read_json(data: bytes, path: str) -> Events:
    """Read what :func:`format_json` wrote, or a plain list of times."""
    content = _parsed(data, path)
    rows = content.get("events") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise AnnotationError(f"{path}: it must have a list 'events', or be a list of times")
    made = [row if isinstance(row, dict) else {"time": row} for row in rows]
    return _events(made, path, "event")


def _events(rows: list[dict[str, Any]], path: str, name: str) -> Events:
    times, ends, labels = [], [], []
    for number, row in enumerate(rows, 1):
        for key in ("time", "end"):
            value = row.get(key, 0.0 if key == "end" else None)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise AnnotationError(
                    f"{path}, {name} {number}: {key} must be a number, got {value!r}"
                )
        times.append(float(row["time"]))
        ends.append(row.get("end"))
        labels.append(row.get("label"))
    order = np.argsort(np.asarray(times, np.float64), kind="stable")
    has_ends = any(end is not None for end in ends)
    has_labels = any(label is not None for label in labels)
    return Events(
        np.asarray(times, np.float64)[order],
        ["" if labels[i] is None else str(labels[i]) for i in order] if has_labels else None,
        np.array([times[i] if ends[i] is None else float(ends[i]) for i in order])
        if has_ends
        else None,
    )


def format_jams(events: Events, kind: str, duration: float | None) -> str:
    """Return a JAMS file with one annotation."""
    if kind not in NAMESPACES:
        raise ValueError(f"kind must be one of {', '.join(NAMESPACES)}, got {kind!r}")
    numbers = events.numbers if kind == "beats" else None
    rows = []
    for i, time in enumerate(events.times):
        value: Any = None
        if kind == "segments":
            value = "" if events.labels is None else events.labels[i]
        elif numbers is not None:
            value = int(numbers[i])
        length = 0.0 if events.ends is None else float(events.ends[i] - time)
        rows.append(
            {
                "time": round(float(time), 6),
                "duration": round(length, 6),
                "value": value,
                "confidence": None,
            }
        )
    if duration is None:
        last = events.times if events.ends is None else events.ends
        duration = float(last[-1]) if len(events) else 0.0
    annotation = {
        "namespace": NAMESPACES[kind][0],
        "data": rows,
        "sandbox": {},
        "time": 0,
        "duration": duration,
        "annotation_metadata": {
            "curator": {"name": "", "email": ""},
            "annotator": {},
            "version": "",
            "corpus": "",
            "annotation_tools": "ictus",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program",
        },
    }
    metadata = {
        "title": "",
        "artist": "",
        "release": "",
        "duration": duration,
        "identifiers": {},
        "jams_version": JAMS_VERSION,
    }
    content = {"annotations": [annotation], "file_metadata": metadata, "sandbox": {}}
    return json.dumps(content, indent=1) + "\n"


def read_jams(data: bytes, path: str, kind: str) -> Events:
    """Read the first annotation of a kind; rows may be a list of objects or columns of lists."""
    if kind not in NAMESPACES:
        raise ValueError(f"kind must be one of {', '.join(NAMESPACES)}, got {kind!r}")
    content = _parsed(data, path)
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list):
        raise AnnotationError(f"{path}: it has no list 'annotations', so it is not JAMS")
    found = [a for a in annotations if isinstance(a, dict)]
    chosen = next((a for a in found if a.get("namespace") in NAMESPACES[kind]), None)
    if chosen is None:
        names = sorted({str(a.get("namespace")) for a in found})
        raise AnnotationError(f"{path}: it has no {kind}, but {', '.join(names) or 'nothing'}")
    rows = chosen.get("data")
    if isinstance(rows, dict):
        columns = {key: value for key, value in rows.items() if isinstance(value, list)}
        count = min((len(value) for value in columns.values()), default=0)
        rows = [{key: value[i] for key, value in columns.items()} for i in range(count)]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AnnotationError(f"{path}: the data of its {chosen['namespace']} are not rows")
    return _events([_row(row, kind) for row in rows], path, "observation")


def _row(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """A row of JAMS as time, end and label."""
    made: dict[str, Any] = {"time": row.get("time")}
    value, length = row.get("value"), row.get("duration")
    if isinstance(value, dict):
        value = value.get("position", value.get("label"))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None:
        made["label"] = str(value)
    numbers = all(isinstance(x, int | float) for x in (length, made["time"]))
    if kind == "segments" and numbers:
        made["end"] = made["time"] + length
    return made
