"""``ictus onsets``: where notes and strokes begin in recordings."""

from __future__ import annotations

import argparse
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli import recordings


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "onsets",
        help="onsets of notes and strokes in recordings",
        description="Finds where notes and strokes begin in audio files. Of one file the times go "
        "to standard output, a line each; of several, or with -o, a file is written for each.",
        epilog="'ictus onsets --online -' reads raw samples (16 bits, mono, 44.1 kHz) from "
        "standard input and says each onset 40 ms after it. Models are those of 'ictus train "
        "onsets', or madmom's onsets_cnn.pkl or onsets_brnn_*.pkl.",
    )
    parser.set_defaults(run=run)
    recordings.add_files(parser)
    recordings.add_output(parser, "onsets")
    parser.add_argument("--online", action="store_true", help="decide 40 ms after each onset")
    parser.add_argument(
        "--superflux", action="store_true", help="no network: the method of Böck & Widmer 2013"
    )
    parser.add_argument(
        "--threshold",
        type=allowed.not_negative,
        metavar="X",
        help="lower: more onsets; default: that of the method",
    )
    parser.add_argument(
        "--combine",
        type=allowed.not_negative,
        default=0.03,
        metavar="SECONDS",
        help="onsets nearer than this are one; default: 0.03",
    )


def run(options: argparse.Namespace) -> int:
    """Find onsets and print or write them."""
    from ictus.music.onset_detector import OnlineOnsetDetector, OnsetDetector

    targets = recordings.check_options(options)
    picking = {"threshold": options.threshold, "combine": options.combine}
    if options.superflux:
        if options.online or options.model:
            raise ValueError("--superflux goes without --online and --model")
        return recordings.run_files(options, targets, lambda path: _superflux(path, picking))
    if options.online:
        networks = recordings.networks_of(options, "onsets_online", kind="onsets", patches=True)
        return recordings.run_live(
            options, targets, lambda: OnlineOnsetDetector(networks, **picking)
        )
    networks = recordings.networks_of(options, "onsets", kind="onsets", patches=None)
    return recordings.run_files(options, targets, OnsetDetector(networks, **picking).detect)


def _superflux(path: str, picking: dict[str, Any]) -> Any:
    import numpy as np

    from ictus.io.audio import read_audio
    from ictus.music.onset_detector import Onsets
    from ictus.music.spectral_flux import FPS, THRESHOLD, superflux, superflux_peaks

    strength = superflux(read_audio(path))
    threshold = THRESHOLD if picking["threshold"] is None else picking["threshold"]
    times = superflux_peaks(strength, threshold=threshold, combine=picking["combine"])
    # Strengths have no upper limit; pictures show them relative to the highest.
    highest = float(strength.max(initial=0.0))
    return Onsets(times, strength / np.float32(max(highest, 1e-9)), FPS)
