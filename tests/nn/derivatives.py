"""Checks of a network's derivatives in float64: central differences, and explicit matrices."""

from __future__ import annotations

import numpy as np
import pytest


def check_gradient(network, x, y, directions=2, tolerance=1e-6):
    """The gradient of a training pass against central differences along random directions."""
    draws, state = network.draw_count, network.state.copy()

    def value():
        network.draw_count = draws
        network.state[...] = state
        return network.loss_and_gradient(x, y)

    value()
    gradient, start = network.gradient.copy(), network.parameters.copy()
    generator = np.random.default_rng(1)
    for _ in range(directions):
        direction = generator.standard_normal(network.parameter_count)
        exact = gradient @ direction
        for step in (1e-5, 1e-6, 1e-7):  # a smaller step where a kink is near
            network.parameters[...] = start + step * direction
            up = value()
            network.parameters[...] = start - step * direction
            down = value()
            network.parameters[...] = start
            slope = (up - down) / (2 * step)
            if abs(slope - exact) <= tolerance * max(abs(exact), np.linalg.norm(gradient), 1e-3):
                break
        else:
            pytest.fail(f"derivative {exact}, central difference {slope}")
    network.state[...] = state


def check_r_operator(network, x, tolerance=1e-6):
    """The R-operator against central differences of the logits."""
    direction = np.random.default_rng(2).standard_normal(network.parameter_count)
    product, start = network.jvp(x, direction), network.parameters.copy()
    for step in (1e-5, 1e-6, 1e-7):
        network.parameters[...] = start + step * direction
        up = network.forward(x)
        network.parameters[...] = start - step * direction
        down = network.forward(x)
        network.parameters[...] = start
        slope = (up - down) / (2 * step)
        error = np.linalg.norm(slope - product) / max(np.linalg.norm(product), 1e-6)
        if error <= tolerance:
            return
    pytest.fail(f"relative error {error}")


def check_gauss_newton(network, x, tolerance=1e-9):
    """The Gauss-Newton product against J^T H J with J from the R-operator, H from the outputs."""
    generator = np.random.default_rng(3)
    direction = generator.standard_normal(network.parameter_count)
    product = network.gauss_newton_product(x, direction)
    p, rows = network.predict(x).reshape(-1, network.output_size), len(x)
    chosen = np.argsort(-abs(product))[:12]  # rows of the matrix, not all of it
    v = network.jvp(x, direction).reshape(p.shape)
    hv = v if network.loss_name == "squared_error" else p * v - p * (p * v).sum(1, keepdims=True)
    for i in chosen:
        unit = np.zeros(network.parameter_count)
        unit[i] = 1
        expected = (network.jvp(x, unit).reshape(p.shape) * hv).sum() / rows
        assert abs(product[i] - expected) <= tolerance * max(abs(product).max(), 1e-6)
