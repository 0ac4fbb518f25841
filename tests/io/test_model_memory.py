"""What a model file claims costs no memory before it is checked: at most twice the file's size."""

from __future__ import annotations

import copy
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import ictus
from ictus.io.model_file import ModelFileError, load, read_card, save
from ictus.nn import Dense, Network

NEWEST = Path(__file__).parent / "model_files" / "1-b6901b1"
FILES = sorted(NEWEST.glob("*.ictus"))
# What Python itself takes: the parsed header, layers, messages.
ALLOWANCE = 1 << 19


def peak_of(action):
    """The most memory that was taken while the action ran, in bytes, and what it raised."""
    tracemalloc.start()
    try:
        action()
    except ModelFileError as error:
        return tracemalloc.get_traced_memory()[1], error
    else:
        return tracemalloc.get_traced_memory()[1], None
    finally:
        tracemalloc.stop()


def parts(path):
    """The header and the bytes of the tensors."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def numbers(value, place=()):
    """Where the numbers of a configuration are."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from numbers(inner, (*place, key))
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            yield (*place, key)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_sizes_that_a_file_only_claims(file, tmp_path):
    load(file)  # so that modules are there
    path = tmp_path / "claims.ictus"
    header, body = parts(file)
    description = json.loads(header["__metadata__"]["ictus"])
    refused = 0
    for place in numbers(description["config"]):
        for claim in (30_000, 10**9):
            changed = copy.deepcopy(description)
            inner = changed["config"]
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = claim
            write(path, header | {"__metadata__": {"ictus": json.dumps(changed)}}, body)
            peak, error = peak_of(lambda: load(path))
            assert peak < 2 * path.stat().st_size + ALLOWANCE, f"{place} = {claim}"
            refused += error is not None
    assert refused > 0


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [10**9], "data_offsets": [0, 8 * 10**9]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 64]},
        {"dtype": "F32", "shape": [0, 10**12], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [1] * 100_000, "data_offsets": [0, 4]},
    ],
)
def test_tensors_that_a_file_only_claims(entry, tmp_path):
    header, body = parts(NEWEST / "network.ictus")
    path = tmp_path / "claims.ictus"
    write(path, header | {"parameters": entry}, body)
    for read in (load, read_card):
        peak, error = peak_of(lambda read=read: read(path))
        assert error is not None
        assert peak < 2 * path.stat().st_size + 8 * ALLOWANCE


def test_a_header_longer_than_the_file(tmp_path):
    path = tmp_path / "claims.ictus"
    for length in (1 << 20, 1 << 40, (1 << 64) - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        peak, error = peak_of(lambda: load(path))
        assert error is not None
        assert peak < ALLOWANCE


@pytest.mark.parametrize("half", [False, True])
def test_what_reading_takes(tmp_path, half):
    network = Network(1000, [Dense(1500, "tanh"), Dense(10)], seed=0)
    path = tmp_path / "large.ictus"
    save(path, network, half=half)
    size = path.stat().st_size
    damaged = tmp_path / "damaged.ictus"
    damaged.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    for file, read in ((path, read_card), (damaged, load)):  # a model is made of a good file alone
        peak, error = peak_of(lambda file=file, read=read: read(file))
        assert peak < 2 * size + ALLOWANCE
        assert (error is None) is (file == path)
    assert np.array_equal(
        ictus.load(path).parameters, network.parameters.astype("f2" if half else "f4")
    )
