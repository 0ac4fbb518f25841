"""Arrays of a device as arguments: what is refused, where a call runs, what is restored."""

import numpy as np
import pytest

from ictus import kernels
from ictus.kernels import _device
from tests import devices, emulated
from tests.executed import families_of

native = emulated.native()
needs_emulation = pytest.mark.skipif(
    native is None, reason="ictus._cuda_emulated was not built (preset emulated)"
)


@pytest.fixture(autouse=True)
def device():
    emulated.add()


@pytest.mark.parametrize("name", devices.DEVICES)
def test_kernel_tests_run_on(name):
    found, reason = devices.native_of(name)
    if found is None:
        pytest.skip(f"no test ran on the device {name!r}: {reason}")
    assert "gemm" in families_of(name)


@needs_emulation
class TestArrays:
    def test_results_stay_on_the_device(self):
        a, b = (emulated.asarray(np.ones(s, np.float32)) for s in ((4, 3), (3, 5)))
        out = kernels.gemm(a, b)
        assert isinstance(out, emulated.EmulatedArray)
        np.testing.assert_array_equal(out.get(), 3)
        assert isinstance(kernels.sigmoid(out), emulated.EmulatedArray)
        gradient = emulated.asarray(np.zeros((4, 5), np.float32))
        labels = emulated.asarray(np.array([0, 1, 2, 3], np.int32))
        value = kernels.softmax_cross_entropy(out, labels, gradient)
        assert value == pytest.approx(4 * np.log(5), rel=1e-6)
        assert abs(gradient.get().sum()) < 1e-6

    def test_bad_arguments_have_the_messages_of_the_cpu(self):
        a, b = (emulated.asarray(np.ones(s, np.float32)) for s in ((4, 3), (3, 5)))
        with pytest.raises(ValueError, match=r"gemm: b must have shape \(3, any\), got \(5, 3\)"):
            kernels.gemm(a, b.T)
        with pytest.raises(TypeError, match="gemm: b must have dtype float32, got float64"):
            kernels.gemm(a, b.astype("f8"))
        with pytest.raises(TypeError, match=r"b must be an array on a GPU, got numpy.ndarray"):
            kernels.gemm(a, np.ones((3, 5), "f4"))
        with pytest.raises(TypeError, match=r"gemm: b must be a NumPy array, got EmulatedArray"):
            kernels.gemm(np.ones((4, 3), "f4"), b)
        with pytest.raises(ValueError, match=r"gemm: out must not overlap a"):
            kernels.gemm(a, emulated.asarray(np.ones((3, 3), "f4")), a)
        with pytest.raises(ValueError, match=r"labels in \[0, 3\), got 7 in row 2"):
            labels = emulated.asarray(np.array([0, 1, 7, 9]))
            kernels.softmax_cross_entropy(a, labels)

    def test_arrays_on_different_devices_are_refused(self):
        a, b = (emulated.asarray(np.ones((4, 4), np.float32)) for _ in range(2))
        address = b.__cuda_array_interface__["data"][0]
        native.place(address, b.nbytes, 1)
        try:
            with pytest.raises(ValueError, match=r"gemm: b must be on device 0 .* got device 1"):
                kernels.gemm(a, b)
            with pytest.raises(ValueError, match=r"gemm: b must be on device 1 .* got device 0"):
                native.gemm(b, a, b, 1.0, 0.0, None, 0, 0.0, 0, 0, 0, 0)
            assert native.current_device() == 0
        finally:
            native.place(address, b.nbytes, 0)
        np.testing.assert_array_equal(kernels.gemm(a, b).get(), 4)

    def test_exhausted_memory_is_a_memory_error_and_leaves_everything_usable(self):
        b = emulated.asarray(np.ones((4, 4), np.float32))
        native.limit_allocations(0)
        try:
            with pytest.raises(MemoryError):
                kernels.PackedMatrix(b)
        finally:
            native.limit_allocations(-1)
        np.testing.assert_array_equal(kernels.gemm(b, kernels.PackedMatrix(b)).get(), 4)

    def test_threads_take_turns(self):
        from concurrent.futures import ThreadPoolExecutor

        x = np.random.default_rng(0).standard_normal((100, 60)).astype(np.float32)
        expected = x.astype(np.float64) @ x.T

        def product(_):
            a = emulated.asarray(x)
            return np.abs(kernels.gemm(a, a.T).get() - expected).max()

        with ThreadPoolExecutor(4) as pool:
            assert max(pool.map(product, range(8))) < 1e-4


class FakeDeviceArray:
    __cuda_array_interface__ = {"shape": (2, 2), "typestr": "<f4", "data": (0, False), "version": 3}  # noqa: RUF012
    shape = (2, 2)


def test_missing_cuda_is_one_clear_sentence():
    try:
        from ictus import _cuda  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match="this ictus was built without CUDA"):
            _device.native_module(FakeDeviceArray())
        with pytest.raises(RuntimeError, match=r"device='cuda' cannot be used here: .*CUDA=ON"):
            _device.named_device("cuda")
    assert _device.native_module(np.ones(2)).__name__ == "ictus._core"
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'tpu'"):
        _device.named_device("tpu")
