"""Affine, LayerNorm and LocalResponseNorm: formulas, derivatives, files, sliding."""

from __future__ import annotations

import numpy as np
import pytest

import ictus
from ictus.nn import (
    GRU,
    Affine,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    LayerNorm,
    LocalResponseNorm,
    Network,
    SequenceNetwork,
)
from tests.nn.derivatives import check_gauss_newton, check_gradient, check_r_operator

CHAINS = {
    "affine": ((5,), [Affine(2.0, 0.5), Dense(6, "tanh"), Affine(), Dense(3)]),
    "layer": ((7,), [Dense(6), LayerNorm(), Dense(5, "tanh"), LayerNorm(epsilon=0.1), Dense(3)]),
    "first": ((6, 4), [LayerNorm(), Conv1D(3, 2, "tanh"), Affine(), Flatten(), Dense(3)]),
    "local": (
        (5, 4, 2),
        [Conv2D(7, 2), LocalResponseNorm(5, alpha=0.9, beta=0.7), Conv2D(4, 2, "tanh"),
         LocalResponseNorm(2, alpha=0.5, bias=2.0), LocalResponseNorm(9, alpha=2.0), Flatten(),
         Dense(3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_derivatives(chain):
    shape, layers = CHAINS[chain]
    network = Network(shape, layers, "softmax_cross_entropy", dtype=np.float64, seed=3)
    generator = np.random.default_rng(4)
    network.parameters += 0.3 * generator.standard_normal(network.parameter_count)
    x = generator.normal(size=(6, *shape))
    y = network.checked_targets(generator.integers(0, 3, 6), x)
    check_gradient(network, x, y)
    check_r_operator(network, x)
    check_gauss_newton(network, x)
    # Of the inputs too, and added to what is there.
    network.loss_and_gradient(x, y)
    once = network.gradient.copy()
    network.loss_and_gradient(x, y, accumulate=True)
    np.testing.assert_allclose(network.gradient, 2 * once, rtol=1e-9, atol=1e-12)
    v = generator.normal(size=x.shape)
    of_y = generator.normal(size=(6, 3))
    exact = (network.input_gradient(x, of_y) * v).sum()
    step = 1e-6
    ends = [network.forward(x + sign * step * v) for sign in (1, -1)]
    assert (of_y * (ends[0] - ends[1])).sum() / (2 * step) == pytest.approx(exact, rel=1e-5)


def test_derivatives_over_sequences():
    layers = [Affine(), GRU(4), LayerNorm(), Dense(2)]
    network = SequenceNetwork(3, layers, "squared_error", dtype=np.float64, seed=1)
    generator = np.random.default_rng(2)
    x = network.check_input([generator.normal(size=(n, 3)) for n in (5, 2)])
    check_gradient(network, x, generator.normal(size=(7, 2)))
    check_r_operator(network, x)


def test_formulas():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 4, 5, 6)) * 3 + 1
    layer = Network((4, 5, 6), [LayerNorm(epsilon=1e-3), Affine(2.0, -1.0)], "squared_error",
                    dtype=np.float64)  # fmt: skip
    mean, deviation = x.mean(-1, keepdims=True), np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(layer.predict(x), 2 * (x - mean) / deviation - 1, rtol=1e-12)
    for size in (1, 2, 3, 20):
        local = [LocalResponseNorm(size, alpha=0.3, beta=0.6, bias=1.5), Affine()]
        network = Network((4, 5, 6), local, "squared_error", dtype=np.float64)
        expected = np.empty_like(x)
        for i in range(6):
            near = range(max(0, i - (size - 1) // 2), min(6, i + size // 2 + 1))
            squares = sum(x[..., j] ** 2 for j in near)
            expected[..., i] = x[..., i] / (1.5 + 0.3 / size * squares) ** 0.6
        np.testing.assert_allclose(network.predict(x), expected, rtol=1e-12)


def test_files_and_sliding(tmp_path):
    layers = [Affine(), Conv2D(3, (3, 4)), LayerNorm(), LocalResponseNorm(3), Flatten(), Dense(2)]
    network = Network((5, 4, 1), layers, seed=5)
    ictus.save(tmp_path / "model.ictus", network)
    again = ictus.load(tmp_path / "model.ictus")
    image = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
    patches = np.stack([image[i : i + 5] for i in range(5)])
    np.testing.assert_array_equal(again.predict(patches), network.predict(patches))
    np.testing.assert_allclose(network.slide(image), network.predict(patches), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerNorm(epsilon=0), "LayerNorm: epsilon must be a positive number, got 0"),
        (lambda: LocalResponseNorm(0), "size must be a positive integer, got 0"),
        (lambda: LocalResponseNorm(3, alpha=-1), "alpha must be a number in its range, got -1"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
