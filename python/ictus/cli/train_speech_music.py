"""``ictus train speech-music``: a speech/music detector on a folder of recordings."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.interrupted import SENTENCE, STATUS

EPILOG = """\
DIR has either the folders speech and music (and other: noise, animals, traffic) of recordings
(.wav, .flac, .ogg, .mp3) that have one of them alone, which are mixed at many levels, in rooms, in
noise and over telephone lines; or recordings, and beside each an annotation with the same name:
NAME.segments, NAME.lab or NAME.txt (begin, end and label a line; labels are speech, music or
speech+music), NAME.jams, NAME.csv (Sonic Visualiser's regions) or NAME.json.

examples:
  ictus train speech-music my-radio --output radio.ictus
  ictus train speech-music clips --minutes 180 --checkpoint work
  ictus speech-music broadcast.mp3 --model radio.ictus
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train speech-music",
        help="train a speech/music detector on recordings",
        description="Learns features of mel spectrograms without labels, then what is speech and "
        "what is music.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("folder", metavar="DIR", help="recordings; see below")
    add("--annotations", metavar="DIR", help="folder of the annotations; default: DIR")
    add("--output", metavar="FILE", default="speech_music.ictus")
    add("--minutes", type=allowed.positive, default=60.0, metavar="N",
        help="of mixed material, of the folders speech and music; default: 60")  # fmt: skip
    _add_training(parser.add_argument_group("training"))
    add("--checkpoint", metavar="DIR", help="training goes on from what is in this folder")
    add("--licence", default="", metavar="TEXT", help="of the model, for its card")
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")
    add("--json", action="store_true", help="print the result as JSON")
    add("--quiet", action="store_true", help="no progress bar")


def _add_training(group: Any) -> None:
    add, whole = group.add_argument, allowed.positive_integer
    add("--pretraining", choices=["mean-covariance", "gaussian", "none"],
        default="mean-covariance", help="of the first layer; default: mean-covariance")  # fmt: skip
    add("--components", type=whole, default=160, metavar="N", help="of an excerpt, whitened")
    add("--factors", type=whole, default=256, metavar="N", help="covariance units")
    add("--mean-units", type=whole, default=64, metavar="N")
    add("--hidden", type=whole, nargs="*", default=[128], metavar="N", help="units above them")
    add("--machine-epochs", type=whole, default=15, metavar="N", help="without labels")
    add("--epochs", type=whole, default=6, metavar="N", help="with labels")
    add("--learning-rate", type=allowed.positive, default=0.001, metavar="X")
    add("--dropout", type=allowed.probability, default=0.2, metavar="X")
    add("--step", type=whole, default=2, metavar="N", help="train on every N-th frame")
    add("--early-stopping", type=whole, metavar="EPOCHS")
    add("--seed", type=allowed.seed, default=0, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Train, measure on what was held out, write a model file."""
    from ictus.io.model_file import save
    from ictus.music.training.speech_music import frame_errors, train_speech_music

    allowed.check_output(options.output, "--output")
    started = time.perf_counter()
    training, kept, recordings = _material(options)
    if not options.json:
        minutes = sum(len(one.features) for one in training) / 25 / 60
        print(f"{recordings} recordings, {minutes:.1f} minutes of material", flush=True)
    checkpoint = None
    if options.checkpoint:
        Path(options.checkpoint).mkdir(parents=True, exist_ok=True)
        checkpoint = Path(options.checkpoint) / "speech_music.checkpoint"
    trained = train_speech_music(
        training,
        _settings(options),
        validation=kept,
        step=options.step,
        checkpoint=checkpoint,
        progress=False if options.quiet or options.json else None,
    )
    measured = kept and trained.history.stopped != "interrupted"
    errors = frame_errors(trained.network, kept) if measured else {}
    card = {
        "name": "ictus speech/music",
        "licence": options.licence,
        "training_data": f"{recordings} recordings of {Path(options.folder).name}",
        "provenance": f"ictus train speech-music --seed {options.seed}",
        "metrics": {f"validation_error_{name}": value for name, value in errors.items()},
    }
    save(options.output, trained.network, card)
    stopped = trained.history.stopped
    result = {
        "model": options.output,
        "seconds": round(time.perf_counter() - started, 1),
        "stopped": stopped,
        "recordings": recordings,
        "frame_errors": {name: round(value, 4) for name, value in errors.items()},
    }
    print(json.dumps(result) if options.json else _text(result))
    if stopped == "interrupted":
        print(SENTENCE, file=sys.stderr)
    return STATUS if stopped == "interrupted" else 0


def _settings(options: argparse.Namespace) -> Any:
    from ictus.music.training.speech_music import SpeechMusicTraining

    return SpeechMusicTraining(
        pretraining=options.pretraining,
        components=options.components,
        factors=options.factors,
        mean_units=options.mean_units,
        hidden_units=tuple(options.hidden),
        machine_epochs=options.machine_epochs,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        dropout=options.dropout,
        early_stopping=options.early_stopping,
        seed=options.seed,
    )


def _material(options: argparse.Namespace) -> tuple[list[Any], list[Any], int]:
    """Material of training and validation, and the number of recordings."""
    from ictus.music.training import speech_music_folder as folder

    seed = options.seed
    if not folder.has_classes(options.folder):
        found = list(
            folder.annotated_recordings(options.folder, annotations=options.annotations).values()
        )
        chosen, kept = folder.held_out(len(found), seed)
        return [found[i] for i in chosen], [found[i] for i in kept], len(found)
    if options.annotations is not None:
        raise ValueError("--annotations goes without the folders speech and music")
    paths = folder.recordings_by_class(options.folder)
    parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, each in paths.items():
        for part, numbers in zip(parts, folder.held_out(len(each), seed), strict=True):
            part[name] = [each[i] for i in np.asarray(numbers)]
    training = folder.mixed_recordings(parts[0], minutes=options.minutes, seed=seed)
    held = []
    if parts[1]["speech"] and parts[1]["music"]:
        minutes = max(2.0, 0.1 * options.minutes)
        held = folder.mixed_recordings(parts[1], minutes=minutes, seed=seed + 1)
    return training, held, sum(map(len, paths.values()))


def _text(result: dict[str, Any]) -> str:
    lines = [f"{result['seconds']} s ({result['stopped']}), model written to {result['model']}"]
    if result["frame_errors"]:
        shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in result["frame_errors"].items())
        lines.append(f"  frame error on recordings held out: {shown}")
    return "\n".join(lines)
