"""``ictus segments``: the sections of recordings, with the same letter for those that return."""

from __future__ import annotations

import argparse
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli import recordings


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "segments",
        help="sections of songs (A, B, A, ...)",
        description="Finds the sections of audio files: where they begin and end, and a letter, "
        "the same for sections that sound alike. Of one file they go to standard output, a line "
        "each; of several, or with -o, a file is written for each.",
        epilog="Models are those of 'ictus train boundaries'.",
    )
    parser.set_defaults(run=run)
    recordings.add_files(parser)
    recordings.add_output(parser, "segments")
    parser.add_argument(
        "--novelty", action="store_true", help="no network: the checkerboard of Foote 2000"
    )
    parser.add_argument(
        "--threshold",
        type=allowed.not_negative,
        metavar="X",
        help="lower: more boundaries; default: that of the model",
    )
    parser.add_argument(
        "--similarity",
        type=allowed.not_negative,
        metavar="X",
        help="from 0 to 1: sections as alike as this get the same letter; default: 0.75",
    )


def run(options: argparse.Namespace) -> int:
    """Find sections and print or write them."""
    from ictus.music.section_labels import THRESHOLD
    from ictus.music.segmenter import Segmenter, load_segmenter

    targets = recordings.check_options(options)
    similarity = THRESHOLD if options.similarity is None else options.similarity
    if options.novelty:
        if options.model:
            raise ValueError("--novelty goes without --model")
        segmenter = Segmenter(threshold=options.threshold, similarity=similarity)
    else:
        segmenter = load_segmenter(
            options.model or (), threshold=options.threshold, similarity=similarity
        )
    return recordings.run_files(options, targets, segmenter.segment)
