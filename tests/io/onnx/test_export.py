"""Networks and estimators as ONNX files: onnx.checker, and onnxruntime with the same numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ictus.io import onnx as ictus_onnx
from ictus.io.onnx.export import encode
from ictus.io.onnx.export_layers import WRITERS
from ictus.io.onnx.file import parse_model
from ictus.io.onnx.graph import Graph
from ictus.io.onnx.network import network_of
from ictus.nn import Conv2D, Dense, Network, SequenceNetwork
from ictus.nn.kinds import LAYERS
from tests.io.onnx.networks import KINDS, random_input, random_network

onnx = pytest.importorskip("onnx", reason="onnx.checker says whether a file is right")
runtime = pytest.importorskip("onnxruntime", reason="it runs the files")


def run(data, x):
    """The output of a file in onnxruntime, on one thread."""
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(data, options).run(None, {"x": x})[0]


@pytest.mark.parametrize("seed", range(5 * len(KINDS)))
def test_random_networks(seed):
    network = random_network(seed)
    x, data = random_input(network, seed), encode(network)
    expected = np.stack(network.predict(x))
    got = run(data, x)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    # And back: as a graph, and as a network where layers are a chain.
    model = parse_model(data)
    np.testing.assert_allclose(Graph(model).run([x])[0], expected, rtol=1e-5, atol=1e-5)
    branches = [getattr(one, "skip", one.kind == "mean_covariance") for one in network.layers]
    if any(branches):
        with pytest.raises(ictus_onnx.OnnxError, match=r"used twice|joins branches|Concat"):
            network_of(model)
        return
    again = network_of(model)
    assert again.loss_name == network.loss_name
    np.testing.assert_allclose(np.stack(again.predict(x)), expected, rtol=1e-5, atol=1e-5)


def test_every_layer_has_a_writer():
    assert set(WRITERS) == set(LAYERS)


def estimators():
    """Fitted estimators, their data, and what files of them should give."""
    from ictus import models

    generator = np.random.default_rng(0)
    x = generator.random((40, 16)).astype(np.float32)
    one_hot = np.eye(4, dtype=np.float32)[generator.integers(0, 4, (40, 4))].reshape(40, 16)
    y = generator.integers(0, 3, 40)
    images = generator.random((40, 7, 6)).astype(np.float32)
    few = {"random_state": 0, "max_epochs": 2}
    machine = {"random_state": 0, "n_iter": 2}
    yield models.MLPClassifier((9,), **few).fit(x, y), x, "predict_proba"
    yield models.MLPRegressor((9,), **few).fit(x, y), x, "predict"
    net = models.ConvNetClassifier((3,), (5,), batch_norm=True, **few)
    yield net.fit(images, y), images[..., None], "predict_proba"
    yield models.Autoencoder((5,), **few).fit(x), x, "reconstruct"
    sequences = models.SequenceClassifier((4,), **few).fit(list(images), y)
    yield sequences, images, "predict_proba"
    yield models.BernoulliRBM(7, **machine).fit(x), x, "transform"
    yield models.GaussianRBM(5, **machine).fit(x), x, "transform"
    softmax = models.SoftmaxRBM(5, encoding="one-hot", n_categories=4, **machine)
    yield softmax.fit(one_hot), one_hot, "transform"
    yield models.DeepBeliefNet((8, 6), **machine).fit(x), x, "transform"
    yield models.DBNClassifier((8, 6), **machine).fit(x, y), x, "predict_proba"
    by_labels = models.DBNClassifier((8, 6), fine_tune=None, **machine)
    yield by_labels.fit(x, y), x, "predict_proba"
    for features in ("all", "mean", "covariance"):
        yield models.MeanCovarianceRBM(features=features, **machine).fit(x), x, "transform"
    conv = models.ConvolutionalRBM(4, kernel_size=3, **machine)
    yield conv.fit(images), images[..., None], "transform"


def test_estimators(tmp_path):
    kinds = set()
    for model, x, method in estimators():
        path = tmp_path / "model.onnx"
        ictus_onnx.save(path, model, {"task": "test"})
        expected = getattr(model, method)(list(x) if x.ndim == 3 else x)
        got = run(path.read_bytes(), x)
        np.testing.assert_allclose(got.reshape(expected.shape), expected, atol=1e-5)
        texts = {p.key: p.value for p in onnx.load(path).metadata_props}
        assert texts["ictus_kind"] == type(model).__name__ and texts["task"] == "test"
        if hasattr(model, "classes_"):
            assert json.loads(texts["classes"]) == [0, 1, 2]
        kinds.add(type(model).__name__)
    assert len(kinds) == 12


def test_what_a_file_says(tmp_path):
    path = tmp_path / "model.onnx"
    ictus_onnx.save(path, Network((None, 8, 1), [Conv2D(2, 3, "relu"), Conv2D(3, 1)]))
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", "height", 8, 1]
    ictus_onnx.save(path, SequenceNetwork(3, [Dense(2)], "squared_error", dtype=np.float64))
    graph = ictus_onnx.load_graph(path)
    assert (graph.inputs, graph.outputs, graph.opset) == (["x"], ["y"], 20)


def test_mistakes(tmp_path):
    from ictus.models import BernoulliRBM, ConditionalRBM

    for model, error, message in [
        (3, TypeError, "must be a network or an estimator of ictus, got int"),
        (ConditionalRBM(), TypeError, "a ConditionalRBM has no form in ONNX"),
        (BernoulliRBM(), ValueError, "the BernoulliRBM is not fitted"),
    ]:
        with pytest.raises(error, match=message):
            ictus_onnx.save(tmp_path / "model.onnx", model)
    assert not list(tmp_path.iterdir())
