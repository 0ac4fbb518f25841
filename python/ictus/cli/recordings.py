"""What the commands over recordings share: many files, formats, pictures, live input, failures."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ictus.cli import arguments as allowed

if TYPE_CHECKING:
    from ictus.io.annotations import Events

# Endings of the files that are written, by format; that of text is the kind.
ENDINGS = {
    "audacity": ".txt",
    "sonic-visualiser": ".csv",
    "json": ".json",
    "jams": ".jams",
    "midi": ".mid",
}
FORMATS = ("txt", *ENDINGS)
FAILED = 1  # exit status where some file could not be processed
LIVE_RATE, LIVE_BYTES = 44_100, 2 * 4410  # raw input: 16 bits, mono; a tenth of a second at once


class Found(Protocol):
    """What is found in a recording: :class:`ictus.music.Beats`, for example."""

    activations: Any
    fps: float

    @property
    def kind(self) -> str: ...

    @property
    def times(self) -> Any: ...

    @property
    def numbers(self) -> Any: ...

    @property
    def downbeats(self) -> Any: ...

    @property
    def events(self) -> Events: ...


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the recordings, the model, and how many at once."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="WAV, FLAC, Ogg or MP3")
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="MODEL",
        help="model files of ictus, or madmom's (.pkl), whose outputs are averaged",
    )
    parser.add_argument(
        "-j", "--jobs", type=allowed.thread_count, default=1, metavar="N", help="files at once"
    )


def add_output(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add where and how the times are written, heard and seen."""
    parser.set_defaults(kind=kind)
    add = parser.add_argument
    add("-o", "--output", metavar="DIR", help="folder for a file of each recording")
    add("--format", choices=FORMATS, default="txt", help="default: txt")
    add("--click", metavar="FILE", help="audio file: the recording with clicks")
    add("--plot", metavar="FILE", help=f"picture of activations and {kind}")
    add("--report", metavar="FILE", help=f"page (.html) to see and hear the {kind}")


def networks_of(options: argparse.Namespace, name: str, **load: Any) -> list[Any]:
    """Return the networks of --model, or the model that ictus brings under this name."""
    from ictus.music.networks import load_networks, model_path

    # "--model m.ictus song.wav" takes the file for a model: options may come after the files.
    return load_networks(options.model or [model_path(name)], **load)


def each(
    files: Sequence[str], jobs: int, work: Callable[[str], Any]
) -> Iterator[tuple[str, Any, str | None]]:
    """Yield file, result and error of each file, in their order; no file stops the others."""

    def guarded(path: str) -> tuple[Any, str | None]:
        try:
            return work(path), None
        except (OSError, ValueError, MemoryError) as error:
            text = str(error)
            if isinstance(error, OSError) and error.strerror:
                file = error.filename  # of what was to be written, if not this path
                text = error.strerror if file is None else f"{file}: {error.strerror}"
            return None, text.removeprefix(f"{path}: ") or type(error).__name__

    from tqdm import tqdm

    with ThreadPoolExecutor(jobs) as pool:
        results = zip(files, pool.map(guarded, files), strict=True)
        hidden = len(files) < 2 or not sys.stderr.isatty()
        for path, (result, error) in tqdm(results, total=len(files), disable=hidden, unit="file"):
            yield path, result, error


