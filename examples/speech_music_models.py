"""The speech/music model of the wheel: its material by seed, its training, its card, its scores.

    python examples/speech_music_models.py material --work DIR
    python examples/speech_music_models.py train mean-covariance --work DIR
    python examples/speech_music_models.py train gaussian --work DIR      (for comparison)
    python examples/speech_music_models.py train none --work DIR          (for comparison)
    python examples/speech_music_models.py report --work DIR
    python examples/speech_music_models.py install --work DIR

Needs Debian's espeak-ng and flite, FluidSynth with its sound font, and the shared recordings in the
folder ``ICTUS_DATA``. The additional test needs Debian's ``asterisk-core-sounds-*-wav`` and
``supertux-data``; without them it is left out, and the report says so. What speaks and plays is in
``speech_music_corpus.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus.music.training.programmes import Sources
from ictus.music.training.speech_music import (
    Annotated,
    SpeechMusicTraining,
    programmes,
    train_speech_music,
)

sys.path.insert(0, str(Path(__file__).parent))

from speech_music_corpus import training_sounds, validation_sounds
from speech_music_report import NETWORKS, Scored, frame_scores, write_report

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "python" / "ictus" / "music" / "pretrained"
STEP = 4  # every fourth frame of the programmes is an example
SETTINGS: dict[str, Any] = {
    "epochs": 10,
    "dropout": 0.4,
    "hidden_units": (256,),
    "machine_examples": 100_000,
    "machine_epochs": 30,
}
DESCRIPTION = (
    "Speech and music in recordings: excerpts of 24 frames of 40 mel bands (0.96 s at 16 kHz), "
    "whitened; {factors} covariance and {mean_units} mean units of a mean-covariance RBM, "
    "{hidden} sigmoid units, pre-trained without labels, fine-tuned; outputs: the probabilities of "
    "speech and of music at a frame"
)
DATA = (
    "{count} minutes mixed from: {utterances} utterances of espeak-ng (GPL-3+) and flite (BSD) of "
    "texts of the project; {pieces} pieces of ictus.music.synthesis (seed 4711; FluidSynth with "
    "FluidR3_GM, MIT); the free spoken digits of george and theo (CC BY-SA 4.0, Z. Jackson); "
    "LibriSpeech 198-209-0000, read by Heather Barnett (CC BY 4.0); Kevin MacLeod 'Vibe "
    "Ace' and 'Dance of the Sugar Plum "
    "Fairy', Karissa Hobbs 'Let's Go Fishin'' (CC BY 3.0); vocadito_1 (CC BY 4.0); audio "
    "samples of madmom's tests (BSD); a humpback whale (public domain); synthetic noises"
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("command", choices=["material", "train", "report", "install"])
    parser.add_argument("pretraining", nargs="?", default="mean-covariance",
                        choices=["mean-covariance", "gaussian", "none"])  # fmt: skip
    parser.add_argument("--work", type=Path, required=True, help="folder of what is made")
    folder = os.environ.get("ICTUS_DATA", "data")
    parser.add_argument("--data", type=Path, default=Path(folder), help="default: $ICTUS_DATA")
    parser.add_argument("--programmes", type=int, default=400, help="of a minute, for training")
    parser.add_argument("--utterances", type=int, default=700)
    parser.add_argument("--pieces", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results")
    return parser.parse_args()


def make_material(options: argparse.Namespace) -> None:
    """Mix the programmes and keep their features."""
    options.work.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    sounds = {
        "training": training_sounds(options.data, options.work, options.utterances, options.pieces),
        "validation": validation_sounds(options.work),
    }
    for seed, (name, each) in enumerate(sounds.items(), 1):
        listed = {k: f"{sum(map(len, v.values())) / 16_000 / 60:.1f}" for k, v in each.items()}
        print(f"{name}: minutes {listed}", flush=True)
        sources = Sources(*(list(each[kind].values()) for kind in ("speech", "music", "other")))
        count = options.programmes if name == "training" else max(options.programmes // 12, 2)
        made = programmes(sources, count, seed)
        np.savez(
            options.work / f"{name}.npz",
            features=np.concatenate([one.features for one in made]).astype(np.float16),
            active=np.concatenate([one.active for one in made]),
            lengths=np.array([len(one.features) for one in made]),
        )
        print(f"{name}: {count} programmes, {time.perf_counter() - started:.0f} s", flush=True)


def load_material(work: Path, name: str) -> list[Annotated]:
    """Return the programmes that :func:`make_material` kept."""
    with np.load(work / f"{name}.npz") as file:
        ends = np.cumsum(file["lengths"])[:-1]
        pairs = zip(np.split(file["features"], ends), np.split(file["active"], ends), strict=True)
        return [Annotated(features, active) for features, active in pairs]


def train(options: argparse.Namespace) -> None:
    """Train one of the models; the one with a mean-covariance RBM is that of the wheel."""
    name, started = options.pretraining, time.perf_counter()
    training, validation = (load_material(options.work, n) for n in ("training", "validation"))
    settings = SpeechMusicTraining(
        pretraining=name,
        **SETTINGS | {"epochs": options.epochs, "seed": options.seed},
    )

    def report(trainer: Any, epoch: int) -> bool:
        row = {n: round(values[-1], 4) for n, values in trainer.history.items() if values}
        print(f"{name} {epoch} {row} {time.perf_counter() - started:.0f} s", flush=True)
        return False

    trained = train_speech_music(
        training,
        settings,
        validation=validation,
        step=STEP,
        checkpoint=options.work / f"{name}.checkpoint",
        progress=False,
        callbacks=[report],
    )
    for history in trained.pretraining:
        print({n: round(values[-1], 3) for n, values in history.items() if values}, flush=True)
    shifts = Scored.of_network(trained.network).calibrated(validation).shifts
    trained.network.views(trained.network.parameters)[-1][1][...] -= np.float32(shifts)
    print(f"{name}: log-odds of speech and music lowered by {shifts}", flush=True)
    scores = frame_scores(Scored.of_network(trained.network), validation)
    print(f"{name} validation {scores}, {time.perf_counter() - started:.0f} s", flush=True)
    card = {
        "name": "ictus speech/music",
        "description": DESCRIPTION.format(
            factors=settings.factors,
            mean_units=settings.mean_units,
            hidden=" + ".join(map(str, settings.hidden_units)),
        ),
        "licence": "CC BY-SA 4.0",
        "training_data": DATA.format(
            count=len(training), utterances=options.utterances, pieces=options.pieces
        ),
        "provenance": f"python examples/speech_music_models.py material --programmes "
        f"{len(training)} --utterances {options.utterances} --pieces {options.pieces}; train "
        f"{name} --epochs {options.epochs} --seed {options.seed}",
        "metrics": {f"validation_error_{n}": round(v, 4) for n, v in scores.items()},
    }
    ictus.save(options.work / f"{name}.ictus", trained.network, card)


def install(options: argparse.Namespace) -> None:
    """Put the model into the package, with the errors of the report in its card."""
    source = options.work / "mean-covariance.ictus"
    card = ictus.read_card(source)["card"]
    measured = json.loads((options.output / "speech_music.json").read_text())
    for place, rows in measured.items():
        if NETWORKS["mean-covariance"] in rows:
            errors = rows[NETWORKS["mean-covariance"]]["clean"]
            name = f"real_{place.split()[0].lower()}_error"
            card["metrics"] |= {f"{name}_{k}": round(v / 100, 4) for k, v in errors.items()}
    ictus.save(MODELS / "speech_music.ictus", ictus.load(source), card)


def main() -> None:
    options = parse()
    if options.command == "material":
        make_material(options)
    elif options.command == "train":
        train(options)
    elif options.command == "report":
        training, validation = (load_material(options.work, n) for n in ("training", "validation"))
        write_report(options, training, validation, STEP)
    else:
        install(options)


if __name__ == "__main__":
    main()
