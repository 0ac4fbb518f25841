"""``ictus train --model convnet``: a convolutional network on images."""

from __future__ import annotations

import argparse
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli.data import Table

#: Options that only a convolutional network has, and the value of one that is not given.
OPTIONS = {"filters": None, "kernel_size": None, "image_shape": None, "batch_norm": False}


def add_options(group: Any) -> None:
    """Add what a convolutional network takes besides what a dense one does."""
    add = group.add_argument
    add(
        "--filters",
        type=allowed.positive_integer,
        nargs="+",
        metavar="N",
        help="feature maps of each convolutional layer; default: 16 32",
    )
    add("--kernel-size", type=allowed.positive_integer, metavar="K", help="default: 3")
    add("--batch-norm", action="store_true", help="batch normalization of feature maps")
    add(
        "--image-shape",
        type=allowed.positive_integer,
        nargs="+",
        metavar="N",
        help="height, width and channels (default: 1) of images that are rows of numbers; "
        "default: that of the file, else a square",
    )


def refuse_options(options: argparse.Namespace, kind: str) -> None:
    """Raise ValueError where an option does not fit the kind of model."""
    if kind == "convnet":
        for name in ("input_dropout", "pretrain"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for networks, not for a convnet")
        if options.standardize:
            raise ValueError("--standardize is for networks, not for a convnet")
        if options.image_shape is not None and len(options.image_shape) not in (2, 3):
            raise ValueError(
                f"--image-shape must be height and width, or height, width and channels, got "
                f"{len(options.image_shape)} numbers"
            )
        return
    for name, absent in OPTIONS.items():
        if getattr(options, name) != absent:
            raise ValueError(f"--{name.replace('_', '-')} is for a convnet, not for a {kind}")


def arguments(options: argparse.Namespace, table: Table) -> dict[str, Any]:
    """Return the estimator's arguments that a dense network does not have."""
    return {
        "filters": tuple(options.filters or (16, 32)),
        "kernel_size": options.kernel_size or 3,
        "batch_norm": options.batch_norm,
        "image_shape": tuple(options.image_shape) if options.image_shape else table.image_shape,
    }
