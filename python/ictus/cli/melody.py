"""``ictus melody key|train|surprise|complete|sample``: keys of scores, models of melodies."""

from __future__ import annotations

import argparse
import re
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed

EPILOG = """\
FILE is a score: .musicxml, .xml, .mxl, .krn, .mei (by partitura: pip install 'ictus[music]'), .mid
or .abc (all its tunes). Where a score has several voices, --voice chooses one, 0 the highest.

examples:
  ictus melody key song.musicxml chorale.krn
  ictus melody train tunes.abc --output tunes.ictus
  ictus melody surprise song.mid --model tunes.ictus
  ictus melody complete song.mid --missing 8-12 --model tunes.ictus --output whole.musicxml
  ictus melody sample --model tunes.ictus --seed 3 --output new.mid --audio new.ogg
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "melody",
        help="keys of scores; surprise, completion and samples of melodies",
        description="Finds keys, and trains and uses Boltzmann machines of melodies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    add = actions.add_parser("key", help="the key of each score").add_argument
    add("files", nargs="+", metavar="FILE")
    add("--voice", type=allowed.count, metavar="N", help="of this voice alone")
    actions.choices["key"].set_defaults(run=key)

    add = actions.add_parser("train", help="train a model").add_argument
    add("files", nargs="+", metavar="FILE")
    add("--output", required=True, metavar="FILE", help="the model file")
    add("--voice", type=allowed.count, metavar="N")
    add("--window", type=allowed.positive_integer, default=8, metavar="N", help="notes; default 8")
    add("--hidden", type=allowed.positive_integer, default=256, metavar="N", help="default 256")
    add("--epochs", type=allowed.positive_integer, default=20, metavar="N", help="default 20")
    add("--seed", type=allowed.seed, default=0, metavar="N")
    add("--checkpoint", metavar="FILE", help="training goes on where it was")
    actions.choices["train"].set_defaults(run=train)

    add = actions.add_parser("surprise", help="how unexpected each note is").add_argument
    add("file", metavar="FILE")
    add("--model", required=True, metavar="FILE")
    add("--voice", type=allowed.count, metavar="N")
    actions.choices["surprise"].set_defaults(run=surprise)

    add = actions.add_parser("complete", help="fill in missing notes").add_argument
    add("file", metavar="FILE")
    add("--missing", required=True, metavar="N[-N],..", help="numbers of the notes, from 1 on")
    add("--voice", type=allowed.count, metavar="N")
    add("--rhythm", action="store_true", help="durations are missing, too")
    _add_writing(add)
    actions.choices["complete"].set_defaults(run=complete)

    add = actions.add_parser("sample", help="draw a new melody").add_argument
    add("--temperature", type=allowed.positive, default=0.8, metavar="X", help="default 0.8")
    add("--notes", type=allowed.positive_integer, default=100, metavar="N", help="at most")
    _add_writing(add)
    actions.choices["sample"].set_defaults(run=sample)


def _add_writing(add: Any) -> None:
    add("--model", required=True, metavar="FILE")
    add("--output", required=True, metavar="FILE", help=".mid or .musicxml")
    add("--audio", metavar="FILE", help="render it: .wav, .flac or .ogg")
    add("--seed", type=allowed.seed, default=0, metavar="N")


def key(options: argparse.Namespace) -> int:
    """Print file, title, key and the correlation with its profile."""
    from ictus.music.melody.keys import find_key, key_scores, pitch_class_durations
    from ictus.music.melody.reading import read_scores

    for path in options.files:
        for score in read_scores(path):
            music = score if options.voice is None else score.melody(options.voice)
            found = find_key(music)
            value = float(key_scores(pitch_class_durations(music))[found.number])
            title = score.title if score.title and path.lower().endswith(".abc") else ""
            print("\t".join([path, *([title] if title else []), str(found), f"{value:.3f}"]))
    return 0


def train(options: argparse.Namespace) -> int:
    """Train a model on all melodies of the files."""
    from ictus.io.model_file import save
    from ictus.music.melody.melody_rbm import MelodyRBM
    from ictus.music.melody.reading import read_melodies

    allowed.check_output(options.output, "--output")
    melodies = [m for path in options.files for m in read_melodies(path, options.voice)]
    model = MelodyRBM(
        options.window,
        options.hidden,
        n_iter=options.epochs,
        random_state=options.seed,
        progress=None,
        checkpoint=options.checkpoint,
    ).fit(melodies)
    save(options.output, model, {"training_data": f"{len(melodies)} melodies"})
    bits = -model.score(melodies[:20]) / np.log(2)
    print(f"{options.output}: {len(melodies)} melodies, {bits:.2f} bits a note in training")
    return 0


def _model(path: str) -> Any:
    from ictus.io.model_file import load
    from ictus.music.melody.melody_rbm import MelodyRBM

    model = load(path)
    if not isinstance(model, MelodyRBM):
        raise ValueError(f"{path} must hold a MelodyRBM, got {type(model).__name__}")
    return model


def surprise(options: argparse.Namespace) -> int:
    """Print number, place, pitch and surprise of each note, then the mean."""
    from ictus.music.melody.reading import read_melody

    model = _model(options.model)
    melody = read_melody(options.file, options.voice)
    bits = model.surprise(melody) / np.log(2)
    print("note\tquarter\tpitch\tbits")
    for number, (onset, pitch) in enumerate(zip(melody.onsets, melody.pitches, strict=True)):
        name = "rest" if pitch < 0 else str(pitch)
        print(f"{number + 1}\t{onset:g}\t{name}\t{bits[number]:.2f}")
    print(f"end\t{melody.durations.sum():g}\t\t{bits[-1]:.2f}")
    print(f"mean\t\t\t{bits.mean():.2f}")
    return 0


def parse_notes(text: str) -> list[int]:
    """Return numbers from 0 on of "3,8-12"; ValueError for something else."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"--missing must be numbers from 1 on like 3,8-12, got {text!r}")
        numbers += range(int(match[1]) - 1, int(match[2] or match[1]))
    return numbers


