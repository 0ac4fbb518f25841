"""Minibatches on their way to a device: right numbers, copied ahead, never before their time."""

import numpy as np
import pytest

from ictus.kernels._device import named_device, to_host
from ictus.nn import Dense, Network, SequenceBatch
from ictus.optim import SGD
from ictus.train import Trainer
from ictus.train.batches import Batches
from ictus.train.transfer import Transfer, TransferredBatches
from tests.devices import close


def examples(rows=23):
    x = np.arange(rows * 6, dtype=np.float32).reshape(rows, 6)
    return x, np.arange(rows), np.linspace(0, 1, rows, dtype=np.float32)


def batches(**options):
    x, y, weights = examples()
    return Batches(x, y, weights, batch_size=5, seed=3, **options)


@pytest.mark.parametrize("shuffle", [True, False])
def test_minibatches_arrive_as_they_left(device, shuffle):
    made = TransferredBatches(batches(shuffle=shuffle), device)
    assert len(made) == 5
    for epoch in range(2):
        left = [tuple(part.copy() for part in b) for b in batches(shuffle=shuffle).epoch(epoch, 1)]
        count = 0
        for arrived, expected in zip(made.epoch(epoch, 1), left, strict=True):
            for one, other in zip(arrived, expected, strict=True):
                assert not isinstance(one, np.ndarray) and one.dtype == other.dtype
                assert (to_host(one) == other).all()
            count += 1
        assert count == 4


def test_sequences_and_what_is_not_there(device):
    lengths = [(3, 1), (2, 5, 4), (1,), (7, 2)]
    made = [
        (SequenceBatch(np.full((sum(n), 2), i, np.float32), n), np.full(sum(n), i), None)
        for i, n in enumerate(lengths)
    ]
    for i, (x, y, weights) in enumerate(Transfer(device).batches(made)):
        assert (x.lengths == lengths[i]).all() and weights is None
        assert x.sequences.rows == len(x.frames) == len(y)
        assert (to_host(x.frames) == i).all() and (to_host(y) == i).all()


def test_what_is_there_is_not_copied(device):
    there = named_device(device).arrays.asarray(np.ones(3))
    ((arrived,),) = Transfer(device).batches([(there,)])
    assert arrived is there


def test_one_minibatch_is_ahead_and_waits_for_its_room(device):
    taken = []

    def source():
        for number in range(6):
            taken.append(number)
            yield (np.full(4, number, np.float32),)

    transfer = Transfer(device)
    for number, (x,) in enumerate(transfer.batches(source())):
        assert taken[-1] == min(number + 1, 5)
        assert (to_host(x) == number).all()
        if device == "emulated" and number >= 2:
            # The copies of the next minibatch wait for the kernels that read the one before it.
            assert len(transfer._stream.waited) == min(number, 4)


def test_training_sees_the_same_examples(device):
    x, y, weights = examples()
    x = x / x.max()
    histories = []
    for where in ("cpu", device):
        network = Network(6, [Dense(5, "tanh"), Dense(23)], seed=1).to(where)
        trainer = Trainer(network, SGD(0.1), batch_size=5, epochs=3, progress=False, seed=2)
        histories.append(trainer.fit(x, y, weights=weights + 0.1)["loss"])
    close(histories[1], histories[0])
