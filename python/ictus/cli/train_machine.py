"""``ictus train --model rbm``: a Boltzmann machine on data without targets, with pictures."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli.data import Table, load_table
from ictus.cli.interrupted import save_interrupted
from ictus.cli.standardize import Scaling, fold_into_machine

#: What ``--model`` may be, beside a network, and the estimator's name.
MACHINES = {"rbm": "BernoulliRBM", "gaussian-rbm": "GaussianRBM", "softmax-rbm": "SoftmaxRBM"}

#: Options that only a network has.
NETWORK_OPTIONS = (
    "dropout", "input_dropout", "optimizer", "max_norm", "damping", "curvature_examples",
)  # fmt: skip

#: Gibbs steps of the fantasies in a picture.
PICTURE_STEPS = 2000


def load_examples(options: argparse.Namespace) -> Table:
    """The data of a command for machines: its targets, where there are some, play no part."""
    table = load_table(options.data, options.targets, need_targets=False)
    if getattr(options, "all_columns", False) and table.y is not None:
        if table.y.dtype.kind not in "fiub":
            raise ValueError(f"{options.data}: the last column must be numbers to be a feature")
        table.x = np.column_stack([table.x, table.y])
    return table


def split(table: Table, options: argparse.Namespace) -> tuple[Any, Any]:
    """Training examples and others."""
    if options.test is not None:
        other = load_table(options.test, need_targets=False).x
        if other.shape[1] != table.x.shape[1]:
            raise ValueError(
                f"{options.test} must have {table.x.shape[1]} features like {options.data}, "
                f"got {other.shape[1]}"
            )
        return table.x, other
    if table.test is not None:
        return table.x, table.test[0]
    if len(table.x) < 10:
        raise ValueError(
            f"at least 10 examples are needed to hold out a test set, got {len(table.x)}"
        )
    order = np.random.Generator(np.random.PCG64(options.seed)).permutation(len(table.x))
    return table.x[order[len(order) // 5 :]], table.x[order[: len(order) // 5]]


def _make_model(options: argparse.Namespace, kind: str) -> Any:
    from ictus import models

    for name in NETWORK_OPTIONS:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for networks, not for a {kind}")
    hidden = options.hidden or [200]
    if len(hidden) != 1:
        raise ValueError(f"--hidden must be one number for a {kind}, got {len(hidden)}")
    more: dict[str, Any] = {}
    if kind == "rbm":
        more = {"draws": "counter", "initialize_biases": True}
    elif kind == "gaussian-rbm":
        more = {"learn_variance": options.learn_variance}
    else:
        more = {"n_categories": options.categories}
    rate = 0.001 if kind == "gaussian-rbm" else 0.05
    persistent = options.persistent
    if persistent is None:
        persistent = kind != "gaussian-rbm"
    # Persistent chains must keep up with the machine: small steps, and ever smaller ones.
    momentum = 0.0 if persistent and options.momentum is None else options.momentum
    decay = options.learning_rate_decay or (0.9 if persistent else 1.0)
    return getattr(models, MACHINES[kind])(
        hidden[0],
        learning_rate=options.learning_rate or rate,
        learning_rate_decay=decay,
        momentum=momentum,
        batch_size=options.batch_size,
        n_iter=20 if options.epochs is None else options.epochs,
        k=options.gibbs_steps,
        persistent=persistent,
        hidden_type=options.hidden_type,
        l1=options.l1,
        l2=options.l2,
        sparsity_target=options.sparsity_target,
        sparsity_cost=options.sparsity_cost,
        early_stopping=options.early_stopping,
        patience=options.patience,
        shuffle=True,
        dtype="float32",
        random_state=options.seed,
        progress=False if options.quiet or options.json else None,
        checkpoint=options.checkpoint,
        **more,
    )


def run(options: argparse.Namespace, kind: str) -> int:
    """Train, write the model file and pictures, and report errors of reconstruction."""
    from ictus.io.model_file import save

    table = load_examples(options)
    x, x_test = (each.astype(np.float32, copy=False) for each in split(table, options))
    model = _make_model(options, kind)
    if not options.json:
        print(
            f"{kind} on {table.name}: {len(x)} training examples, {x.shape[1]} features, "
            f"{model.n_components} hidden units",
            flush=True,
        )
    started = time.perf_counter()
    update = _fit(model, x, standardize=kind == "gaussian-rbm" and options.standardize is not False)
    history = model.history_
    result: dict[str, Any] = {
        "data": table.name,
        "epochs": history.epochs,
        "seconds": round(time.perf_counter() - started, 2),
        "stopped": history.stopped,
    }
    provenance = f"ictus train {options.data} --model {kind}"
    if history.interrupted:
        return save_interrupted(options, model, result, provenance)
    result |= _measure(model, x, x_test) | {"model": options.output}
    card = {
        "training_data": table.name,
        "provenance": provenance,
        "metrics": {k: v for k, v in result.items() if k.startswith("test_")},
    }
    save(options.output, model, card)
    if options.plot:
        result["plots"] = _plot(options.plot, model, update, table, x_test)
    print(json.dumps(result) if options.json else _sentence(result))
    return 0


def _fit(model: Any, x: Any, *, standardize: bool) -> Any:
    """Train; return the last update of the weights."""
    scaling = Scaling.of(x) if standardize else None
    model.fit(x if scaling is None else scaling.apply(x))
    update = model.weight_update_
    if scaling is not None:
        model.rbm_ = fold_into_machine(model.rbm_, scaling)
    return update


def _measure(model: Any, x: Any, x_test: Any) -> dict[str, float]:
    """Errors of reconstruction (mean square, or share of wrong categories), and scores."""
    seen = x[: len(x_test)]
    found = np.asarray(model.reconstruct(x_test), np.float64)
    if hasattr(model, "n_categories_"):  # the share of wrong categories
        common = [np.bincount(column.astype(np.int64)).argmax() for column in x.T]
        error, spread = (found != x_test).mean(), (x_test != common).mean()
    else:
        error = np.square(found - x_test).mean()
        spread = np.square(x.mean(axis=0, dtype=np.float64) - x_test).mean()
    scores = [float(model.score_samples(each).mean()) for each in (seen, x_test)]
    name = model.score_name.replace(" ", "_").replace("-", "_")
    return {
        "test_examples": len(x_test),
        "test_reconstruction_error": float(error),
        "test_error_of_a_constant": float(spread),
        f"training_{name}": scores[0],
        f"test_{name}": scores[1],
    }


def _sentence(result: dict[str, Any]) -> str:
    name = next(k for k in result if k.startswith("training_"))[len("training_") :]
    lines = [
        f"{result['epochs']} epochs in {result['seconds']} s ({result['stopped']})",
        f"error of reconstruction {result['test_reconstruction_error']:.4g} on "
        f"{result['test_examples']} test examples (of the best constant: "
        f"{result['test_error_of_a_constant']:.4g})",
        f"{name.replace('_', ' ')}: test {result[f'test_{name}']:.2f}, "
        f"training {result[f'training_{name}']:.2f}",
        f"model written to {result['model']}",
    ]
    if "plots" in result:
        lines.append(f"pictures written to {', '.join(result['plots'])}")
    return "\n".join(lines)


def _plot(path: str, model: Any, update: Any, table: Table, x_test: Any) -> list[str]:
    """Write the learning curve and histograms; of images also filters, samples, reconstructions."""
    from ictus import plot

    history = model.history_
    figures = {
        "": plot.curves(
            {"reconstruction": history["reconstruction_error"]},
            title="Learning curve",
            y="mean squared error",
        ),
        "-updates": plot.update_histograms(model.components_.T, update),
    }
    if "free_energy_gap" in history:
        figures["-gap"] = plot.free_energy_gap(history)
    shape = table.image_shape
    if shape is not None and shape[0] * shape[1] == model.rbm_.visible_units:
        figures["-filters"] = plot.weight_images(model.components_.T, shape)
        figures["-reconstructions"] = comparison(model, x_test[:30], shape)
        figures["-samples"] = fantasies(model, 50, PICTURE_STEPS, shape)
    target = Path(path)
    names = [str(target.with_stem(target.stem + ending)) for ending in figures]
    for name, figure in zip(names, figures.values(), strict=True):
        figure.savefig(name, dpi=150)
    return names


def comparison(model: Any, x: Any, shape: tuple[int, int]) -> Any:
    """Draw examples, their reconstructions, and their lower halves completed from the upper."""
    from ictus import plot

    known = np.zeros(shape, bool)
    known[: shape[0] // 2] = True
    given = np.where(known.ravel(), x, np.nan).astype(np.float32)
    rows = {
        "given": x[:10],
        "reconstructed": model.reconstruct(x[:10]),
        "upper half": given[:10],
        "completed": model.complete(given[:10]),
    }
    return plot.image_rows(rows, shape, title="Test examples")


def fantasies(model: Any, count: int, steps: int, shape: tuple[int, int]) -> Any:
    """Draw samples: the means of the last step of chains from the visible biases."""
    from ictus import plot

    samples = model.sample(count, steps=steps, mean=True)
    return plot.image_rows({"samples": samples}, shape, title=f"After {steps} Gibbs steps")
