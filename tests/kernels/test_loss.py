"""Losses, gradients and curvature against float64 formulas, at every instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests.reference import sigmoid, softplus
from tests.strategies import arrange, matrix, row_layouts, scalars, sizes
from tests.tolerance import assert_within, epsilon

KINDS = ["squared_error", "binary_cross_entropy", "softmax_cross_entropy"]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def reference(kind, z, t):
    """Loss of each row, and its gradient."""
    if kind == "squared_error":
        return 0.5 * np.square(z - t).sum(1), z - t
    if kind == "binary_cross_entropy":
        return (softplus(z) - t * z).sum(1), sigmoid(z) - t
    top = z.max(axis=1, keepdims=True)
    log_p = z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    return -np.where(t > 0, t * log_p, 0).sum(1), softmax(z) - t


def make_targets(kind, rows, columns, dtype, seed):
    generator = np.random.default_rng(seed)
    if kind == "squared_error":
        return generator.standard_normal((rows, columns)).astype(dtype)
    t = generator.random((rows, columns)).astype(dtype)
    return (t / t.sum(1, keepdims=True)).astype(dtype) if kind.startswith("softmax") else t


@pytest.mark.usefixtures("each_level")
class TestLosses:
    @given(
        kind=st.sampled_from(KINDS),
        rows=sizes,
        columns=sizes,
        dtype=scalars,
        layout=row_layouts,
        scale=st.sampled_from([1.0, 20.0, 1e4]),
        weighted=st.booleans(),
        seed=st.integers(0, 99),
    )
    def test_value_and_gradient(self, kind, rows, columns, dtype, layout, scale, weighted, seed):
        z = arrange(matrix(rows, columns, dtype, seed, scale), layout)
        t = make_targets(kind, rows, columns, dtype, seed)
        weights = np.random.default_rng(seed).random(rows).astype(dtype) if weighted else None
        w = np.ones(rows) if weights is None else weights.astype(np.float64)
        losses, gradient = reference(kind, z.astype(np.float64), t.astype(np.float64))
        out = np.full((rows, columns), np.nan, dtype)
        value = getattr(kernels, kind)(z, t, out, weights, 0.5)
        magnitude = np.abs(z.astype(np.float64)).max() + 1
        relative = 4 * epsilon(dtype) * (columns + 8)
        terms = magnitude**2 if kind == "squared_error" else magnitude
        assert abs(value - 0.5 * (w * losses).sum()) <= relative * columns * (w * terms).sum()
        bound = relative * w[:, None] * magnitude
        assert_within(out, 0.5 * w[:, None] * gradient, bound, kind)
        in_place = z.copy()
        assert getattr(kernels, kind)(in_place, t, in_place, weights, 0.5) == value
        np.testing.assert_array_equal(in_place, out)
        assert getattr(kernels, kind)(z, t, None, weights, 0.5) == value

    @given(rows=sizes, columns=sizes, dtype=scalars, integer=st.sampled_from(["i4", "i8", "u1"]))
    def test_labels_equal_one_hot_targets(self, rows, columns, dtype, integer):
        z = matrix(rows, columns, dtype, 3)
        labels = np.random.default_rng(rows).integers(0, columns, rows).astype(integer)
        dense = np.eye(columns, dtype=dtype)[labels]
        a, b = np.empty_like(z), np.empty_like(z)
        of_labels = kernels.softmax_cross_entropy(z, labels, a)
        assert of_labels == kernels.softmax_cross_entropy(z, dense, b)
        np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("kind", KINDS)
    def test_gradient_is_the_derivative(self, kind):
        z = matrix(3, 5, np.float64, 1)
        t = make_targets(kind, 3, 5, np.float64, 2)
        weights = np.array([0.5, 1.0, 2.0])
        gradient = np.empty_like(z)
        loss = getattr(kernels, kind)
        loss(z, t, gradient, weights, 0.25)
        step = 1e-5
        for index in np.ndindex(z.shape):
            up, down = z.copy(), z.copy()
            up[index] += step
            down[index] -= step
            slope = (loss(up, t, None, weights, 0.25) - loss(down, t, None, weights, 0.25)) / (
                2 * step
            )
            assert abs(slope - gradient[index]) < 1e-9

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("columns", [1, 5, 37])
    def test_curvature_is_the_derivative_of_the_gradient(self, kind, columns):
        z, v = matrix(4, columns, np.float64, 1), matrix(4, columns, np.float64, 2)
        weights = np.array([0.5, 1.0, 2.0, 0.0])
        t = make_targets(kind, 4, columns, np.float64, 3)
        loss = getattr(kernels, kind)
        up, down = np.empty_like(z), np.empty_like(z)
        step = 1e-6
        loss(z + step * v, t, up, weights, 3.0)
        loss(z - step * v, t, down, weights, 3.0)
        product = kernels.output_curvature(kind, z, v, weights=weights, scale=3.0)
        np.testing.assert_allclose(product, (up - down) / (2 * step), atol=1e-8)
        in_place = v.copy()
        kernels.output_curvature(kind, z, in_place, in_place, weights=weights, scale=3.0)
        np.testing.assert_array_equal(in_place, product)

    def test_certain_predictions_stay_finite(self):
        z = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
        gradient = np.empty_like(z)
        assert kernels.softmax_cross_entropy(z, np.array([0, 0]), gradient) == 2e4
        np.testing.assert_array_equal(gradient, [[0, 0], [-1, 1]])
        assert kernels.binary_cross_entropy(z, np.array([[1, 0], [1, 0]], "f4"), gradient) == 2e4
        np.testing.assert_array_equal(gradient, [[0, 0], [-1, 1]])
        impossible = np.array([[0.0, -np.inf]], np.float32)
        assert kernels.softmax_cross_entropy(impossible, np.array([0])) == 0

    def test_non_finite_logits_show(self):
        z = np.array([[np.nan, 0.0], [0.0, 0.0]], np.float32)
        t = np.ones((2, 2), np.float32) / 2
        for kind in KINDS:
            assert np.isnan(getattr(kernels, kind)(z, t))

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        z = matrix(5000, 30, np.float32)
        labels = np.arange(5000) % 30
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            gradient = np.empty_like(z)
            results.append((kernels.softmax_cross_entropy(z, labels, gradient), gradient))
        for value, gradient in results[1:]:
            assert value == results[0][0]
            np.testing.assert_array_equal(gradient, results[0][1])

    def test_no_examples(self):
        empty = np.ones((0, 3), np.float32)
        for kind in KINDS:
            assert getattr(kernels, kind)(empty, empty, empty.copy()) == 0


Z = np.zeros((4, 3), np.float32)
LABELS = np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Z, np.array([0, 1, 3, 0])), ValueError, r"labels in \[0, 3\), got 3 in row 2"),
        ((Z, np.array([0, -1, 0, 0])), ValueError, r"labels in \[0, 3\), got -1 in row 1"),
        ((Z, LABELS[:3]), ValueError, r"targets must have shape \(4,\), got \(3,\)"),
        ((Z, np.zeros(4, np.float32)), TypeError, r"targets must have dtype int64, got float32"),
        ((Z, Z[:, :2]), ValueError, r"targets must have shape \(4, 3\), got \(4, 2\)"),
        ((Z, Z.astype(float)), TypeError, r"targets must have dtype float32, got float64"),
        ((Z[0], LABELS), ValueError, r"logits must have shape \(any, any\), got \(3,\)"),
        ((Z, LABELS, np.zeros((3, 4), np.float32)), ValueError, r"gradient must have shape"),
        ((Z, LABELS, None, np.ones(3, np.float32)), ValueError, r"weights must have shape \(4,\)"),
        ((Z, LABELS, None, np.ones(4)), TypeError, r"weights must have dtype float32"),
        ((Z, "abc"), TypeError, r"targets must be a NumPy array, got str"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        kernels.softmax_cross_entropy(*arguments)


def test_unknown_loss():
    with pytest.raises(ValueError, match=r"output_curvature: loss must be one of .*, got 'hinge'"):
        kernels.output_curvature("hinge", Z, Z)
