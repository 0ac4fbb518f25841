"""``ictus train --model dbn``: a deep belief net, with or without targets, with pictures."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli.data import Table
from ictus.cli.interrupted import save_interrupted
from ictus.cli.standardize import Scaling, fold_into_deep
from ictus.cli.train_machine import comparison, fantasies

#: What ``--model`` may be, of deep generative nets.
DEEP = ("dbn",)

#: Gibbs steps of the samples in a picture.
PICTURE_STEPS = 1000


def check_options(options: argparse.Namespace, classes: bool) -> None:
    """Raise ValueError for options that a deep belief net does not have."""
    if options.optimizer not in (None, "sgd"):
        raise ValueError(f"--optimizer must be sgd for a dbn, got {options.optimizer}")
    if options.early_stopping:
        raise ValueError("--early-stopping is not for a dbn")
    if options.hidden_type != "bernoulli":
        raise ValueError(f"--hidden-type must be bernoulli for a dbn, got {options.hidden_type}")
    for name in ("dropout", "input_dropout", "max_norm"):
        if getattr(options, name) is not None and not (
            classes and options.fine_tune in (None, "backpropagation")
        ):
            raise ValueError(
                f"--{name.replace('_', '-')} is for backpropagation: with targets, and --fine-tune "
                "backpropagation"
            )
    if options.fine_tune == "backpropagation" and not classes:
        raise ValueError("--fine-tune backpropagation needs targets")


def _make_model(options: argparse.Namespace, classes: bool, visible_type: str) -> Any:
    from ictus.models import DBNClassifier, DeepBeliefNet

    fine_tune = options.fine_tune or ("backpropagation" if classes else "none")
    values: dict[str, Any] = {
        "visible_type": visible_type,
        "learning_rate": options.learning_rate,
        "learning_rate_decay": options.learning_rate_decay or 1.0,
        "momentum": options.momentum,
        "n_iter": 20 if options.epochs is None else options.epochs,
        "batch_size": options.batch_size,
        "k": options.gibbs_steps,
        "persistent": bool(options.persistent),
        "l1": options.l1,
        "l2": options.l2,
        "sparsity_target": options.sparsity_target,
        "sparsity_cost": options.sparsity_cost,
        "fine_tune": None if fine_tune == "none" else fine_tune,
        "fine_tune_epochs": 20 if options.fine_tune_epochs is None else options.fine_tune_epochs,
        "fine_tune_learning_rate": options.fine_tune_learning_rate,
        "dtype": "float32",
        "random_state": options.seed,
        "progress": False if options.quiet or options.json else None,
        "checkpoint": options.checkpoint,
    }
    hidden = tuple(options.hidden or (300, 300))
    if not classes:
        return DeepBeliefNet(hidden, **values)
    values |= {name: getattr(options, name) or 0.0 for name in ("dropout", "input_dropout")}
    return DBNClassifier(hidden, max_norm=options.max_norm, **values)


def run(options: argparse.Namespace, table: Table, data: tuple[Any, Any, Any, Any]) -> int:
    """Train, write the model file and pictures, and report errors.

    Parameters
    ----------
    options, table
    data : (x, y, x_test, y_test)
        The targets may be None.
    """
    from ictus.cli.measure import measure
    from ictus.io.model_file import save

    x, y, x_test, y_test = data
    x, x_test = (each.astype(np.float32, copy=False) for each in (x, x_test))
    classes = y is not None
    check_options(options, classes)
    scaling = None
    if options.standardize or (options.standardize is None and (x.min() < 0 or x.max() > 1)):
        scaling = Scaling.of(x)
    model = _make_model(options, classes, "bernoulli" if scaling is None else "gaussian")
    if not options.json:
        shape = "-".join(map(str, [x.shape[1], *model.hidden_units]))
        print(f"dbn on {table.name}: {len(x)} training examples, layers {shape}", flush=True)
    started = time.perf_counter()
    model.fit(x if scaling is None else scaling.apply(x), y)
    if scaling is not None:
        fold_into_deep(model, scaling)
    history = model.history_
    result: dict[str, Any] = {
        "data": table.name,
        "epochs": [each.epochs for each in model.histories_],
        "seconds": round(time.perf_counter() - started, 2),
        "stopped": history.stopped,
    }
    provenance = f"ictus train {options.data} --model dbn"
    if history.interrupted:
        return save_interrupted(options, model, result, provenance)
    result |= {
        "test_reconstruction_error": _error(model.reconstruct(x_test), x_test),
        "test_error_of_a_constant": _error(x.mean(axis=0, dtype=np.float64), x_test),
        **(measure(model, x_test, y_test, prefix="test_") if classes else {}),
        "model": options.output,
    }
    card = {
        "training_data": table.name,
        "provenance": provenance,
        "metrics": {k: v for k, v in result.items() if k.startswith("test_")},
    }
    save(options.output, model, card)
    if options.plot:
        result["plots"] = _plot(options.plot, model, table, x_test)
    print(json.dumps(result) if options.json else _sentence(result))
    return 0


def _error(found: Any, x: Any) -> float:
    return float(np.square(np.asarray(found, np.float64) - x).mean())


def _sentence(result: dict[str, Any]) -> str:
    epochs = " + ".join(map(str, result["epochs"]))
    lines = [
        f"{epochs} epochs in {result['seconds']} s ({result['stopped']})",
        f"error of reconstruction {result['test_reconstruction_error']:.4g} (of the best constant: "
        f"{result['test_error_of_a_constant']:.4g})",
    ]
    if "test_errors" in result:
        lines.append(
            f"test error {result['test_error_percent']:.2f} % "
            f"({result['test_errors']} of {result['test_examples']})"
        )
    lines.append(f"model written to {result['model']}")
    if "plots" in result:
        lines.append(f"pictures written to {', '.join(result['plots'])}")
    return "\n".join(lines)


def _plot(path: str, model: Any, table: Table, x_test: Any) -> list[str]:
    """Write learning curves; of images also filters, samples of each class, reconstructions."""
    from ictus import plot

    layers = {
        f"layer {number + 1}": history["reconstruction_error"]
        for number, history in enumerate(model.histories_)
        if "reconstruction_error" in history
    }
    figures = {"": plot.curves(layers, title="Layer by layer", y="mean squared error")}
    if "loss" in model.history_:
        figures["-fine-tuning"] = plot.learning_curve(model.history_, "Fine-tuning")
    shape = table.image_shape
    if shape is not None and shape[0] * shape[1] == model.n_features_in_:
        figures["-filters"] = plot.weight_images(model.components_.T, shape)
        figures["-reconstructions"] = comparison(model, x_test[:30], shape)
        figures["-samples"] = class_samples(model, PICTURE_STEPS, shape)
    target = Path(path)
    names = [str(target.with_stem(target.stem + ending)) for ending in figures]
    for name, figure in zip(names, figures.values(), strict=True):
        figure.savefig(name, dpi=150)
    return names


def class_samples(model: Any, steps: int, shape: tuple[int, int], count: int = 10) -> Any:
    """Draw samples, a row for each class where the model can be asked for one."""
    from ictus import plot

    if not getattr(getattr(model, "machine_", None), "labels", 0) or len(model.classes_) > 20:
        return fantasies(model, 50, steps, shape)
    labels = np.repeat(model.classes_, count)
    samples = model.sample(len(labels), steps=steps, mean=True, label=labels)
    rows = dict(zip(map(str, model.classes_), np.split(samples, len(model.classes_)), strict=True))
    return plot.image_rows(rows, shape, columns=count, title=f"After {steps} Gibbs steps")
