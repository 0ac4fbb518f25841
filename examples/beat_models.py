"""The beat models of the wheel: their corpus by seed, their training, their scores, their cards.

    python examples/beat_models.py corpus --work DIR
    python examples/beat_models.py train downbeats --work DIR --epochs 18 --start FILE
    python examples/beat_models.py report --work DIR

Only pieces that ``ictus.music.synthesis`` composes train the models. FluidSynth and Debian's
``fluid-soundfont-gm`` (FluidR3, MIT licence) must be installed. The test corpus has other pieces
and other instruments. Settings are chosen on the validation pieces. Real recordings (folder
``ICTUS_DATA``) are measured, never trained on. ``--start`` goes on from a model, as the last
trainings did; how each model came about is in its card (``ictus info``). ``report`` measures models
that DIR has not as they are in the package. What was tried, and what could be next, is at the end
of the page that ``report`` writes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from beat_models_page import page

import ictus
from ictus import music
from ictus.io.annotations import Events, read_annotation
from ictus.music.beats import THRESHOLD, bar_weights
from ictus.music.evaluation import Evaluation, evaluate_all
from ictus.music.synthesis import fluidsynth, write_corpus
from ictus.music.training import (
    BeatTraining,
    Example,
    FeatureCache,
    find_examples,
    train_beats,
)
from ictus.music.training.material import augmentation, decode, feature_cache, frame_rate

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "python" / "ictus" / "music" / "pretrained"
RESULTS = ROOT / "docs" / "results"
LICENCE = "BSD-3-Clause"
SEEDS = {"training": 2026, "more": 2027, "slow": 5001, "fast": 5002}
SECONDS = dict.fromkeys(SEEDS, 25.0)
TRAINING = tuple(SEEDS)
SEEDS |= {"validation": 4242, "test": 777}
SECONDS |= {"validation": 30.0, "test": 40.0}
# The test pieces of which none was replaced because its beat is not heard.
SEEDS["unclear"], SECONDS["unclear"] = SEEDS["test"], SECONDS["test"]
# Pieces that no model was scored on before all choices were made.
SEEDS["fresh"], SECONDS["fresh"] = 90210, SECONDS["test"]
TESTS = {
    "fresh": "fresh test",
    "test": "synthetic test",
    "unclear": "test before pieces were replaced",
}
# Tempi of which there are more pieces: those that are taken for the double or the half.
TEMPI = {"slow": (58.0, 92.0), "fast": (165.0, 206.0)}
METERS = (2, 3, 4)
COUNTS = {"fresh": 100, "test": 50, "unclear": 50, "validation": 100}
COUNTS |= {"training": 500, "more": 20, "slow": 100, "fast": 100}

DATA = (
    "{pieces} pieces of {seconds:.0f} s composed by ictus.music.synthesis (seeds {seeds}), "
    "rendered by its own synthesiser and by FluidSynth with the sound font FluidR3_GM (MIT "
    "licence); no recordings. Real recordings were measured only: with several earlier states, and "
    "then with these; of the earlier ones it was looked at which beats they miss"
)
# Each piece is also used slower and faster, as a tape would play it.
SPEEDS = (0.93, 1.08)
COMMANDS = {
    "beats": "python examples/beat_models.py train beats --epochs 16, stopped after epoch 3, then "
    "with --epochs 12, then with --epochs 22 --timbres",
    "downbeats": "python examples/beat_models.py train downbeats --epochs 16, stopped after epoch "
    "2, then with --epochs 8 (on 644 pieces of an earlier state of the generator); from these "
    "weights with --start and --epochs 18, while the corpus grew to the pieces named above, and "
    "once more with --start and --epochs 10",
    "online": "python examples/beat_models.py train online --epochs 6, then with --epochs 10",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "beats": {"units": (25, 25, 25)},
    "online": {"units": (40, 40, 40)},
    "downbeats": {"units": (25, 25, 25)},
}
DESCRIPTIONS = {
    "beats": "Beats of whole recordings: 3 x 25 bidirectional LSTM with peepholes on 266 features "
    "at 100 frames per second; one output, the probability of a beat",
    "online": "Beats while music plays: 3 x 40 LSTM with peepholes on 300 causal features at 100 "
    "frames per second that see 30 ms ahead; one output, the probability of a beat",
    "downbeats": "Beats and bars of whole recordings: 3 x 25 bidirectional LSTM with peepholes on "
    "314 features at 100 frames per second; outputs: no beat, beat, downbeat",
}


def make_corpus(work: Path, counts: dict[str, int], jobs: int) -> None:
    """Write the pieces to train, to choose settings by, and to test; what is there is kept."""
    if not fluidsynth.is_available():
        raise SystemExit("FluidSynth and its sound font are needed: see docs/music.md")
    for kind, count in counts.items():
        started = time.perf_counter()
        write_corpus(
            work / kind,
            count,
            SEEDS[kind],
            jobs=jobs,
            seconds=SECONDS[kind],
            instruments="test" if kind in TESTS else "training",
            synthesizer="mixed",
            clear=kind != "unclear",
            **({"tempo": TEMPI[kind]} if kind in TEMPI else {}),
        )
        print(f"{work / kind}: {count} pieces in {time.perf_counter() - started:.0f} s", flush=True)


def train(
    work: Path, model: str, epochs: int, seed: int, jobs: int, start: Path | None, rate: float
) -> None:
    """Train one model on the corpus; go on from its checkpoint."""
    folders = [work / kind for kind in TRAINING if (work / kind).is_dir()]
    examples = [example for folder in folders for example in find_examples(folder)]
    cache = feature_cache(work / "features", model, jobs=jobs)
    started = time.perf_counter()

    def report(trainer: Any, epoch: int) -> bool:
        row = {name: round(values[-1], 5) for name, values in trainer.history.items() if values}
        print(f"{model} {epoch} {row} {time.perf_counter() - started:.0f} s", flush=True)
        return False

    trained = train_beats(
        examples,
        cache,
        BeatTraining(
            model=model,
            epochs=epochs,
            seed=seed,
            speeds=SPEEDS,
            segment=1250,
            batch_size=8,
            learning_rate=rate,
            validation=0.03,
            **SETTINGS[model],
        ),
        rate=frame_rate(model),
        augmentation=dataclasses.replace(augmentation(model), tilt=7.0, chance=0.8, shift=0.03),
        start=None if start is None else ictus.load(start),
        checkpoint=work / f"{model}-{seed}.checkpoint",
        progress=False,
        callbacks=[report],
    )
    card = {
        "name": f"ictus {model}",
        "description": DESCRIPTIONS[model],
        "licence": LICENCE,
        "training_data": DATA.format(
            pieces=len(examples),
            seconds=SECONDS["training"],
            seeds=", ".join(str(SEEDS[kind]) for kind in TRAINING),
        ),
        "provenance": f"python examples/beat_models.py train {model} --epochs {epochs} "
        f"--seed {seed} --learning-rate {rate}",
        "metrics": {"validation_loss": trained.history["validation_loss"][-1]},
    }
    ictus.save(work / f"{model}-{seed}.ictus", trained.network, card)


# --- scores --------------------------------------------------------------------------------------


def real_recordings(data: Path) -> list[Example]:
    """Return the real recordings of full music with beats; none of them trains anything."""
    found = []
    for path in sorted((data / "mdb_drums").glob("*_MIX.beats")):
        name = path.name.removesuffix("_MIX.beats")
        audio = path.with_name(f"{name}_MIX.flac")
        if not audio.exists():
            audio = path.with_name(f"{name}_RAWSUM.flac")
        found.append(Example(audio, path, read_annotation(path)))
    excerpts = data / "beats_excerpts"
    for path in sorted(excerpts.glob("*.beats")):
        found.append(Example(path.with_suffix(".flac"), path, read_annotation(path)))
    trio = excerpts / "jtd_beats.csv"
    if trio.exists():
        rows = np.genfromtxt(trio, delimiter=",", skip_header=1, usecols=1)
        found.append(Example(excerpts / "jtd_mix.flac", trio, Events(np.sort(rows))))
    return found


def activations(networks: list[Any], cache: FeatureCache, example: Example) -> np.ndarray[Any, Any]:
    """Return the networks' mean output."""
    features = np.asarray(cache.load([example.audio])[0], np.float32)
    return np.mean([network.predict([features])[0] for network in networks], axis=0)


