"""Images of random curves: range, reproducibility, shape; noiseless memorisation."""

import numpy as np
import pytest

from ictus import datasets


def test_curves_are_thin_lines_in_the_unit_interval():
    x = datasets.curves(60, seed=1)
    assert (x.shape, x.dtype) == ((60, 784), np.float32)
    assert x.min() >= 0
    assert x.max(axis=1).min() > 0.95
    assert x.max() <= 1
    share = (x > 0.5).mean(axis=1)
    assert share.min() > 0.003
    assert share.max() < 0.15
    # One stroke: dark pixels hang together, so that none is alone.
    for image in x.reshape(-1, 28, 28):
        dark = np.pad(image > 0.6, 1)
        near = sum(np.roll(dark, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) - dark
        assert (near[dark] > 0).all()


def test_curves_depend_on_the_seed_alone():
    whole = datasets.curves(30, seed=3)
    np.testing.assert_array_equal(datasets.curves(30, seed=3), whole)
    assert not np.array_equal(datasets.curves(30, seed=4), whole)


@pytest.mark.parametrize(("count", "pen"), [(0, 0.7), (2.5, 0.7), (3, 0.0), (3, -1)])
def test_curves_refuse(count, pen):
    with pytest.raises(ValueError, match=r"(count must be an integer|pen must be positive)"):
        datasets.curves(count, pen=pen)


@pytest.mark.parametrize(("symbols", "alphabet"), [(5, 2), (10, 5)])
def test_memorization(symbols, alphabet):
    x, y = datasets.noiseless_memorization(50, 20, symbols, alphabet, seed=2)
    blank, cue = alphabet, alphabet + 1
    for one, answer in zip(x, y, strict=True):
        assert one.shape == (20 + 2 * symbols, alphabet + 2)
        given = one.argmax(axis=1)
        np.testing.assert_array_equal(one.sum(axis=1), 1)
        assert (given[:symbols] < alphabet).all()
        assert np.flatnonzero(given == cue).tolist() == [symbols + 19]
        assert (np.delete(given[symbols:], 19) == blank).all()
        np.testing.assert_array_equal(answer[symbols + 20 :], given[:symbols])
        assert (answer[: symbols + 20] == blank).all()
    assert len({tuple(answer) for answer in y}) > 20
