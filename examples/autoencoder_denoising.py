"""Denoising autoencoders of digits and chorales: filters, noise taken out, missing parts completed.

    python examples/autoencoder_denoising.py --data FOLDER

FOLDER (default $ICTUS_DATA) holds ``mnist/`` and ``jsb_chorales/`` as examples/rbm_completion.py
has it, whose piano rolls and measures of error these are. Autoencoders of one hidden layer with
tied weights (Vincent et al. 2010) are trained with one kind and level of noise each, and meet
other levels in the test, and missing parts. An interrupted run goes on from its checkpoints in
``--work``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rbm_completion import (
    DIGIT_PARTS,
    NOISE,
    PITCHES,
    ROLL_PARTS,
    STEPS,
    flip,
    piano_rolls,
    windows,
    wrong_notes,
)

from ictus import Autoencoder, datasets, kernels, load, plot, save

Array = NDArray[Any]

#: Level of noise in training, and in the test, by kind.
DIGIT_NOISE = {
    "masking": (0.4, (0.1, 0.25, 0.4, 0.6)),
    "salt_and_pepper": (0.3, (0.1, 0.2, 0.3, 0.5)),
    "gaussian": (0.4, (0.1, 0.2, 0.4, 0.6)),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ICTUS_DATA"))
    parser.add_argument("--hidden-units", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="result folder")
    parser.add_argument("--work", type=Path, default=Path("autoencoder_denoising"))
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data must name the folder of the data, or ICTUS_DATA must be set")
    options.data = Path(options.data)
    return options


def trained(name: str, x: Array, options: argparse.Namespace, **noise: Any) -> Autoencoder:
    """The model of an earlier run where its file is there, else trained and kept."""
    file = options.work / f"{name}.ictus"
    if file.exists():
        return load(file)
    model = Autoencoder(
        (options.hidden_units,),
        tied=True,
        max_epochs=options.epochs,
        learning_rate_decay=0.85,
        tol=0.0,
        patience=max(options.epochs, 1),
        random_state=options.seed,
        checkpoint=options.work / f"{name}.checkpoint",
        **noise,
    ).fit(x)
    if model.history_.interrupted:
        sys.exit("interrupted; run the same command again to go on")
    seconds = sum(model.history_["seconds"])
    print(f"{name}: {model.n_iter_} epochs in {seconds:.0f} s, loss {model.loss_:.2f}", flush=True)
    save(file, model)
    return model


def squared_error(a: Array, b: Array) -> float:
    """Mean over examples of the squared error summed over pixels."""
    return float(np.square(a - b).sum(axis=1, dtype=np.float64).mean())


class Report:
    """Errors before and after, and examples for pictures."""

    def __init__(self, unit: str, shape: tuple[int, int], upright: bool) -> None:
        self.unit, self.shape, self.upright = unit, shape, upright
        self.rows: list[tuple[str, float, float]] = []
        self.examples: dict[str, dict[str, Array]] = {}

    def note(self, what: str, before: float, after: float) -> None:
        self.rows.append((what, before, after))
        print(f"{what}: {before:.2f} before, {after:.2f} after", flush=True)

    def show(self, what: str, given: Array, restored: Array, original: Array) -> None:
        rows = {"given": given, "restored": restored, "original": original}
        self.examples[what] = {name: each[:10] for name, each in rows.items()}


def digits(options: argparse.Namespace) -> tuple[Report, Autoencoder]:
    data = datasets.load_mnist(options.data / "mnist")
    both = data.x_train, data.x_test
    x, test = (each.reshape(len(each), -1).astype(np.float32) for each in both)
    if x.max() > 1:
        x, test = x / 255, test / 255
    report = Report("squared error of an image", (28, 28), False)
    models = {}
    for kind, (level, levels) in DIGIT_NOISE.items():
        models[kind] = model = trained(kind, x, options, corruption=kind, corruption_level=level)
        name = kind.replace("_", " ")
        for number, tested in enumerate(levels):
            noisy = kernels.corrupt(test, kind, tested, seed=options.seed + 1, stream=number)
            restored = model.denoise(noisy)
            mark = " (as in training)" if tested == level else ""
            what = f"{name} noise {tested:g}{mark}"
            report.note(what, squared_error(noisy, test), squared_error(restored, test))
            if tested == level:
                report.show(f"{name} noise {tested:g}", noisy.clip(0, 1), restored, test)
    model = models["masking"]
    for part, known in DIGIT_PARTS.items():
        guess = np.where(known, test, x.mean(axis=0))
        restored = model.complete(test, known)
        report.note(f"{part} missing", squared_error(guess, test), squared_error(restored, test))
        report.show(f"{part} missing", np.where(known, test, np.nan), restored, test)
    return report, model


def chorales(options: argparse.Namespace) -> Report:
    file = options.data / "jsb_chorales" / "Jsb16thSeparated.json.gz"
    pieces = json.loads(gzip.decompress(file.read_bytes()))
    x = piano_rolls(windows(pieces["train"], range(-2, 4)))
    unseen = windows(pieces["test"], range(1))
    test = piano_rolls(unseen[np.random.default_rng(0).permutation(len(unseen))[:1000]])
    report = Report("wrong cells for 100 sounding ones", (PITCHES, STEPS), True)
    everywhere = np.ones(test.shape[1], bool)
    generator = np.random.default_rng(options.seed + 1)
    # A fifth of the cells is drawn anew: a tenth is turned over.
    noise = {"corruption": "salt_and_pepper", "corruption_level": 0.2}
    model = trained("piano_rolls_noise", x, options, **noise)
    for share in NOISE:
        noisy = flip(test, share, generator)
        restored = model.denoise(noisy)
        what = f"{100 * share:g} % noise" + (" (as in training)" if share == 0.1 else "")
        errors = [wrong_notes(each, test, everywhere) for each in (noisy, restored)]
        report.note(what, *errors)
        if share == 0.1:
            report.show("10 % noise", noisy, restored, test)
    model = trained("piano_rolls_masking", x, options, corruption="masking", corruption_level=0.5)
    for part, known in ROLL_PARTS.items():
        guess = np.where(known, test, x.mean(axis=0))
        restored = model.complete(test, known)
        errors = [wrong_notes(each, test, ~known) for each in (guess, restored)]
        report.note(f"{part} missing", *errors)
        report.show(f"{part} missing", np.where(known, test, np.nan), restored, test)
    return report


PAGE = """# Noise removed and missing parts completed by denoising autoencoders

