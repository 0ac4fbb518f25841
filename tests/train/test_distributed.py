"""Data-parallel training: shares of a batch on several processes give what one gives.

Processes are threads with a communicator of their own, and, where mpi4py and mpiexec are, two real
ones.
"""

import importlib.util
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from ictus.nn import LSTM, Dense, Dropout, Network, SequenceNetwork
from ictus.optim import SGD, HessianFree
from ictus.train import SequenceTrainer, Trainer, objective
from ictus.train.distributed import Processes


class Communicator:
    """What is used of mpi4py's communicators, between threads."""

    def __init__(self, rank, count, barrier, room):
        self._rank, self._count, self._barrier, self._room = rank, count, barrier, room

    def Get_rank(self):  # noqa: N802
        return self._rank

    def Get_size(self):  # noqa: N802
        return self._count

    def Allreduce(self, given, total):  # noqa: N802
        self._room[self._rank] = given.copy()
        self._barrier.wait(60)
        total[...] = sum(self._room)  # in the order of ranks: the same bits for all
        self._barrier.wait(60)


def together(count, function):
    """Call ``function(comm)`` on as many threads as processes; return what they return."""
    barrier, room, results = threading.Barrier(count), [None] * count, [None] * count

    def work(rank):
        try:
            results[rank] = function(Communicator(rank, count, barrier, room))
        except BaseException:
            barrier.abort()
            raise

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def dense_training(comm=None, optimizer=None, batch_size=90, epochs=20, dropout=0.0):
    generator = np.random.default_rng(0)
    x = generator.random((90, 8))
    layers = [Dropout(dropout)] if dropout else []
    layers += [Dense(6, "sigmoid"), Dense(2), Dense(6, "sigmoid"), Dense(8)]
    network = Network(8, layers, "binary_cross_entropy", dtype=np.float64, seed=1)
    # Conjugate gradients of hundreds of steps on an ill-conditioned matrix make differences of
    # rounding large: the damping stays where they take few.
    optimizer = HessianFree(damping_factor=1.2) if optimizer is None else optimizer()
    trainer = Trainer(network, optimizer, batch_size=batch_size, epochs=epochs, comm=comm)
    return trainer.fit(x, x)["loss"], network.parameters.copy()


def sequence_training(comm=None, optimizer=HessianFree):
    generator = np.random.default_rng(0)
    x = [generator.standard_normal((n, 2)) for n in generator.integers(2, 9, 17)]
    y = [(one[:, :1] > 0).astype(float) for one in x]
    weights = [np.linspace(0.5, 1, len(one)) for one in x]
    layers = [LSTM(4), Dense(1)]
    network = SequenceNetwork(2, layers, "binary_cross_entropy", dtype=np.float64, seed=1)
    trainer = SequenceTrainer(network, optimizer(), batch_size=17, epochs=10, comm=comm)
    return trainer.fit(x, y, weights=weights)["loss"], network.parameters.copy()


TRAININGS = {
    "hessian-free": dense_training,
    "hessian-free with curvature of fewer examples than processes": lambda comm=None: (
        dense_training(comm, lambda: HessianFree(preconditioner="none", curvature_size=2), epochs=8)
    ),
    "hessian-free with Kronecker factors": lambda comm=None: dense_training(
        comm,
        lambda: HessianFree(damping_factor=1.2, curvature_size=50, preconditioner="kronecker"),
    ),
    "sgd with dropout": lambda comm=None: dense_training(
        comm, lambda: SGD(0.1, 0.9), batch_size=20, epochs=4, dropout=0.3
    ),
    "sgd with batches smaller than the processes": lambda comm=None: dense_training(
        comm, lambda: SGD(0.1, 0.9), batch_size=2, epochs=2, dropout=0.3
    ),
    "sequences, hessian-free": sequence_training,
    "sequences, sgd": lambda comm=None: sequence_training(comm, lambda: SGD(0.1, 0.9)),
}


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_give_what_one_gives(name, count):
    train = TRAININGS[name]
    losses, parameters = train()
    results = together(count, lambda comm: train(comm))
    for other_losses, other_parameters in results:
        np.testing.assert_allclose(other_losses, losses, rtol=1e-6)
        np.testing.assert_array_equal(other_parameters, results[0][1])
    np.testing.assert_allclose(results[0][1], parameters, atol=1e-4)


