"""The matrix product on a GPU against float64 NumPy, with the CPU's own draws."""

import numpy as np
import pytest

from ictus.kernels import gemm
from tests.kernels.test_gemm import ACTIVATION_FORMULAS, product_bound


@pytest.fixture(scope="module")
def cupy():
    cuda = pytest.importorskip("ictus._cuda", reason="this build has no CUDA kernels")
    module = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        count = cuda.device_count()
    except RuntimeError as error:
        pytest.skip(f"no usable GPU: {error}")
    if count == 0:
        pytest.skip("no GPU here")
    return module


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (64, 16, 64), (65, 17, 63), (100, 784, 500), (5, 0, 3)]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_product(cupy, shape, dtype, transposed):
    rows, inner, columns = shape
    generator = np.random.default_rng(0)
    a = generator.standard_normal((rows, inner)).astype(dtype)
    b = generator.standard_normal((inner, columns)).astype(dtype)
    c = generator.standard_normal((rows, columns)).astype(dtype)
    on_device = cupy.asarray(np.asfortranarray(a) if transposed else a)
    out = cupy.asarray(c)
    gemm(on_device, cupy.asarray(b), out, alpha=0.5, beta=2.0)
    expected = 0.5 * (a.astype(np.float64) @ b) + 2.0 * c
    bound = 2 * product_bound(a, b, np.abs(c), dtype)
    assert np.all(np.abs(cupy.asnumpy(out) - expected) <= bound)


@pytest.mark.parametrize("activation", sorted(ACTIVATION_FORMULAS))
def test_epilogue_draws_as_the_cpu(cupy, activation):
    generator = np.random.default_rng(1)
    a = generator.standard_normal((101, 50)).astype(np.float32)
    b = generator.standard_normal((50, 77)).astype(np.float32)
    bias = generator.standard_normal(77).astype(np.float32)
    for options in (
        {},
        {"dropout_rate": 0.4},
        {"sample": "gaussian"},
        {"sample": "bernoulli"} if activation == "sigmoid" else {},
    ):
        keywords = {"activation": activation, "seed": 2**40 + 3, "stream": 5, "first_row": 2}
        cpu = gemm(a, b, bias=bias, **keywords, **options)
        gpu = gemm(*map(cupy.asarray, (a, b)), bias=cupy.asarray(bias), **keywords, **options)
        gpu = cupy.asnumpy(gpu)
        if "sample" in options and options["sample"] == "bernoulli":
            # A probability within rounding of its uniform number may fall on either side.
            assert (gpu != cpu).mean() < 1e-3
        else:
            np.testing.assert_array_equal(gpu == 0, cpu == 0)
            np.testing.assert_allclose(gpu, cpu, rtol=1e-4, atol=1e-4)


def test_bad_arguments(cupy):
    a, b = cupy.ones((4, 3), "f4"), cupy.ones((3, 5), "f4")
    with pytest.raises(ValueError, match=r"gemm: b must have shape \(3, any\), got \(5, 3\)"):
        gemm(a, b.T)
    with pytest.raises(TypeError, match="gemm: b must have dtype float32, got float64"):
        gemm(a, b.astype("f8"))
    with pytest.raises(TypeError, match=r"gemm: b must be a CuPy array, got numpy.ndarray"):
        gemm(a, np.ones((3, 5), "f4"))


class FakeDeviceArray:
    __cuda_array_interface__ = {"shape": (2, 2), "typestr": "<f4", "data": (0, False), "version": 3}  # noqa: RUF012
    shape = (2, 2)


def test_missing_cuda_is_one_clear_sentence():
    from ictus.kernels import _device

    try:
        from ictus import _cuda  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match="this ictus was built without CUDA"):
            _device.native_module(FakeDeviceArray())
    else:
        assert _device.native_module(FakeDeviceArray()).__name__ == "ictus._cuda"
    assert _device.native_module(np.ones(2)).__name__ == "ictus._core"
