"""What the trainings of ``ictus train beats|onsets|boundaries`` share: folds, scores, cards."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.interrupted import SENTENCE, STATUS
from ictus.cli.processes import communicator

FOLDER = """\
DIR has recordings (.wav, .flac, .ogg, .mp3) and beside each an annotation with the same name:
NAME.{kind} or NAME.txt (a time a line, in seconds{more}), NAME.jams, NAME.csv (Sonic Visualiser),
NAME.json or NAME.mid.
"""


@dataclass(frozen=True)
class Task:
    """What is trained.

    Attributes
    ----------
    kind : str
        Of the annotations: "beats", "onsets", "segments".
    settings : callable
        Makes the settings from the options.
    train : callable
        Returns the function that trains (a thunk: imports are late).
    activations : callable, optional
        ``activations(network, features, model)`` runs a network over a recording.
    measures : callable
        ``measures(model)`` returns pairs of a kind of evaluation and the prefix of its scores.
    name : str, optional
        Of what is trained, where it is not what is annotated.
    find : callable, optional
        ``find(trained, example)`` returns the events of a recording, where activations and their
        decoding are not all that is needed.
    facts : callable, optional
        ``facts(trained)`` returns what the card must say beside scores.
    """

    kind: str
    settings: Callable[[argparse.Namespace], Any]
    train: Callable[[], Callable[..., Any]]
    activations: Callable[[Any, Any, str], Any] | None
    measures: Callable[[str], list[tuple[str, str]]]
    name: str = ""
    find: Callable[[Any, Any], Any] | None = None
    facts: Callable[[Any], dict[str, Any]] = lambda trained: {}


def add_folder(parser: argparse.ArgumentParser, task: Task) -> None:
    """Add the folder, its annotations and where the model goes."""
    parser.set_defaults(run=run, task=task)
    add = parser.add_argument
    add("folder", metavar="DIR", help="recordings and annotations; see below")
    add("--annotations", metavar="DIR", help="folder of the annotations; default: DIR")
    name = f"{task.name or task.kind}.ictus"
    add("--output", metavar="FILE", default=name, help=f"default: {name}")


def add_training(group: Any, *, epochs: int, batch_size: int, learning_rate: float) -> None:
    """Add settings that all trainings have."""
    add = group.add_argument
    add("--epochs", type=allowed.positive_integer, default=epochs, metavar="N")
    add("--batch-size", type=allowed.positive_integer, default=batch_size, metavar="N")
    add("--learning-rate", type=allowed.positive, default=learning_rate, metavar="X")
    for name, kind, meaning in (
        ("--speeds", allowed.positive, "speeds: tempo and pitch change"),
        ("--tempi", allowed.positive, "tempi (factors), with the same pitch"),
        ("--semitones", float, "pitches (semitones up or down), with the same tempo"),
    ):
        add(
            name,
            type=kind,
            nargs="+",
            default=[],
            metavar="X",
            help=f"also play at these {meaning}",
        )
    add(
        "--no-augment",
        action="store_true",
        help="do not change loudness, timbre and noise of the training material",
    )
    add("--validation", type=allowed.probability, default=0.1, metavar="X")
    add("--early-stopping", type=allowed.positive_integer, metavar="EPOCHS")
    add("--seed", type=allowed.seed, default=0, metavar="N")


def add_work(parser: argparse.ArgumentParser) -> None:
    """Add folds, checkpoints, cache and processes."""
    add = parser.add_argument
    add("--folds", type=allowed.positive_integer, metavar="N", help="cross-validation; N models")
    add("--checkpoint", metavar="DIR", help="training goes on from what is in this folder")
    add("--cache", metavar="DIR", help="folder of the features; default: DIR/.ictus-features")
    add("--jobs", type=int, default=1, metavar="N", help="processes for the features; -1: all")
    add("--licence", default="", metavar="TEXT", help="of the model, for its card")
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")
    add("--json", action="store_true", help="print the result as JSON")
    add("--quiet", action="store_true", help="no progress bar")


def shared_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of :func:`add_training` as the classes of settings take them."""
    return {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "speeds": tuple(options.speeds),
        "tempi": tuple(options.tempi),
        "semitones": tuple(options.semitones),
        "augment": not options.no_augment,
        "early_stopping": options.early_stopping,
        "validation": options.validation,
        "seed": options.seed,
    }


