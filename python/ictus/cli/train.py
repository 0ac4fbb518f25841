"""``ictus train``: a dense network on the user's arrays, or on digits."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli.data import HELP, Table, load_table

EPILOG = f"""\
{HELP}

examples:
  ictus train digits --plot digits.png
  ictus train genres.npz --hidden 300 300 --dropout 0.5 --model genres.ictus
  ictus train tempo.csv --task regression --early-stopping
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a network and write a model file",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("data", metavar="DATA", help="what to train on; see below")
    parser.add_argument("--targets", metavar="FILE", help="file of the targets")
    parser.add_argument("--test", metavar="FILE", help="test data; else a part is held out")
    parser.add_argument("--test-targets", metavar="FILE", help="file of the test targets")
    parser.add_argument(
        "--model", metavar="FILE", default="model.ictus", help="model file to write"
    )
    parser.add_argument("--plot", metavar="PNG", help="picture of learning curve and filters")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--task", choices=["auto", "classification", "regression"], default="auto")
    _network_options(parser.add_argument_group("network"))
    _training_options(parser.add_argument_group("training"))


def _network_options(group: Any) -> None:
    group.add_argument("--hidden", type=int, nargs="+", metavar="N", help="hidden units per layer")
    group.add_argument(
        "--activation", choices=["relu", "sigmoid", "tanh", "softplus"], default="relu"
    )
    group.add_argument("--dropout", type=float, metavar="P", help="of hidden units")
    group.add_argument("--input-dropout", type=float, metavar="P", help="of inputs")


def _training_options(group: Any) -> None:
    group.add_argument("--optimizer", choices=["sgd", "adam", "rmsprop"], default="sgd")
    group.add_argument("--learning-rate", type=float, metavar="R")
    group.add_argument("--learning-rate-decay", type=float, metavar="F", help="factor per epoch")
    group.add_argument("--momentum", type=float, default=0.9)
    group.add_argument("--batch-size", type=int, default=100, metavar="N")
    group.add_argument("--epochs", type=int, metavar="N", help="the most passes over the data")
    group.add_argument("--max-norm", type=float, metavar="L", help="of incoming weights")
    group.add_argument("--l1", type=float, default=0.0)
    group.add_argument("--l2", type=float, default=0.0)
    group.add_argument("--early-stopping", action="store_true", help="on 10 %% held-out data")
    group.add_argument("--patience", type=int, default=10, metavar="N")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--threads", type=int, metavar="N", help="default: all processors")
    group.add_argument("--checkpoint", metavar="FILE", help="write it each epoch, go on from it")
    group.add_argument("--quiet", action="store_true", help="no progress bar")


# What "digits" and "mnist" use where the user says nothing else: dropout and max-norm of
# Srivastava et al. 2014, in a size that trains in two minutes on two processors.
DIGIT_DEFAULTS = {
    "MNIST": {"hidden": [400, 400], "epochs": 12},
    "digits 8 x 8": {"hidden": [200, 200], "epochs": 60},
}


