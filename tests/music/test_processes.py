"""Training of beat trackers by several processes of MPI: the same as by one."""

import importlib.util
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import ictus
from ictus.cli.processes import SIZES, communicator
from ictus.music.training import FeatureCache, find_examples, train_beats
from tests.music.test_training import clicks, folder, settings  # noqa: F401
from tests.train.test_distributed import together


def test_processes_share_the_extraction_and_the_training(folder):  # noqa: F811
    examples = find_examples(folder)
    options = settings(epochs=3, speeds=(0.8,))
    alone = train_beats(
        examples, FeatureCache(folder / "one", clicks, "clicks"), options, progress=False
    )
    extracted = [[], []]

    def train(comm):
        def counting(path, change):
            extracted[comm.Get_rank()].append(path)
            return clicks(path, change)

        cache = FeatureCache(folder / "two", counting, "clicks", comm=comm)
        trained = train_beats(examples, cache, options, progress=False, comm=comm)
        return trained.history["loss"], trained.network.parameters.copy()

    for losses, parameters in together(2, train):
        np.testing.assert_allclose(losses, alone.history["loss"], rtol=1e-4)
        np.testing.assert_allclose(parameters, alone.network.parameters, atol=2e-4)
    assert len(extracted[0]) + len(extracted[1]) == 5 * 2 + 1
    assert min(map(len, extracted)) >= 4


def test_one_process_has_no_communicator(monkeypatch):
    for name in SIZES:
        monkeypatch.delenv(name, raising=False)
    assert communicator() is None
    monkeypatch.setenv("PMI_SIZE", "1")
    assert communicator() is None


def test_several_processes_need_mpi4py(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ValueError, match="3 processes were started together, which needs mpi4py"):
        communicator()


@pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None,
    reason="needs mpi4py and mpiexec",
)
def test_mpiexec_trains_what_one_process_trains(tmp_path):
    pytest.importorskip("soundfile")
    from ictus.music.synthesis import write_corpus

    write_corpus(tmp_path / "songs", 4, seed=4, format="wav", seconds=4.0, synthesizer="builtin")
    command = [sys.executable, "-m", "ictus", "train", "beats", str(tmp_path / "songs"), "--json"]
    command += ["--units", "4", "--epochs", "2", "--segment", "2", "--batch-size", "4"]
    models = []
    for start in ([], ["mpiexec", "-n", "2"]):
        model = tmp_path / f"{len(start)}.ictus"
        places = ["--output", str(model), "--cache", str(tmp_path / f"cache{len(start)}")]
        done = subprocess.run(
            [*start, *command, *places], check=True, timeout=120, capture_output=True, text=True
        )
        assert len(json.loads(done.stdout)["models"]) == 1  # one of the processes speaks
        models.append(ictus.load(model).parameters)
    np.testing.assert_allclose(models[1], models[0], atol=1e-4)
