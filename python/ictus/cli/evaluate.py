"""``ictus evaluate``: the error of a model file on data with targets."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli.data import HELP, load_table


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model file on data with targets",
        epilog=HELP + "\n\nOf data with a test set, the test set is used.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file written by ictus train")
    parser.add_argument("data", metavar="DATA", help="data with targets; see below")
    parser.add_argument("--targets", metavar="FILE", help="file of the targets")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument(
        "--threads", type=allowed.thread_count, metavar="N", help="default: all processors"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from ictus.cli.measure import measure
    from ictus.cli.predict import load_estimator

    model = load_estimator(options.model)
    table = load_table(options.data, options.targets)
    x, y = table.test if table.test is not None else (table.x, table.y)
    if x.shape[1] != model.n_features_in_:
        raise ValueError(
            f"{options.data} has {x.shape[1]} features, the model takes {model.n_features_in_}"
        )
    result = measure(model, x, y)
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name}: {value:.6g}" for name, value in result.items()))
    return 0
