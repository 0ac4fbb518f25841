"""Kernels give the same bits whichever thread of a block runs first: no barrier is missing."""

import numpy as np
import pytest

from ictus import kernels
from tests import emulated

native = emulated.native()
pytestmark = pytest.mark.skipif(
    native is None, reason="ictus._cuda_emulated was not built (preset emulated)"
)


def put(*shape, seed=0):
    return emulated.asarray(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def product(rows, inner, columns):
    return kernels.gemm(put(rows, inner), put(inner, columns), activation="tanh").get()


def loss(name):
    gradient = put(70, 45)
    value = getattr(kernels, name)(put(70, 45, seed=1), kernels.sigmoid(put(70, 45)), gradient)
    return value, gradient.get()


def normalization():
    scale, shift, mean, variance = (put(70, seed=i) for i in range(4))
    y, m, r = kernels.batch_normalization(
        put(90, 70), scale, shift, mean, kernels.exp(variance), training=True
    )
    return y.get(), m.get(), r.get(), mean.get()


CASES = {
    "large tiles": lambda: product(1290, 11, 1160),
    "tiles": lambda: product(700, 33, 650),
    "small tiles": lambda: product(40, 50, 45),
    "softmax cross-entropy": lambda: loss("softmax_cross_entropy"),
    "binary cross-entropy": lambda: loss("binary_cross_entropy"),
    "column sums": lambda: kernels.column_sums(put(333, 77)).get(),
    "softmax": lambda: kernels.softmax(put(33, 77)).get(),
    "sum of squares": lambda: kernels.sum_of_squares(put(7777)),
    "batch normalization": normalization,
}


@pytest.mark.parametrize("name", CASES)
def test_same_bits_in_both_orders(name):
    emulated.add()
    results = []
    try:
        for order in ("forward", "reverse"):
            native.set_order(order)
            results.append(CASES[name]())
    finally:
        native.set_order("forward")
    first, second = (r if isinstance(r, tuple) else (r,) for r in results)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