def long_training(comm=None, options=None):
    """Single precision, with weak damping: differences of rounding would grow."""
    x = np.random.default_rng(0).random((83, 8), np.float32)
    layers = [Dense(6, "sigmoid"), Dense(2), Dense(6, "sigmoid"), Dense(8)]
    network = Network(8, layers, "binary_cross_entropy", seed=1)
    optimizer = HessianFree(curvature_size=41, cg_steps=40, **options)
    trainer = Trainer(network, optimizer, batch_size=83, epochs=20, comm=comm)
    return trainer.fit(x, x)["loss"], network.parameters.copy()


@pytest.mark.parametrize(
    "options",
    [
        {"factor_every": 3, "factor_decay": 0.5, "averaging": 0.9},
        {"preconditioner": "empirical_fisher"},
        {"preconditioner": "fisher"},
    ],
    ids=["kronecker", "empirical fisher", "fisher"],
)
def test_two_processes_come_to_the_bits_of_one(monkeypatch, options):
    one = together(1, lambda comm: long_training(comm, options))[0]
    for losses, parameters in together(2, lambda comm: long_training(comm, options)):
        np.testing.assert_array_equal(losses, one[0])
        np.testing.assert_array_equal(parameters, one[1])
    # Without a communicator where there are several parts.
    monkeypatch.setattr(objective, "ROWS", 40)
    alone = long_training(None, options)
    together_ = together(2, lambda comm: long_training(comm, options))[0]
    np.testing.assert_array_equal(alone[0], together_[0])
    np.testing.assert_array_equal(alone[1], together_[1])


def test_only_the_first_writes_checkpoints(tmp_path):
    x = np.random.default_rng(0).random((20, 3))

    def train(comm):
        network = Network(3, [Dense(3)], "squared_error", dtype=np.float64)
        path = tmp_path / f"of_{comm.Get_rank()}"
        Trainer(network, SGD(0.1), epochs=2, checkpoint=path, comm=comm).fit(x, x)
        return path.exists()

    assert together(2, train) == [True, False]


def test_shares_cover_everything_once():
    for size in (0, 1, 5, 12):
        shares = []
        for rank in range(3):
            processes = Processes(Communicator(rank, 3, None, None))
            shares += list(range(size))[processes.share(size)]
        assert shares == list(range(size))
    assert Processes().share(7) == slice(0, 7)


def test_refuses():
    with pytest.raises(TypeError, match="comm must be a communicator of mpi4py or None, got 3"):
        Processes(3)
    network = SequenceNetwork(2, [LSTM(3), Dense(2)])
    comm = Communicator(0, 2, None, None)
    with pytest.raises(ValueError, match="truncate must be None with several processes"):
        SequenceTrainer(network, truncate=4, comm=comm)


PROGRAM = """
import sys
import numpy as np
from mpi4py import MPI
from tests.train.test_distributed import dense_training
losses, parameters = dense_training(MPI.COMM_WORLD)
if MPI.COMM_WORLD.Get_rank() == 0:
    np.savez(sys.argv[1], losses=losses, parameters=parameters)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None,
    reason="needs mpi4py and mpiexec",
)
def test_two_real_processes(tmp_path):
    path = tmp_path / "found.npz"
    command = ["mpiexec", "-n", "2", sys.executable, "-c", PROGRAM, str(path)]
    subprocess.run(command, check=True, timeout=120, cwd=".")
    found = np.load(path)
    losses, _ = dense_training()
    assert len(losses) == 20
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-5)
