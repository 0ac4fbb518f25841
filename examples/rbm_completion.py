"""Noise removed and missing parts completed by restricted Boltzmann machines.

    python examples/rbm_completion.py --data FOLDER

FOLDER (default $ICTUS_DATA) holds ``mnist/`` with the idx files and ``jsb_chorales/`` with
``Jsb16thSeparated.json.gz`` (github.com/czhuang/JSB-Chorales-dataset: Bach's chorales, works in the
public domain, as pitches of four voices in sixteenth notes; splits of Boulanger-Lewandowski, Bengio
& Vincent 2012). Three machines of 500 hidden units are trained by persistent contrastive
divergence:

- digits: binarised MNIST, Bernoulli units;
- piano rolls: 8 beats of a chorale in eighth notes, Bernoulli units, one for each pitch and step;
- voices: the same 8 beats, softmax units, one group for each voice and step.

Test examples are corrupted in ways that the machines have not been trained for, and restored by
:meth:`ictus.models.RBM.denoise` and :meth:`~ictus.models.RBM.complete`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus import datasets, kernels, plot
from ictus.io.model_file import load, save
from ictus.models import RBM, DivergenceTrainer
from ictus.train import Linear

Array = NDArray[Any]

STEPS, VOICES = 16, 4  # eighth notes of a window; soprano, alto, tenor, bass
LOWEST, PITCHES = 35, 50  # MIDI numbers of the piano roll
VOICE_LOWEST = np.array([58, 50, 44, 35])  # pitch of state 1 of each voice; state 0 is a rest
VOICE_STATES = 33
NOISE = (0.05, 0.1, 0.2, 0.3)


# --- examples ------------------------------------------------------------------------------------


def windows(chorales: list[Any], transpositions: range) -> Array:
    """Eight beats from each beat on, (n, STEPS, VOICES) of MIDI pitches, -1 a rest.

    Those that leave a voice's range when transposed are left out.
    """
    found = []
    for chorale in chorales:
        pitches = np.array(chorale)[::2]
        for first in range(0, len(pitches) - STEPS + 1, 2):
            window = pitches[first : first + STEPS]
            for shift in transpositions:
                moved = np.where(window < 0, -1, window + shift)
                states = voice_states(moved)
                if states.min() >= 0 and states.max() < VOICE_STATES:
                    found.append(moved)
    return np.stack(found)


def voice_states(pitches: Array) -> Array:
    """The softmax state of each voice: 0 a rest, else the pitch above the voice's lowest."""
    return np.where(pitches < 0, 0, pitches - VOICE_LOWEST + 1)


def piano_rolls(pitches: Array) -> Array:
    """(n, PITCHES * STEPS), 1 where any voice has the pitch."""
    rolls = np.zeros((len(pitches), PITCHES, STEPS), np.float32)
    n, step, _ = np.indices(pitches.shape)
    sounding = pitches >= 0
    rolls[n[sounding], pitches[sounding] - LOWEST, step[sounding]] = 1
    return rolls.reshape(len(pitches), -1)


def voices(pitches: Array) -> Array:
    """(n, STEPS * VOICES * VOICE_STATES), one unit of each group is 1."""
    states = np.eye(VOICE_STATES, dtype=np.float32)[voice_states(pitches)]
    return states.reshape(len(pitches), -1)


def pitches_of(states: Array) -> Array:
    """MIDI pitches of softmax states or probabilities, (n, STEPS, VOICES)."""
    best = states.reshape(-1, STEPS, VOICES, VOICE_STATES).argmax(axis=3)
    return np.where(best == 0, -1, best - 1 + VOICE_LOWEST)


# --- corruption ----------------------------------------------------------------------------------


def flip(states: Array, share: float, generator: np.random.Generator) -> Array:
    """Binary states, a share of them turned over."""
    turned = generator.random(states.shape) < share
    return np.where(turned, 1 - states, states).astype(np.float32)


def redraw(states: Array, share: float, generator: np.random.Generator) -> Array:
    """Softmax states, a share of the groups drawn anew."""
    groups = states.reshape(len(states), -1, VOICE_STATES)
    drawn = generator.integers(0, VOICE_STATES, groups.shape[:2])
    chosen = generator.random((*groups.shape[:2], 1)) < share
    anew = np.eye(VOICE_STATES, dtype=np.float32)[drawn]
    return np.where(chosen, anew, groups).reshape(states.shape)


def hidden_parts(shape: tuple[int, ...], parts: dict[str, tuple[Any, ...]]) -> dict[str, Array]:
    """Masks of what is known, flat, from the parts of an example that are hidden."""
    masks = {}
    for name, part in parts.items():
        known = np.ones(shape, bool)
        known[part] = False
        masks[name] = known.reshape(-1)
    return masks