def _with_defaults(options: argparse.Namespace, table: Table) -> None:
    digits = DIGIT_DEFAULTS.get(table.name)
    defaults: dict[str, Any] = {
        "hidden": [100],
        "epochs": 100,
        "dropout": 0.0,
        "input_dropout": 0.0,
        "learning_rate_decay": 1.0,
    }
    if digits:
        defaults |= {"dropout": 0.5, "input_dropout": 0.2, "learning_rate_decay": 0.9}
        defaults |= {"max_norm": 3.5, **digits}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def _is_classification(task: str, y: Any) -> bool:
    if task != "auto":
        return task == "classification"
    y = np.asarray(y)
    whole = y.dtype.kind in "iubUSO" or bool(np.all(y == np.round(y)))
    return y.ndim == 1 and whole and len(np.unique(y)) <= max(2, min(1000, len(y) // 2))


def _split(table: Table, options: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """Training and test examples and targets."""
    if options.test is not None:
        other = load_table(options.test, options.test_targets)
        return table.x, table.y, other.x, other.y
    if table.test is not None:
        return table.x, table.y, *table.test
    if len(table.x) < 10:
        raise ValueError(
            f"at least 10 examples are needed to hold out a test set, got {len(table.x)}"
        )
    order = np.random.Generator(np.random.PCG64(options.seed)).permutation(len(table.x))
    held_out, kept = order[: len(order) // 5], order[len(order) // 5 :]
    assert table.y is not None
    return table.x[kept], table.y[kept], table.x[held_out], table.y[held_out]


def _make_model(options: argparse.Namespace, classification: bool) -> Any:
    from ictus.models import MLPClassifier, MLPRegressor

    return (MLPClassifier if classification else MLPRegressor)(
        tuple(options.hidden),
        options.activation,
        dropout=options.dropout,
        input_dropout=options.input_dropout,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        learning_rate_decay=options.learning_rate_decay,
        momentum=options.momentum,
        batch_size=options.batch_size,
        max_epochs=options.epochs,
        tol=0.0,
        patience=options.patience if options.early_stopping else max(options.epochs, 1),
        early_stopping=options.early_stopping,
        l1=options.l1,
        l2=options.l2,
        max_norm=options.max_norm,
        dtype="float32",
        random_state=options.seed,
        progress=False if options.quiet or options.json else None,
        checkpoint=options.checkpoint,
    )


def run(options: argparse.Namespace) -> int:
    """Train, write the model file, and report the test error."""
    from ictus.cli.measure import measure
    from ictus.io.model_file import save

    if not Path(options.model).resolve().parent.is_dir():
        raise FileNotFoundError(f"no such folder for the model file: {options.model}")
    table = load_table(options.data, options.targets)
    _with_defaults(options, table)
    classification = _is_classification(options.task, table.y)
    x, y, x_test, y_test = _split(table, options)
    model = _make_model(options, classification)
    if not options.json:
        kind = "classification" if classification else "regression"
        shape = "-".join(map(str, [x.shape[1], *options.hidden]))
        print(f"{kind} on {table.name}: {len(x)} training examples, network {shape}", flush=True)
    started = time.perf_counter()
    model.fit(x, y)
    result: dict[str, Any] = {
        "data": table.name,
        "epochs": model.n_iter_,
        "seconds": round(time.perf_counter() - started, 2),
        "training_loss": model.loss_,
        "stopped": model.history_.stopped,
        **measure(model, x_test, y_test, prefix="test_"),
        "model": options.model,
    }
    card = {
        "training_data": table.name,
        "provenance": f"ictus train {options.data}",
        "metrics": {k: v for k, v in result.items() if k.startswith("test_")},
    }
    save(options.model, model, card)
    if options.plot:
        _plot(options.plot, model, table, x_test, y_test, classification)
        result["plot"] = options.plot
    print(json.dumps(result) if options.json else _sentence(result))
    if model.history_.interrupted:
        print("ictus: interrupted; the model so far is saved", file=sys.stderr)
        return 130
    return 0


def _sentence(result: dict[str, Any]) -> str:
    lines = [f"{result['epochs']} epochs in {result['seconds']} s ({result['stopped']})"]
    if "test_error_percent" in result:
        lines.append(
            f"test error {result['test_error_percent']:.2f} % "
            f"({result['test_errors']} of {result['test_examples']})"
        )
    else:
        lines.append(f"test R^2 {result['test_r2']:.4f}, RMS error {result['test_rms_error']:.4g}")
    lines.append(f"model written to {result['model']}")
    if "plot" in result:
        lines.append(f"picture written to {result['plot']}")
    return "\n".join(lines)


def _plot(
    path: str, model: Any, table: Table, x_test: Any, y_test: Any, classification: bool
) -> None:
    """Write the learning curve; beside it filters and confusion matrix, where they apply."""
    from ictus import plot

    target = Path(path)
    plot.learning_curve(model.history_).savefig(target, dpi=150)
    if table.image_shape is not None:
        weights = model.network_.weight_matrices[0]
        figure = plot.weight_images(weights, table.image_shape)
        figure.savefig(target.with_stem(target.stem + "-filters"), dpi=150)
    if classification and len(model.classes_) <= 30 and not model.multilabel_:
        predicted = np.searchsorted(model.classes_, model.predict(x_test))
        truth = np.minimum(np.searchsorted(model.classes_, y_test), len(model.classes_) - 1)
        figure = plot.confusion_matrix(truth, predicted, list(model.classes_))
        figure.savefig(target.with_stem(target.stem + "-confusion"), dpi=150)
