"""The command line: ``ictus train|predict|evaluate|transform|sample|beats|onsets|melody|..``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ictus.cli import (
    beats,
    bench,
    evaluate,
    evaluate_music,
    index,
    info,
    melody,
    onnx_files,
    onsets,
    predict,
    sample,
    segments,
    speech_music,
    synthesize,
    train,
    train_beats,
    train_boundaries,
    train_onsets,
    train_speech_music,
    transform,
)
from ictus.cli.arguments import Parser

COMMANDS = (
    train,
    train_beats,
    train_onsets,
    train_speech_music,
    train_boundaries,
    predict,
    evaluate,
    evaluate_music,
    transform,
    sample,
    synthesize,
    beats,
    index,
    onsets,
    speech_music,
    melody,
    segments,
    onnx_files,
    info,
    bench,
)
# Commands of two words, as in "ictus evaluate beats": the parser sees them as one.
TWO_WORDS = {
    "train": ("beats", "boundaries", "onsets", "speech-music"),
    "evaluate": evaluate_music.KINDS,
    "index": index.KINDS,
}

EPILOG = """\
examples:
  ictus train digits --plot digits.png
  ictus train songs.npz --hidden 200 200 --output genre.ictus
  ictus evaluate genre.ictus test.npz
  ictus predict genre.ictus new.csv --output genres.csv
  ictus train beats my-songs --output mine.ictus
  ictus beats song.flac --click clicks.wav --plot beats.png
  ictus onsets song.flac --report onsets.html
  ictus speech-music broadcast.mp3 --plot broadcast.png
  ictus segments song.flac --report sections.html
  ictus evaluate beats detected annotated
  ictus train digits --model rbm --plot rbm.png --output rbm.ictus
  ictus sample rbm.ictus --plot fantasies.png
  ictus transform rbm.ictus digits --output features.npz
  ictus index build my-index music/ --bits 64
  ictus index query my-index song.flac
  ictus melody key song.musicxml
  ictus export beats beats.onnx
  ictus info
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from ictus import __version__

    parser = Parser(
        prog="ictus",
        description="Deep learning for music and audio research.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ictus {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, a command of two words as one; a file of that name is named as "./beats"."""
    words = list(arguments)
    if len(words) > 1 and words[1] in TWO_WORDS.get(words[0], ()):
        words[:2] = [" ".join(words[:2])]
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0: done; 2: the user's mistake, one line on standard error; 130: ended by Ctrl-C.
    """
    options = make_parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    try:
        if getattr(options, "threads", None) is not None:
            from ictus import set_num_threads

            set_num_threads(options.threads)
        return int(options.run(options))
    except KeyboardInterrupt:
        print("ictus: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename is not None:
            text = f"{os.fsdecode(error.filename)}: {error.strerror}"
        text = " ".join(text.split()) or type(error).__name__
        print(f"ictus {options.command}: {text}", file=sys.stderr)
        return 2
