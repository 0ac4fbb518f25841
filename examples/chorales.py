"""Bach's chorales: likelihood beside the published figures, and sopranos harmonised three ways.

    python examples/chorales.py --data FOLDER

FOLDER (default $ICTUS_DATA) holds ``jsb_chorales/`` (github.com/czhuang/JSB-Chorales-dataset:
pitches of Bach's chorales, works in the public domain; the split of Boulanger-Lewandowski, Bengio &
Vincent 2012). They are used for this measurement alone and are no part of ictus. Trained models are
kept in the folder that --models names, and are taken from there where they are. Writes
docs/results/melody_chorales.json, from which examples/melody_report.py makes the page.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus import RBM, DivergenceTrainer, datasets
from ictus.io.model_file import load, save
from ictus.models import log_likelihood
from ictus.music.melody import (
    ChordSequenceLSTM,
    ConditionalHarmonizer,
    DeepHarmonizer,
    RecurrentHarmonizer,
    agreement,
    writing_measures,
)
from ictus.train import Linear

Array = NDArray[Any]


def load_chords(data: Path) -> dict[str, list[list[list[int]]]]:
    """Chorales in quarter notes: sets of pitches, transposed to C major or minor at the source."""
    file = data / "jsb_chorales" / "jsb-chorales-quarter.json"
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def load_voices(data: Path) -> dict[str, list[Array]]:
    """Chorales in quarter notes: (steps, 4) of soprano, alto, tenor and bass in their own keys."""
    file = data / "jsb_chorales" / "Jsb16thSeparated.json.gz"
    pieces = json.loads(gzip.decompress(file.read_bytes()))
    return {part: [np.array(c)[::4] for c in chorales] for part, chorales in pieces.items()}


def kept(options: argparse.Namespace, name: str, train: Any, seconds: dict[str, float]) -> Any:
    """The model of an earlier run where its file is there, else trained and kept."""
    file, times = options.models / f"{name}.ictus", options.models / "seconds.json"
    known = json.loads(times.read_text()) if times.exists() else {}
    if file.exists():
        model = load(file)
    else:
        started = time.process_time()
        model = train()
        known[name] = round(time.process_time() - started)
        options.models.mkdir(parents=True, exist_ok=True)
        save(file, model)
        times.write_text(json.dumps(known))
    seconds[name] = known.get(name, 0)
    print(name, flush=True)
    return model


# --- likelihood ----------------------------------------------------------------------------------


def likelihoods(options: argparse.Namespace, seconds: dict[str, float]) -> dict[str, Any]:
    """Nats a frame, by model, of the three parts."""
    chords = load_chords(options.data)
    made = {
        "chords_lstm": lambda: ChordSequenceLSTM(
            random_state=options.seed, max_epochs=options.epochs
        ).fit(chords["train"], validation=chords["valid"]),
        "chords_alone": lambda: ChordSequenceLSTM(
            0,
            memory=0,
            beats=1,
            dropout=0.1,
            input_dropout=0.0,
            batch_size=2,
            learning_rate_decay=0.95,
            max_epochs=50,
            random_state=options.seed,
        ).fit(chords["train"], validation=chords["valid"]),
    }
    found: dict[str, Any] = {}
    for name, train in made.items():
        model = kept(options, name, train, seconds)
        found[name] = {part: -model.score(chords[part]) for part in chords}
        found[name]["parameters"] = model.network_.parameter_count
    rolls = {part: piano_rolls(pieces) for part, pieces in chords.items()}

    def boltzmann() -> RBM:
        rbm = RBM(88, 150, seed=options.seed)
        DivergenceTrainer(
            rbm,
            persistent=True,
            particles=200,
            steps=2,
            learning_rate=Linear(0.1, 0.0, 200),
            momentum=0.0,
            l2=1e-5,
            epochs=200,
            seed=options.seed,
            progress=False,
        ).fit(rolls["train"])
        return rbm

    rbm = kept(options, "frames_rbm", boltzmann, seconds)
    rates = rolls["train"].mean(0).clip(1e-4, 1 - 1e-4)
    found["frames_rbm"] = {"parameters": rbm.parameter_count}
    measured = log_likelihood(
        rbm, rolls["test"], method="ais", inverse_temperatures=5000, base_rates=rates
    )
    for part, rows in rolls.items():
        found["frames_rbm"][part] = float(rbm.free_energy(rows).mean(dtype=np.float64))
        found["frames_rbm"][part] += measured.log_z
    found["frames_rbm"]["interval"] = [-bound for bound in measured.interval[::-1]]
    return found


def piano_rolls(pieces: list[list[list[int]]]) -> Array:
    """All frames, (frames, 88), 1 where a key sounds."""
    frames = [chord for piece in pieces for chord in piece]
    rolls = np.zeros((len(frames), 88), np.float32)
    for row, chord in zip(rolls, frames, strict=True):
        row[[note - 21 for note in chord]] = 1
    return rolls


# --- harmonising ---------------------------------------------------------------------------------


def harmonizers(options: argparse.Namespace, seconds: dict[str, float]) -> dict[str, Any]:
    """The three models."""
    voices = load_voices(options.data)
    seed = options.seed
    train = voices["train"]
    return {
        "LSTM": kept(
            options,
            "harmonizer_lstm",
            lambda: RecurrentHarmonizer(random_state=seed).fit(train, validation=voices["valid"]),
            seconds,
        ),
        "conditional RBM": kept(
            options,
            "harmonizer_conditional_rbm",
            lambda: ConditionalHarmonizer(random_state=seed).fit(train),
            seconds,
        ),
        "DBN": kept(
            options,
            "harmonizer_dbn",
            lambda: DeepHarmonizer(random_state=seed).fit(train),
            seconds,
        ),
    }


def harmonize(options: argparse.Namespace, seconds: dict[str, float]) -> dict[str, Any]:
    """Measures of each model's lower voices to the sopranos of the test chorales."""
    models = harmonizers(options, seconds)
    test = load_voices(options.data)["test"]
    test = [c for c in test if all(m.states_.fits(c) for m in models.values())][: options.chorales]
    rows: dict[str, list[Array]] = {"Bach": test}
    for name, model in models.items():
        rows[name] = [
            model.harmonize(c[:, 0], random_state=options.seed + i) for i, c in enumerate(test)
        ]
        print("harmonised by", name, flush=True)
    rows["LSTM, parallels forbidden"] = [
        models["LSTM"].harmonize(c[:, 0], avoid_parallels=True, random_state=options.seed + i)
        for i, c in enumerate(test)
    ]
    steps = sum(map(len, test))
    table: dict[str, Any] = {"chorales": len(test), "steps": steps}
    for name, grids in rows.items():
        same = sum(agreement(g, c) * len(c) for g, c in zip(grids, test, strict=True)) / steps
        measures = [writing_measures(g) for g in grids]
        table[name] = {key: float(np.mean([m[key] for m in measures])) for key in measures[0]}
        table[name] |= dict(zip(("alto", "tenor", "bass"), same[1:].tolist(), strict=True))
    found = np.concatenate(models["LSTM"].log_likelihood(test))
    table["LSTM"]["nats"] = -float(found.mean())
    return table


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--models", type=Path, default=Path("melody_models"))
    parser.add_argument("--epochs", type=int, default=60, help="of the LSTM of chords")
    parser.add_argument("--chorales", type=int, default=77, help="test chorales to harmonise")
    kinds = ("likelihood", "harmonising")
    parser.add_argument("--parts", nargs="+", choices=kinds, default=kinds, help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    output = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=output)
    return parser.parse_args()


def main() -> None:
    options = parse()
    file = options.output / "melody_chorales.json"
    facts = json.loads(file.read_text()) if file.exists() else {}
    seconds: dict[str, float] = {}
    if "likelihood" in options.parts:
        facts["likelihood"] = likelihoods(options, seconds)
    if "harmonising" in options.parts:
        facts["harmonising"] = harmonize(options, seconds)
    facts["processor_seconds"] = facts.get("processor_seconds", {}) | seconds
    print(json.dumps(facts, indent=1))
    options.output.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
