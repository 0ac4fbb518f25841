"""``ictus train``: a dense network or a Boltzmann machine on the user's arrays, or on digits."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli import train_autoencoder, train_convnet, train_deep, train_machine
from ictus.cli.data import Table, load_table
from ictus.cli.interrupted import save_interrupted
from ictus.cli.standardize import Scaling, fold_into
from ictus.cli.train_autoencoder import AUTOENCODERS, refuse_options
from ictus.cli.train_deep import DEEP
from ictus.cli.train_machine import MACHINES, load_examples
from ictus.cli.train_options import EPILOG, add_options


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a network, a Boltzmann machine or a deep belief net, write a model file",
        description="Trains a dense network or a restricted Boltzmann machine, measures it on\n"
        "other data, and writes a model file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add_options(parser)


# What "digits" and "mnist" use where the user says nothing else: dropout and max-norm of
# Srivastava et al. 2014, in a size that trains in two minutes on two processors.
DIGIT_DEFAULTS = {
    "MNIST": {"hidden": [400, 400], "epochs": 12},
    "digits 8 x 8": {"hidden": [200, 200], "epochs": 60},
}


def _with_defaults(options: argparse.Namespace, table: Table) -> None:
    digits = DIGIT_DEFAULTS.get(table.name)
    if options.model == "convnet":
        digits = digits and {"hidden": [100], "epochs": 12 if table.name == "MNIST" else 60}
    defaults: dict[str, Any] = {
        "hidden": [100],
        "epochs": 100,
        "dropout": 0.0,
        "input_dropout": 0.0,
        "learning_rate_decay": 1.0,
        "optimizer": "adam",
        "momentum": 0.9,
        "activation": "relu",
    }
    if digits and options.optimizer == "hessian-free":
        defaults |= {"hidden": digits["hidden"]}
    elif digits:
        defaults |= {"dropout": 0.5, "input_dropout": 0.2, "learning_rate_decay": 0.9}
        defaults |= {"max_norm": 3.5, "optimizer": "sgd", **digits}
    if options.model == "convnet":
        defaults |= {"input_dropout": 0.0, "learning_rate": 0.05 if digits else None}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def _is_classification(task: str, y: Any) -> bool:
    """Whether the targets are classes, or one or more labels that each example has or has not."""
    if task != "auto":
        return task == "classification"
    y = np.asarray(y)
    if y.ndim == 2:
        return y.dtype.kind in "iub" and bool(np.isin(y, (0, 1)).all())
    whole = y.dtype.kind in "iubUSO" or bool(np.all(y == np.round(y)))
    return whole and len(np.unique(y)) <= max(2, min(100, len(y) // 4))


def _split(table: Table, options: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """Training and test examples and targets."""
    if options.test is not None:
        other = load_table(options.test, options.test_targets)
        if other.x.shape[1] != table.x.shape[1]:
            raise ValueError(
                f"{options.test} must have {table.x.shape[1]} features like {options.data}, "
                f"got {other.x.shape[1]}"
            )
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


def _standardizes(options: argparse.Namespace, table: Table) -> bool:
    if options.model == "convnet":
        return False
    chosen: bool | None = options.standardize
    return table.image_shape is None if chosen is None else chosen


def _fit(model: Any, x: Any, y: Any, *, standardize: bool, classification: bool) -> None:
    if not standardize:
        model.fit(x.astype(np.float32, copy=False), y)
        return
    features = Scaling.of(x)
    targets = None if classification else Scaling.of(y)
    model.fit(features.apply(x), y if targets is None else targets.apply(y))
    fold_into(model.network_, features, targets)


def _check_targets(y: Any, classification: bool, name: str) -> None:
    if not classification and y.dtype.kind not in "fiub":
        raise ValueError(f"{name}: targets of a regression must be numbers, got {str(y.flat[0])!r}")
    whole = y.dtype.kind != "f" or bool(np.all(y == np.round(y)))
    if classification and not whole:
        raise ValueError(
            f"{name}: classes must be text or whole numbers, got {y[y != y.round()][0]}"
        )


def _make_model(options: argparse.Namespace, classification: bool, kind: str, table: Table) -> Any:
    from ictus import models

    cls: Any
    if kind == "convnet":
        cls = models.ConvNetClassifier if classification else models.ConvNetRegressor
        more = train_convnet.arguments(options, table)
    else:
        cls = models.MLPClassifier if classification else models.MLPRegressor
        more = {
            "input_dropout": options.input_dropout,
            "pretrain": options.pretrain,
            "pretraining_epochs": train_autoencoder.pretraining_epochs(options),
        }
    return cls(
        hidden_units=tuple(options.hidden),
        activation=options.activation,
        dropout=options.dropout,
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
        optimizer_options=train_autoencoder.optimizer_options(options),
        **more,
    )


def check_outputs(options: argparse.Namespace) -> str:
    """Settle what is trained and where it goes; raise where a file could not be written."""
    kind, option = options.model, "--output"
    kinds = ("network", "convnet", *MACHINES, *DEEP, *AUTOENCODERS)
    if kind not in kinds:
        if options.output is not None:
            known = ", ".join(kinds)
            raise ValueError(f"--model must be one of {known} beside --output, got {kind}")
        kind, options.output, option = "network", options.model, "--model"
    options.output = options.output or "model.ictus"
    allowed.check_output(options.output, option)
    for name in ("plot", "checkpoint"):
        allowed.check_output(getattr(options, name), f"--{name}")
    if options.plot:
        from ictus import plot

        plot.check_format(options.plot)
    return str(kind)


def run(options: argparse.Namespace) -> int:
    """Train, write the model file, and report the test error."""
    from ictus.cli.measure import measure
    from ictus.io.model_file import save

    kind = check_outputs(options)
    train_convnet.refuse_options(options, kind)
    if kind in AUTOENCODERS:
        return train_autoencoder.run(options, kind)
    refuse_options(options, "network" if kind == "convnet" else kind)
    if kind in MACHINES:
        return train_machine.run(options, kind)
    if kind in DEEP:
        return _run_deep(options)
    table = load_table(options.data, options.targets)
    _with_defaults(options, table)
    classification = _is_classification(options.task, table.y)
    _check_targets(table.y, classification, options.targets or options.data)
    x, y, x_test, y_test = _split(table, options)
    if classification and y.dtype.kind == "f":
        y = y.astype(np.int64)
    model = _make_model(options, classification, kind, table)
    if not options.json:
        task = "classification" if classification else "regression"
        maps = [f"{n} maps" for n in getattr(model, "filters", ())]
        shape = "-".join(map(str, [x.shape[1], *maps, *options.hidden]))
        print(f"{task} on {table.name}: {len(x)} training examples, network {shape}", flush=True)
    started = time.perf_counter()
    _fit(model, x, y, standardize=_standardizes(options, table), classification=classification)
    result: dict[str, Any] = {
        "data": table.name,
        "epochs": model.n_iter_,
        "seconds": round(time.perf_counter() - started, 2),
        "training_loss": model.loss_,
        "stopped": model.history_.stopped,
    }
    provenance = f"ictus train {options.data}"
    if model.history_.interrupted:
        return save_interrupted(options, model, result, provenance)
    result |= measure(model, x_test, y_test, prefix="test_") | {"model": options.output}
    card = {
        "training_data": table.name,
        "provenance": provenance,
        "metrics": {k: v for k, v in result.items() if k.startswith("test_")},
    }
    save(options.output, model, card)
    if options.plot:
        _plot(options.plot, model, table, x_test, y_test, classification)
        result["plot"] = options.plot
    print(json.dumps(result) if options.json else _sentence(result))
    return 0


def _run_deep(options: argparse.Namespace) -> int:
    """A deep belief net: a classifier where there are targets."""
    table = load_examples(options)
    if options.all_columns:
        table.y = None
    if table.y is None:
        x, x_test = train_machine.split(table, options)
        return train_deep.run(options, table, (x, None, x_test, None))
    if options.task == "regression" or not _is_classification(options.task, table.y):
        raise ValueError(
            f"{options.targets or options.data}: targets of a dbn must be classes; --all-columns "
            "takes the last column of a .csv file as a feature"
        )
    _check_targets(table.y, True, options.targets or options.data)
    if table.y.ndim != 1:
        raise ValueError(f"targets of a dbn must have shape (rows,), got {table.y.shape}")
    x, y, x_test, y_test = _split(table, options)
    if y.dtype.kind == "f":
        y, y_test = y.astype(np.int64), y_test.astype(np.int64)
    return train_deep.run(options, table, (x, y, x_test, y_test))


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
        first = model.network_.layer_views[0][0] if hasattr(model, "filters") else None
        weights = model.network_.weight_matrices[0]
        shape = table.image_shape if first is None else first.shape[:2]
        figure = plot.weight_images(weights, shape)
        figure.savefig(target.with_stem(target.stem + "-filters"), dpi=150)
    if classification and len(model.classes_) <= 30 and not model.multilabel_:
        predicted = np.searchsorted(model.classes_, model.predict(x_test))
        truth = np.minimum(np.searchsorted(model.classes_, y_test), len(model.classes_) - 1)
        figure = plot.confusion_matrix(truth, predicted, list(model.classes_))
        figure.savefig(target.with_stem(target.stem + "-confusion"), dpi=150)
