"""An index of binary codes: its answers, its files, and what a reader sees of a writer."""

import subprocess
import sys

import numpy as np
import pytest

from ictus.kernels import hamming_nearest, hamming_within
from ictus.music.retrieval import HammingIndex, StoreError, merging
from ictus.music.retrieval.merging import merge_nearest


def codes_of(rng, count, bits):
    centres = rng.integers(0, 256, (max(count // 6, 1), bits // 8), dtype=np.uint8)
    flips = 1 << rng.integers(0, 8, (count, bits // 8), dtype=np.uint8)
    return centres[rng.integers(0, len(centres), count)] ^ (
        flips * (rng.random(flips.shape) < 0.1)
    ).astype(np.uint8)


def same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("search", ["scan", "tables", "auto"])
@pytest.mark.parametrize("bits", [64, 72, 256])
@pytest.mark.parametrize("stored", [False, True])
def test_answers_after_adding_and_removing(tmp_path, search, bits, stored):
    """Pieces of any size come and go; the answers are those of a scan of what is there."""
    rng = np.random.default_rng(bits)
    everything = codes_of(rng, 900, bits)
    queries = everything[::90]
    if stored:
        index = HammingIndex.create(tmp_path / "index", bits, search=search)
    else:
        index = HammingIndex(bits, search=search)
    gone = np.zeros(900, bool)
    begin = 0
    for end in (1, 13, 400, 407, 888, 900):
        np.testing.assert_array_equal(index.add(everything[begin:end]), np.arange(begin, end))
        begin = end
        there = np.flatnonzero(~gone[:end])
        chosen = rng.choice(there, len(there) // 5, replace=False)
        index.remove(chosen)
        gone[chosen] = True
        mask = np.packbits(gone[:end], bitorder="little")
        k = min(7, len(index))
        assert len(index) == end - gone[:end].sum()
        same(index.nearest(queries, 7), hamming_nearest(everything[:end], queries, k, removed=mask))
        same(index.within(queries, 9), hamming_within(everything[:end], queries, 9, removed=mask))
    index.close()
    if stored:
        with HammingIndex.open(tmp_path / "index", verify=True, search=search) as again:
            same(again.nearest(queries, 7), index.nearest(queries, 7))
            np.testing.assert_array_equal(again.codes, everything)
            np.testing.assert_array_equal(again.removed(), np.flatnonzero(gone))


def test_tables_are_used_from_some_size_on(monkeypatch):
    import ictus.music.retrieval.hamming_index as module

    monkeypatch.setattr(module, "TABLES_FROM", 100)
    rng = np.random.default_rng(0)
    index = HammingIndex(64)
    index.add(codes_of(rng, 90, 64))
    index.nearest(index.codes[:2], 3)
    assert index._tables is None
    index.add(codes_of(rng, 90, 64))
    index.nearest(index.codes[:2], 3)
    assert len(index._tables) == 176
    index.add(codes_of(rng, 5, 64))
    index.nearest(index.codes[:2], 3)
    assert len(index._tables) == 176  # few are scanned
    index.add(codes_of(rng, 100, 64))
    same(index.nearest(index.codes[:5], 3), hamming_nearest(index.codes, index.codes[:5], 3))
    assert len(index._tables) == 280


def test_names_and_notes(tmp_path):
    with HammingIndex.create(tmp_path / "i", 16, settings={"by": "tests"}) as index:
        index.add(np.zeros((2, 2), np.uint8), names=["a.flac", "Dvořák, Slavonic Dances"])
        index.add(np.zeros((1, 2), np.uint8))
        index.add(np.zeros((1, 2), np.uint8), names=["last"])
        index.add(np.zeros((2, 2), np.uint8))
    index = HammingIndex.open(tmp_path / "i")
    expected = ["a.flac", "Dvořák, Slavonic Dances", "", "last", "", ""]
    assert index.names(np.arange(6)) == expected
    assert index.names([3, 1, 4, 2]) == [expected[i] for i in (3, 1, 4, 2)]
    assert index.settings == {"by": "tests"}


def test_candidates_in_the_order_of_full_features():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(300, 5)).astype(np.float32)
    codes = np.packbits(features[:, [0, 1, 2, 3, 4, 0, 1, 2]] > 0, axis=1)
    index = HammingIndex(8, features=5)
    index.add(codes, features=features)
    for metric in ("euclidean", "cosine"):
        found = index.nearest(
            codes[:20], 4, query_features=features[:20], metric=metric, candidates=300
        )
        if metric == "euclidean":
            full = np.linalg.norm(features[:20, np.newaxis] - features, axis=2)
        else:
            unit = features / np.linalg.norm(features, axis=1, keepdims=True)
            full = 1 - unit[:20] @ unit.T
        np.testing.assert_array_equal(found.numbers, np.argsort(full, axis=1)[:, :4])
        np.testing.assert_allclose(found.distances, np.sort(full, axis=1)[:, :4], atol=1e-6)
    few = index.nearest(codes[:20], 4, query_features=features[:20], candidates=8)
    within = hamming_nearest(codes, codes[:20], 8).numbers
    for row, candidates in zip(few.numbers, within, strict=True):
        assert set(row) <= set(candidates)
    index.remove(found.numbers[0, 0])
    assert found.numbers[0, 0] not in index.nearest(codes[:1], 300)[1]


def test_an_empty_index_answers():
    index = HammingIndex(64)
    query = np.zeros((3, 8), np.uint8)
    assert index.nearest(query, 5).numbers.shape == (3, 0)
    assert index.within(query, 64).offsets.tolist() == [0, 0, 0, 0]
    index.add(query[:1])
    index.remove(0)
    assert index.nearest(query, 5).numbers.shape == (3, 0)


def test_merging_puts_what_is_missing_last():
    codes = np.zeros((2, 8), np.uint8)
    parts = [hamming_nearest(codes[:n], codes, 3) for n in (1, 2)]
    merged = merge_nearest(parts, 4)
    assert merged.numbers[0].tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("search", ["scan", "tables"])
@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_queries_in_groups_have_the_answers_of_all_at_once(monkeypatch, search, count):
    rng = np.random.default_rng(count)
    index = HammingIndex(128, search=search)
    index.add(codes_of(rng, 300, 128))
    queries = codes_of(rng, count, 128)
    expected = index.nearest(queries, 9), index.within(queries, 40)
    asked = []
    monkeypatch.setattr(merging, "AT_ONCE", 3 * 300 * 2)
    monkeypatch.setattr(merging, "FEWEST", 1)
    monkeypatch.setattr(
        merging, "merge_nearest", lambda p, k: asked.append(len(p[0][0])) or merge_nearest(p, k)
    )
    same(index.nearest(queries, 9), expected[0])
    same(index.within(queries, 40), expected[1])
    assert asked == ([3] * (count // 3) + [count % 3] * (count % 3 > 0) or [0])
    assert expected[0].distances.dtype == np.int32
    assert expected[1].offsets.dtype == np.int64


def test_many_processes_read_while_one_writes(tmp_path):
    """A reader of another process sees whole additions, also later ones after it asks."""
    folder = tmp_path / "i"
    writer = HammingIndex.create(folder, 64)
    rng = np.random.default_rng(0)
    writer.add(codes_of(rng, 100, 64))
    script = (
        "import sys, numpy as np; from ictus.music.retrieval import HammingIndex\n"
        "index = HammingIndex.open(sys.argv[1])\n"
        "print(index.count, flush=True)\n"
        "sys.stdin.readline()\n"
        "assert len(index) == 100 and index.nearest(index.codes[:1], 1).numbers[0, 0] == 0\n"
        "assert index.refresh(); print(index.count, len(index), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "100\n"
        writer.add(codes_of(rng, 50, 64))
        writer.remove([3, 4])
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "150 148\n"
    assert process.returncode == 0
    with pytest.raises(StoreError, match="another process is writing"):
        HammingIndex.open(folder, writable=True)


CODES = np.zeros((3, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda i: i.nearest(CODES[:, :4], 1),
            ValueError,
            r"queries must have 64 bits.*got 32",
        ),
        (
            lambda i: i.nearest(CODES.astype(float), 1),
            TypeError,
            "queries must be an array of uint8",
        ),
        (lambda i: i.nearest(CODES[0], 1), ValueError, r"got shape \(8,\)"),
        (lambda i: i.nearest(CODES, 0), ValueError, "k must be at least 1, got 0"),
        (lambda i: i.within(CODES, -1), ValueError, "radius must be at least 0, got -1"),
        (lambda i: i.add(CODES[:, :2]), ValueError, "codes must have 64 bits.*got 16 bits"),
        (lambda i: i.add(CODES, names=["a"]), ValueError, "names must be 3.*got 1"),
        (lambda i: i.add(CODES, features=np.zeros((3, 2))), ValueError, "made without"),
        (lambda i: i.remove([5]), ValueError, r"numbers must be in 0 .. 2, got 5 .. 5"),
        (lambda i: i.remove([1, 1]), ValueError, "numbers must differ"),
        (lambda i: i.remove([2]), ValueError, "codes that are there, got 2"),
        (lambda i: i.names([-1]), ValueError, r"numbers must be in 0 .. 2, got -1"),
        (
            lambda i: i.nearest(CODES, 1, query_features=np.zeros((3, 2))),
            ValueError,
            "the index keeps no features",
        ),
    ],
)
def test_mistakes(call, error, message):
    index = HammingIndex(64)
    index.add(CODES)
    index.remove(2)
    with pytest.raises(error, match=message):
        call(index)
    assert len(index) == 2


def test_mistakes_of_making():
    for bits in (0, 12, 40000):
        with pytest.raises(
            ValueError, match=f"bits must be a multiple of 8 in 8 .. 32768, got {bits}"
        ):
            HammingIndex(bits)
    with pytest.raises(ValueError, match="search must be one of auto, scan, tables, got 'fast'"):
        HammingIndex(64, search="fast")
    with pytest.raises(ValueError, match=r"features must have shape \(3, 2\), got None"):
        HammingIndex(64, features=2).add(CODES)
    index = HammingIndex(64, features=2)
    index.add(CODES, features=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"query_features must have shape \(3, 2\), got \(1, 2\)"):
        index.nearest(CODES, 1, query_features=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="metric must be one of euclidean, cosine, got 'l1'"):
        index.nearest(CODES, 1, query_features=np.zeros((3, 2)), metric="l1")
