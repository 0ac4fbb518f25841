"""Columns that only grow: what was committed stays, whatever a dying writer leaves behind."""

import json
import zlib

import numpy as np
import pytest

from ictus.io.append_store import AppendStore, Column, StoreError

COLUMNS = {"codes": Column("<u8", 2), "texts": Column("|u1", 1)}


def rows(number, count=3):
    rng = np.random.default_rng(number)
    return {
        "codes": rng.integers(0, 2**63, (count, 2), dtype=np.uint64),
        "texts": rng.integers(0, 256, (count * 2, 1), dtype=np.uint8),
    }


def filled(folder, additions=3):
    with AppendStore.create(folder, COLUMNS, {"bits": 128}) as store:
        for number in range(additions):
            store.append(rows(number))
    return folder


def contents(store, additions):
    for name in COLUMNS:
        expected = np.concatenate([rows(number)[name] for number in range(additions)])
        np.testing.assert_array_equal(store.column(name), expected)


def test_rows_come_back(tmp_path):
    store = AppendStore.open(filled(tmp_path / "s"))
    contents(store, 3)
    assert store.settings == {"bits": 128}
    assert store.commits == 3
    assert not store.column("codes").flags.writeable
    store.verify()


def test_readers_keep_their_state_until_they_refresh(tmp_path):
    reader = AppendStore.open(filled(tmp_path / "s", 1))
    before = reader.column("codes")
    with AppendStore.open(tmp_path / "s", writable=True) as writer:
        writer.append(rows(1))
        contents(reader, 1)
        assert reader.refresh()
        assert not reader.refresh()
        contents(reader, 2)
    np.testing.assert_array_equal(before, rows(0)["codes"])


def test_one_writer_at_a_time(tmp_path):
    with AppendStore.open(filled(tmp_path / "s"), writable=True):
        with pytest.raises(StoreError, match="another process is writing"):
            AppendStore.open(tmp_path / "s", writable=True)
        AppendStore.open(tmp_path / "s")
    AppendStore.open(tmp_path / "s", writable=True).close()


def test_a_log_cut_anywhere_gives_the_last_whole_addition(tmp_path):
    folder = filled(tmp_path / "s")
    log = (folder / "commits").read_bytes()
    ends = [i + 1 for i, byte in enumerate(log) if byte == ord("\n")]
    for cut in range(ends[0], len(log)):
        (folder / "commits").write_bytes(log[:cut])
        store = AppendStore.open(folder)
        contents(store, sum(end <= cut for end in ends) - 1) if cut >= ends[1] else None
        assert store.commits == sum(end <= cut for end in ends) - 1


def test_a_writer_goes_on_after_one_that_died(tmp_path):
    folder = filled(tmp_path / "s", 2)
    with open(folder / "codes", "ab") as file:
        file.write(b"half a row")
    with open(folder / "commits", "ab") as file:
        file.write(b'{"added":{"codes":[48,')
    contents(AppendStore.open(folder), 2)
    with AppendStore.open(folder, writable=True) as store:
        assert (folder / "codes").stat().st_size == 2 * 48
        store.append(rows(2))
    store = AppendStore.open(folder)
    contents(store, 3)
    store.verify()


def test_additions_of_nothing_and_of_some_columns(tmp_path):
    with AppendStore.create(tmp_path / "s", COLUMNS, {}) as store:
        store.append({"texts": np.zeros((0, 1), np.uint8)})
        store.append({"texts": np.ones((2, 1), np.uint8)})
    store = AppendStore.open(tmp_path / "s")
    assert store.column("codes").shape == (0, 2)
    assert store.column("texts").tolist() == [[1], [1]]
    store.verify()


class TestDamage:
    def test_changed_rows(self, tmp_path):
        folder = filled(tmp_path / "s")
        data = bytearray((folder / "codes").read_bytes())
        data[60] ^= 1
        (folder / "codes").write_bytes(data)
        with pytest.raises(StoreError, match="codes: damaged: the rows of addition 2"):
            AppendStore.open(folder).verify()

    def test_missing_rows(self, tmp_path):
        folder = filled(tmp_path / "s")
        data = (folder / "texts").read_bytes()
        (folder / "texts").write_bytes(data[:-1])
        with pytest.raises(StoreError, match="texts: damaged: 18 bytes were written, it has 17"):
            AppendStore.open(folder)
        (folder / "texts").unlink()
        with pytest.raises(StoreError, match=r"texts: damaged.*it is missing"):
            AppendStore.open(folder)

    def test_any_changed_byte_of_the_log(self, tmp_path):
        folder = filled(tmp_path / "s")
        log = (folder / "commits").read_bytes()
        for place in range(len(log)):
            data = bytearray(log)
            data[place] ^= 4
            (folder / "commits").write_bytes(data)
            if place == len(log) - 1:  # the end of a line that may not have been written whole
                assert AppendStore.open(folder).commits == 2
                continue
            with pytest.raises(StoreError, match=r"damaged|not an index|unknown"):
                AppendStore.open(folder)

    def test_a_line_that_is_gone(self, tmp_path):
        folder = filled(tmp_path / "s")
        lines = (folder / "commits").read_bytes().splitlines(keepends=True)
        (folder / "commits").write_bytes(b"".join([lines[0], *lines[2:]]))
        with pytest.raises(StoreError, match="another checksum"):
            AppendStore.open(folder)

    def test_an_unknown_version(self, tmp_path):
        folder = filled(tmp_path / "s", 0)
        text = (folder / "commits").read_bytes().split(b"\t")[0]
        record = json.dumps(json.loads(text) | {"version": 7}).encode()
        (folder / "commits").write_bytes(record + b"\t%08x\n" % zlib.crc32(record))
        with pytest.raises(StoreError, match="version 7 is unknown; this ictus reads 1"):
            AppendStore.open(folder)


def test_mistakes(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such index"):
        AppendStore.open(tmp_path / "none")
    with pytest.raises(StoreError, match="the folder is empty"):
        AppendStore.open(tmp_path)
    (tmp_path / "song.wav").touch()
    with pytest.raises(StoreError, match="has no file 'commits'"):
        AppendStore.open(tmp_path)
    with pytest.raises(FileExistsError, match="needs a new or empty folder"):
        AppendStore.create(tmp_path, COLUMNS, {})
    store = AppendStore.open(filled(tmp_path / "s"))
    with pytest.raises(ValueError, match="open for reading alone"):
        store.append(rows(1))
    with (
        AppendStore.open(tmp_path / "s", writable=True) as writer,
        pytest.raises(ValueError, match=r"codes must be <u8 of shape \(rows, 2\), got uint64"),
    ):
        writer.append({"codes": np.zeros((1, 3), np.uint64)})