def run(options: argparse.Namespace) -> int:
    """Train, measure on what was held out, write model files."""
    from ictus.music.training import find_examples, folds

    allowed.check_output(options.output, "--output")
    comm = communicator()
    speaks = comm is None or comm.Get_rank() == 0
    kind = options.task.kind
    examples = find_examples(options.folder, kind, annotations=options.annotations)
    if speaks and not options.json:
        seconds = sum(float(e.events.times[-1]) for e in examples if len(e.events))
        print(f"{len(examples)} recordings, {seconds / 60:.1f} minutes with {kind}", flush=True)
    target = Path(options.output)
    results = []
    if options.folds is None:
        results.append(_train(options, examples, [], target, "all", comm))
    else:
        for number, (training, test) in enumerate(
            folds(len(examples), options.folds, options.seed)
        ):
            results.append(
                _train(
                    options,
                    [examples[i] for i in training],
                    [examples[i] for i in test],
                    target.with_stem(f"{target.stem}-{number + 1}"),
                    f"fold{number + 1}",
                    comm,
                )
            )
            if results[-1]["stopped"] == "interrupted":
                break
    interrupted = results[-1]["stopped"] == "interrupted"
    summary: dict[str, Any] = {"models": results}
    scores = [r["scores"] for r in results if r["scores"]]
    if len(scores) > 1:
        summary["mean"] = {n: float(np.mean([s[n] for s in scores])) for n in scores[0]}
    if speaks:
        print(json.dumps(summary) if options.json else _text(summary))
    if interrupted and speaks:
        print(SENTENCE, file=sys.stderr)
    return STATUS if interrupted else 0


def _start(path: str, model: str, kind: str) -> Any:
    """The network of a model file, or of the model of ictus."""
    from ictus.music.networks import load_networks, model_path

    return load_networks([model_path(model) if path == "ictus" else path], kind)[0]


def _train(
    options: argparse.Namespace, examples: Any, test: Any, output: Path, name: str, comm: Any
) -> dict[str, Any]:
    """Train one model, write it, and return what there is to say about it."""
    from ictus.io.model_file import save
    from ictus.music.training.material import augmentation, feature_cache, frame_rate

    task: Task = options.task
    settings = task.settings(options)
    folder = options.cache or Path(options.folder) / ".ictus-features"
    cache = feature_cache(folder, options.model, jobs=options.jobs, comm=comm)
    checkpoint = None
    if options.checkpoint:
        Path(options.checkpoint).mkdir(parents=True, exist_ok=True)
        checkpoint = Path(options.checkpoint) / f"{options.model}-{name}.checkpoint"
    begin = getattr(options, "start", None)
    further = {} if begin is None else {"start": _start(begin, options.model, task.kind)}
    started = time.perf_counter()
    trained = task.train()(
        examples,
        cache,
        settings,
        rate=frame_rate(options.model),
        augmentation=augmentation(options.model, noise=0.3),
        checkpoint=checkpoint,
        progress=False if options.quiet or options.json else None,
        comm=comm,
        **further,
    )
    kept = test or [e for e in examples if e.name in set(trained.validation)]
    interrupted = trained.history.stopped == "interrupted"  # nobody wants to wait then
    scores = {} if interrupted else _measure(trained, kept, cache, options)
    card = {
        "name": f"ictus {options.model}",
        "licence": options.licence,
        "training_data": f"{len(trained.training)} recordings of {Path(options.folder).name}",
        "provenance": f"ictus train {task.name or task.kind} --model {options.model} "
        f"--seed {options.seed}",
        "metrics": task.facts(trained)
        | {f"{'test' if test else 'validation'}_{k}": v for k, v in scores.items()},
    }
    if comm is None or comm.Get_rank() == 0:
        save(output, trained.network, card)
    return {
        "model": str(output),
        "epochs": len(trained.history["loss"]) if "loss" in trained.history else 0,
        "seconds": round(time.perf_counter() - started, 1),
        "stopped": trained.history.stopped,
        "recordings": len(trained.training),
        "measured_on": [e.name for e in kept],
        "scores": scores,
    }


def _measure(
    trained: Any, examples: Any, cache: Any, options: argparse.Namespace
) -> dict[str, float]:
    """Mean scores of what is found; none where mir_eval is not installed."""
    from ictus.music.evaluation import evaluate_all

    if not examples:
        return {}
    task, model = options.task, options.model
    if task.find is not None:
        found = [task.find(trained, example) for example in examples]
    else:
        found = _decoded(trained.network, examples, cache, options)
    pairs = {e.name: (e.events, events) for e, events in zip(examples, found, strict=True)}
    result: dict[str, float] = {}
    try:
        for kind, prefix in task.measures(model):
            result |= {f"{prefix}_{k}": v for k, v in evaluate_all(pairs, kind).mean.items()}
    except ImportError:
        return {}
    return {name: round(value, 4) for name, value in result.items()}


def _decoded(network: Any, examples: Any, cache: Any, options: argparse.Namespace) -> list[Any]:
    from ictus.music.training.material import decode

    found = []
    for features in cache.load([example.audio for example in examples]):
        activation = options.task.activations(
            network, np.asarray(features, np.float32), options.model
        )
        found.append(decode(activation, options.model))
    return found


def _text(summary: dict[str, Any]) -> str:
    lines = []
    for result in summary["models"]:
        lines.append(
            f"{result['epochs']} epochs in {result['seconds']} s ({result['stopped']}), "
            f"model written to {result['model']}"
        )
        if result["scores"]:
            shown = ", ".join(f"{k} {v:.3f}" for k, v in result["scores"].items())
            lines.append(f"  on {len(result['measured_on'])} recordings held out: {shown}")
    if "mean" in summary:
        shown = ", ".join(f"{k} {v:.3f}" for k, v in summary["mean"].items())
        lines.append(f"mean of the folds: {shown}")
    return "\n".join(lines)
