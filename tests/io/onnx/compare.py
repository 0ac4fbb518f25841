"""Many random networks through onnx.checker and onnxruntime: ``python -m tests.io.onnx.compare``.

Prints, and writes as JSON with ``--json FILE``, the largest difference of outputs and what the
networks were made of.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from ictus.io.onnx import OnnxError
from ictus.io.onnx.export import encode
from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph
from ictus.io.onnx.network import network_of
from tests.io.onnx.networks import random_input, random_network


def compare(count):
    """Return the largest differences over `count` random networks."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    worst, layers, networks_again = Counter(), Counter(), 0
    for seed in range(count):
        network = random_network(seed)
        layers.update(layer.kind for layer in network.layers)
        x, data = random_input(network, seed), encode(network)
        onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
        expected, model = np.stack(network.predict(x)), parse_model(data)
        outputs = {
            "onnxruntime": onnxruntime.InferenceSession(data, options).run(None, {"x": x})[0],
            "load_graph": Graph(model).run([x])[0],
        }
        try:
            outputs["load"] = np.stack(network_of(model).predict(x))
            networks_again += 1
        except OnnxError:
            pass
        for name, output in outputs.items():
            worst[name] = max(worst[name], float(np.abs(output - expected).max()))
    return {
        "networks": count,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "largest_difference": dict(worst),
        "read_as_networks": networks_again,
        "layers": dict(sorted(layers.items())),
    }


def main():
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    text = json.dumps(compare(options.networks), indent=1)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
