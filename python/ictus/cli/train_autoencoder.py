"""``ictus train --model autoencoder``: codes and reconstructions of data without targets."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli.data import Table
from ictus.cli.interrupted import save_interrupted
from ictus.cli.standardize import Scaling, fold_into
from ictus.cli.train_machine import load_examples, split

#: What ``--model`` may be, and the noise that training has where no other is asked for.
AUTOENCODERS: dict[str, str | None] = {"autoencoder": None, "denoising-autoencoder": "masking"}

#: Options that only an autoencoder has, and the value of one that is not given.
OPTIONS = {
    "code_activation": None,
    "tied": False,
    "corruption": None,
    "corruption_level": None,
    "contraction": None,
    "code_noise": None,
}

#: Steps of the chains of samples in a picture.
PICTURE_STEPS = 100


def refuse_options(options: argparse.Namespace, kind: str) -> None:
    """Raise ValueError where an option of autoencoders is given for another model."""
    for name, absent in OPTIONS.items():
        if getattr(options, name) != absent:
            raise ValueError(f"--{name.replace('_', '-')} is for autoencoders, not for a {kind}")
    for name in ("activation", "pretrain", "pretraining_epochs"):
        if kind != "network" and getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for networks, not for a {kind}")


def pretraining_epochs(options: argparse.Namespace) -> int:
    """Return the epochs of each layer; ValueError where there is no pre-training."""
    if options.pretraining_epochs is None:
        return 10
    if options.pretrain is None:
        raise ValueError("--pretraining-epochs needs --pretrain")
    return int(options.pretraining_epochs)


def optimizer_options(options: argparse.Namespace) -> dict[str, Any] | None:
    """Return more arguments of the optimiser; ValueError where it takes none of them."""
    names = {"damping": "damping", "curvature_examples": "curvature_size"}
    given = {own: getattr(options, name) for name, own in names.items()}
    found = {name: value for name, value in given.items() if value is not None}
    if found and options.optimizer != "hessian-free":
        raise ValueError("--damping and --curvature-examples need --optimizer hessian-free")
    return found or None


def make_model(options: argparse.Namespace, kind: str) -> Any:
    """Return the estimator; ValueError for options that do not fit it or each other."""
    from ictus.models import Autoencoder
    from ictus.models._parameters import AUTOENCODER, check_parameters
    from ictus.models.autoencoders.autoencoder_layers import check_combination

    for name in ("dropout", "input_dropout"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for networks, not for a {kind}")
    if options.pretrain == "supervised":
        raise ValueError(f"--pretrain must be rbm or autoencoder for a {kind}, got supervised")
    corruption = AUTOENCODERS[kind] if options.corruption is None else options.corruption
    if options.corruption_level is not None and corruption is None:
        raise ValueError("--corruption-level needs --corruption or a denoising-autoencoder")
    epochs = 50 if options.epochs is None else options.epochs
    model = Autoencoder(
        tuple(options.hidden or [100]),
        options.activation or "sigmoid",
        code_activation=options.code_activation,
        tied=options.tied,
        corruption=corruption,
        corruption_level=0.3 if options.corruption_level is None else options.corruption_level,
        contraction=options.contraction or 0.0,
        sparsity_target=options.sparsity_target,
        sparsity_cost=options.sparsity_cost,
        code_noise=options.code_noise or 0.0,
        pretrain=options.pretrain,
        pretraining_epochs=pretraining_epochs(options),
        optimizer=options.optimizer or "adam",
        learning_rate=options.learning_rate,
        learning_rate_decay=options.learning_rate_decay or 1.0,
        momentum=0.9 if options.momentum is None else options.momentum,
        batch_size=options.batch_size,
        max_epochs=epochs,
        tol=0.0,
        patience=options.patience if options.early_stopping else max(epochs, 1),
        early_stopping=options.early_stopping,
        l1=options.l1,
        l2=options.l2,
        max_norm=options.max_norm,
        dtype="float32",
        random_state=options.seed,
        progress=False if options.quiet or options.json else None,
        checkpoint=options.checkpoint,
        optimizer_options=optimizer_options(options),
    )
    check_parameters(model, AUTOENCODER)
    check_combination(model)
    return model


def _standardizes(options: argparse.Namespace, x: Any, model: Any) -> bool:
    """Whether to train on standardised data and to fold that into the outer layers afterwards."""
    possible = not model.tied and model.corruption is None
    if options.standardize and not possible:
        raise ValueError("--standardize is not for tied weights or corruption: scale the data")
    if options.standardize is not None:
        return bool(options.standardize)
    return possible and not (x.min() >= 0 and x.max() <= 1)


def run(options: argparse.Namespace, kind: str) -> int:
    """Train, write the model file and pictures, and report errors of reconstruction."""
    from ictus.io.model_file import save

    model = make_model(options, kind)
    table = load_examples(options)
    x, x_test = (each.astype(np.float32, copy=False) for each in split(table, options))
    standardize = _standardizes(options, x, model)
    if not options.json:
        shape = "-".join(map(str, [x.shape[1], *model.hidden_units]))
        print(f"{kind} on {table.name}: {len(x)} training examples, encoder {shape}", flush=True)
    started = time.perf_counter()
    scaling = Scaling.of(x) if standardize else None
    model.fit(x if scaling is None else scaling.apply(x))
    if scaling is not None:
        fold_into(model.network_, scaling, scaling)
        model.measure(x)
    result: dict[str, Any] = {
        "data": table.name,
        "epochs": model.n_iter_,
        "seconds": round(time.perf_counter() - started, 2),
        "training_loss": model.loss_,
        "stopped": model.history_.stopped,
    }
    provenance = f"ictus train {options.data} --model {kind}"
    if model.history_.interrupted:
        return save_interrupted(options, model, result, provenance)
    result |= _measure(model, x, x_test) | {"model": options.output}
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


def _measure(model: Any, x: Any, x_test: Any) -> dict[str, float]:
    """Mean squared errors of a feature: of reconstruction, and of the training data's mean."""
    error = np.square(model.reconstruct(x_test) - x_test).mean(dtype=np.float64)
    spread = np.square(x.mean(axis=0, dtype=np.float64) - x_test).mean()
    return {
        "test_examples": len(x_test),
        "test_reconstruction_error": float(error),
        "test_error_of_a_constant": float(spread),
    }


