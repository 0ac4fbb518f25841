"""``ictus beats`` and ``ictus tempo``: beats, downbeats and tempo of recordings."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ictus.cli import arguments as allowed

if TYPE_CHECKING:
    from ictus.music.beats import Beats, BeatTracker

# Endings of the files that are written, by format.
ENDINGS = {
    "txt": ".beats",
    "audacity": ".txt",
    "sonic-visualiser": ".csv",
    "json": ".json",
    "jams": ".jams",
    "midi": ".mid",
}
FAILED = 1  # exit status where some file could not be processed
LIVE_RATE, LIVE_BYTES = 44_100, 2 * 4410  # raw input: 16 bits, mono; a tenth of a second at once


def add_parser(subparsers: Any) -> None:
    """Add the commands to the command line."""
    parser = subparsers.add_parser(
        "beats",
        help="beats and downbeats of recordings",
        description="Finds the beats of audio files. Of one file the times go to standard output, "
        "a line each; of several, or with -o, a file is written for each.",
        epilog="'ictus beats --online -' reads raw samples (16 bits, mono, 44.1 kHz) from standard "
        "input and says each beat when it is heard.",
    )
    parser.set_defaults(run=run)
    _add_shared(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for a file of each recording")
    parser.add_argument("--format", choices=list(ENDINGS), default="txt", help="default: txt")
    parser.add_argument("--downbeats", action="store_true", help="number the beats in their bars")
    parser.add_argument(
        "--meter",
        type=allowed.positive_integer,
        nargs="+",
        default=[3, 4],
        metavar="N",
        help="beats in a bar, with --downbeats; default: 3 4",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="decide from the past alone (the model of ictus hears 30 ms ahead; the times are "
        "those of the beats)",
    )
    parser.add_argument("--click", metavar="FILE", help="audio file: the recording with clicks")
    parser.add_argument("--plot", metavar="FILE", help="picture of activations and beats")
    parser.add_argument("--report", metavar="FILE", help="page (.html) to see and hear the beats")
    tempo = subparsers.add_parser(
        "tempo",
        help="tempo of recordings",
        description="Estimates the tempo of audio files: BPM and strength of the best candidates.",
    )
    tempo.set_defaults(run=run_tempo)
    _add_shared(tempo, (40.0, 250.0))
    tempo.add_argument("--json", action="store_true", help="print as JSON")
    tempo.add_argument(
        "--candidates", type=allowed.positive_integer, default=2, metavar="N", help="default: 2"
    )


def _add_shared(
    parser: argparse.ArgumentParser, tempo: tuple[float, float] = (55.0, 215.0)
) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="WAV, FLAC, Ogg or MP3")
    parser.add_argument(
        "--tempo",
        type=allowed.positive,
        nargs=2,
        default=tempo,
        metavar=("MIN", "MAX"),
        help=f"BPM, default: {tempo[0]:g} {tempo[1]:g}",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="MODEL",
        help="model files of ictus, or madmom's (.pkl), whose outputs are averaged",
    )
    parser.add_argument(
        "-j", "--jobs", type=allowed.thread_count, default=1, metavar="N", help="files at once"
    )


def _networks(options: argparse.Namespace, name: str) -> Any:
    from ictus.music.beats import load_networks, model_path

    # "--model m.ictus song.wav" takes the file for a model: options may come after the files.
    return load_networks(options.model or [model_path(name)])


def _tracker(options: argparse.Namespace) -> BeatTracker:
    from ictus.music.beats import BeatTracker

    name = "downbeats" if getattr(options, "downbeats", False) else "beats"
    tracker = BeatTracker(
        _networks(options, name),
        tempo=tuple(options.tempo),
        beats_per_bar=tuple(getattr(options, "meter", (3, 4))),
    )
    if name == "downbeats" and not tracker.downbeats:
        raise ValueError("--downbeats needs a model that knows them: one with three outputs")
    return tracker


def _each(
    files: Sequence[str], jobs: int, work: Callable[[str], Any]
) -> Iterator[tuple[str, Any, str | None]]:
    """Yield file, result and error of each file, in their order; no file stops the others."""

    def guarded(path: str) -> tuple[Any, str | None]:
        try:
            return work(path), None
        except (OSError, ValueError, MemoryError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return None, text.removeprefix(f"{path}: ") or type(error).__name__

    from tqdm import tqdm

    with ThreadPoolExecutor(jobs) as pool:
        results = zip(files, pool.map(guarded, files), strict=True)
        hidden = len(files) < 2 or not sys.stderr.isatty()
        for path, (result, error) in tqdm(results, total=len(files), disable=hidden, unit="file"):
            yield path, result, error


def _show_warnings() -> None:
    """Warnings about files as lines of their own."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"ictus: {message}", file=sys.stderr)

    warnings.simplefilter("always")
    warnings.showwarning = show


def _finish(failures: list[tuple[str, str]], total: int) -> int:
    for path, error in failures:
        print(f"ictus: {path}: {error}", file=sys.stderr)
    if failures and total > 1:
        print(f"ictus: {len(failures)} of {total} files failed", file=sys.stderr)
    return FAILED if failures else 0


def _targets(options: argparse.Namespace) -> dict[str, Path]:
    """The file to write for each recording; empty where one recording goes to standard output.

    Raises
    ------
    ValueError
        Several recordings without -o, or two with the same name.
    """
    if options.output is None:
        if len(options.files) > 1:
            raise ValueError("several files need -o DIR, where their beats are written")
        return {}
    targets: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for path in options.files:
        target = Path(options.output) / (Path(path).stem + ENDINGS[options.format])
        if target in taken:
            raise ValueError(f"{taken[target]} and {path} would both be written to {target}")
        taken[target] = path
        targets[path] = target
    return targets


