"""``ictus synthesize``: composed pieces, or the user's MIDI files, as audio with annotations."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ictus.cli import arguments as allowed

EPILOG = """\
Beside each recording lie NAME.beats (time, number in the bar), NAME.onsets, NAME.drums (time, note
of General MIDI's percussion map), NAME.segments (begin, end, label) and NAME.json. FluidSynth and a
sound font (Debian: apt-get install fluidsynth fluid-soundfont-gm), where they are installed, are
used beside the built-in synthesiser.

examples:
  ictus synthesize corpus --pieces 100 --seed 1 --jobs 4
  ictus synthesize waltzes --style waltz --pieces 10 --format wav
  ictus synthesize songs --songs --pieces 50 --seconds 120
  ictus synthesize from-midi --midi songs/*.mid
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "synthesize",
        help="render pieces with exact beats, onsets and segments",
        description="Composes pieces, or takes MIDI files, and renders them with annotations.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("folder", metavar="DIR", help="where to write; it is made if it does not exist")
    add("--pieces", type=allowed.positive_integer, default=10, metavar="N", help="default: 10")
    add("--seconds", type=allowed.positive, default=60.0, metavar="X", help="of a piece")
    add("--songs", action="store_true", help="songs of sections that return; see --seconds")
    add("--clear", action="store_true", help="replace pieces whose beat is hardly heard")
    add("--style", metavar="NAME", help="default: by chance; a wrong name lists all")
    add("--midi", nargs="+", metavar="FILE", help="render these instead of composed pieces")
    add(
        "--synthesizer",
        choices=["auto", "builtin", "fluidsynth", "mixed"],
        default="auto",
        help="default: mixed where FluidSynth is installed, else builtin",
    )
    add("--format", choices=["flac", "wav", "ogg"], default="flac", help="default: flac")
    add("--seed", type=allowed.seed, default=0, metavar="N")
    add("--jobs", type=int, default=1, metavar="N", help="processes; -1: one a processor")


def run(options: argparse.Namespace) -> int:
    """Write the corpus; a damaged MIDI file is named and left out, and the status says so."""
    if options.midi is not None:
        return _render_midi(options)
    from ictus.music.synthesis import write_corpus

    paths = write_corpus(
        options.folder,
        options.pieces,
        options.seed,
        format=options.format,
        jobs=options.jobs,
        seconds=options.seconds,
        style=options.style,
        songs=options.songs,
        clear=options.clear,
        synthesizer=options.synthesizer,
    )
    print(f"{len(paths)} pieces in {options.folder}")
    return 0


def _render_midi(options: argparse.Namespace) -> int:
    from ictus.music.synthesis import read_score, render, write_piece

    Path(options.folder).mkdir(parents=True, exist_ok=True)
    failed = 0
    for number, path in enumerate(options.midi):
        try:
            score = read_score(path)
        except (OSError, ValueError) as error:
            print(f"ictus synthesize: {error}", file=sys.stderr)
            failed += 1
            continue
        piece = render(score, options.seed + number, synthesizer=options.synthesizer)
        write_piece(options.folder, Path(path).stem, piece, options.format)
    print(f"{len(options.midi) - failed} pieces in {options.folder}")
    return 2 if failed else 0