def _sentence(result: dict[str, Any]) -> str:
    lines = [
        f"{result['epochs']} epochs in {result['seconds']} s ({result['stopped']})",
        f"error of reconstruction {result['test_reconstruction_error']:.4g} on "
        f"{result['test_examples']} test examples (of the best constant: "
        f"{result['test_error_of_a_constant']:.4g})",
        f"model written to {result['model']}",
    ]
    if "plots" in result:
        lines.append(f"pictures written to {', '.join(result['plots'])}")
    return "\n".join(lines)


def _plot(path: str, model: Any, table: Table, x_test: Any) -> list[str]:
    """Write the learning curve; codes of two units; of images, filters and reconstructions."""
    from ictus import plot

    figures = {"": plot.learning_curve(model.history_)}
    shape = table.image_shape
    if shape is not None and shape[0] * shape[1] == model.n_features_in_:
        figures["-filters"] = plot.weight_images(model.network_.weight_matrices[0], shape)
        figures["-reconstructions"] = comparison(model, x_test[:10], shape)
        if model.corruption is not None:
            samples = model.sample(50, steps=PICTURE_STEPS, mean=True)
            title = f"After {PICTURE_STEPS} steps of corruption and reconstruction"
            figures["-samples"] = plot.image_rows({"samples": samples}, shape, title=title)
    codes = model.transform(x_test)
    if codes.shape[1] == 2:
        labels = table.test[1] if table.test is not None else None
        figures["-codes"] = plot.code_map(codes, labels, title="Codes of test examples")
    target = Path(path)
    names = [str(target.with_stem(target.stem + ending)) for ending in figures]
    for name, figure in zip(names, figures.values(), strict=True):
        figure.savefig(name, dpi=150)
    return names


def comparison(model: Any, x: Any, shape: tuple[int, int]) -> Any:
    """Draw examples and reconstructions; corrupted ones too where training had corruption."""
    from ictus import kernels, plot

    rows = {"given": x, "reconstructed": model.reconstruct(x)}
    if model.corruption is not None:
        noise = {"low": model.low_, "high": model.high_, "seed": 1}
        rows["corrupted"] = kernels.corrupt(x, model.corruption, model.corruption_level, **noise)
        rows["denoised"] = model.denoise(rows["corrupted"])
    return plot.image_rows(rows, shape, title="Test examples")
