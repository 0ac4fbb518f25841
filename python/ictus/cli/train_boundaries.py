"""``ictus train boundaries``: a boundary detector on a folder of recordings and annotations."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli import train_music

EPILOG = """\
DIR has recordings (.wav, .flac, .ogg, .mp3) and beside each an annotation with the same name:
NAME.segments, NAME.lab or NAME.txt (begin, end and label of a section a line), NAME.jams, NAME.csv
(Sonic Visualiser) or NAME.json. The labels are not used.

examples:
  ictus train boundaries my-songs --output mine.ictus
  ictus train boundaries my-songs --maps 32 64 --units 128 --second-pooling 1 1 --no-lag-matrix
  ictus segments song.flac --model mine.ictus
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train boundaries",
        help="train a detector of section boundaries on recordings with annotations",
        description="Trains a network that says at each frame how likely a boundary is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task = train_music.Task(
        "segments", _settings, _train, None, _measures, "boundaries", _find, _facts
    )
    train_music.add_folder(parser, task)
    parser.set_defaults(model="boundaries")
    group = parser.add_argument_group("training")
    add = group.add_argument
    add(
        "--no-lag-matrix",
        action="store_true",
        help="see the spectrogram alone, not the self-similarity lag matrix",
    )
    for name, default, meaning in (
        ("--maps", (16, 32), "feature maps of the two convolutions"),
        ("--second-pooling", (1, 2), "frames and places pooled after the second one"),
    ):
        text = f"{meaning}; default: {default[0]} {default[1]}"
        add(name, type=allowed.positive_integer, nargs=2, default=default, metavar="N", help=text)
    add("--units", type=allowed.positive_integer, default=64, metavar="N", help="default: 64")
    add("--dropout", type=allowed.probability, default=0.5, metavar="X", help="default: 0.5")
    add(
        "--examples",
        type=allowed.positive_integer,
        default=16_384,
        metavar="N",
        help="frames drawn for an epoch; default: 16384",
    )
    add(
        "--smearing",
        type=allowed.positive,
        default=0.5,
        metavar="SECONDS",
        help="frames as near to a boundary are positive, too; default: 0.5",
    )
    train_music.add_training(group, epochs=20, batch_size=64, learning_rate=0.001)
    train_music.add_work(parser)


def _settings(options: argparse.Namespace) -> Any:
    from ictus.music.training import BoundaryTraining

    if options.early_stopping or options.no_augment:
        raise ValueError(
            "train boundaries takes no --early-stopping and no --no-augment: every epoch draws "
            "other frames, and loudness and timbre are taken out of what the network sees"
        )
    return BoundaryTraining(
        lag_matrix=not options.no_lag_matrix,
        maps=tuple(options.maps),
        second_pooling=tuple(options.second_pooling),
        units=options.units,
        dropout=options.dropout,
        examples=options.examples,
        smearing=options.smearing,
        **train_music.shared_settings(options),
    )


def _train() -> Callable[..., Any]:
    from ictus.music.training import train_boundaries

    def train(*arguments: Any, augmentation: Any, **options: Any) -> Any:
        return train_boundaries(*arguments, **options)

    return train


def _find(trained: Any, example: Any) -> Any:
    from ictus.music.segmenter import Segmenter

    return Segmenter([trained.network], threshold=trained.threshold).segment(example.audio).events


def _facts(trained: Any) -> dict[str, Any]:
    """The threshold, which ``ictus segments`` reads."""
    return {} if trained.threshold is None else {"threshold": trained.threshold}


def _measures(model: str) -> list[tuple[str, str]]:
    return [("segments", "segment")]
