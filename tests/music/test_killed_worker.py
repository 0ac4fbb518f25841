"""A worker of a Dask cluster is killed in the middle of its work: nothing is lost."""

import os
import signal
import sys
import threading

import numpy as np
import pytest

from ictus.music.retrieval import HammingIndex, ShardedIndex, split
from ictus.music.training import Change, FeatureCache

distributed = pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")
cloudpickle = pytest.importorskip("cloudpickle")
if not hasattr(signal, "SIGKILL"):
    pytest.skip("processes are killed as POSIX does it", allow_module_level=True)


def numbers(path, change):
    """Features of a text file as a recording; the worker that meets "die" first is killed."""
    with open(path) as file:
        text = file.read()
    marker = f"{path}.met"
    if text.endswith("die") and not os.path.exists(marker):
        with open(marker, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    return np.full((5, 3), float(text.split()[0]) * change.tempo)


@pytest.fixture
def client():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_features_are_extracted_nevertheless(client, tmp_path):
    paths = [tmp_path / f"{i}.txt" for i in range(8)]
    for i, path in enumerate(paths):
        path.write_text(f"{i} die" if i == 3 else str(i))
    cache = FeatureCache(tmp_path / "cache", numbers, "numbers", jobs=2)
    with joblib.parallel_config("dask", wait_for_workers_timeout=200):
        found = cache.load(paths, Change(0.5, 0.5))
    assert (tmp_path / "3.txt.met").exists()
    assert [one[0, 0] for one in found] == [0.5 * i for i in range(8)]


def test_search_answers_nevertheless(client, tmp_path):
    whole = HammingIndex(64)
    whole.add(np.random.default_rng(0).integers(0, 256, (4000, 8), np.uint8))
    queries = np.random.default_rng(1).integers(0, 256, (50, 8), np.uint8)
    expected = whole.nearest(queries, 10)
    sharded = ShardedIndex(split(whole, tmp_path, 6))
    client.wait_for_workers(2)
    victim = next(iter(client.run(os.getpid).values()))
    killer = threading.Timer(0.05, os.kill, (victim, signal.SIGKILL))
    with joblib.parallel_config("dask", wait_for_workers_timeout=200):
        sharded.nearest(queries, 10)
        killer.start()
        for _ in range(6):
            found = sharded.nearest(queries, 10)
            np.testing.assert_array_equal(found.distances, expected.distances)
            np.testing.assert_array_equal(found.numbers, expected.numbers)
    killer.join()
    assert victim not in client.run(os.getpid).values()