One hidden layer of {hidden_units} sigmoid units, tied weights, cross-entropy, {epochs} epochs of
Adam whose learning rate falls by 15 % an epoch, seed {seed}. Each is trained with one kind and
level of noise on its inputs (Vincent et al. 2010); the test has others too. For missing parts,
"before" is the mean of the training data in their place; the autoencoder trained with masking
noise (0.4 on digits, 0.5 on piano rolls) fills them in three reconstructions, with what is known
put back after each. Masking noise leaves neighbours of what it hides: a block that is missing as a
whole is not what these were trained for. Little noise, of which training had more, is taken for
part of the digit. Piano rolls are 8 beats of Bach's chorales as in
[rbm_completion.md](rbm_completion.md), whose Boltzmann machine is better in every row, with its
measure. Test examples play no part in training or in any choice.
"""


def write_results(
    options: argparse.Namespace, reports: dict[str, Report], model: Autoencoder
) -> None:
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    page = [PAGE.format(**vars(options))]
    for name, report in reports.items():
        page.append(
            f"\n## {name.capitalize()}\n\n| {report.unit} | before | after |\n|---|---|---|"
        )
        page += [f"| {what} | {a:.2f} | **{b:.2f}** |" for what, a, b in report.rows]
        page.append("")
        for what, rows in report.examples.items():
            file = f"autoencoder_denoising_{name}_{what}.png".replace(" ", "_")
            file = file.replace("%", "percent")
            title = f"{name}: {what}"
            plot.image_rows(
                rows, report.shape, columns=10, title=title, upright=report.upright
            ).savefig(folder / file, dpi=100)
            page.append(f"![{title}]({file})\n")
    plot.weight_images(
        model.network_.weight_matrices[0],
        (28, 28),
        count=64,
        title="Weights of the first 64 hidden units, masking noise",
    ).savefig(folder / "autoencoder_denoising_filters.png", dpi=80)
    page.append("## Filters\n\n![filters](autoencoder_denoising_filters.png)\n")
    flags = [
        f"--{name.replace('_', '-')} {getattr(options, name)}"
        for name in ("hidden_units", "epochs", "seed")
    ]
    command = " ".join(["python examples/autoencoder_denoising.py", *flags])
    page.append(f"Made by `{command}`.\n")
    (folder / "autoencoder_denoising.md").write_text("\n".join(page))
    names = ("corruption", "before", "after")
    facts: dict[str, Any] = {"command": command}
    for name, report in reports.items():
        facts[name] = [dict(zip(names, row, strict=True)) for row in report.rows]
    (folder / "autoencoder_denoising.json").write_text(json.dumps(facts, indent=1) + "\n")


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    report, model = digits(options)
    write_results(options, {"digits": report, "piano rolls": chorales(options)}, model)


if __name__ == "__main__":
    main()
