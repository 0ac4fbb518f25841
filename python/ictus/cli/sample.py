"""``ictus sample``: what a generative model dreams, as numbers or pictures."""

from __future__ import annotations

import argparse
import inspect
import json
import math
import sys
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed
from ictus.cli.output import as_csv, check_ending, write_table


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "sample",
        help="draw samples from a model that has some",
        description="Runs chains of a Boltzmann machine, a deep belief net or a denoising "
        "autoencoder and prints where they are, one sample a line, or writes them to a file or a "
        "picture. Of a generator of sequences, prints sequences.",
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("model", metavar="MODEL", help="model file written by ictus train --model rbm or dbn")
    add("--count", type=allowed.positive_integer, default=20, metavar="N", help="default: 20")
    add(
        "--steps",
        type=allowed.positive_integer,
        default=1000,
        metavar="N",
        help="steps of each chain: the more, the less the start counts; default: 1000",
    )
    add("--label", metavar="CLASS", help="samples of this class, of a dbn trained with targets")
    add("--means", action="store_true", help="means of the last step instead of its draws")
    add("--output", metavar="FILE", help=".npz, .npy or .csv file to write")
    add("--plot", metavar="FILE", help="picture to write, of models of images")
    add(
        "--image-shape",
        type=allowed.positive_integer,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the picture; default: square",
    )
    add("--seed", type=allowed.seed, metavar="N", help="default: goes on from training")
    add("--json", action="store_true", help="print as JSON")
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")


def _image_shape(options: argparse.Namespace, features: int) -> tuple[int, int]:
    if options.image_shape is not None:
        height, width = options.image_shape
    else:
        height = width = math.isqrt(features)
    if height * width != features:
        raise ValueError(
            f"--image-shape must name the height and width of {features} features, "
            f"got {height} x {width}"
        )
    return height, width


def _draw(model: Any, options: argparse.Namespace) -> Any:
    """Samples of any model that has some, by what its method takes; a list where they are ragged.

    Raises
    ------
    ValueError
        A model without samples, or an option that it does not take.
    """
    kind = type(model).__name__
    method = getattr(model, "sample", None)
    known = set() if method is None else set(inspect.signature(method).parameters)
    if "max_length" in known:  # a sequence at a call
        _refuse(options, ("label", "means", "output", "plot"), kind)
        first = 0 if options.seed is None else options.seed
        return [list(model.sample(random_state=first + i)) for i in range(options.count)]
    length = known & {"steps", "trajectories"}
    if not length:
        raise ValueError(f"{options.model} holds a {kind}, which has no samples")
    arguments: dict[str, Any] = {length.pop(): options.steps}
    if "mean" in known:
        arguments["mean"] = options.means
    else:
        _refuse(options, ("means",), kind)
    if options.label is not None:
        arguments["label"] = _label(model, options.label)
    if options.seed is not None:
        names = ("machine_", "rbm_", "network_")
        owner = next(getattr(model, name) for name in names if hasattr(model, name))
        owner.seed = options.seed
    return model.sample(options.count, **arguments)


def _refuse(options: argparse.Namespace, names: tuple[str, ...], kind: str) -> None:
    """Raise ValueError for an option that was given and that samples of this kind do not have."""
    for name in names:
        if getattr(options, name):
            raise ValueError(f"--{name} is not for samples of a {kind}")


def _label(model: Any, text: str) -> Any:
    """A class from the command line, as the model has it."""
    if not hasattr(model, "classes_"):
        raise ValueError(f"--label is for models of classes, not for a {type(model).__name__}")
    for known in model.classes_:
        if str(known) == text:
            return known
    raise ValueError(f"--label must be one of {', '.join(map(str, model.classes_))}, got {text}")


def run(options: argparse.Namespace) -> int:
    """Draw, then print or write."""
    from ictus import plot
    from ictus.io.model_file import load

    for name in ("output", "plot"):
        allowed.check_output(getattr(options, name), f"--{name}")
    check_ending(options.output)
    if options.plot:
        plot.check_format(options.plot)
    model = load(options.model)
    features = getattr(model, "n_features_in_", 1)
    shape = _image_shape(options, features) if options.plot else (0, 0)
    samples = _draw(model, options)
    if options.plot:
        means = np.asarray(samples, np.float64)
        title = f"After {options.steps} steps"
        plot.image_rows({"samples": means}, shape, title=title).savefig(options.plot, dpi=150)
    if options.output:
        write_table(options.output, samples)
    if options.json:
        rows = samples if isinstance(samples, list) else samples.tolist()
        print(json.dumps({"samples": rows}))
    elif options.output or options.plot:
        files = ", ".join(name for name in (options.output, options.plot) if name)
        print(f"{options.count} samples written to {files}")
    elif isinstance(samples, list):
        sys.stdout.writelines(",".join(map(str, each)) + "\n" for each in samples)
    else:
        sys.stdout.write(as_csv(samples))
    return 0
