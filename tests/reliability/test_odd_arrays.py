"""Odd arrays: the answer for a plain array of the same numbers, or TypeError or ValueError."""

import numpy as np
import odd_arrays
import pytest

import ictus


def test_the_same_or_refused():
    results = [odd_arrays.call(number) for number in range(10**6, 10**6 + 600)]
    assert not [each for each in results if each[1] not in ("same", "refused")]
    assert sum(result == "same" for _, result in results) > 200


def test_a_layout_that_is_misread_would_be_found(monkeypatch):
    def misread(x):
        return np.frombuffer(x.tobytes(order="A"), x.dtype)

    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    monkeypatch.setattr(odd_arrays, "_calls", lambda: {"misread": (misread, {"x": x})})
    results = {odd_arrays.call(number)[1] for number in range(200)}
    assert "another answer than for a plain array" in results


@pytest.mark.parametrize("make", [ictus.MLPClassifier, ictus.BernoulliRBM])
def test_bytes_in_another_order_keep_single_precision(make):
    x = np.random.default_rng(0).uniform(size=(20, 3)).astype(">f4")
    model = make(random_state=0).fit(x, np.arange(20) % 2)
    assert model.transform(x).dtype == np.float32


def test_no_rows_have_no_mean_loss():
    network = ictus.nn.Network(3, [ictus.nn.Dense(2)])
    with pytest.raises(ValueError, match="x must have at least one row, got 0"):
        network.loss_and_gradient(np.zeros((0, 3), np.float32), np.zeros(0, np.int32))