def found_events(mean: np.ndarray[Any, Any], model: str) -> Events:
    """Return the beats as ``ictus beats`` finds them, by its settings."""
    bars: dict[str, Any] = {}
    if model == "downbeats":
        bars = {"beats_per_bar": METERS, "bar_weights": bar_weights(METERS)}
    return decode(mean, model, threshold=THRESHOLD, **bars)


def measure(
    networks: list[Any], model: str, cache: FeatureCache, examples: list[Example]
) -> tuple[dict[str, Evaluation], list[str]]:
    """Return the scores of the networks' mean output on recordings, and what was missed."""
    pairs = {}
    for example in examples:
        mean = activations(networks, cache, example)
        pairs[example.name] = (example.events, found_events(mean, model))
    scores = {"beats": evaluate_all(pairs, "beats")}
    if model == "downbeats":
        numbered = {name: pair for name, pair in pairs.items() if pair[0].numbers is not None}
        scores["downbeats"] = evaluate_all(numbered, "downbeats")
    missed = []
    for name, (annotated, found) in pairs.items():
        score = scores["beats"].scores[name]["F"]
        if score < 0.9:
            example = next(e for e in examples if e.name == name)
            written = example.audio.with_suffix(".json")
            style = json.loads(written.read_text())["style"] if written.exists() else name
            tempi = [music.tempo_of_beats(events.times) for events in (annotated, found)]
            missed.append(f"{style} at {tempi[0]:.0f} (found {tempi[1]:.0f}, F {score:.2f})")
    return scores, missed


