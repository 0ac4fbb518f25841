"""ONNX files on the command line: what one holds, predictions of one, and ``ictus export``."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ictus.cli import arguments as allowed

SUFFIX = ".onnx"
ONSETS = ("onsets", "onsets_online", "onsets_rnn")


def is_onnx(path: str) -> bool:
    """Whether a path names an ONNX file."""
    return path.lower().endswith(SUFFIX)


def describe(path: str) -> dict[str, Any]:
    """Return what an ONNX file holds, as plain data; ``network`` or ``graph`` says how it runs."""
    from ictus.io.onnx import OnnxError
    from ictus.io.onnx.file import read_model
    from ictus.io.onnx.network import network_of

    model = read_model(path)
    facts: dict[str, Any] = {
        "kind": "ONNX",
        "producer": model.producer,
        "operator_set": model.opset,
        "inputs": {v.name: v.shape for v in model.inputs if v.name not in model.initializers},
        "outputs": {v.name: v.shape for v in model.outputs},
        "operators": dict(Counter(node.op for node in model.nodes).most_common()),
        "numbers": sum(math.prod(t.dims) for t in model.initializers.values()),
        "metadata": model.metadata,
    }
    try:
        return facts | {"config": network_of(model).config()}
    except OnnxError as error:
        return facts | {"no_network": str(error)}


def sentences(facts: dict[str, Any], structure: dict[str, str]) -> list[str]:
    """The same for people; `structure` is that of the network, if it is one."""

    def tensors(values: dict[str, Any]) -> str:
        return ", ".join(
            f"{name} ({', '.join(str(n or 'any') for n in shape or ())})"
            for name, shape in values.items()
        )

    lines = {
        "kind": f"ONNX, operator set {facts['operator_set']}, by {facts['producer'] or 'unknown'}",
        "input": tensors(facts["inputs"]),
        "output": tensors(facts["outputs"]),
        "operators": ", ".join(f"{count} {op}" for op, count in facts["operators"].items()),
        "numbers": str(facts["numbers"]),
        **structure,
    }
    if "no_network" in facts:
        lines["as a network"] = f"no: {facts['no_network']}"
    for name, text in facts["metadata"].items():
        lines[name.replace("_", " ")] = text
    width = max(map(len, lines))
    return [f"{name:<{width}}  {value}" for name, value in lines.items()]


class OnnxPredictor:
    """A network of an ONNX file with the methods of an estimator.

    Parameters
    ----------
    path : str

    Raises
    ------
    ValueError
        The file is damaged, no network of vectors or images of a fixed size, or names classes that
        are not as many as outputs.
    """

    def __init__(self, path: str) -> None:
        from ictus.io.onnx.file import read_model
        from ictus.io.onnx.network import network_of
        from ictus.nn import SequenceNetwork

        model = read_model(path)
        self.network = network_of(model)
        if isinstance(self.network, SequenceNetwork) or not self.network.input_size:
            raise ValueError(f"{path} takes sequences, or images of any size: no rows of a table")
        self.n_features_in_ = self.network.input_size
        self.classes: Any = None
        if "classes" in model.metadata:
            try:
                self.classes = np.array(json.loads(model.metadata["classes"]))
            except ValueError:
                raise ValueError(f"{path}: its list of classes is damaged") from None
            if self.classes.shape != (self.network.output_size,):
                raise ValueError(f"{path} has {self.network.output_size} outputs for the classes "
                                 f"{self.classes.tolist()}")  # fmt: skip

    def predict_proba(self, x: Any) -> Any:
        """Return the network's outputs."""
        return self.network.predict(x)

    def predict(self, x: Any) -> Any:
        """Return classes after a softmax, 0 or 1 after a sigmoid, else the outputs."""
        outputs = self.network.predict(x)
        if self.network.loss_name == "softmax_cross_entropy":
            numbers = outputs.argmax(axis=-1)
            return numbers if self.classes is None else self.classes[numbers]
        if self.network.loss_name == "binary_cross_entropy":
            return (outputs > 0.5).astype(int)
        return outputs


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "export",
        help="write a model as an ONNX file",
        description="Writes a network, an estimator, or a music model with its features, from "
        "samples to activations, as an ONNX file that other programs run.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="model file; or beats, downbeats, online, ..: what is built in",
    )
    parser.add_argument("output", metavar="FILE", help=".onnx file to write")
    parser.add_argument(
        "--from-samples",
        choices=["beats", *ONSETS],
        metavar="KIND",
        help="a music network with its features: beats (any beat model), " + ", ".join(ONSETS),
    )


def run(options: argparse.Namespace) -> int:
    """Write the file."""
    if not is_onnx(options.output):
        raise ValueError(f"FILE must end in {SUFFIX}, got {options.output!r}")
    allowed.check_output(options.output, "FILE")
    kind, path = options.from_samples, Path(options.model)
    if not path.is_file() and not path.suffix:
        from ictus.music import model_path

        name = options.model
        path, kind = model_path(name), name if name in ONSETS else "beats"
    if kind is None:
        from ictus.io.model_file import load
        from ictus.io.onnx import save

        save(options.output, load(path))
    else:
        from ictus.music import load_networks, save_onnx

        save_onnx(options.output, load_networks([path], patches=None), kind)
    print(f"{options.output}: {Path(options.output).stat().st_size} bytes")
    return 0
