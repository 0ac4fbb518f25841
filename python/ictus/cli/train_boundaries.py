"""``ictus train boundaries``: a boundary detector on a folder of recordings and annotations."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.processes import communicator

EPILOG = """\
DIR has recordings (.wav, .flac, .ogg, .mp3) and beside each an annotation with the same name:
NAME.segments, NAME.lab or NAME.txt (begin, end and label of a section a line), NAME.jams, NAME.csv
(Sonic Visualiser) or NAME.json. The labels are not used.

examples:
  ictus train boundaries my-songs --output mine.ictus
  ictus train boundaries my-songs --maps 32 64 --units 128 --second-pooling 1 1 --no-lag-matrix
  ictus segments song.flac --model mine.ictus
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train boundaries",
        help="train a detector of section boundaries on recordings with annotations",
        description="Trains a network that says at each frame how likely a boundary is.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("folder", metavar="DIR", help="recordings and annotations; see below")
    add("--annotations", metavar="DIR", help="folder of the annotations; default: DIR")
    add("--output", metavar="FILE", default="boundaries.ictus", help="default: boundaries.ictus")
    _add_training(parser.add_argument_group("training"))
    add("--folds", type=allowed.positive_integer, metavar="N", help="cross-validation; N models")
    add("--checkpoint", metavar="DIR", help="training goes on from what is in this folder")
    add("--cache", metavar="DIR", help="folder of the features; default: DIR/.ictus-features")
    add("--jobs", type=int, default=1, metavar="N", help="processes for the features; -1: all")
    add("--licence", default="", metavar="TEXT", help="of the model, for its card")
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")
    add("--json", action="store_true", help="print the result as JSON")
    add("--quiet", action="store_true", help="no progress bar")


def _add_training(group: Any) -> None:
    add = group.add_argument
    add(
        "--no-lag-matrix",
        action="store_true",
        help="see the spectrogram alone, not the self-similarity lag matrix",
    )
    add("--maps", type=allowed.positive_integer, nargs=2, default=[16, 32], metavar="N")
    add("--second-pooling", type=allowed.positive_integer, nargs=2, default=[1, 2], metavar="N")
    add("--units", type=allowed.positive_integer, default=64, metavar="N")
    add("--dropout", type=allowed.probability, default=0.5, metavar="X")
    add("--epochs", type=allowed.positive_integer, default=20, metavar="N")
    add(
        "--examples",
        type=allowed.positive_integer,
        default=16_384,
        metavar="N",
        help="frames drawn for an epoch; default: 16384",
    )
    add("--batch-size", type=allowed.positive_integer, default=64, metavar="N")
    add("--learning-rate", type=allowed.positive, default=0.001, metavar="X")
    add(
        "--smearing",
        type=allowed.positive,
        default=1.0,
        metavar="SECONDS",
        help="frames as near to a boundary are positive, too; default: 1",
    )
    for name, kind, meaning in (
        ("--speeds", allowed.positive, "speeds: tempo and pitch change"),
        ("--tempi", allowed.positive, "tempi (factors), with the same pitch"),
        ("--semitones", float, "pitches (semitones up or down), with the same tempo"),
    ):
        text = f"also play at these {meaning}"
        add(name, type=kind, nargs="+", default=[], metavar="X", help=text)
    add("--validation", type=allowed.probability, default=0.1, metavar="X")
    add("--seed", type=allowed.seed, default=0, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Train, measure on what was held out, write model files."""
    from ictus.music.training import find_examples, folds

    allowed.check_output(options.output, "--output")
    comm = communicator()
    speaks = comm is None or comm.Get_rank() == 0
    examples = find_examples(options.folder, "segments", annotations=options.annotations)
    if speaks and not options.json:
        print(f"{len(examples)} recordings", flush=True)
    target, results = Path(options.output), []
    if options.folds is None:
        results.append(_train(options, examples, [], target, "all", comm))
    else:
        parts = folds(len(examples), options.folds, options.seed)
        for number, (training, test) in enumerate(parts, 1):
            output = target.with_stem(f"{target.stem}-{number}")
            chosen, kept = ([examples[i] for i in part] for part in (training, test))
            results.append(_train(options, chosen, kept, output, f"fold{number}", comm))
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
        print("ictus: interrupted; the model so far is saved", file=sys.stderr)
    return 130 if interrupted else 0


def _train(
    options: argparse.Namespace, examples: Any, test: Any, output: Path, name: str, comm: Any
) -> dict[str, Any]:
    """Train one model, write it, and return what there is to say about it."""
    from ictus.io.model_file import save
    from ictus.music.segmenter import BOUNDARY_THRESHOLD
    from ictus.music.training import BoundaryTraining, train_boundaries
    from ictus.music.training.material import feature_cache, frame_rate

    settings = BoundaryTraining(
        lag_matrix=not options.no_lag_matrix,
        maps=tuple(options.maps),
        second_pooling=tuple(options.second_pooling),
        **{
            key: getattr(options, key)
            for key in (
                "units", "dropout", "epochs", "examples", "batch_size", "learning_rate",
                "smearing", "validation", "seed",
            )
        },
        **{key: tuple(getattr(options, key)) for key in ("speeds", "tempi", "semitones")},
    )  # fmt: skip
    folder = options.cache or Path(options.folder) / ".ictus-features"
    cache = feature_cache(folder, "boundaries", jobs=options.jobs, comm=comm)
    checkpoint = None
    if options.checkpoint:
        Path(options.checkpoint).mkdir(parents=True, exist_ok=True)
        checkpoint = Path(options.checkpoint) / f"boundaries-{name}.checkpoint"
    started = time.perf_counter()
    trained = train_boundaries(
        examples,
        cache,
        settings,
        rate=frame_rate("boundaries"),
        checkpoint=checkpoint,
        progress=False if options.quiet or options.json else None,
        comm=comm,
    )
    threshold = BOUNDARY_THRESHOLD if trained.threshold is None else trained.threshold
    kept = test or [e for e in examples if e.name in set(trained.validation)]
    scores = _measure(trained.network, threshold, kept)
    card = {
        "name": "ictus boundaries",
        "licence": options.licence,
        "training_data": f"{len(trained.training)} recordings of {Path(options.folder).name}",
        "provenance": f"ictus train boundaries --seed {options.seed}",
        "metrics": {"threshold": threshold}
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
        "threshold": threshold,
        "scores": scores,
    }


def _measure(network: Any, threshold: float, examples: Any) -> dict[str, float]:
    """Mean scores of the sections found; none where mir_eval is not installed."""
    from ictus.music.evaluation import evaluate_all
    from ictus.music.segmenter import Segmenter

    if not examples:
        return {}
    segmenter = Segmenter([network], threshold=threshold)
    pairs = {e.name: (e.events, segmenter.segment(e.audio).events) for e in examples}
    try:
        means = evaluate_all(pairs, "segments").mean
    except ImportError:
        return {}
    return {name: round(value, 4) for name, value in means.items()}


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
