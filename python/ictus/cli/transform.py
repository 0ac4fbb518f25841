"""``ictus transform``: the features that a model finds in data, for any other program."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.data import HELP, load_table
from ictus.cli.output import ENDINGS, check_ending, write_table


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "transform",
        help="write the features that a model finds in data",
        description="Writes the activities of a model's hidden units (of the last hidden layer\n"
        "of a network), one row an example. An .npz file gets targets and test set\n"
        "too, where DATA has them, so that ictus train can go on from there.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("model", metavar="MODEL", help="model file written by ictus train")
    add("data", metavar="DATA", help="examples; see below")
    add(
        "--output",
        metavar="FILE",
        required=True,
        help=".npz, .npy, .csv or .arff (WEKA) file to write",
    )
    add("--targets", metavar="FILE", help="file of the targets, where DATA has none")
    add("--all-columns", action="store_true", help="the last column of a .csv file is a feature")
    add("--json", action="store_true", help="print what was written as JSON")
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")


def load_transformer(path: str) -> Any:
    """Return the estimator of a model file; ValueError for what gives no features."""
    from ictus.io.model_file import load

    model = load(path)
    if not hasattr(model, "transform") or not hasattr(model, "n_features_in_"):
        raise ValueError(f"{path} holds a {type(model).__name__}, which gives no features")
    return model


def _write_arff(path: str, model: Any, features: Any, y: Any) -> None:
    """Features under the model's names for them, and the class with its nominal values."""
    from ictus.io.arff import write_arff

    names = None
    if hasattr(model, "get_feature_names_out"):
        found = [str(name) for name in model.get_feature_names_out()]
        names = found if len(found) == features.shape[1] else None
    write_arff(path, features, y, names=names, relation=f"{type(model).__name__} features")


def run(options: argparse.Namespace) -> int:
    """Compute and write."""
    allowed.check_output(options.output, "--output")
    check_ending(options.output, endings=(*ENDINGS, ".arff"))
    model = load_transformer(options.model)
    table = load_table(options.data, options.targets, need_targets=False)
    x, y = table.x, table.y
    if options.all_columns and y is not None:
        x, y = np.column_stack([x, y]), None
    wanted = model.n_features_in_
    if x.shape[1] != wanted:
        raise ValueError(f"{options.data} has {x.shape[1]} features, the model takes {wanted}")
    features = model.transform(x.astype(np.float32, copy=False))
    further = {}
    if table.test is not None and options.output.lower().endswith(".npz"):
        x_test, y_test = table.test
        further = {"x_test": model.transform(x_test.astype(np.float32)), "y_test": y_test}
    if options.output.lower().endswith(".arff"):
        _write_arff(options.output, model, features, y)
    else:
        write_table(options.output, features, y, **further)
    result = {
        "examples": len(features),
        "features": features.shape[1],
        "targets": y is not None and not options.output.lower().endswith(".npy"),
        "output": options.output,
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['features']} features of {result['examples']} examples written to "
            f"{options.output}"
        )
    return 0
