"""Optimisers: what they share, and that each one descends."""

import numpy as np
import pytest

from ictus.optim import OPTIMIZERS, SGD, Adam, RMSprop, make_optimizer


def descend(optimizer, steps=800):
    """Minimise 1/2 sum (a w^2) from 1; returns the last loss over the first."""
    curvature = np.linspace(0.5, 2, 20)
    w = np.ones(20)
    optimizer.prepare(w, np.array([[0, 20]]), [])
    first = 0.5 * (curvature * w**2).sum()
    for _ in range(steps):
        optimizer.step(w, curvature * w)
    return 0.5 * (curvature * w**2).sum() / first


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1),
        SGD(0.05, 0.9),
        SGD(0.05, 0.9, nesterov=True),
        SGD(0.5, 0.9, dampened=True),
        RMSprop(0.001),
        RMSprop(0.0005, momentum=0.5),
        Adam(0.01),
    ],
    ids=lambda o: str({k: v for k, v in o.config().items() if v})[:60],
)
def test_each_descends(optimizer):
    assert descend(optimizer, 2500) < 1e-3


def test_penalties_shrink_weights_but_not_biases():
    for options in ({"l2": 0.1}, {"l1": 0.01}):
        w = np.ones(10)
        optimizer = SGD(0.1, **options)
        optimizer.prepare(w, np.array([[0, 6]]), [])
        optimizer.step(w, np.zeros(10))
        assert np.all(w[:6] < 1)
        np.testing.assert_array_equal(w[6:], 1)


def test_clipping_by_norm_and_by_value():
    w, gradient = np.zeros(4), np.array([3.0, 0, -4.0, 0])
    optimizer = SGD(1.0, clip_norm=1.0)
    optimizer.prepare(w, np.zeros((0, 2), int), [])
    optimizer.step(w, gradient.copy())
    np.testing.assert_allclose(w, [-0.6, 0, 0.8, 0])
    w[...] = 0
    optimizer = SGD(1.0, clip_value=2.0)
    optimizer.prepare(w, np.zeros((0, 2), int), [])
    optimizer.step(w, gradient.copy())
    np.testing.assert_allclose(w, [-2, 0, 2, 0])


def test_max_norm_after_each_step():
    flat = np.full(12, 3.0)
    weights = flat[:9].reshape(3, 3)
    optimizer = SGD(0.1, max_norm=1.5)
    optimizer.prepare(flat, np.array([[0, 9]]), [weights])
    optimizer.step(flat, np.zeros(12))
    np.testing.assert_allclose(np.linalg.norm(weights, axis=0), 1.5)
    np.testing.assert_array_equal(flat[9:], 3.0)


def test_state_is_kept_while_it_fits():
    optimizer = SGD(0.1, 0.9)
    w = np.ones(5)
    optimizer.prepare(w, np.zeros((0, 2), int), [])
    optimizer.step(w, np.ones(5))
    velocity = optimizer.state["velocity"].copy()
    optimizer.prepare(w, np.zeros((0, 2), int), [])
    np.testing.assert_array_equal(optimizer.state["velocity"], velocity)
    optimizer.prepare(np.ones(6), np.zeros((0, 2), int), [])
    np.testing.assert_array_equal(optimizer.state["velocity"], np.zeros(6))


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_configuration_makes_the_same_optimizer(name):
    more = {"damping": 2.0} if name == "hessian-free" else {"max_norm": 2.0}
    optimizer = make_optimizer(name, learning_rate=0.25, l2=0.5, **more)
    config = optimizer.config()
    assert make_optimizer(config.pop("name"), **config).config() == optimizer.config()


@pytest.mark.parametrize(
    ("make_it", "error", "message"),
    [
        (lambda: SGD(0), ValueError, "SGD: learning_rate must be positive, got 0"),
        (lambda: SGD(float("nan")), ValueError, "SGD: learning_rate must be positive, got nan"),
        (lambda: SGD(0.1, 1.5), ValueError, r"SGD: momentum must be in \[0, 1\], got 1.5"),
        (lambda: SGD(0.1, l1=-1), ValueError, "SGD: l1 must be not negative, got -1"),
        (lambda: SGD(0.1, max_norm=0), ValueError, "SGD: max_norm must be positive, got 0"),
        (lambda: SGD(0.1, momemtum=0.9), TypeError, "momemtum"),
        (lambda: Adam(beta2=1.0), ValueError, r"Adam: beta2 must be in \[0, 1\), got 1.0"),
        (lambda: RMSprop(epsilon=0.0), ValueError, "RMSprop: epsilon must be positive, got 0.0"),
        (
            lambda: make_optimizer("adagrad"),
            ValueError,
            "optimizer must be one of .* got 'adagrad'",
        ),
    ],
)
def test_bad_arguments(make_it, error, message):
    with pytest.raises(error, match=message):
        make_it()