def librosa_beats(examples: list[Example]) -> Evaluation | None:
    """Return the scores of librosa's tracker, where librosa is installed."""
    try:
        import librosa
    except ImportError:
        return None
    pairs = {}
    for example in examples:
        signal, rate = librosa.load(example.audio, sr=22050)
        _, beats = librosa.beat.beat_track(y=signal, sr=rate, units="time")
        pairs[example.name] = (example.events, Events(beats))
    return evaluate_all(pairs, "beats")


def report(work: Path, data: Path | None) -> None:
    """Measure all trained models, put them into the package with their cards, write the page.

    What DIR has not is not measured; what was measured of the same network before is kept.
    """
    sets = {
        name: find_examples(work / kind) for kind, name in TESTS.items() if (work / kind).is_dir()
    }
    if data is not None:
        sets["real"] = real_recordings(data)
    place = RESULTS / "beat_models.json"
    results = json.loads(place.read_text()) if place.exists() else {}
    for model in SETTINGS:
        paths = sorted(work.glob(f"{model}-[0-9]*.ictus")) or [MODELS / f"{model}.ictus"]
        networks = [ictus.load(path) for path in paths]
        cache = feature_cache(work / "features", model)
        state = hashlib.sha256(b"".join(n.parameters.tobytes() for n in networks)).hexdigest()[:16]
        if results.get(model, {}).get("network") != state:
            results[model] = {"network": state, "sets": {}}
        measured = results[model]["sets"]
        for name, examples in sets.items():
            scores, missed = measure(networks, model, cache, examples)
            measured[name] = _kept(scores, name) | {"missed": missed}
        _publish(paths, model, measured)
        if model == "beats" and "real" in sets:
            picture(networks, model, cache, sets["real"][-6:], RESULTS / "beat_models.png")
    compared = results.setdefault("librosa", {"sets": {}})["sets"]
    for name, examples in sets.items():
        # The same files have the same scores: they are not computed again.
        kept = compared.get(name, {"beats": {"pieces": 0}})["beats"]["pieces"]
        if "replaced" not in name and kept != len(examples):
            evaluation = librosa_beats(examples)
            if evaluation is not None:
                compared[name] = _kept({"beats": evaluation}, name)
    place.write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "beat_models.md").write_text(page(results))


