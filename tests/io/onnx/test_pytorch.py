"""Models as PyTorch exports them, by its older exporter and its newer one: they load and agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ictus.io.onnx import load, load_graph
from ictus.nn import Network, SequenceNetwork

FOLDER = Path(__file__).with_name("pytorch")
KINDS = {
    "mlp": ["dense", "dense"],
    "cnn": ["conv2d", "max_pool", "conv2d", "batch_norm", "average_pool", "flatten", "dense"],
    "blstm": ["lstm", "lstm", "dense"],
}


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_files_of_pytorch(name, exporter):
    path = FOLDER / f"{name}_{exporter}.onnx"
    with np.load(FOLDER / "expected.npz") as expected:
        x, y = expected[f"{name}_x"], expected[f"{name}_y"]
    network = load(path)
    assert type(network) is (SequenceNetwork if name == "blstm" else Network)
    assert [layer.kind for layer in network.layers if layer.kind != "dropout"] == KINDS[name]
    ours = np.moveaxis(x, 1, -1) if name == "cnn" else x
    np.testing.assert_allclose(np.stack(network.predict(ours)), y, atol=1e-6)
    np.testing.assert_allclose(load_graph(path).run([x])[0], y, atol=1e-6)
    if name == "blstm":  # sequences of other lengths
        both = network.predict([x[0], x[1, :3]])
        np.testing.assert_allclose(both[0], y[0], atol=1e-6)
        np.testing.assert_allclose(both[1], load_graph(path).run([x[1:, :3]])[0][0], atol=1e-6)


def test_a_loaded_network_learns_and_is_kept(tmp_path):
    import ictus

    network = load(FOLDER / "mlp_dynamo.onnx")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 8)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    before = network.loss(x, y)
    ictus.Trainer(network, ictus.Adam(0.01), epochs=5, progress=False).fit(x, y)
    assert network.loss(x, y) < before
    ictus.save(tmp_path / "model.ictus", network)
    np.testing.assert_array_equal(
        ictus.load(tmp_path / "model.ictus").predict(x), network.predict(x)
    )