DIGIT_PARTS = hidden_parts(
    (28, 28),
    {
        "lower half": (slice(14, None), slice(None)),
        "right half": (slice(None), slice(14, None)),
    },
)
ROLL_PARTS = hidden_parts(
    (PITCHES, STEPS),
    {
        "half of all cells": (np.random.default_rng(0).random((PITCHES, STEPS)) < 0.5,),
        "beats 5 and 6": (slice(None), slice(8, 12)),
    },
)
VOICE_PARTS = hidden_parts(
    (STEPS, VOICES, VOICE_STATES),
    {
        "alto and tenor": (slice(None), slice(1, 3)),
        "bass": (slice(None), slice(3, 4)),
        "beats 5 and 6": (slice(8, 12),),
    },
)


# --- measures ------------------------------------------------------------------------------------


def wrong_cells(found: Array, true: Array, cells: Array) -> float:
    """Of 100 cells (pixels) that are looked at, how many differ after rounding."""
    return float(100 * ((found > 0.5) != (true > 0.5))[:, cells].mean())


def wrong_notes(found: Array, true: Array, cells: Array) -> float:
    """Cells of a piano roll that differ after rounding, for 100 that are sounding."""
    on = true[:, cells] > 0.5
    return float(100 * ((found[:, cells] > 0.5) != on).sum() / on.sum())


def wrong_states(found: Array, true: Array, cells: Array) -> float:
    """Of 100 softmax groups that are looked at, how many have another most probable state."""
    groups = cells.reshape(-1, VOICE_STATES)[:, 0]
    wrong = pitches_of(found).reshape(len(found), -1) != pitches_of(true).reshape(len(true), -1)
    return float(100 * wrong[:, groups].mean())


class Task:
    """A machine, its test examples, how they are corrupted, and how errors are counted."""

    def __init__(self, name: str, rbm: RBM, train: Array, test: Array) -> None:
        self.name, self.rbm, self.test = name, rbm, test
        self.mean = train.mean(axis=0, dtype=np.float64)
        self.corrupt, self.parts, self.wrong, self.unit = {
            "digits": (flip, DIGIT_PARTS, wrong_cells, "wrong pixels, %"),
            "piano rolls": (flip, ROLL_PARTS, wrong_notes, "wrong cells for 100 sounding ones"),
            "voices": (redraw, VOICE_PARTS, wrong_states, "wrong notes, %"),
        }[name]
        self.rows: list[tuple[str, float, float]] = []
        self.examples: dict[str, dict[str, Array]] = {}

    def run(self, shown: int, generator: np.random.Generator) -> None:
        """Corrupt and restore in every way; keep errors, and the first examples for pictures."""
        everywhere = np.ones(self.test.shape[1], bool)
        for share in NOISE:
            noisy = self.corrupt(self.test, share, generator)
            restored = self.rbm.denoise(noisy, noise=share, steps=100)
            what = f"{100 * share:g} % noise"
            self._note(what, noisy, restored, everywhere)
            if share == (0.2 if self.name == "digits" else 0.1):
                self._show(what, noisy, restored, shown)
        for part, known in self.parts.items():
            guess = np.where(known, self.test, self.mean)
            restored = self.rbm.complete(self.test, known, steps=400)
            self._note(f"{part} missing", guess, restored, ~known)
            self._show(f"{part} missing", np.where(known, self.test, np.nan), restored, shown)

    def _note(self, what: str, before: Array, after: Array, cells: Array) -> None:
        errors = self.wrong(before, self.test, cells), self.wrong(after, self.test, cells)
        self.rows.append((what, *errors))
        print(f"{self.name}, {what}: {errors[0]:.2f} before, {errors[1]:.2f} after", flush=True)

    def _show(self, what: str, given: Array, restored: Array, shown: int) -> None:
        self.examples[what] = {
            "given": given[:shown],
            "restored": restored[:shown],
            "original": self.test[:shown],
        }


# --- the three machines --------------------------------------------------------------------------


def train(name: str, rbm: RBM, examples: Array, options: argparse.Namespace) -> RBM:
    """The machine of an earlier run where its file is there, else trained and kept."""
    file = options.models / f"{name.replace(' ', '_')}.ictus"
    if file.exists():
        return load(file)
    trainer = DivergenceTrainer(
        rbm,
        persistent=True,
        particles=200,
        learning_rate=Linear(0.1, 0.0, options.epochs),
        momentum=0.0,
        l2=2e-4,
        epochs=options.epochs,
        seed=options.seed,
        progress=False,
    )
    trainer.callbacks.append(lambda _, epoch: print(f"epoch {epoch}", flush=True))
    trainer.fit(examples)
    options.models.mkdir(parents=True, exist_ok=True)
    save(file, rbm)
    return rbm


def digits(options: argparse.Namespace) -> Task:
    data = datasets.load_mnist(options.data / "mnist")
    examples = kernels.bernoulli(data.x_train[:50_000], seed=1)
    if options.digits is None:
        rbm = train("digits", RBM(784, 500, seed=options.seed), examples, options)
    else:
        rbm = load(options.digits)
    test = kernels.bernoulli(data.x_test[: options.test_examples], seed=2)
    return Task("digits", rbm, examples, test)