def show_warnings() -> None:
    """Show warnings about files as lines of their own."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"ictus: {message}", file=sys.stderr)

    warnings.simplefilter("always")
    warnings.showwarning = show


def finish(failures: list[tuple[str, str]], total: int) -> int:
    """Say which files failed; return the exit status."""
    for path, error in failures:
        print(f"ictus: {path}: {error}", file=sys.stderr)
    if failures and total > 1:
        print(f"ictus: {len(failures)} of {total} files failed", file=sys.stderr)
    return FAILED if failures else 0


def targets_of(options: argparse.Namespace) -> dict[str, Path]:
    """Return the file to write for each recording; none where one goes to standard output.

    Raises
    ------
    ValueError
        Several recordings without -o, or two with the same name.
    """
    if options.output is None:
        if len(options.files) > 1:
            raise ValueError(f"several files need -o DIR, where their {options.kind} are written")
        return {}
    targets: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    ending = ENDINGS.get(options.format, f".{options.kind}")
    for path in options.files:
        target = Path(options.output) / (Path(path).stem + ending)
        if target in taken:
            raise ValueError(f"{taken[target]} and {path} would both be written to {target}")
        taken[target] = path
        targets[path] = target
    return targets


def check_options(options: argparse.Namespace) -> dict[str, Path]:
    """Check what :func:`add_output` added; return :func:`targets_of`."""
    from ictus import plot

    if len(options.files) > 1 and (options.click or options.plot or options.report):
        raise ValueError("--click, --plot and --report take one recording")
    for option in ("click", "plot", "report"):
        allowed.check_output(getattr(options, option), f"--{option}")
    if options.plot:
        plot.check_format(options.plot)
    targets = targets_of(options)
    show_warnings()
    return targets


def run_files(
    options: argparse.Namespace, targets: dict[str, Path], find: Callable[[str], Found]
) -> int:
    """Find something in each recording, and print or write it; return the exit status."""
    if options.output is not None:
        Path(options.output).mkdir(parents=True, exist_ok=True)

    def work(path: str) -> None:
        write(find(path), path, targets, options)

    failures = [(p, e) for p, _, e in each(options.files, options.jobs, work) if e is not None]
    return finish(failures, len(options.files))


def write(found: Found, path: str, targets: dict[str, Path], options: argparse.Namespace) -> None:
    """Write what was found in one recording in all the ways that were asked for."""
    from ictus.io.annotations import format_annotation
    from ictus.train.files import write_atomically

    data = format_annotation(
        found.events,
        options.format,
        kind=found.kind,
        duration=len(found.activations) / found.fps,
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
        _figure(found, Path(path).name).savefig(options.plot)
    if targets:
        write_atomically(targets[path], data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def _figure(found: Any, title: str) -> Any:
    if found.kind == "segments":
        from ictus.music.pictures import sections

        return sections(found, title=title)
    from ictus import plot

    return plot.beats(
        found.activations,
        found.times,
        fps=found.fps,
        downbeats=found.downbeats,
        title=title,
        kind=found.kind,
    )


def live_blocks(path: str) -> Iterator[Any]:
    """Yield the samples of a file, or of raw samples from standard input ("-"), as they come."""
    import numpy as np

    if path != "-":
        from ictus.io.audio import audio_blocks

        yield from audio_blocks(path, LIVE_RATE, 0.1)
        return
    rest = b""
    # What a pipe has is taken at once: waiting for whole blocks would delay what is heard.
    stdin: Any = sys.stdin.buffer
    while data := stdin.read1(LIVE_BYTES):
        rest += data
        whole = len(rest) // 2 * 2
        yield np.frombuffer(rest[:whole], "<i2").astype(np.float32) / 32768
        rest = rest[whole:]


def run_live(options: argparse.Namespace, targets: dict[str, Path], make: Callable[[], Any]) -> int:
    """Say each time when it is heard, or write them at the end; return the exit status.

    Parameters
    ----------
    options : Namespace
    targets : dict
        See :func:`targets_of`.
    make : callable
        Makes what takes samples by ``push(samples, last=False)`` and returns new times.
    """
    import numpy as np

    from ictus.io.annotations import Events, write_annotation

    if options.click or options.plot or options.report:
        raise ValueError("--online goes without --click, --plot and --report")
    if not targets and options.format != "txt":
        raise ValueError("--online prints lines of text; other formats need -o DIR")

    def work(path: str) -> None:
        listener = make()
        found = []
        for block in live_blocks(path):
            found += _heard(listener.push(block), not targets)
        found += _heard(listener.push(np.empty(0, np.float32), last=True), not targets)
        if targets:
            targets[path].parent.mkdir(parents=True, exist_ok=True)
            write_annotation(
                targets[path], Events(np.array(found)), options.format, kind=options.kind
            )

    failures = [(p, e) for p, _, e in each(options.files, options.jobs, work) if e is not None]
    return finish(failures, len(options.files))


def _heard(times: Any, say: bool) -> list[float]:
    for time in times if say else ():
        print(f"{time:.6f}", flush=True)
    return list(times)
