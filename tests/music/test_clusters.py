"""Features and corpora on a cluster of Dask, through joblib."""

import numpy as np
import pytest

from ictus.music.training import Change, FeatureCache

distributed = pytest.importorskip("distributed")
joblib = pytest.importorskip("joblib")
pytest.importorskip("soundfile")


def numbers(path, change):
    """Features of a 'recording' that is a text file."""
    with open(path) as file:
        return np.full((5, 3), float(file.read()) * change.tempo)


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with distributed.Client(cluster) as client:
        yield client
    cluster.close()


def test_features_are_extracted_by_the_cluster(client, tmp_path):
    paths = [tmp_path / f"{i}.txt" for i in range(6)]
    for i, path in enumerate(paths):
        path.write_text(str(i))
    cache = FeatureCache(tmp_path / "cache", numbers, "numbers", jobs=2)
    before = len(client.get_task_stream())
    with joblib.parallel_config("dask"):
        found = cache.load(paths, Change(0.5, 0.5))
    assert [one[0, 0] for one in found] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert len(client.get_task_stream()) > before  # they were tasks of the cluster


def test_a_corpus_of_the_cluster_is_the_same(client, tmp_path):
    from ictus.music.synthesis import write_corpus

    options = {"seed": 3, "seconds": 2.0, "synthesizer": "builtin", "format": "wav"}
    with joblib.parallel_config("dask"):
        made = write_corpus(tmp_path / "cluster", 2, jobs=2, **options)
    alone = write_corpus(tmp_path / "alone", 2, **options)
    assert [a.read_bytes() for a in made] == [b.read_bytes() for b in alone]
