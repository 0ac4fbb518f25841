"""``ictus speech-music``: where recordings have speech, and where music."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ictus.cli import arguments as allowed
from ictus.cli import recordings

if TYPE_CHECKING:
    from ictus.music.speech_music import SpeechMusic, SpeechMusicDetector


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "speech-music",
        help="segments of speech and of music in recordings",
        description="Finds where audio files have speech and where music; both can be on at once. "
        "Of one file the segments go to standard output (begin, end, label; a line each); of "
        "several, or with -o, a file is written for each.",
    )
    parser.set_defaults(run=run, kind="segments")
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="WAV, FLAC, Ogg or MP3")
    add("-o", "--output", metavar="DIR", help="folder for a file of each recording")
    add("--format", choices=recordings.FORMATS, default="txt", help="default: txt")
    add("--model", nargs="+", default=[], metavar="MODEL",
        help="model files of 'ictus train speech-music', whose outputs are averaged")  # fmt: skip
    add("--smoothing", type=allowed.not_negative, metavar="SECONDS",
        help="over which probabilities are averaged")  # fmt: skip
    add("--threshold", type=allowed.probability, nargs="+", metavar="X",
        help="of the probability, for both or for speech and music; default: 0.5")  # fmt: skip
    add("--shortest", type=allowed.not_negative, metavar="SECONDS",
        help="shorter segments and gaps do not count")  # fmt: skip
    add("--summary", action="store_true",
        help="print the shares of time with speech and music instead, as JSON")  # fmt: skip
    add("--plot", metavar="FILE", help="picture of probabilities and segments")
    add("-j", "--jobs", type=allowed.thread_count, default=1, metavar="N", help="files at once")


def _detector(options: argparse.Namespace) -> SpeechMusicDetector:
    from ictus.music.speech_music import SpeechMusicDetector, load_detector_networks

    settings: dict[str, Any] = {
        name: value
        for name in ("smoothing", "shortest")
        if (value := getattr(options, name)) is not None
    }
    if options.threshold is not None:
        if len(options.threshold) > 2:
            raise ValueError(f"--threshold takes one or two numbers, got {len(options.threshold)}")
        settings["threshold"] = tuple(options.threshold) * (3 - len(options.threshold))
    return SpeechMusicDetector(load_detector_networks(options.model), **settings)


def run(options: argparse.Namespace) -> int:
    """Find segments and print or write them."""
    from ictus import plot

    if len(options.files) > 1 and options.plot:
        raise ValueError("--plot takes one recording")
    allowed.check_output(options.plot, "--plot")
    if options.plot:
        plot.check_format(options.plot)
    # A summary of many recordings is one object: no file for each is needed.
    alone = options.summary and options.output is None
    targets = {} if alone else recordings.targets_of(options)
    detector = _detector(options)
    recordings.show_warnings()
    if options.output is not None:
        Path(options.output).mkdir(parents=True, exist_ok=True)

    def work(path: str) -> dict[str, float]:
        found = detector.detect(path)
        if options.plot:
            from ictus.music.timeline import timeline

            figure = timeline(found, smoothing=detector.smoothing, title=Path(path).name)
            figure.savefig(options.plot)
        if targets or not options.summary:
            _write(found, targets.get(path), options.format)
        return {"seconds": found.duration} | found.shares()

    failures, summary = [], {}
    for path, result, error in recordings.each(options.files, options.jobs, work):
        if error is not None:
            failures.append((path, error))
        else:
            summary[path] = {name: round(value, 4) for name, value in result.items()}
    if options.summary:
        print(json.dumps(summary))
    return recordings.finish(failures, len(options.files))


def _write(found: SpeechMusic, target: Path | None, format: str) -> None:
    from ictus.io.annotations import format_annotation
    from ictus.train.files import write_atomically

    data = format_annotation(found.events(), format, kind="segments", duration=found.duration)
    if target is not None:
        write_atomically(target, data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
