"""The idx reader: every type and rank, and clear errors."""

import gzip
import struct

import numpy as np
import pytest

from ictus.io.idx import IdxError, read_idx


def encode(array, code):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")]
)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("packed", [False, True])
def test_round_trip(tmp_path, code, dtype, shape, packed):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    data = encode(array, code)
    (tmp_path / "f").write_bytes(gzip.compress(data) if packed else data)
    result = read_idx(tmp_path / "f")
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


def test_cut_anywhere(tmp_path):
    data = encode(np.ones((20, 5), np.uint8), 8)
    for content in (data, gzip.compress(data)):
        for length in range(0, len(content)):
            (tmp_path / "f").write_bytes(content[:length])
            with pytest.raises(IdxError):
                read_idx(tmp_path / "f")
    (tmp_path / "f").write_bytes(data + b"1")
    with pytest.raises(IdxError, match=r"must have 100 bytes of data for shape \(20, 5\), got 101"):
        read_idx(tmp_path / "f")


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"PK\x03\x04....", b"\0\0\x07\x01....", b"\1\0\x08\1"]
)
def test_foreign_files(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(IdxError, match="is not an idx file"):
        read_idx(tmp_path / "f")