def complete(options: argparse.Namespace) -> int:
    """Fill in missing notes and write the melody."""
    from ictus.music.melody.reading import read_melody

    _check_writing(options)
    missing = parse_notes(options.missing)
    model = _model(options.model)
    melody = read_melody(options.file, options.voice)
    if missing[-1] >= len(melody):
        raise ValueError(f"--missing must be at most {len(melody)}, got {options.missing}")
    made = model.complete(
        melody, missing, keep_durations=not options.rhythm, random_state=options.seed
    )
    return _write(made, options)


def sample(options: argparse.Namespace) -> int:
    """Draw a new melody and write it."""
    _check_writing(options)
    made = _model(options.model).sample(
        temperature=options.temperature, max_notes=options.notes, random_state=options.seed
    )
    return _write(made, options)


def _check_writing(options: argparse.Namespace) -> None:
    from ictus.cli.output import check_ending

    check_ending(options.output, "--output", (".mid", ".midi", ".musicxml", ".xml"))
    check_ending(options.audio, "--audio", (".wav", ".flac", ".ogg"))
    allowed.check_output(options.output, "--output")
    allowed.check_output(options.audio, "--audio")


def _write(melody: Any, options: argparse.Namespace) -> int:
    from ictus.music.melody.keys import find_key
    from ictus.music.melody.writing import write_score

    melody.key = melody.key or find_key(melody)
    write_score(options.output, melody)
    if options.audio:
        from ictus.io.audio import write_audio
        from ictus.music.melody.rendering import render_score

        sound = render_score(melody, program=73, seed=options.seed)
        write_audio(options.audio, sound, 22_050)
    print(f"{options.output}: {len(melody)} notes, {melody.key}")
    return 0
