"""Melodies and chorales that the models write: pictures, MIDI, MusicXML, sound, with their seeds.

    python examples/melody_examples.py --data FOLDER --models melody_models

FOLDER (default $ICTUS_DATA) is that of examples/chorales.py and examples/melody_tonality.py, which
train the models that are in the folder --models. Sopranos are those of test chorales; chorales are
works of J. S. Bach and in the public domain. Writes docs/results/melody_examples.md and, beside it,
the folder melody_examples.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from chorales import harmonizers, load_chords, load_voices
from melody_tonality import load_tunes, split
from numpy.typing import NDArray

from ictus import datasets
from ictus.io.model_file import load
from ictus.music.melody import (
    Melody,
    SymbolicScore,
    agreement,
    find_key,
    from_steps,
    piano_roll,
    read_abc,
    render_score,
    write_score,
    writing_measures,
)

Array = NDArray[Any]

#: Beethoven, the theme of the last movement of the ninth symphony (1824, in the public domain).
ODE = """X:1
T:Ode to Joy
M:4/4
L:1/4
K:D
FFGA|AGFE|DDEF|F>EE2|FFGA|AGFE|DDEF|E>DD2|EEFD|EF/G/FD|EF/G/FE|DEA,2|FFGA|AGFE|DDEF|E>DD2|]
"""
RATE = 12_000
TUNES, TEMPERATURE = 2, 0.7
STEPS = 24
CHORALES = (3, 20)


class Page:
    """The page, and the files beside it."""

    def __init__(self, output: Path) -> None:
        self.output, self.folder = output, output / "melody_examples"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []

    def text(self, *lines: str) -> None:
        self.lines += [*lines, ""]

    def music(
        self,
        name: str,
        music: Melody | SymbolicScore,
        title: str,
        *,
        marked: Any = None,
        tempo: float = 100.0,
        program: int = 19,
    ) -> None:
        """Write a piece in all forms and show it."""
        piano_roll(music, marked=marked, title=title, width=8.0).savefig(
            self.folder / f"{name}.png", dpi=80
        )
        write_score(self.folder / f"{name}.mid", music, tempo=tempo, program=program)
        write_score(self.folder / f"{name}.musicxml", music)
        sound = render_score(music, tempo=tempo, program=program, sample_rate=RATE)
        soundfile.write(self.folder / f"{name}.ogg", sound, RATE, compression_level=0.8)
        links = [
            f"[{word}](melody_examples/{name}.{ending})"
            for word, ending in (("listen", "ogg"), ("MIDI", "mid"), ("MusicXML", "musicxml"))
        ]
        self.text(f"![{title}](melody_examples/{name}.png)", "", " · ".join(links))


def longest_copy(melody: Melody, corpus: list[Melody]) -> int:
    """Notes of the longest run whose intervals and durations are in a tune of the corpus."""
    best = 0
    own = _moves(melody)
    for tune in corpus:
        theirs = _moves(tune)
        run = np.zeros(len(theirs) + 1, int)
        for move in own:
            same = np.array([move == other for other in theirs])
            run[1:] = np.where(same, run[:-1] + 1, 0)
            best = max(best, int(run.max()))
    return best + 1


def _moves(melody: Melody) -> list[tuple[int, float]]:
    return list(zip(np.diff(melody.pitches).tolist(), melody.durations[1:].tolist(), strict=True))


def tunes(page: Page, options: argparse.Namespace, model: Any) -> None:
    corpus = split(load_tunes(options.data), options.seed)[0]
    page.text(
        "## New tunes",
        "",
        f"Drawn note by note from the Boltzmann machine at temperature {TEMPERATURE}, seeds "
        f"0 to {TUNES - 1}, at most 60 notes: "
        f"`model.sample(temperature={TEMPERATURE}, max_notes=60, random_state=seed)`.",
    )
    for seed in range(TUNES):
        melody = model.sample(temperature=TEMPERATURE, max_notes=60, random_state=seed)
        melody.key = find_key(melody)
        copied = longest_copy(melody, corpus)
        bits = model.surprise(melody).mean() / np.log(2)
        page.music(f"tune_{seed}", melody, f"Seed {seed}", tempo=112, program=73)
        page.text(
            f"Seed {seed}: {len(melody)} notes, {melody.key}, {bits:.2f} bits a note; the longest "
            f"run that is in a training tune (in any key) has {copied} notes."
        )


def completion(page: Page, options: argparse.Namespace, model: Any) -> None:
    melody = read_abc(ODE)[0].melody()
    while not model.encoding_.fits(melody):
        melody = melody.transposed(12)
    missing = np.zeros(len(melody), bool)
    for bar in (1, 6, 10):  # from 0 on
        missing |= (melody.onsets >= 4 * bar) & (melody.onsets < 4 * bar + 4)
    page.text(
        "## A melody with missing notes",
        "",
        "Beethoven's *Ode to Joy*, which is in the public domain; its longest run that is in a "
        f"tune of the collection has {longest_copy(melody, load_tunes(options.data))} notes. "
        f"The pitches of bars 2, 7 and 11 are taken away ({missing.sum()} of {len(melody)} notes) "
        "and filled in: `model.complete(melody, missing, random_state=seed)`.",
    )
    title = "As it is; what is taken away is yellow"
    piano_roll(melody, marked=missing, title=title, width=8.0).savefig(
        page.folder / "ode.png", dpi=80
    )
    page.text(f"![{title}](melody_examples/ode.png)")
    for seed in (0,):
        made = model.complete(melody, missing, random_state=seed)
        right = int((made.pitches == melody.pitches)[missing].sum())
        page.music(
            f"ode_{seed}", made, f"Filled in, seed {seed}", marked=missing, tempo=112, program=73
        )
        page.text(f"Seed {seed}: {right} of {missing.sum()} pitches are Beethoven's.")


def harmonies(page: Page, options: argparse.Namespace) -> None:
    models = harmonizers(options, {})
    test = load_voices(options.data)["test"]
    fitting = [c for c in test if all(m.states_.fits(c) for m in models.values())]
    page.text(
        "## Sopranos harmonised",
        "",
        f"The soprano of the first {STEPS} quarter notes of two test chorales by Bach, which are "
        "in the public domain and were not trained on, with the lower voices of each model: "
        "`model.harmonize(soprano, random_state=0)`. The melody is Bach's; alto, tenor and bass "
        "are the model's. Passing notes of the soprano between the quarters are left out.",
    )
    for number, chosen in enumerate(CHORALES):
        grid = fitting[chosen][:STEPS]
        for name, model in [*models.items(), ("LSTM, parallels forbidden", models["LSTM"])]:
            rule = {"avoid_parallels": True} if "forbidden" in name else {}
            made = model.harmonize(grid[:, 0], random_state=0, **rule)
            if number and name != "LSTM, parallels forbidden":
                continue
            score = from_steps(made, held=True, key=None)
            score.key = find_key(score)
            measures = writing_measures(made)
            same = agreement(made, grid)[1:].mean()
            short = name.lower().replace(",", "").replace(" ", "_")
            page.music(f"chorale_{number}_{short}", score, f"Chorale {number + 1}: {name}")
            page.text(
                f"{name}: {same:.0%} of the lower voices' notes are Bach's, "
                f"{measures['chords']:.0%} of the chords are known, {measures['parallels']:.0f} "
                "parallels in 100 steps."
            )


def new_chorale(page: Page, options: argparse.Namespace) -> None:
    model = load(options.models / "chords_lstm.ictus")
    drawn = model.sample(STEPS, temperature=0.7, random_state=0)
    # An octave lower than the data, whose register is that of their transposition to C.
    chords = [sorted(chord, reverse=True)[:4] for chord in drawn]
    grid = np.array([[n - 12 for n in chord] + [-1] * (4 - len(chord)) for chord in chords])
    score = from_steps(grid, held=True)
    score.key = find_key(score)
    page.text(
        "## A new chorale",
        "",
        f"{STEPS} chords of the LSTM of chord sequences: "
        f"`model.sample({STEPS}, temperature=0.7, random_state=0)`. The model has chords without "
        "voices; here the highest note is the first voice, and so on, and all is an octave lower.",
    )
    copied = max(
        run_length(drawn, piece)
        for piece in load_chords(options.data)["train"]
    )  # fmt: skip
    page.music("new_chorale", score, "Seed 0")
    page.text(f"The longest run of chords that is in a training chorale has {copied}.")


def run_length(drawn: list[list[int]], piece: list[list[int]]) -> int:
    """Chords of the longest common run."""
    run = np.zeros(len(piece) + 1, int)
    best = 0
    for chord in drawn:
        same = np.array([set(chord) == set(other) for other in piece])
        run[1:] = np.where(same, run[:-1] + 1, 0)
        best = max(best, int(run.max()))
    return best


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--models", type=Path, default=Path("melody_models"))
    parser.add_argument("--seed", type=int, default=0)
    output = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=output)
    return parser.parse_args()


def main() -> None:
    options = parse()
    page = Page(options.output)
    page.text(
        "# Melodies and chorales that the models wrote",
        "",
        "Pictures are piano rolls with bar lines; sound is that of the built-in synthesiser. "
        "Neither the training pieces nor the models are part of ictus; [melody.md](melody.md) has "
        "the measurements, [../melody.md](../melody.md) says how the models work.",
    )
    model = load(options.models / "tunes_rbm.ictus")
    tunes(page, options, model)
    completion(page, options, model)
    harmonies(page, options)
    new_chorale(page, options)
    page.text("Made by `python examples/melody_examples.py`.")
    (page.output / "melody_examples.md").write_text("\n".join(page.lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
