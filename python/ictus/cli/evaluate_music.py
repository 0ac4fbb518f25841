"""``ictus evaluate beats|downbeats|onsets|segments``: detections against annotations."""

from __future__ import annotations

import argparse
from typing import Any

from ictus.cli import arguments as allowed

KINDS = ("beats", "downbeats", "onsets", "segments")


def add_parser(subparsers: Any) -> None:
    """Add the commands to the command line."""
    for kind in KINDS:
        parser = subparsers.add_parser(
            f"evaluate {kind}",
            help=f"scores of detected {kind} against annotations",
            description=f"Scores of detected {kind} against annotations, by mir_eval.",
            epilog="EST and REF are two files, or two folders whose files are paired by name: "
            "text, Sonic Visualiser's .csv, .json, .jams or .mid.",
        )
        parser.set_defaults(run=run, kind=kind)
        parser.add_argument("estimate", metavar="EST", help="detections")
        parser.add_argument("reference", metavar="REF", help="annotations")
        parser.add_argument("--json", action="store_true", help="print as JSON")
        if kind in ("beats", "downbeats"):
            parser.add_argument(
                "--skip",
                type=allowed.not_negative,
                default=0.0,
                metavar="SECONDS",
                help="leave out what is earlier; 5 is mir_eval's convention; default: 0",
            )


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from ictus.music.evaluation import evaluate_all, find_pairs

    pairs = find_pairs(options.estimate, options.reference, options.kind)
    result = evaluate_all(pairs, options.kind, skip=getattr(options, "skip", 0.0))
    print(result.to_json() if options.json else result.table())
    return 0
