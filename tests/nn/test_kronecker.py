"""Kronecker factors of Dense layers: against the explicit matrices they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus.nn import Conv2D, Dense, Dropout, Flatten, Network, Recurrent, SequenceNetwork
from ictus.nn.kronecker import KroneckerFactors, can_factor, inverse_of, random_gradient
from ictus.optim import ConjugateGradient, HessianFree
from ictus.train import Trainer


@settings(max_examples=10)
@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_inverse_in_blocks(size, seed):
    factor = np.random.default_rng(seed).standard_normal((size, size + 5))
    matrix = factor @ factor.T + np.eye(size)
    kept = matrix.copy()
    np.testing.assert_allclose(inverse_of(matrix) @ matrix, np.eye(size), atol=1e-8)
    np.testing.assert_array_equal(matrix, kept)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy", "softmax_cross_entropy"])
def test_random_gradients_have_the_curvature_of_the_loss(loss):
    network = Network(2, [Dense(4)], loss, dtype=np.float64)
    generator = np.random.default_rng(0)
    row = generator.standard_normal((1, 4))
    many = np.repeat(row, 200_000, axis=0)
    drawn = random_gradient(network.loss_function, many, generator)
    hessian = np.empty((4, 4))
    for i in range(4):
        v = np.eye(4)[i : i + 1].copy()
        network.loss_function.curvature(row.copy(), v, v, None, 1.0)
        hessian[i] = v[0]
    np.testing.assert_allclose(drawn.T @ drawn / len(drawn), hessian, atol=6e-3)


def small(loss="binary_cross_entropy"):
    layers = [Dense(5, "sigmoid"), Dense(3, "tanh"), Dense(4)]
    return Network(6, layers, loss, dtype=np.float64, seed=2)


def test_multiplies_by_the_inverse_of_the_products_of_factors():
    network, generator = small(), np.random.default_rng(0)
    x = generator.standard_normal((50, 6))
    factors = KroneckerFactors(network)
    for part in (x[:20], x[20:]):
        factors.add(part, generator)
    first = np.column_stack([x, np.ones(50)])
    np.testing.assert_allclose(factors.inputs[0], first.T @ first, atol=1e-12)
    preconditioner = factors.preconditioner(50, 0.01)
    vector = generator.standard_normal(network.parameter_count)
    out = np.empty_like(vector)
    preconditioner(vector, out)
    begin = 0
    for a, s in zip(factors.inputs, factors.gradients, strict=True):
        a, s = a / 50, s / 50
        pi = np.sqrt((np.trace(a) / len(a)) / (np.trace(s) / len(s)))
        a, s = a + 0.1 * pi * np.eye(len(a)), s + 0.1 / pi * np.eye(len(s))
        end = begin + len(a) * len(s)
        expected = np.linalg.solve(np.kron(a, s), vector[begin:end])
        np.testing.assert_allclose(out[begin:end], expected, rtol=1e-8, atol=1e-10)
        begin = end
    assert begin == network.parameter_count


def test_the_mean_of_factors_is_the_block_of_one_layer():
    """One linear layer with squared error: the matrix is A x I, and the factors have it."""
    network = Network(6, [Dense(4)], "squared_error", dtype=np.float64, seed=0)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((4000, 6)) * np.geomspace(0.03, 3, 6)
    factors = KroneckerFactors(network)
    factors.add(x, generator)
    gauss_newton = network.gauss_newton(x)
    gradient = generator.standard_normal(network.parameter_count)
    steps = []
    for inverse in (None, factors.preconditioner(len(x), 1e-6)):
        solver = ConjugateGradient(200, tolerance=1e-9)
        found = solver.solve(
            gauss_newton.product, gradient, np.zeros_like(gradient), inverse, damping=1e-6
        )
        _, solution, _ = found.iterates[-1]
        product = gauss_newton.product(solution) + 1e-6 * solution
        np.testing.assert_allclose(product, -gradient, atol=1e-4)
        steps.append(next(s for s, _, v in found.iterates if v < 0.9999 * found.iterates[-1][2]))
    assert steps[1] < steps[0]


def test_training_with_it_needs_fewer_steps_of_conjugate_gradients():
    generator = np.random.default_rng(1)
    causes = generator.standard_normal((200, 3)) @ generator.standard_normal((3, 16))
    x = (1 / (1 + np.exp(-2 * causes))).astype(np.float32)
    results = {}
    for kind in ("kronecker", "empirical_fisher"):
        layers = [Dense(12, "sigmoid"), Dense(3), Dense(12, "sigmoid"), Dense(16)]
        network = Network(16, layers, "binary_cross_entropy", seed=0)
        optimizer = HessianFree(preconditioner=kind, cg_steps=10)
        history = Trainer(network, optimizer, batch_size=200, epochs=15).fit(x, x)
        assert history["loss"] == sorted(history["loss"], reverse=True)
        results[kind] = network.loss(x, x)
    assert results["kronecker"] < results["empirical_fisher"]


def test_layers_without_parameters_pass_gradients_on():
    network = Network(6, [Dense(5, "sigmoid"), Dropout(0.0), Dense(4)], "squared_error")
    plain = Network(6, [Dense(5, "sigmoid"), Dense(4)], "squared_error")
    plain.parameters[...] = network.parameters
    x = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
    sums = []
    for each in (network, plain):
        factors = KroneckerFactors(each)
        factors.add(x, np.random.default_rng(1))
        sums.append(factors.gradients)
    for one, other in zip(*sums, strict=True):
        np.testing.assert_array_equal(one, other)


def test_refuses_other_layers():
    network = Network((6, 6, 1), [Conv2D(2, 3, "relu"), Flatten(), Dense(4)])
    assert not can_factor(network)
    with pytest.raises(ValueError, match=r"kronecker .* Dense layers, none tied, got \['Conv2D'"):
        KroneckerFactors(network)
    assert not can_factor(SequenceNetwork(2, [Recurrent(3), Dense(2)]))
    assert can_factor(small())
