"""``ictus train beats``: a beat tracker on a folder of recordings and annotations."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ictus.cli import arguments as allowed
from ictus.cli import train_music

if TYPE_CHECKING:
    from ictus.music.training import BeatTraining

EPILOG = (
    train_music.FOLDER.format(
        kind="beats", more="; the beat's\nnumber in its bar behind it, where there are numbers"
    )
    + """
examples:
  ictus train beats my-songs --output mine.ictus
  ictus train beats my-songs --model downbeats --folds 8 --checkpoint work
  ictus train beats my-songs --start ictus --epochs 10 --learning-rate 0.001
  ictus train beats my-songs --speeds 0.9 1.1 --semitones -2 2 --cache /tmp/features --jobs 8
  mpiexec -n 4 ictus train beats my-songs --threads 4     (MPI: each process takes a share)
"""
)


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train beats",
        help="train a beat tracker on recordings with annotations",
        description="Trains a network that says at each frame how likely a beat is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task = train_music.Task("beats", _settings, _train, _activations, _measures)
    train_music.add_folder(parser, task)
    parser.add_argument(
        "--model",
        choices=["beats", "online", "downbeats"],
        default="beats",
        help="beats: reads both ways (default); online: forward alone; downbeats: both ways",
    )
    group = parser.add_argument_group("training")
    add = group.add_argument
    add("--units", type=allowed.positive_integer, nargs="+", default=[25, 25, 25], metavar="N")
    add("--segment", type=allowed.positive, default=10.0, metavar="SECONDS")
    add(
        "--widen",
        type=allowed.probability,
        nargs="*",
        default=[0.5],
        metavar="X",
        help="targets of the frames beside a beat, outwards; default: 0.5",
    )
    add(
        "--start",
        metavar="FILE",
        help="begin with the weights of this model instead of random ones; 'ictus': of the model "
        "that ictus brings",
    )
    train_music.add_training(group, epochs=50, batch_size=8, learning_rate=0.003)
    train_music.add_work(parser)


def _settings(options: argparse.Namespace) -> BeatTraining:
    from ictus.music.training import BeatTraining
    from ictus.music.training.material import frame_rate

    return BeatTraining(
        model=options.model,
        units=tuple(options.units),
        segment=max(round(options.segment * frame_rate(options.model)), 1),
        neighbours=tuple(options.widen),
        **train_music.shared_settings(options),
    )


def _train() -> Callable[..., Any]:
    from ictus.music.training import train_beats

    return train_beats


def _activations(network: Any, features: Any, model: str) -> Any:
    return network.predict([features])[0]


def _measures(model: str) -> list[tuple[str, str]]:
    beats = [("beats", "beat")]
    return [*beats, ("downbeats", "downbeat")] if model == "downbeats" else beats
