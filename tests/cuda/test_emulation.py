"""The emulation of CUDA finds the faults it is there to find, and runs right kernels right."""

import numpy as np
import pytest

from tests import emulated

native = emulated.native()
pytestmark = pytest.mark.skipif(
    native is None, reason="ictus._cuda_emulated was not built (preset emulated)"
)


def run(name):
    out = emulated.asarray(np.zeros(64, np.float32))
    native.trial(name, out)
    return out.get()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("half a barrier", r"waits for ever in __syncthreads at .*trials.cpp:\d+; .* has ended"),
        ("two barriers", r"threads of one block wait at different places: __syncthreads at .*"),
        ("half a warp", r"waits for ever in __shfl_xor_sync at .*trials.cpp:\d+"),
        ("ended lane", r"waits for ever in __shfl_xor_sync .*thread \(5, 0, 0\).* has ended"),
        ("beyond shared memory", r"a write beyond the 256 bytes of shared memory"),
        ("waiting without company", r"waits for ever in synchronize_grid at .*trials.cpp:\d+"),
        ("too many threads", r"a block of 1056 threads"),
        ("too much shared memory", r"a block with 1048576 bytes of shared memory"),
    ],
)
def test_faults_are_found(name, message):
    with pytest.raises(RuntimeError, match=message):
        run(name)
    assert run("neighbour")[0] == 1  # the next launch is as if nothing had been


def test_a_missing_barrier_shows_in_one_of_the_orders():
    expected = (np.arange(64) + 1) % 64
    results = []
    try:
        for order in ("forward", "reverse"):
            native.set_order(order)
            np.testing.assert_array_equal(run("neighbour"), expected)
            results.append(run("missing barrier"))
    finally:
        native.set_order("forward")
    assert not np.array_equal(results[0], results[1], equal_nan=True)


def test_exchanges_of_a_warp():
    x = np.arange(64.0)
    lane = x % 32
    below = np.where(lane == 0, x, x - 1)
    above = np.where(lane > 28, x, x + 3)
    first = x // 16 * 16 + 8
    sums = np.repeat([x[:32].sum(), x[32:].sum()], 32)
    expected = sums + 1e3 * below + 1e5 * (above - first) + 0.5
    np.testing.assert_allclose(run("lanes"), expected, rtol=1e-6)


def test_a_barrier_of_the_whole_grid():
    np.testing.assert_array_equal(run("whole grid")[:4], 10)