def run(options: argparse.Namespace) -> int:
    """Find beats and print or write them."""
    from ictus import plot

    if len(options.files) > 1 and (options.click or options.plot or options.report):
        raise ValueError("--click, --plot and --report take one recording")
    for option in ("click", "plot", "report"):
        allowed.check_output(getattr(options, option), f"--{option}")
    if options.plot:
        plot.check_format(options.plot)
    targets = _targets(options)
    _show_warnings()
    if options.online:
        return _run_online(options, targets)
    tracker = _tracker(options)
    if options.output is not None:
        Path(options.output).mkdir(parents=True, exist_ok=True)

    def work(path: str) -> None:
        found = tracker.track(path)
        if not (tracker.downbeats and options.downbeats):
            found.numbers = None
        _write(found, path, targets, options)

    failures = [(p, e) for p, _, e in _each(options.files, options.jobs, work) if e is not None]
    return _finish(failures, len(options.files))


def _write(found: Beats, path: str, targets: dict[str, Path], options: argparse.Namespace) -> None:
    """The beats of one recording in all the ways that were asked for."""
    from ictus.io.annotations import Events, format_annotation
    from ictus.train.files import write_atomically

    labels = None if found.numbers is None else [str(number) for number in found.numbers]
    data = format_annotation(
        Events(found.times, labels), options.format, duration=len(found.activations) / found.fps
    )
    if options.click:
        from ictus.io.audio import read_audio, write_audio
        from ictus.music.click import add_clicks

        write_audio(options.click, add_clicks(read_audio(path), found.times, found.numbers))
    if options.report:
        from ictus.io.audio import read_audio
        from ictus.music.report import report_page

        write_atomically(options.report, report_page(path, read_audio(path), found))
    if options.plot:
        from ictus import plot

        figure = plot.beats(
            found.activations,
            found.times,
            fps=found.fps,
            downbeats=found.downbeats,
            title=Path(path).name,
        )
        figure.savefig(options.plot)
    if targets:
        write_atomically(targets[path], data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def _live_blocks(path: str) -> Iterator[Any]:
    import numpy as np

    if path != "-":
        from ictus.io.audio import audio_blocks

        yield from audio_blocks(path, LIVE_RATE, 0.1)
        return
    rest = b""
    # What a pipe has is taken at once: waiting for whole blocks would delay the beats.
    stdin: Any = sys.stdin.buffer
    while data := stdin.read1(LIVE_BYTES):
        rest += data
        whole = len(rest) // 2 * 2
        yield np.frombuffer(rest[:whole], "<i2").astype(np.float32) / 32768
        rest = rest[whole:]


def _run_online(options: argparse.Namespace, targets: dict[str, Path]) -> int:
    """Say each beat when it is heard, or write them at the end."""
    import numpy as np

    from ictus.io.annotations import Events, write_annotation
    from ictus.music.beats import OnlineBeatTracker

    if options.downbeats or options.click or options.plot or options.report:
        raise ValueError("--online goes without --downbeats, --click, --plot and --report")
    if not targets and options.format != "txt":
        raise ValueError("--online prints lines of text; other formats need -o DIR")
    networks = _networks(options, "online")

    def work(path: str) -> None:
        tracker = OnlineBeatTracker(networks, tempo=tuple(options.tempo))
        found = []
        for block in _live_blocks(path):
            found += _heard(tracker.push(block), not targets)
        found += _heard(tracker.push(np.empty(0, np.float32), last=True), not targets)
        if targets:
            targets[path].parent.mkdir(parents=True, exist_ok=True)
            write_annotation(targets[path], Events(np.array(found)), options.format)

    failures = [(p, e) for p, _, e in _each(options.files, options.jobs, work) if e is not None]
    return _finish(failures, len(options.files))


def _heard(times: Any, say: bool) -> list[float]:
    for time in times if say else ():
        print(f"{time:.6f}", flush=True)
    return list(times)


def run_tempo(options: argparse.Namespace) -> int:
    """Estimate and print."""
    _show_warnings()
    tracker = _tracker(argparse.Namespace(**vars(options) | {"tempo": (55.0, 215.0)}))

    def work(path: str) -> list[list[float]]:
        from ictus.io.audio import audio_blocks
        from ictus.music.tempo import estimate_tempo

        a = tracker.activations(audio_blocks(path, tracker.features.sample_rate))
        tempi = estimate_tempo(
            a if a.ndim == 1 else a.max(axis=1),
            tempo=tuple(options.tempo),
            fps=tracker.features.fps,
        )
        best: list[list[float]] = tempi[: options.candidates].tolist()
        return best

    failures, results = [], {}
    for path, tempi, error in _each(options.files, options.jobs, work):
        if error is not None:
            failures.append((path, error))
            continue
        results[path] = [{"bpm": round(b, 2), "strength": round(s, 4)} for b, s in tempi]
        if not options.json:
            name = f"{path}\t" if len(options.files) > 1 else ""
            print(name + "\t".join(f"{bpm:.2f}\t{strength:.2f}" for bpm, strength in tempi))
    if options.json:
        print(json.dumps(results))
    return _finish(failures, len(options.files))