def _kept(scores: dict[str, Evaluation], name: str) -> dict[str, Any]:
    """What the page needs: means, and of real recordings the scores of each."""
    return {
        kind: {
            "pieces": len(evaluation.scores),
            "mean": evaluation.mean,
            "each": evaluation.scores if name == "real" else {},
        }
        for kind, evaluation in scores.items()
    }


def picture(
    networks: list[Any], model: str, cache: FeatureCache, examples: list[Example], path: Path
) -> None:
    """Draw ten seconds of activations with annotated and found beats."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(examples), 1, figsize=(9, 1.6 * len(examples)), squeeze=False)
    for axis, example in zip(axes[:, 0], examples, strict=True):
        mean = activations(networks, cache, example)
        seconds = len(mean) / frame_rate(model)
        begin, end = (5.0, min(15.0, seconds)) if seconds > 10 else (0.0, seconds)
        times = np.arange(len(mean)) / frame_rate(model)
        shown = (times >= begin) & (times <= end)
        axis.vlines(example.events.times, 0, 1, color="0.8", lw=3, label="annotated")
        axis.plot(times[shown], mean[shown, 0], color="C0", lw=1, label="activation")
        found = decode(mean, model, threshold=THRESHOLD).times
        axis.plot(found, np.full(len(found), 1.05), "v", color="C3", ms=4, label="found")
        axis.set(xlim=(begin, end), ylim=(0, 1.15), title=example.name, yticks=[0, 1])
        axis.title.set_fontsize(8)
    axes[0, 0].legend(loc="upper right", fontsize=7, ncols=3)
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def _publish(paths: list[Path], model: str, results: dict[str, dict[str, Any]]) -> None:
    """Put the first network into the package, its scores in its card."""
    card = ictus.read_card(paths[0])["card"]
    metrics = {
        f"{name} {kind}, {measure}": round(value, 4)
        for name, scores in results.items()
        for kind in ("beats", "downbeats")
        for measure, value in scores.get(kind, {"mean": {}})["mean"].items()
        if measure in ("F", "CMLt", "AMLt")
    }
    card["metrics"] = card["metrics"] | metrics
    card["provenance"] = COMMANDS[model]
    MODELS.mkdir(parents=True, exist_ok=True)
    ictus.save(MODELS / f"{model}.ictus", ictus.load(paths[0]), card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["corpus", "train", "report"])
    parser.add_argument("model", nargs="?", choices=list(SETTINGS), default="beats")
    parser.add_argument("--work", type=Path, default=Path("beat-models"))
    for kind, count in COUNTS.items():
        parser.add_argument(f"--{kind}", type=int, default=count, help=f"pieces; default: {count}")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--start", type=Path, help="a model file; training begins with its weights")
    parser.add_argument("--learning-rate", type=float, default=0.004, help="it falls linearly")
    options = parser.parse_args()
    if options.step == "corpus":
        counts = {kind: getattr(options, kind) for kind in COUNTS}
        make_corpus(options.work, counts, options.jobs)
    elif options.step == "train":
        chosen = (options.work, options.model, options.epochs, options.seed, options.jobs)
        train(*chosen, options.start, options.learning_rate)
    else:
        data = os.environ.get("ICTUS_DATA")
        report(options.work, Path(data) if data else None)


if __name__ == "__main__":
    main()
