"""The passes of conjugate gradients against float64 formulas, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests.strategies import matrix, scalars
from tests.tolerance import assert_within, epsilon

LENGTHS = st.sampled_from([0, 1, 3, 7, 8, 9, 100, 32768, 33001, 70001])


def vectors(length, dtype, count):
    return [row.copy() for row in matrix(count, length, np.float32, length).astype(dtype)]


def doubles(*arrays):
    return [a.astype(np.float64) for a in arrays]


def close(actual, expected, dtype):
    assert_within(actual, expected, 8 * epsilon(dtype) * (np.abs(expected) + 1))


def close_sum(actual, terms, dtype):
    """The products are in double, the factors rounded once."""
    bound = 4 * (epsilon(dtype) + len(terms) * 1e-16) * (np.abs(terms).sum() + 1)
    assert abs(actual - terms.sum()) <= bound


@pytest.mark.usefixtures("each_level")
class TestPasses:
    @given(
        length=LENGTHS,
        dtype=scalars,
        damping=st.sampled_from([0.0, 0.7]),
        l2=st.sampled_from([0.0, 0.1]),
        with_segments=st.booleans(),
    )
    def test_damp(self, length, dtype, damping, l2, with_segments):
        v, product = vectors(length, dtype, 2)
        edges = [[0, length // 5], [length // 3, length // 2], [length // 2, length]]
        segments = np.array(edges, np.int64) if with_segments else None
        factor = np.full(length, damping)
        for begin, end in edges if with_segments else ():
            factor[begin:end] += l2
        v64, expected = doubles(v, product)
        expected = expected + factor * v64
        result = kernels.cg_damp(v, product, damping=damping, l2=l2, segments=segments)
        close(product, expected, dtype)
        close_sum(result, expected * v64, dtype)

    @given(length=LENGTHS, dtype=scalars, preconditioned=st.booleans())
    def test_advance(self, length, dtype, preconditioned):
        p, ap, g, x, r, m = vectors(length, dtype, 6)
        m = np.abs(m) if preconditioned else None
        p64, ap64, g64, x64, r64 = doubles(p, ap, g, x, r)
        x64, r64 = x64 + 0.3 * p64, r64 - 0.3 * ap64
        residual, solution = kernels.cg_advance(0.3, p, ap, g, x, r, m)
        close(x, x64, dtype)
        close(r, r64, dtype)
        close_sum(residual, r64 * r64 * (1.0 if m is None else m.astype(np.float64)), dtype)
        close_sum(solution, x64 * (r64 - g64), dtype)

    @given(length=LENGTHS, dtype=scalars, preconditioned=st.booleans())
    def test_turn(self, length, dtype, preconditioned):
        r, p, m = vectors(length, dtype, 3)
        expected = r.astype(np.float64) * (m if preconditioned else 1) + 0.6 * p.astype(np.float64)
        kernels.cg_turn(0.6, r, p, m if preconditioned else None)
        close(p, expected, dtype)

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        results = []
        for threads in (1, 3):
            ictus.set_num_threads(threads)
            p, ap, g, x, r = vectors(300_001, np.float32, 5)
            results.append(
                (kernels.cg_damp(p, ap, damping=0.1), kernels.cg_advance(0.3, p, ap, g, x, r))
            )
        assert results[0] == results[1]


def test_bad_arguments_are_named():
    a, b = np.zeros(4), np.zeros(4)
    with pytest.raises(ValueError, match=r"cg_damp: direction must have shape \(4,\), got \(3,\)"):
        kernels.cg_damp(np.zeros(3), a, damping=0.0)
    with pytest.raises(ValueError, match="cg_damp: direction must not overlap product"):
        kernels.cg_damp(a, a, damping=0.0)
    with pytest.raises(ValueError, match="cg_damp: damping must be not negative, got -1"):
        kernels.cg_damp(a, b, damping=-1.0)
    with pytest.raises(ValueError, match="cg_damp: segments must be ascending"):
        kernels.cg_damp(a, b, damping=0.0, segments=np.array([[2, 1]]))
    with pytest.raises(TypeError, match="cg_advance: gradient must have dtype float64"):
        kernels.cg_advance(1.0, a, b, np.zeros(4, "f4"), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="cg_advance: residual must not overlap x"):
        kernels.cg_advance(1.0, a, b, np.zeros(4), a, a)
    with pytest.raises(ValueError, match="cg_turn: direction must not overlap residual"):
        kernels.cg_turn(1.0, a, a)
