"""Corrupt, truncated and hostile ONNX files: clear errors, and no memory for what is not there."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ictus.io.onnx import OnnxError, load, load_graph
from ictus.io.onnx.builder import tensor, value_info
from ictus.io.onnx.export import encode
from ictus.io.onnx.proto import MAX_ITEMS
from ictus.io.onnx.wire import bytes_field, integer_field, integers_field, varint
from ictus.nn import LSTM, Conv2D, Dense, Flatten, Network, SequenceNetwork

#: Bytes beyond twice the file's size: Python's own objects of a small graph.
SPARE = 4 << 20


def file(*graph):
    """A model of operator set 20 with these fields in its graph."""
    opset = bytes_field(8, integer_field(2, 20))
    return integer_field(1, 9) + bytes_field(7, b"".join(graph)) + opset


def ends(*shape):
    return bytes_field(11, value_info("x", np.float32, shape)) + bytes_field(
        12, value_info("y", np.float32, ("n", 2))
    )


def node(op, inputs, outputs=("y",), attributes=b""):
    names = b"".join(bytes_field(1, n) for n in inputs)
    names += b"".join(bytes_field(2, n) for n in outputs)
    return bytes_field(1, names + bytes_field(4, op) + attributes)


def claimed(name, dims, data=b"", kind=1, field=9):
    """A tensor whose shape says what it likes."""
    content = integers_field(1, dims) + integer_field(2, kind) + bytes_field(8, name)
    return bytes_field(5, content + (bytes_field(field, data) if data else b""))


def refused(tmp_path, data, message, read=load, run=None):
    """The file is refused with this message, within twice its size and a few megabytes."""
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises((OnnxError, ValueError), match=message):
            made = read(path)
            if run is not None:
                made.run([run])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * len(data) + SPARE, f"{peak} bytes for a file of {len(data)}"


HUGE = 1 << 35
ONE = np.ones((1, 2), np.float32)
WEIGHTS = bytes_field(5, tensor(np.ones((4, 2), np.float32), "w"))

CASES = {
    "nothing": (b"", "it has no graph"),
    "text": (b"this is no model, is it?", "not a usable ONNX file"),
    "no graph": (integer_field(1, 9) + bytes_field(8, integer_field(2, 20)), "it has no graph"),
    "length of a field": (varint(7 << 3 | 2) + varint(1 << 40) + b"x", "bytes where 1 are left"),
    "number without end": (b"\x3a" + b"\xff" * 30, "a number has no end"),
    "old operators": (bytes_field(7, b"") + bytes_field(8, integer_field(2, 5)), "operator set 5"),
    "new operators": (bytes_field(7, b"") + bytes_field(8, integer_field(2, 99)), "reads 7 to 28"),
    "unknown operator": (file(ends("n", 4), node("Attention", "x")), "no operator Attention"),
    "other domain": (
        file(ends("n", 4), node("Gemm", "x", "y", bytes_field(7, "com.acme"))),
        "no operator Gemm of com.acme",
    ),
    "shape without data": (
        file(ends("n", 4), claimed("w", [HUGE, HUGE]), node("MatMul", ["x", "w"])),
        r"tensor 'w' of shape .* has 0",
    ),
    "shape larger than data": (
        file(ends("n", 4), claimed("w", [4, HUGE], b"1234"), node("MatMul", ["x", "w"])),
        "has 4 bytes",
    ),
    "packed integers": (
        file(ends("n", 4), claimed("w", [HUGE], b"\1" * 300_000, 7, 7), node("Add", ["x", "w"])),
        "integers outside of raw data",
    ),
    "rank": (
        file(ends("n", 4), claimed("w", [1] * 100), node("Add", ["x", "w"])),
        "impossible shape",
    ),
    "negative size": (
        file(ends("n", 4), claimed("w", [-4, 2]), node("Add", ["x", "w"])),
        "impossible shape",
    ),
    "unknown type": (
        file(ends("n", 4), claimed("w", [1], b"1", 23), node("Add", ["x", "w"])),
        "has the type 23, not read here",
    ),
    "cycle": (
        file(ends("n", 4), node("Relu", "b", "a"), node("Relu", "a", "b"), node("Relu", "b")),
        "made by no node before it",
    ),
    "own output": (file(ends("n", 4), node("Add", "xy", "y")), "made by no node before it"),
    "output twice": (file(ends("n", 4), node("Relu", "x"), node("Relu", "x")), "is there already"),
    "output of nothing": (file(ends("n", 4)), "output 'y' is made by no node"),
    "input of absurd size": (
        file(ends("n", 1 << 40), WEIGHTS, node("MatMul", ["x", "w"])),
        "impossible shape",
    ),
    "weights that do not fit": (
        file(ends("n", 5), WEIGHTS, node("MatMul", ["x", "w"])),
        r"weights \(4, 2\) do not fit 5 features",
    ),
    "name that fills the file": (
        file(ends("n", 4), node("Relu", "x", "y", bytes_field(3, "ä" * (6 << 20)))),
        "its names fill the file",
    ),
    "no name is text": (file(ends("n", 4), node("Relu", "x"), bytes_field(2, b"\xff")), "UTF-8"),
    "attribute of two kinds": (
        file(ends("n", 4), node("Relu", "x", "y", bytes_field(
            5, bytes_field(1, "a") + integer_field(3, 1) + bytes_field(4, "b")))),
        "attribute 'a' has a value of another type",
    ),
    "sparse": (file(ends("n", 4), bytes_field(15, b"")), "sparse tensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_broken_files(name, tmp_path):
    data, message = CASES[name]
    refused(tmp_path, data, message)
    if "features" not in message and "impossible shape" not in message:
        refused(tmp_path, data, message, load_graph)


def test_floods_of_small_things(tmp_path):
    flood = b"".join(node("Relu", "x", [f"v{i}"]) for i in range(MAX_ITEMS // 3 + 9))
    path = tmp_path / "model.onnx"
    path.write_bytes(file(ends("n", 4), flood))
    with pytest.raises(OnnxError, match="more than 50000 nodes, attributes and tensors"):
        load(path)


def test_what_would_be_made(tmp_path):
    """Operators that make large tensors of small ones."""
    made = claimed("s", [2], np.array([HUGE, HUGE]).tobytes(), 7)
    grow = file(ends("n", 4), made, node("ConstantOfShape", "s", "c"), node("Add", "xc"))
    refused(tmp_path, grow, "would make a tensor|no number a channel")
    refused(tmp_path, grow, "would make a tensor", load_graph, ONE)
    pads = claimed("p", [4], np.array([0, 0, 0, 1 << 34]).tobytes(), 7)
    padded = file(ends("n", 4), pads, node("Pad", "xp"))
    refused(tmp_path, padded, "would make a tensor", load_graph, ONE)
    # Constants that double with each node.
    start = bytes_field(5, tensor(np.ones((1, 1000), np.float32), "c0"))
    doubling = [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"],
                     bytes_field(5, bytes_field(1, "axis") + integer_field(3, 0)))
                for i in range(25)]  # fmt: skip
    data = file(ends("n", 4), start, *doubling, node("Add", ["x", "c25"]))
    refused(tmp_path, data, "more memory than the file has bytes")
    # Every sum of two lists.
    column = bytes_field(5, tensor(np.ones((5000, 1), np.float32), "a"))
    row = bytes_field(5, tensor(np.ones((1, 5000), np.float32), "b"))
    for op in ("Add", "MatMul"):
        sums = file(ends("n", 5000), column, row, node(op, "ab", "w"), node("MatMul", "xw"))
        refused(tmp_path, sums, "more memory than the file has bytes|computed of constants")
    wide = claimed("s", [2], np.array([1 << 20, 1 << 10]).tobytes(), 7)
    refused(tmp_path, file(ends("n", 1), wide, node("Expand", "xs")), "would make a tensor",
            load_graph, np.ones((1, 1), np.float32))  # fmt: skip
    # One matrix in a thousand layers.
    square = bytes_field(5, tensor(np.eye(100, dtype=np.float32), "w"))
    chain = [node("MatMul", [f"v{i}" if i else "x", "w"], [f"v{i + 1}"]) for i in range(999)]
    data = file(ends("n", 100), square, *chain, node("MatMul", ["v999", "w"]))
    refused(tmp_path, data, "layers would take 40400000 bytes")
    # A window whose padding is the whole memory.
    window = bytes_field(5, tensor(np.ones((1, 1, 2, 2), np.float32), "w"))
    values = bytes_field(1, "pads") + integers_field(8, [1 << 20] * 4)
    data = file(ends("n", 1, 4, 4), window, node("Conv", "xw", "y", bytes_field(5, values)))
    refused(tmp_path, data, "has .* places", load_graph, np.ones((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize("where", ["/etc/hostname", "../secret", "missing", "", "a/../../secret"])
def test_external_data_stays_in_the_folder(where, tmp_path):
    folder = tmp_path / "models"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(100))
    place = bytes_field(13, bytes_field(1, "location") + bytes_field(2, where))
    content = integers_field(1, [4, 2]) + integer_field(2, 1) + bytes_field(8, "w") + place
    data = file(ends("n", 4), bytes_field(5, content), node("MatMul", "xw"))
    refused(folder, data, "outside the model's folder|no file here")
    (folder / "data").symlink_to(tmp_path / "secret")
    refused(folder, data.replace(where.encode(), b"data"), "outside|not a usable|no file here")


def test_external_data_within_its_file(tmp_path):
    (tmp_path / "data").write_bytes(np.arange(8, dtype=np.float32).tobytes())

    def of(offset, length):
        pairs = {"location": "data", "offset": str(offset), "length": str(length)}
        places = b"".join(
            bytes_field(13, bytes_field(1, k) + bytes_field(2, v)) for k, v in pairs.items()
        )
        content = integers_field(1, [4, 2]) + integer_field(2, 1) + bytes_field(8, "w") + places
        return file(ends("n", 4), bytes_field(5, content), node("MatMul", "xw"))

    for offset, length in [(4, 32), (-32, 32), (0, 31), (1 << 60, 32), ("x", 32)]:
        refused(tmp_path, of(offset, length), "does not lie at|is no number")
    path = tmp_path / "model.onnx"
    path.write_bytes(of(0, 32))
    x = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(load(path).predict(x), [[12, 16]])


def networks():
    layers = [Conv2D(3, 3, "relu"), Flatten(), Dense(2)]
    yield Network((5, 6, 1), layers), np.ones((1, 5, 6, 1), np.float32)
    yield SequenceNetwork(3, [LSTM(4), Dense(2)]), np.ones((1, 4, 3), np.float32)


def test_every_truncation_and_many_changes(tmp_path):
    """A damaged file is refused or is another valid file; there is no other kind of error."""
    generator = np.random.default_rng(0)
    path = tmp_path / "model.onnx"
    for network, x in networks():
        data = encode(network)
        damaged = [data[:n] for n in range(0, len(data) - 1, 7)]
        for _ in range(150):
            changed = bytearray(data)
            for place in generator.integers(0, len(data), generator.integers(1, 5)):
                changed[place] = generator.integers(256)
            damaged.append(bytes(changed))
        errors = 0
        for one in damaged:
            path.write_bytes(one)
            for read in (load, load_graph):
                tracemalloc.start()
                try:
                    made = read(path)
                    assert tracemalloc.get_traced_memory()[1] <= 2 * len(one) + SPARE // 8
                    if read is load_graph and made.inputs == ["x"]:
                        with np.errstate(all="ignore"):
                            made.run([x])
                except ValueError:
                    assert tracemalloc.get_traced_memory()[1] <= 2 * len(one) + SPARE // 8
                    errors += 1
                finally:
                    tracemalloc.stop()
        assert errors > len(damaged) // 2


def test_peak_memory_of_a_good_file(tmp_path):
    """The file, its network's parameters and their gradient, and one layer's initial weights."""
    network = Network(1000, [Dense(1000, "relu"), Dense(900)])
    path = tmp_path / "model.onnx"
    path.write_bytes(encode(network))
    size = path.stat().st_size
    tracemalloc.start()
    load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 4.5 * size  # those are drawn in float64