def chorales(options: argparse.Namespace) -> list[Task]:
    file = options.data / "jsb_chorales" / "Jsb16thSeparated.json.gz"
    pieces = json.loads(gzip.decompress(file.read_bytes()))
    training = windows(pieces["train"], range(-2, 4))
    unseen = windows(pieces["test"], range(1))
    order = np.random.default_rng(0).permutation(len(unseen))
    unseen = unseen[order[: options.test_examples]]
    print(f"{len(training)} windows of chorales", flush=True)
    as_rolls, as_voices = piano_rolls(training), voices(training)
    rolls = RBM(PITCHES * STEPS, 500, seed=options.seed)
    rolls = train("piano rolls", rolls, as_rolls, options)
    softmax = RBM(
        STEPS * VOICES * VOICE_STATES,
        500,
        visible_type="softmax",
        group_size=VOICE_STATES,
        seed=options.seed,
    )
    softmax = train("voices", softmax, as_voices, options)
    return [
        Task("piano rolls", rolls, as_rolls, piano_rolls(unseen)),
        Task("voices", softmax, as_voices, voices(unseen)),
    ]


# --- results -------------------------------------------------------------------------------------


def as_images(task: Task, states: Array) -> Array:
    """What is drawn of states: voices as the piano roll of all, each pitch by its probability."""
    if task.name != "voices":
        return states
    probability = states.reshape(-1, STEPS, VOICES, VOICE_STATES)
    sheet = np.zeros((len(states), PITCHES, STEPS))
    for voice, lowest in enumerate(VOICE_LOWEST):
        for state in range(1, VOICE_STATES):
            pitch = lowest + state - 1 - LOWEST
            if 0 <= pitch < PITCHES:
                column = probability[:, :, voice, state]
                sheet[:, pitch] = np.fmax(sheet[:, pitch], np.nan_to_num(column))
    unknown = np.isnan(probability).all(axis=(2, 3))
    sheet[np.broadcast_to(unknown[:, None], sheet.shape)] = np.nan
    return sheet.reshape(len(states), -1)


def draw(task: Task, folder: Path) -> dict[str, str]:
    """Write the pictures; return their files by title."""
    files = {}
    is_digits = task.name == "digits"
    for what, rows in task.examples.items():
        title = f"{task.name}: {what}"
        figure = plot.image_rows(
            {name: as_images(task, states) for name, states in rows.items()},
            (28, 28) if is_digits else (PITCHES, STEPS),
            columns=len(rows["given"]),
            title=title,
            upright=not is_digits,
        )
        file = f"rbm_completion_{task.name}_{what}.png".replace(" ", "_").replace("%", "percent")
        figure.savefig(folder / file, dpi=120)
        files[title] = file
    return files


def write_results(options: argparse.Namespace, tasks: list[Task]) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    recipe = ("epochs", "test_examples", "seed")
    flags = [f"--{name.replace('_', '-')} {getattr(options, name)}" for name in recipe]
    command = " ".join(["python examples/rbm_completion.py", *flags])
    machine = ""
    if options.digits is not None:
        machine = ", which takes the machine that examples/rbm_mnist.py has trained"
        command += f" --digits {options.digits.name}"
    page = [PAGE]
    for task in tasks:
        page.append(f"\n## {task.name.capitalize()}\n\n| {task.unit} | before | after |")
        page.append("|---|---|---|")
        page += [
            f"| {what} | {before:.2f} | **{after:.2f}** |" for what, before, after in task.rows
        ]
        page.append("")
        page += [f"![{title}]({file})\n" for title, file in draw(task, folder).items()]
    page.append(f"Made by `{command}`" + machine + ".\n")
    (folder / "rbm_completion.md").write_text("\n".join(page))
    facts = {"command": command} | {
        task.name: [dict(zip(("corruption", "before", "after"), r, strict=True)) for r in task.rows]
        for task in tasks
    }
    (folder / "rbm_completion.json").write_text(json.dumps(facts, indent=1) + "\n")


PAGE = """# Denoising and completion by restricted Boltzmann machines

Machines of 500 hidden units, trained by persistent contrastive divergence on clean examples only.
Test examples, which they have not seen, are corrupted and then restored: noise by sampling clean
states given noisy ones with the machine as prior, missing parts by Gibbs chains clamped to what is
known; both give means, which are rounded to count errors. Before: the noisy example itself, or the
training data's most frequent value in the place of what is missing.

Digits are MNIST, binarised by sampling. Chorales are Bach's (works in the public domain; pitches
read from the JSB Chorales data set, whose split into training and test pieces is kept, and which is
not part of ictus): 8 beats in eighth notes, training windows transposed by -2 to 3 semitones within
the voices' ranges. Noise of voices draws a note anew from all pitches of its voice.
"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--digits", type=Path, help="machine of examples/rbm_mnist.py, if there")
    parser.add_argument("--models", type=Path, default=Path("rbm_completion_models"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--test-examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    return parser.parse_args()


def main() -> None:
    options = parse()
    tasks = [*chorales(options), digits(options)]
    generator = np.random.default_rng(options.seed)
    for task in tasks:
        task.run(12 if task.name == "digits" else 8, generator)
    write_results(options, tasks)


if __name__ == "__main__":
    main()
