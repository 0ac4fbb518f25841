"""The report: one HTML page with waveform, spectrogram, activations, events, and the sound itself.

Nothing is loaded from elsewhere: the page can be sent and kept.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.music.features import Features, Resolution
from ictus.music.filterbanks import logarithmic_filterbank
from ictus.music.tempo import tempo_of_beats

TEMPLATE = Path(__file__).with_name("report.html")
COLUMNS = 20_000  # of the picture, at most
RATE = 44_100
BANDS_PER_OCTAVE = 12
# Files that browsers play go into the page as they are, if they are not larger than this.
PLAYED = {".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".flac": "audio/flac"}
LARGEST = 30_000_000  # bytes
#: What the page says of its lines.
LINES = {
    "beats": "lines are beats, longer ones downbeats",
    "onsets": "ticks above and below the spectrogram are onsets",
    "segments": "bands are sections, those with the same letter sound alike",
}


def _bytes(values: npt.NDArray[np.floating]) -> str:
    """Numbers in [0, 1] as bytes in base64."""
    levels = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()


def _columns(values: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.floating]:
    """The maximum of the rows in each of `count` equal parts; rows are repeated to fill them."""
    rows = len(values)
    edges = np.linspace(0, rows, count + 1)
    first = np.minimum(edges[:-1].astype(np.intp), rows - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(np.intp), first + 1)
    return np.stack([values[a:b].max(axis=0) for a, b in zip(first, last, strict=True)])


def _sound(path: str | os.PathLike[str], signal: npt.NDArray[np.float32]) -> str:
    """The recording as the source of an audio element."""
    kind = PLAYED.get(Path(path).suffix.lower())
    if kind is not None and os.path.getsize(path) <= LARGEST:
        data = Path(path).read_bytes()
    else:
        import soundfile

        encoded, kind = io.BytesIO(), "audio/ogg"
        with soundfile.SoundFile(encoded, "w", RATE, 1, format="OGG") as file:
            for start in range(0, len(signal), RATE):  # the encoder's stack is small
                file.write(np.clip(signal[start : start + RATE], -1, 1))
        data = encoded.getvalue()
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _picture(signal: npt.NDArray[np.float32], found: Any) -> dict[str, Any]:
    """Waveform, spectrogram and activations, in as many columns."""
    features = Features((Resolution(2048, logarithmic_filterbank(2048, RATE, BANDS_PER_OCTAVE)),))
    spectrum = features(signal)
    count = int(np.clip(len(spectrum), 1, COLUMNS))
    if len(signal) == 0:
        signal = np.zeros(1, np.float32)
        spectrum = np.zeros((1, features.width), np.float32)
    peaks = _columns(np.abs(signal)[:, np.newaxis], count)
    a = found.activations
    a = a[:, np.newaxis] if a.ndim == 1 else a
    if len(a) == 0:
        a = np.zeros((1, a.shape[1]), np.float32)
    return {
        "bands": features.width,
        "outputs": a.shape[1],
        "waveform": _bytes(peaks / max(float(peaks.max()), 1e-9)),
        "spectrogram": _bytes(_columns(spectrum, count) / max(float(spectrum.max()), 1e-9)),
        "activations": _bytes(_columns(a, count)),
    }


def _summary(found: Any, duration: float) -> str:
    parts = [f"{duration // 60:.0f}:{duration % 60:05.2f}", f"{len(found.times)} {found.kind}"]
    if found.downbeats is not None:
        parts.append(f"{len(found.downbeats)} downbeats")
    if found.kind == "beats" and len(found.times) > 1:
        parts.append(f"{tempo_of_beats(found.times):.1f} beats per minute (median)")
    return ", ".join(parts)


def report_page(path: str | os.PathLike[str], signal: npt.NDArray[np.float32], found: Any) -> bytes:
    """Return the page of a recording.

    Parameters
    ----------
    path : path
        The audio file; MP3, Ogg and FLAC files go into the page as they are, others as Ogg.
    signal : array, shape (samples,)
        Its mono signal at 44.1 kHz (:func:`ictus.io.audio.read_audio`).
    found : Beats, Onsets or Segments
        What :meth:`ictus.music.BeatTracker.track` or :meth:`ictus.music.OnsetDetector.detect`
        returned for it, or :meth:`ictus.music.Segmenter.segment`. Onsets are ticks at the edge of
        the spectrogram, beats lines, sections coloured bands with their letters.
    """
    duration = len(signal) / RATE
    data = _picture(signal, found) | {
        "kind": found.kind,
        "duration": duration,
        "times": [round(float(time), 4) for time in found.times],
        "numbers": None if found.numbers is None else found.numbers.tolist(),
    }
    if found.kind == "segments":
        data["ends"] = [round(float(end), 4) for end in found.ends]
        data["labels"] = list(found.labels)
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{found.kind.capitalize()} of {Path(path).name}"),
        kind=found.kind,
        lines=LINES[found.kind],
        summary=html.escape(_summary(found, duration)),
        audio=_sound(path, signal),
        # Nothing in the data can end the script element.
        data=json.dumps(data).replace("<", "\\u003c"),
    )
    return page.encode()
