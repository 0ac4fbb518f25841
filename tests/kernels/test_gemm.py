"""The matrix product and its epilogue against float64 NumPy, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels import PackedMatrix, gemm

ACTIVATION_FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softplus": lambda z: np.logaddexp(0, z),
}
LAYOUTS = ["rows", "columns", "every other", "reversed", "offset", "broadcast"]
# Sizes around the tiles and vectors of every level, beside small ones and nothing at all.
SIZES = st.one_of(
    st.integers(0, 9), st.sampled_from([11, 14, 15, 16, 17, 28, 29, 31, 32, 33, 47, 64, 65, 97])
)


def make_operand(generator, shape, dtype, layout):
    """An operand of the given shape in an inconvenient memory layout."""
    rows, columns = shape
    if layout == "columns":
        return np.asfortranarray(generator.standard_normal(shape).astype(dtype))
    if layout == "every other":
        return generator.standard_normal((2 * rows + 1, 2 * columns + 1)).astype(dtype)[1::2, 1::2]
    if layout == "reversed":
        return generator.standard_normal(shape).astype(dtype)[::-1, ::-1]
    if layout == "offset":
        return generator.standard_normal((rows, columns + 5)).astype(dtype)[:, 3 : columns + 3]
    if layout == "broadcast":
        return np.broadcast_to(generator.standard_normal((rows, 1)).astype(dtype), shape)
    return generator.standard_normal(shape).astype(dtype)


def product_bound(a, b, extra, dtype):
    """Rounding error of a sum of inner products and `extra` further terms, element by element."""
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64) + extra
    return (a.shape[1] + 4) * np.finfo(dtype).eps * magnitude + np.finfo(dtype).tiny


@pytest.mark.usefixtures("each_level")
class TestProduct:
    @given(
        shape=st.tuples(SIZES, SIZES, SIZES),
        layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
        dtype=st.sampled_from([np.float32, np.float64]),
        scales=st.sampled_from([(1.0, 0.0), (1.0, 1.0), (-0.5, 0.0), (2.0, -0.25), (0.0, 1.0)]),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_equals_reference(self, shape, layouts, dtype, scales, seed):
        rows, inner, columns = shape
        alpha, beta = scales
        generator = np.random.default_rng(seed)
        a = make_operand(generator, (rows, inner), dtype, layouts[0])
        b = make_operand(generator, (inner, columns), dtype, layouts[1])
        frame = generator.standard_normal((rows + 2, columns + 7)).astype(dtype)
        before = frame.copy()
        out = frame[1 : rows + 1, 3 : columns + 3]
        expected = alpha * (a.astype(np.float64) @ b.astype(np.float64)) + beta * out
        bound = product_bound(a, b, np.abs(before[1 : rows + 1, 3 : columns + 3]), dtype)
        if beta == 0:
            out[...] = np.nan
        assert gemm(a, b, out, alpha=alpha, beta=beta) is out
        assert np.all(np.abs(out - expected) <= bound * max(abs(alpha), abs(beta), 1))
        # Nothing outside the output is touched.
        frame[1 : rows + 1, 3 : columns + 3] = before[1 : rows + 1, 3 : columns + 3]
        np.testing.assert_array_equal(frame, before)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "shape",
        [
            (200, 1100, 90),
            (30, 520, 1700),
            (9, 1030, 700),
            (600, 2, 450),
            (3, 2000, 3),
            (300, 600, 1),
            (100, 784, 519),  # a minibatch: A is packed as a whole
            (31, 1, 513),
            (140, 600, 257),
            (1300, 19, 1157),  # the large tiles of a GPU
        ],
    )
    @pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True)])
    def test_many_blocks(self, shape, transposed, dtype):
        rows, inner, columns = shape
        generator = np.random.default_rng(rows)
        layouts = ["columns" if t else "rows" for t in transposed]
        a = make_operand(generator, (rows, inner), dtype, layouts[0])
        b = make_operand(generator, (inner, columns), dtype, layouts[1])
        expected = a.astype(np.float64) @ b.astype(np.float64)
        bound = product_bound(a, b, 0, dtype)
        assert np.all(np.abs(gemm(a, b) - expected) <= bound)
        out = np.ones((rows, columns), dtype)
        gemm(a, b, out, alpha=-0.5, beta=3.0)
        assert np.all(np.abs(out - (3.0 - 0.5 * expected)) <= bound + 8 * np.finfo(dtype).eps)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_packed_operand_gives_the_same_bits(self, dtype):
        generator = np.random.default_rng(7)
        for rows, inner, columns in [(50, 70, 90), (200, 1100, 500), (40, 600, 33), (40, 1, 1)]:
            a = generator.standard_normal((rows, inner)).astype(dtype)
            b = generator.standard_normal((columns, inner)).astype(dtype).T
            packed = PackedMatrix(b)
            assert packed.shape == (inner, columns)
            np.testing.assert_array_equal(gemm(a, packed), gemm(a, np.ascontiguousarray(b)))
            packed.update(-b)
            assert packed.version == 2
            np.testing.assert_array_equal(gemm(a, packed), -gemm(a, np.ascontiguousarray(b)))

    def test_same_bits_for_any_number_of_threads(self):
        generator = np.random.default_rng(3)
        before = ictus.num_threads()
        try:
            for rows, inner, columns in [(100, 784, 500), (5, 3000, 2000), (2000, 700, 3)]:
                a = generator.standard_normal((rows, inner)).astype(np.float32)
                b = generator.standard_normal((columns, inner)).astype(np.float32).T
                results = []
                for threads in (1, 2, 3):
                    ictus.set_num_threads(threads)
                    results.append(gemm(a, b, activation="tanh", dropout_rate=0.5, seed=5))
                np.testing.assert_array_equal(results[0], results[1])
                np.testing.assert_array_equal(results[0], results[2])
        finally:
            ictus.set_num_threads(before)

    def test_non_finite_operands_reach_the_result(self):
        a = np.ones((20, 30), np.float32)
        b = np.ones((30, 40), np.float32)
        a[3, 4] = np.nan
        a[5, 6] = np.inf
        out = gemm(a, b)
        assert np.isnan(out[3]).all()
        assert np.isposinf(out[5]).all()
        assert np.isfinite(np.delete(out, [3, 5], axis=0)).all()


@pytest.mark.usefixtures("each_level")
class TestEpilogue:
    @given(
        shape=st.tuples(SIZES, st.integers(0, 40), SIZES),
        activation=st.sampled_from(sorted(ACTIVATION_FORMULAS)),
        dtype=st.sampled_from([np.float32, np.float64]),
        with_bias=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_bias_and_activation(self, shape, activation, dtype, with_bias, seed):
        rows, inner, columns = shape
        generator = np.random.default_rng(seed)
        a = generator.standard_normal((rows, inner)).astype(dtype)
        b = generator.standard_normal((inner, columns)).astype(dtype)
        bias = generator.standard_normal(columns).astype(dtype) if with_bias else None
        extra = 0 if bias is None else np.abs(bias)
        z = a.astype(np.float64) @ b.astype(np.float64) + (0 if bias is None else bias)
        expected = ACTIVATION_FORMULAS[activation](z)
        # Every activation has slope at most 1, so the product's error bounds the output's.
        bound = product_bound(a, b, extra, dtype) + 4 * np.finfo(dtype).eps * np.abs(expected)
        out = gemm(a, b, bias=bias, activation=activation)
        assert np.all(np.abs(out - expected) <= bound)

    @pytest.mark.parametrize("columns", [500, 512])
    @pytest.mark.parametrize("inner", [20, 700])
    def test_dropout_keeps_or_scales(self, columns, inner):
        generator = np.random.default_rng(1)
        a = generator.standard_normal((101, inner)).astype(np.float32)
        b = generator.standard_normal((inner, columns)).astype(np.float32)
        plain = gemm(a, b, activation="sigmoid")
        rate = 0.25
        dropped = gemm(a, b, activation="sigmoid", dropout_rate=rate, seed=9, stream=4)
        kept = dropped != 0
        np.testing.assert_allclose(dropped[kept], plain[kept] / (1 - rate), rtol=1e-6)
        deviation = np.sqrt(rate * (1 - rate) / kept.size)
        assert abs(kept.mean() - (1 - rate)) < 5 * deviation

    def test_rows_of_a_batch_keep_their_draws(self):
        generator = np.random.default_rng(2)
        a = generator.standard_normal((60, 40)).astype(np.float32)
        b = generator.standard_normal((40, 50)).astype(np.float32)
        for options in ({"dropout_rate": 0.5}, {"activation": "sigmoid", "sample": "bernoulli"}):
            whole = gemm(a, b, seed=1, stream=2, **options)
            part = gemm(a[21:], b, seed=1, stream=2, first_row=21, **options)
            np.testing.assert_array_equal(whole[21:] == 0, part == 0)

    def test_bernoulli_and_gaussian_moments(self):
        a = np.zeros((400, 1), np.float32)
        b = np.zeros((1, 300), np.float32)
        bias = np.linspace(-3, 3, 300).astype(np.float32)
        states = gemm(a, b, bias=bias, activation="sigmoid", sample="bernoulli", seed=3)
        assert set(np.unique(states)) == {0.0, 1.0}
        p = 1 / (1 + np.exp(-bias.astype(np.float64)))
        assert np.all(np.abs(states.mean(0) - p) < 5 * np.sqrt(p * (1 - p) / 400))
        noisy = gemm(a, b, bias=bias, sample="gaussian", seed=3) - bias
        assert abs(noisy.mean()) < 5 / np.sqrt(noisy.size)
        assert abs(noisy.var() - 1) < 5 * np.sqrt(2 / noisy.size)


A = np.ones((4, 3), np.float32)
B = np.ones((3, 5), np.float32)
READ_ONLY = np.ones((4, 5), np.float32)
READ_ONLY.flags.writeable = False
MISALIGNED = np.frombuffer(bytearray(4 * 3 * 4 + 1), np.uint8)[1:].view(np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((A.tolist(), B), {}, TypeError, r"gemm: a must be a NumPy array, got list"),
        ((A.astype(int), B), {}, TypeError, r"a must have dtype float32 or float64, got int64"),
        ((A.astype(">f4"), B), {}, TypeError, r"a must have dtype float32 or float64, got >f4"),
        ((A, B.astype(float)), {}, TypeError, r"b must have dtype float32, got float64"),
        ((A.astype(complex), B), {}, TypeError, r"got complex128"),
        ((A, B.T), {}, ValueError, r"gemm: b must have shape \(3, any\), got \(5, 3\)"),
        ((A[0], B), {}, ValueError, r"a must have shape \(any, any\), got \(3,\)"),
        ((A[None], B), {}, ValueError, r"a must have shape \(any, any\), got \(1, 4, 3\)"),
        ((MISALIGNED, B), {}, ValueError, r"a must be aligned"),
        ((A, B, np.ones((4, 4), np.float32)), {}, ValueError, r"out must have shape \(4, 5\)"),
        ((A, B, READ_ONLY), {}, ValueError, r"out must be writeable"),
        ((A, B, np.ones((5, 4), np.float32).T), {}, ValueError, r"out must have contiguous rows"),
        ((A, B, np.ones((4, 5))), {}, TypeError, r"out must have dtype float32, got float64"),
        ((A, B), {"bias": np.ones(4, np.float32)}, ValueError, r"bias must have shape \(5,\)"),
        ((A, B), {"bias": np.ones(10, np.float32)[::2]}, ValueError, r"bias must be C-contiguous"),
        ((A, B), {"activation": "relo"}, ValueError, r"activation must be one of .* got 'relo'"),
        ((A, B), {"sample": "poisson"}, ValueError, r"sample must be one of .* got 'poisson'"),
        ((A, B), {"dropout_rate": 1.0}, ValueError, r"dropout_rate must be in \[0, 1\), got 1"),
        ((A, B), {"dropout_rate": np.nan}, ValueError, r"dropout_rate must be in \[0, 1\), got"),
        ((A, B), {"dropout_rate": -0.1}, ValueError, r"dropout_rate must be in \[0, 1\)"),
        ((A, B), {"first_row": -1}, ValueError, r"first_row must be not negative"),
        ((A, B), {"beta": 1.0}, ValueError, r"beta must be 0 where out is not given"),
        ((A, B), {"dropuot": 0.1}, TypeError, r"dropuot"),
        ((A, PackedMatrix(B.T)), {}, ValueError, r"b must have shape \(3, any\), got \(5, 3\)"),
        ((A.astype(float), PackedMatrix(B)), {}, TypeError, r"b must be packed from dtype float64"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        gemm(*arguments, **options)


def test_overlapping_output_is_refused():
    square = np.ones((6, 6), np.float32)
    with pytest.raises(ValueError, match="out must not overlap a"):
        gemm(square, np.ones((6, 6), np.float32), square)
    with pytest.raises(ValueError, match="out must not overlap b"):
        gemm(np.ones((6, 6), np.float32), square[::-1], square)


def test_packed_for_another_level_is_refused():
    levels = ictus.instruction_sets()
    if len(levels) < 2:
        pytest.skip("this machine has one instruction-set level only")
    before = ictus.instruction_set()
    try:
        ictus.set_instruction_set(levels[0])
        packed = PackedMatrix(B)
        ictus.set_instruction_set(levels[1])
        with pytest.raises(ValueError, match="was packed for instruction set baseline"):
            gemm(A, packed)
        packed.update(B)
        np.testing.assert_array_equal(gemm(A, packed), gemm(A, B))
    finally:
        ictus.set_instruction_set(before)
