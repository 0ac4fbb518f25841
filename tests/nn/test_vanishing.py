"""The penalty on vanishing gradients of Pascanu et al. 2013: value, gradient, effect."""

import numpy as np
import pytest

from ictus.nn import Dense, Recurrent, SequenceNetwork
from ictus.nn.vanishing import VanishingPenalty


class Cache:
    """What the penalty reads of a layer's cache."""

    def __init__(self, previous):
        self.previous = previous


def example(seed=0, rows=7, units=4):
    generator = np.random.default_rng(seed)
    previous = np.tanh(generator.standard_normal((rows, units)))
    previous[[0, 4]] = 0  # first steps of two sequences
    d = generator.standard_normal((rows, units))
    return Cache(previous), d, generator.standard_normal((units, units))


def by_hand(cache, d, recurrent):
    total = 0.0
    for row in range(len(d)):
        if not cache.previous[row].any():
            continue
        back = (recurrent @ d[row]) * (1 - cache.previous[row] ** 2)
        total += (np.linalg.norm(back) / np.linalg.norm(d[row]) - 1) ** 2
    return total / len(d)


def test_value_is_the_formula():
    cache, d, recurrent = example()
    penalty = VanishingPenalty(0.7)
    assert penalty.value(cache, d, recurrent) == pytest.approx(0.7 * by_hand(cache, d, recurrent))


def test_gradient_is_that_of_the_recurrent_weights():
    cache, d, recurrent = example()
    d[2] = 0  # a step that no gradient reaches
    penalty = VanishingPenalty(0.7)
    gradient = np.ones_like(recurrent)
    penalty.add_gradient(cache, d, recurrent, gradient)
    for place in np.ndindex(*recurrent.shape):
        kept, values = recurrent[place], []
        for sign in (1, -1):
            recurrent[place] = kept + sign * 1e-6
            values.append(penalty.value(cache, d, recurrent))
        recurrent[place] = kept
        slope = (values[0] - values[1]) / 2e-6
        assert gradient[place] - 1 == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("factor", [1e-25, 1e-35, 1e20])
def test_gradients_that_have_all_but_vanished_count_like_others(factor):
    cache, d, recurrent = example()
    cache.previous = cache.previous.astype(np.float32)
    d, recurrent = d.astype(np.float32), recurrent.astype(np.float32)
    penalty, results = VanishingPenalty(0.7), []
    for scaled in (d, d * np.float32(factor)):
        gradient = np.zeros_like(recurrent)
        penalty.add_gradient(cache, scaled, recurrent, gradient)
        results.append((gradient, penalty.value(cache, scaled, recurrent)))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-3, atol=1e-5)
    assert results[1][1] == pytest.approx(results[0][1], rel=1e-4)


def network(penalty, seed=1):
    layers = [Recurrent(6, output="last", vanishing_penalty=penalty, scale=0.5), Dense(1)]
    return SequenceNetwork(2, layers, "squared_error", dtype=np.float64, seed=seed)


def test_a_network_adds_it_to_the_gradient_of_its_recurrent_weights_alone():
    generator = np.random.default_rng(0)
    plain, other = network(0.0), network(0.5)
    x = plain.check_input([generator.standard_normal((n, 2)) for n in (5, 8)])
    y = generator.standard_normal((2, 1))
    losses = [each.loss_and_gradient(x, y) for each in (plain, other)]
    assert losses[0] == losses[1]
    differs = plain.gradient != other.gradient
    _, recurrent, _ = plain.views(differs.astype(float))[0]
    assert recurrent.all()
    assert differs.sum() == recurrent.size
    # Curvature knows nothing of it.
    v = generator.standard_normal(plain.parameter_count)
    np.testing.assert_array_equal(
        plain.gauss_newton_product(x, v), other.gauss_newton_product(x, v)
    )


def test_descent_along_it_brings_the_lengths_together():
    generator = np.random.default_rng(0)
    model = network(1.0)
    x = model.check_input([generator.standard_normal((20, 2)) for _ in range(10)])
    y = generator.standard_normal((10, 1))

    def penalty():
        model.loss_and_gradient(x, y)
        cache = model._of_thread.sequences[0]
        model.forward(x)
        d = np.zeros((len(x.frames), 6))
        keep = model.layers[0].take_pass
        model.layers[0].take_pass = lambda cache, gates, *_: d.__setitem__(..., gates)
        model.loss_and_gradient(x, y)
        model.layers[0].take_pass = keep
        return model.layers[0].vanishing_penalty.value(cache, d, model._views[0][1])

    before = penalty()
    for _ in range(60):
        model.loss_and_gradient(x, y)
        model.parameters -= 0.2 * model.gradient
    assert penalty() < 0.5 * before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vanishing_penalty": -1}, "vanishing_penalty must not be negative, got -1"),
        ({"vanishing_penalty": 1, "activation": "relu"}, "needs the activation tanh"),
        ({"vanishing_penalty": 1, "directions": 2}, "one direction, got 'tanh' and 2"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Recurrent(4, **arguments)


def test_is_in_the_configuration():
    config = Recurrent(4, vanishing_penalty=0.5).config()
    kind = config.pop("kind")
    assert (kind, Recurrent(**config).config()["vanishing_penalty"]) == ("recurrent", 0.5)
    assert "vanishing_penalty" not in Recurrent(4).config()
