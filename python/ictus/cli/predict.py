"""``ictus predict``: the outputs of a model file for new data."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.data import load_table
from ictus.cli.onnx_files import OnnxPredictor, is_onnx
from ictus.cli.output import as_csv, write_table


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "predict",
        help="predict with a model file",
        description="Prints one prediction a line, or writes them to a .csv or .npy file.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", metavar="MODEL", help="model file written by ictus train, or an ONNX file"
    )
    parser.add_argument("data", metavar="DATA", help=".npz (array x), .npy, .csv (no targets), idx")
    parser.add_argument("--probabilities", action="store_true", help="of each class")
    parser.add_argument("--output", metavar="FILE", help=".csv or .npy file to write")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument(
        "--threads", type=allowed.thread_count, metavar="N", help="default: all processors"
    )


def load_estimator(path: str) -> Any:
    """Return the estimator of a model file; ValueError for a bare network."""
    from ictus.io.model_file import load

    if is_onnx(path):
        return OnnxPredictor(path)
    model = load(path)
    if not hasattr(model, "predict") or not hasattr(model, "n_features_in_"):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a classifier or regressor")
    return model


def examples(model: Any, data: str) -> Any:
    """Return the examples in a file; a .csv with one column too many has targets, left aside."""
    table = load_table(data, need_targets=False)
    x = table.x
    if (
        table.y is not None
        and x.shape[1] == model.n_features_in_ - 1
        and table.y.dtype.kind in "fi"
    ):
        x = np.column_stack([x, table.y])
    if x.shape[1] != model.n_features_in_:
        raise ValueError(
            f"{data} has {x.shape[1]} features, the model takes {model.n_features_in_}"
        )
    return x


def run(options: argparse.Namespace) -> int:
    """Predict and print or write."""
    from ictus.train.files import write_atomically

    allowed.check_output(options.output, "--output")
    model = load_estimator(options.model)
    x = examples(model, options.data)
    if options.probabilities and not hasattr(model, "predict_proba"):
        raise ValueError("only classifiers have probabilities")
    result = model.predict_proba(x) if options.probabilities else model.predict(x)
    if options.output and options.output.endswith(".npy"):
        write_table(options.output, result)
    elif options.json:
        print(json.dumps({"predictions": result.tolist()}))
    elif options.output:
        write_atomically(options.output, as_csv(result).encode())
    else:
        sys.stdout.write(as_csv(result))
    return 0
