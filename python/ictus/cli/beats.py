"""``ictus beats`` and ``ictus tempo``: beats, downbeats and tempo of recordings."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ictus.cli import arguments as allowed
from ictus.cli import recordings

if TYPE_CHECKING:
    from ictus.music.beats import Beats, BeatTracker


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
    recordings.add_files(parser)
    _add_tempo(parser, (55.0, 215.0))
    recordings.add_output(parser, "beats")
    parser.add_argument("--downbeats", action="store_true", help="number the beats in their bars")
    parser.add_argument(
        "--meter",
        type=allowed.positive_integer,
        nargs="+",
        default=[2, 3, 4],
        metavar="N",
        help="beats in a bar, with --downbeats; default: 2 3 4",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="decide from the past alone (the model of ictus hears 30 ms ahead; the times are "
        "those of the beats)",
    )
    tempo = subparsers.add_parser(
        "tempo",
        help="tempo of recordings",
        description="Estimates the tempo of audio files: BPM and strength of the best candidates.",
    )
    tempo.set_defaults(run=run_tempo)
    recordings.add_files(tempo)
    _add_tempo(tempo, (40.0, 250.0))
    tempo.add_argument("--json", action="store_true", help="print as JSON")
    tempo.add_argument(
        "--candidates", type=allowed.positive_integer, default=2, metavar="N", help="default: 2"
    )


def _add_tempo(parser: argparse.ArgumentParser, tempo: tuple[float, float]) -> None:
    parser.add_argument(
        "--tempo",
        type=allowed.positive,
        nargs=2,
        default=tempo,
        metavar=("MIN", "MAX"),
        help=f"BPM, default: {tempo[0]:g} {tempo[1]:g}",
    )


def _tracker(options: argparse.Namespace) -> BeatTracker:
    from ictus.music.beats import BeatTracker

    name = "downbeats" if getattr(options, "downbeats", False) else "beats"
    tracker = BeatTracker(
        recordings.networks_of(options, name),
        tempo=tuple(options.tempo),
        beats_per_bar=tuple(getattr(options, "meter", (2, 3, 4))),
    )
    if name == "downbeats" and not tracker.downbeats:
        raise ValueError("--downbeats needs a model that knows them: one with three outputs")
    return tracker


def run(options: argparse.Namespace) -> int:
    """Find beats and print or write them."""
    targets = recordings.check_options(options)
    if options.online:
        return _run_online(options, targets)
    tracker = _tracker(options)

    def find(path: str) -> Beats:
        found = tracker.track(path)
        if not (tracker.downbeats and options.downbeats):
            found.numbers = None
        return found

    return recordings.run_files(options, targets, find)


def _run_online(options: argparse.Namespace, targets: Any) -> int:
    from ictus.music.beats import OnlineBeatTracker

    if options.downbeats:
        raise ValueError("--online goes without --downbeats")
    networks = recordings.networks_of(options, "online")
    tempo = tuple(options.tempo)
    return recordings.run_live(options, targets, lambda: OnlineBeatTracker(networks, tempo=tempo))


def run_tempo(options: argparse.Namespace) -> int:
    """Estimate and print."""
    recordings.show_warnings()
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
    for path, tempi, error in recordings.each(options.files, options.jobs, work):
        if error is not None:
            failures.append((path, error))
            continue
        results[path] = [{"bpm": round(b, 2), "strength": round(s, 4)} for b, s in tempi]
        if not options.json:
            name = f"{path}\t" if len(options.files) > 1 else ""
            print(name + "\t".join(f"{bpm:.2f}\t{strength:.2f}" for bpm, strength in tempi))
    if options.json:
        print(json.dumps(results))
    return recordings.finish(failures, len(options.files))
