"""``ictus info``: version, instruction set, threads, CUDA, and what a model file holds."""

from __future__ import annotations

import argparse
import json
import math
import platform
import textwrap
from typing import Any

from ictus.cli import onnx_files


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "info",
        help="show version, instruction set, threads and CUDA; or what a model or ONNX file holds",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="model file to describe")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def _cuda() -> str:
    try:
        from ictus import _cuda  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        return "not in this build"
    try:
        return f"{_cuda.device_count()} device(s)"
    except RuntimeError as error:
        return f"no device ({error})"


def describe_installation() -> dict[str, Any]:
    """Return what ``ictus info --json`` prints."""
    import numpy as np

    import ictus

    return {
        "version": ictus.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "instruction_set": ictus.instruction_set(),
        "instruction_sets": ictus.instruction_sets(),
        "threads": ictus.num_threads(),
        "cuda": _cuda(),
    }


def _sentences(facts: dict[str, Any]) -> list[str]:
    """A model file for people: one fact a line, without what only a program wants."""
    config = facts["config"]
    model = config.get("network", config.get("machine", config))
    lines = {"kind": facts["kind"]} | _structure(model)
    lines["numbers"] = f"{sum(map(math.prod, facts['tensors'].values()))} of {model['dtype']}"
    classes = config.get("fitted", {}).get("classes_")
    if classes is not None:
        lines["classes"] = textwrap.shorten(", ".join(map(str, classes)), 60, placeholder=" ...")
    for name, value in facts["card"].items():
        if isinstance(value, dict):
            pairs = [f"{key.replace('_', ' ')} {_short(each)}" for key, each in value.items()]
            value = ", ".join(pairs)
        lines[name.replace("_", " ")] = value
    width = max(map(len, lines))
    return [f"{name:<{width}}  {value}" for name, value in lines.items()]


def _deep(layers: list[dict[str, Any]]) -> str:
    """The layers of a deep belief net, from the data upwards; the label units beside the top."""
    top = layers[-1]
    labels = top["group_size"] if top["visible_type"] == "labelled" else 0
    seen = [each["visible_units"] for each in layers]
    words = [f"{units} {each['visible_type']}" for units, each in zip(seen, layers, strict=True)]
    if labels:
        words[-1] = f"{seen[-1] - labels} bernoulli + {labels} labels"
    return " > ".join([*words, f"{top['hidden_units']} {top['hidden_type']}"])


def _structure(config: dict[str, Any]) -> dict[str, str]:
    """What a network is made of; of any other model, the plain entries of its configuration."""
    if "tied" in config and "layers" in config and "input_size" not in config:
        return {"layers": _deep(config["layers"]), "tied": str(config["tied"])}
    if "layers" not in config:
        aside = ("dtype", "seed")
        return {k.replace("_", " "): str(v) for k, v in config.items() if k not in aside}
    layers = [_extent(config["input_size"]), *map(_layer, config["layers"])]
    return {
        "network": " > ".join(layers),
        "loss": config["loss"].replace("_", " "),
    }


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _extent(value: Any) -> str:
    """A size or a shape; None is any length."""
    if not isinstance(value, list):
        return str(value)
    return " x ".join("any" if n is None else str(n) for n in value)


def _layer(config: dict[str, Any]) -> str:
    if config["kind"] in ("dropout", "spatial_dropout"):
        return f"{config['kind'].replace('_', ' ')} {config['rate']:g}"
    if config["kind"] == "noise":
        return f"{config['corruption'].replace('_', ' ')} noise {config['level']:g}"
    if config["kind"] == "activation":
        return str(config["activation"])
    if config["kind"] == "tied_dense":
        return " ".join([f"tied to layer {config['layer']}", config["activation"]])
    if config["kind"] in ("conv1d", "conv2d"):
        parts = [f"{config['filters']} {config['kind']} {_extent(config['kernel_size'])}"]
    elif config["kind"] in ("max_pool", "average_pool", "subsampling"):
        whole = config["window"] is None
        parts = [config["kind"].replace("_", " "), "whole" if whole else _extent(config["window"])]
    else:
        parts = [str(config.get("units", config["kind"].replace("_", " ")))]
    if config.get("activation", "identity") != "identity":
        parts.append(config["activation"])
    if config.get("dropout"):
        parts.append(f"dropout {config['dropout']:g}")
    return " ".join(parts)


def run(options: argparse.Namespace) -> int:
    """Print the description."""
    if options.model and onnx_files.is_onnx(options.model):
        facts = onnx_files.describe(options.model)
        if not options.json:
            structure = _structure(facts["config"]) if "config" in facts else {}
            print("\n".join(onnx_files.sentences(facts, structure)))
            return 0
    elif options.model:
        from ictus.io.model_file import read_card

        facts = read_card(options.model)
        if not options.json:
            try:
                print("\n".join(_sentences(facts)))
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{options.model}: damaged model description: {error!r}") from None
            return 0
    else:
        facts = describe_installation()
    if options.json:
        print(json.dumps(facts))
        return 0
    width = max(map(len, facts))
    for name, value in facts.items():
        text = ", ".join(value) if name == "instruction_sets" else value
        print(f"{name:<{width}}  {text}")
    return 0
