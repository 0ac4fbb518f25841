"""A process of a distributed training dies: the job ends, and goes on from its checkpoint."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None,
    reason="needs mpi4py and mpiexec",
)

TRAINING = """
import os, signal, sys
import numpy as np
from mpi4py import MPI
from ictus.nn import Dense, Network
from ictus.optim import Adam
from ictus.train import Trainer

checkpoint, last = sys.argv[1], int(sys.argv[2])
comm = MPI.COMM_WORLD

def die(trainer, epoch):
    if epoch == last and comm.Get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)

x = np.random.default_rng(0).random((120, 8), np.float32)
network = Network(8, [Dense(20, "relu", dropout=0.2), Dense(3)], seed=1)
trainer = Trainer(network, Adam(0.01), batch_size=24, epochs=8, comm=comm, checkpoint=checkpoint,
                  callbacks=[die], progress=False)
resumed = trainer.resume()
trainer.fit(x, np.arange(120) % 3)
if comm.Get_rank() == 0:
    np.savez(checkpoint + ".npz", resumed=resumed, epochs=len(trainer.history["loss"]),
             parameters=network.parameters)
"""


def train(checkpoint, last=0):
    command = ["mpiexec", "-n", "2", sys.executable, "-c", TRAINING, str(checkpoint), str(last)]
    return subprocess.run(command, timeout=120, capture_output=True, text=True)


def test_a_killed_rank_ends_the_job_which_goes_on_from_its_checkpoint(tmp_path):
    assert train(tmp_path / "whole").returncode == 0
    whole = np.load(tmp_path / "whole.npz")
    killed = train(tmp_path / "parts", last=5)  # and the other rank does not wait for it for ever
    assert killed.returncode != 0
    assert not (tmp_path / "parts.npz").exists()
    assert (tmp_path / "parts").exists()
    again = train(tmp_path / "parts")
    assert again.returncode == 0, again.stderr[-2000:]
    parts = np.load(tmp_path / "parts.npz")
    assert parts["resumed"] and parts["epochs"] == 8 and not whole["resumed"]
    np.testing.assert_array_equal(parts["parameters"], whole["parameters"])
