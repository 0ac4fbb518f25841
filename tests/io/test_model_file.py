"""Model files: round trips, and one clear error for whatever else a file may be."""

import json
import os
import struct

import numpy as np
import pytest

import ictus
from ictus.io.model_file import ModelFileError, load, read_card, save
from ictus.nn import Dense, Dropout, Network


def make_network(dtype=np.float32):
    return Network(6, [Dropout(0.1), Dense(5, "tanh", dropout=0.2), Dense(3)], dtype=dtype, seed=4)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "network.ictus"
    save(file, make_network(), {"name": "a test", "licence": "CC0", "metrics": {"error": 0.5}})
    return file


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_network_round_trip(tmp_path, dtype):
    network = make_network(dtype)
    x = np.random.default_rng(0).standard_normal((7, 6))
    save(tmp_path / "n", network)
    again = load(tmp_path / "n")
    assert again.config() == network.config()
    np.testing.assert_array_equal(again.predict(x), network.predict(x))


def test_half_precision(tmp_path):
    network = make_network()
    save(tmp_path / "whole", network)
    save(tmp_path / "half", network, half=True)
    again = load(tmp_path / "half")
    assert again.parameters.dtype == np.float32
    np.testing.assert_array_equal(again.numbers, network.numbers.astype(np.float16))
    saved = (tmp_path / "whole").stat().st_size - (tmp_path / "half").stat().st_size
    assert abs(saved - 2 * network.parameter_count) < 64
    save(tmp_path / "double", make_network(np.float64), half=True)
    assert load(tmp_path / "double").dtype == np.float64
    network.parameters[3] = 1e6
    with pytest.raises(ValueError, match="parameters has numbers above 65504"):
        save(tmp_path / "half", network, half=True)


@pytest.mark.parametrize("names", [False, True])
def test_estimators_round_trip(tmp_path, names):
    generator = np.random.default_rng(0)
    X = generator.standard_normal((60, 4))
    if names:
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    labels = np.array(["up", "down", "same"])[generator.integers(0, 3, 60)]
    for model, y in (
        (ictus.MLPClassifier((5,), max_epochs=3, random_state=1), labels),
        (ictus.MLPClassifier((5,), max_epochs=3), (generator.random((60, 2)) > 0.5).astype(int)),
        (ictus.MLPRegressor((5, 4), max_epochs=3), generator.standard_normal(60)),
        (ictus.MLPRegressor((5,), max_epochs=3), generator.standard_normal((60, 2))),
    ):
        model.fit(X, y)
        save(tmp_path / "m", model)
        again = load(tmp_path / "m")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        assert again.get_params() == model.get_params()
        assert hasattr(again, "feature_names_in_") is names


def test_card(path):
    facts = read_card(path)
    assert facts["kind"] == "Network"
    assert facts["card"]["licence"] == "CC0"
    assert facts["card"]["ictus_version"] == ictus.__version__
    with pytest.raises(ValueError, match="unknown card field 'license'"):
        save(path, make_network(), {"license": "CC0"})
    with pytest.raises(
        TypeError, match=r"must be a network, machine or estimator of ictus, got dict"
    ):
        save(path, {})


def test_cut_at_every_64th_byte(path):
    data = path.read_bytes()
    for length in [*range(0, len(data), 64), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match=r"network.ictus is not a usable model file"):
            load(path)
    path.write_bytes(data + b"more")
    with pytest.raises(ModelFileError, match="4 bytes that belong to no tensor"):
        load(path)


def test_mutations_give_the_error_or_the_same_model(path):
    data = path.read_bytes()
    expected = load(path).parameters
    generator = np.random.default_rng(0)
    errors = 0
    for _ in range(3000):
        damaged = bytearray(data)
        for position in generator.integers(0, len(data), generator.integers(1, 4)):
            damaged[position] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            model = load(path)
        except ModelFileError:
            errors += 1
        else:  # for example a letter of the card
            np.testing.assert_array_equal(model.parameters, expected)
    assert errors > 1500


def write_file(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def forged(**changes):
    """A header as ictus writes it for a network with 4 parameters, with changes."""
    description = {
        "format_version": 1,
        "kind": "Network",
        "config": Network(1, [Dense(2)]).config(),
        "card": {},
        "sha256": {"parameters": "0" * 64},
    }
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    for name, value in changes.items():
        (tensor if name in tensor else description)[name] = value
    return {"__metadata__": {"ictus": json.dumps(description)}, "parameters": tensor}


HOSTILE = {
    "empty header": b"",
    "no JSON": b"\xff\xfe{{{{",
    "a list": b"[1, 2]",
    "nesting bomb": b"[" * 100_000,
    "foreign safetensors": {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}},
    "metadata of another program": {"__metadata__": {"format": "pt"}},
    "metadata no table": {"__metadata__": [1]},
    "future version": forged(format_version=99),
    "wrong checksum": forged(),
    "huge shape": forged(shape=[2**40, 2**40]),
    "negative shape": forged(shape=[-4]),
    "fractional shape": forged(shape=[4.0]),
    "wrong size": forged(shape=[5]),
    "offsets beyond the end": forged(data_offsets=[0, 1 << 40]),
    "offsets reversed": forged(data_offsets=[16, 0]),
    "unknown dtype": forged(dtype="BF16"),
    "offsets missing": {**forged(), "parameters": {"dtype": "F32", "shape": [4]}},
    "overlapping tensors": {**forged(), "more": forged()["parameters"]},
    "description no table": {"__metadata__": {"ictus": "[]"}},
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files(tmp_path, name):
    write_file(tmp_path / "hostile", HOSTILE[name], bytes(16))
    with pytest.raises(ModelFileError, match="hostile is not a usable model file"):
        load(tmp_path / "hostile")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "os.system"},
        {"kind": "MLPClassifier"},
        {"config": {}},
        {"config": []},
        {"config": Network(1, [Dense(3)]).config()},
        {
            "config": Network(1, [Dense(2)]).config()
            | {"layers": [{"kind": "dense", "units": 2**50}]}
        },
        {"config": Network(1, [Dense(2)]).config() | {"input_size": "many"}},
        {"config": Network(1, [Dense(2)]).config() | {"dtype": "object"}},
    ],
)
def test_descriptions_that_do_not_fit_the_tensors(tmp_path, changes):
    import hashlib

    digest = hashlib.sha256(bytes(16)).hexdigest()
    write_file(tmp_path / "f", forged(sha256={"parameters": digest}, **changes), bytes(16))
    with pytest.raises(ModelFileError, match="damaged model description"):
        load(tmp_path / "f")


def test_header_longer_than_the_file(tmp_path):
    (tmp_path / "f").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(ModelFileError, match="its header would have 9223372036854775808 bytes"):
        load(tmp_path / "f")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(OSError, match="No such file"):
        save(tmp_path / "no folder" / "f", make_network())
    assert os.listdir(tmp_path) == []
