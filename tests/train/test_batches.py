"""Minibatches: every example once an epoch, in an order that seed and epoch decide."""

import numpy as np
import pytest

from ictus.train import Batches

X = np.arange(46, dtype=np.float32).reshape(23, 2)
Y = np.arange(23)


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_example_once(batch_size, shuffle):
    batches = Batches(X, Y, Y * 2.0, batch_size=batch_size, shuffle=shuffle)
    seen = []
    for x, y, weights in batches.epoch(0):
        np.testing.assert_array_equal(x[:, 0], 2 * y)
        np.testing.assert_array_equal(weights, 2 * y)
        seen += list(y)
    assert sorted(seen) == list(range(23))
    assert (seen == list(range(23))) is not shuffle
    assert len(batches) == -(-23 // min(batch_size, 23))


def order(batches, epoch, first=0):
    return [int(v) for _, y, _ in batches.epoch(epoch, first) for v in y]


def test_order_depends_on_seed_and_epoch_alone():
    batches = Batches(X, Y, batch_size=4, seed=3)
    assert order(batches, 5) == order(Batches(X, Y, batch_size=7, seed=3), 5)
    assert order(batches, 5) != order(batches, 6)
    assert order(batches, 5) != order(Batches(X, Y, batch_size=4, seed=4), 5)
    assert order(batches, 5)[8:] == order(batches, 5, first=2)


def test_dtype_is_converted_a_minibatch_at_a_time():
    batches = Batches(X.astype(np.float64), Y, batch_size=4, dtype=np.float32)
    x, _, _ = next(batches.epoch(0))
    assert x.dtype == np.float32


def test_bad_batch_size():
    with pytest.raises(ValueError, match=r"batch_size must be a positive integer, got 2.5"):
        Batches(X, Y, batch_size=2.5)
