"""Many indexes searched as one, by processes and by a cluster: the answers of one index."""

import numpy as np
import pytest

from ictus.music.retrieval import HammingIndex, ShardedIndex, StoreError, split
from tests.music.test_hamming_index import codes_of, same

joblib = pytest.importorskip("joblib")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """An index, and the folders of its shards."""
    rng = np.random.default_rng(1)
    whole = HammingIndex(64)
    codes = codes_of(rng, 1000, 64)
    whole.add(codes, names=[f"song {i}" for i in range(1000)])
    whole.remove(rng.choice(1000, 150, replace=False))
    return whole, split(whole, tmp_path_factory.mktemp("shards"), 3)


def check(whole, sharded):
    queries = whole.codes[::50]
    assert (sharded.count, len(sharded)) == (1000, 850)
    for k in (1, 20, 2000):
        same(sharded.nearest(queries, k), whole.nearest(queries, k))
    same(sharded.nearest(queries, 20, radius=3), whole.nearest(queries, 20, radius=3))
    same(sharded.within(queries, 6), whole.within(queries, 6))
    assert sharded.names([999, 0, 333, 332]) == ["song 999", "song 0", "song 333", "song 332"]


def test_in_this_process(collection):
    whole, folders = collection
    check(whole, ShardedIndex(folders))


def test_by_processes(collection):
    whole, folders = collection
    with joblib.parallel_config("loky", n_jobs=2):
        check(whole, ShardedIndex(folders))


def test_by_a_dask_cluster(collection):
    distributed = pytest.importorskip("distributed")
    whole, folders = collection
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
        check(whole, ShardedIndex(folders))


def test_shards_keep_features(tmp_path):
    whole = HammingIndex(8, features=3)
    rows = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    whole.add(np.arange(9, dtype=np.uint8)[:, np.newaxis], features=rows)
    folders = split(whole, tmp_path, 2)
    np.testing.assert_array_equal(
        HammingIndex.open(folders[1]).feature_rows(np.arange(5)), rows[4:]
    )


def test_mistakes(collection, tmp_path):
    whole, folders = collection
    with pytest.raises(ValueError, match="folders must not be empty"):
        ShardedIndex([])
    HammingIndex.create(tmp_path / "other", 128).close()
    with pytest.raises(ValueError, match=r"codes of 128 bits, those of .* have 64"):
        ShardedIndex([*folders, tmp_path / "other"])
    with pytest.raises(FileNotFoundError, match="no such index"):
        ShardedIndex([tmp_path / "none"])
    with pytest.raises(ValueError, match="shards must be at least 1, got 0"):
        split(whole, tmp_path, 0)
    sharded = ShardedIndex(folders)
    with pytest.raises(ValueError, match=r"numbers must be in 0 .. 999, got 1000"):
        sharded.names(1000)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        sharded.nearest(whole.codes[:1], 0)


def test_a_shard_that_changed_is_refused(tmp_path):
    with HammingIndex.create(tmp_path / "a", 64) as index:
        index.add(np.zeros((2, 8), np.uint8))
        sharded = ShardedIndex([tmp_path / "a", tmp_path / "a"])
        index.add(np.zeros((2, 8), np.uint8))
    with pytest.raises(StoreError, match="changed since the sharded index was made"):
        sharded.nearest(np.zeros((1, 8), np.uint8), 1)
