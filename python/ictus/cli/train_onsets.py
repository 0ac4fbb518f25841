"""``ictus train onsets``: an onset detector on a folder of recordings and annotations."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli import train_music

EPILOG = (
    train_music.FOLDER.format(kind="onsets", more="")
    + """
The schedule is that of the paper for 100 epochs; with fewer, the learning rate falls as far, and
the momentum rises from a tenth to a fifth of them. Of the recurrent network --batch-size counts
segments.

examples:
  ictus train onsets my-songs --output mine.ictus
  ictus train onsets my-songs --epochs 20 --folds 8 --checkpoint work --jobs 8
  ictus train onsets my-songs --model onsets_online
"""
)
#: Defaults of the convolutional networks and of the recurrent one.
DEFAULTS = {
    False: {"epochs": 100, "batch_size": 256, "learning_rate": 0.05},
    True: {"epochs": 50, "batch_size": 8, "learning_rate": 0.003},
}


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train onsets",
        help="train an onset detector on recordings with annotations",
        description="Trains a network that says at each frame how likely an onset is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task = train_music.Task("onsets", _settings, _train, _activations, _measures)
    train_music.add_folder(parser, task)
    parser.add_argument(
        "--model",
        choices=["onsets", "onsets_online", "onsets_rnn"],
        default="onsets",
        help="onsets: convolutional (default); onsets_online: the same, 30 ms ahead at most; "
        "onsets_rnn: recurrent, both ways",
    )
    group = parser.add_argument_group("training")
    add = group.add_argument
    add("--dropout", type=allowed.probability, default=0.5, metavar="X", help="default: 0.5")
    add("--activation", choices=["relu", "tanh"], default="relu", help="of convolutions; relu")
    add(
        "--neighbour-weight",
        type=allowed.probability,
        default=0.25,
        metavar="X",
        help="of frames beside an onset, which are positive too; 0: they do not count",
    )
    add("--exact", action="store_true", help="frames beside an onset are negative")
    train_music.add_training(group, epochs=0, batch_size=0, learning_rate=0.0)
    group.set_defaults(epochs=None, batch_size=None, learning_rate=None)
    train_music.add_work(parser)


def _settings(options: argparse.Namespace) -> Any:
    from ictus.music.training import OnsetTraining, RecurrentOnsetTraining

    recurrent = options.model == "onsets_rnn"
    for name, value in DEFAULTS[recurrent].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    shared = train_music.shared_settings(options)
    if recurrent:
        return RecurrentOnsetTraining(**shared)
    whole = OnsetTraining()
    share = options.epochs / whole.epochs
    return OnsetTraining(
        model=options.model,
        activation=options.activation,
        dropout=options.dropout,
        neighbour_weight=None if options.exact else options.neighbour_weight,
        decay=whole.decay ** (1 / share),
        momentum_epochs=(whole.momentum_epochs[0] * share, whole.momentum_epochs[1] * share),
        **shared,
    )


def _train() -> Callable[..., Any]:
    from ictus.music.training import train_onsets

    return train_onsets


def _activations(network: Any, features: Any, model: str) -> Any:
    from ictus.music.onsets import ONSET_MODELS, SPECTRA, slide_patches

    if model == "onsets_rnn":
        return network.predict([features])[0]
    return slide_patches(network, features, ONSET_MODELS[model].surroundings, SPECTRA)


def _measures(model: str) -> list[tuple[str, str]]:
    return [("onsets", "onset")]
