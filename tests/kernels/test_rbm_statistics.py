"""What the draws and updates mean: moments, and the gradient of the exact log-likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ictus import kernels
from tests import reference as activations
from tests import reference_rbm as reference
from tests.kernels.test_rbm import machine, native
from tests.kernels.test_rbm_divergence import data_of, native_training

PARAMETERS = ("weights", "visible_bias", "hidden_bias")


def hidden_states(units: int) -> np.ndarray:
    bits = np.arange(2**units)[:, None] >> np.arange(units) & 1
    return bits.astype(float)


def hidden_log_weights(m: reference.Machine, hidden: np.ndarray) -> np.ndarray:
    """Log of the sum over Gaussian visible states of exp(-energy), a constant left out."""
    mean_shift = hidden @ m.weights.T
    visible = (mean_shift**2 / 2 + m.visible_bias * mean_shift) / m.variance
    return hidden @ m.hidden_bias + visible.sum(axis=1) + np.log(m.variance).sum() / 2


def log_likelihood(m: reference.Machine, data: np.ndarray) -> float:
    """By enumeration of the side whose states can be counted."""
    if m.visible_type != "gaussian":
        return reference.log_likelihood(m, data)
    logs = hidden_log_weights(m, hidden_states(len(m.hidden_bias)))
    partition = logs.max() + np.log(np.exp(logs - logs.max()).sum())
    return float((-reference.free_energy(m, data) - partition).mean())


def exact_hidden_samples(m: reference.Machine, count: int, g: np.random.Generator) -> np.ndarray:
    """Hidden states from the model's own distribution."""
    if m.visible_type == "gaussian":
        every = hidden_states(len(m.hidden_bias))
        logs = hidden_log_weights(m, every)
    else:
        every = reference.visible_states(m)
        logs = -reference.free_energy(m, every)
    p = np.exp(logs - logs.max())
    chosen = every[g.choice(len(every), count, p=p / p.sum())]
    if m.visible_type == "gaussian":
        return chosen
    x = m.hidden_input(chosen)
    if m.hidden_type == "gaussian":
        return x + g.standard_normal(x.shape)
    return (g.random(x.shape) < activations.sigmoid(x)).astype(float)


def differences(
    m: reference.Machine, data: np.ndarray, name: str, step: float = 1e-5
) -> np.ndarray:
    """Central differences of the log-likelihood by a parameter (variance: by its logarithm)."""
    values = getattr(m, name)
    gradient = np.empty_like(values)
    for i in np.ndindex(values.shape):
        kept, sides = values[i], []
        for sign in (1, -1):
            change = sign * step
            values[i] = kept * np.exp(change) if name == "variance" else kept + change
            sides.append(log_likelihood(m, data))
        values[i] = kept
        gradient[i] = (sides[0] - sides[1]) / (2 * step)
    return gradient


def zero_training(m: reference.Machine) -> reference.Training:
    return reference.Training(*(np.zeros_like(getattr(m, name)) for name in PARAMETERS))


def gradients_of_updates(
    m: reference.Machine,
    t: reference.Training,
    count: int,
    call: Callable[[kernels.ContrastiveDivergence, int], None],
) -> dict[str, np.ndarray]:
    """What each of `count` updates from the same parameters, at rate 1, adds to them."""
    names = PARAMETERS if t.log_variance is None else (*PARAMETERS, "log_variance")
    places = {name: getattr(t if name == "log_variance" else m, name) for name in names}
    start = {name: a.copy() for name, a in places.items()}
    variance = None if m.variance is None else m.variance.copy()
    found = {name: np.empty((count, *a.shape)) for name, a in start.items()}
    divergence = native_training(m, t)
    for i in range(count):
        call(divergence, i)
        for name, a in places.items():
            found[name][i] = a - start[name]
            a[...] = start[name]
        if variance is not None:
            m.variance[:] = variance
    return found


def test_exact_gradient_of_the_log_likelihood(each_level: str) -> None:
    """The negative phase over all visible states, each forced by its uniforms, by probability."""
    m = machine(6, 4)
    data = data_of(m, 9, 0.4)
    every = reference.visible_states(m)
    logs = -reference.free_energy(m, every)
    p = np.exp(logs - logs.max())
    p /= p.sum()
    t = zero_training(m)
    t.particles = np.zeros((1, 4))

    def one_state(divergence: kernels.ContrastiveDivergence, i: int) -> None:
        divergence.update(
            data,
            weight_rate=1.0,
            bias_rate=1.0,
            negative_scale=len(every) * p[i],
            visible_uniforms=1 - every[i : i + 1],
        )

    found = gradients_of_updates(m, t, len(every), one_state)
    for name in PARAMETERS:
        expected = differences(m, data, name)
        np.testing.assert_allclose(found[name].mean(axis=0), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("visible_type", "hidden_type"),
    [
        ("bernoulli", "bernoulli"),
        ("softmax", "bernoulli"),
        ("labelled", "bernoulli"),
        ("gaussian", "bernoulli"),
        ("bernoulli", "gaussian"),
    ],
)
@pytest.mark.parametrize("steps", [1, 2])
def test_updates_climb_the_log_likelihood(
    each_level: str, visible_type: str, hidden_type: str, steps: int
) -> None:
    """With particles from the model's own distribution, which a chain leaves as it is, the
    expectation of an update is the exact gradient."""
    m = machine(6, 3, np.float64, visible_type, hidden_type, 3)
    m.weights *= 0.5
    data = data_of(m, 11, 0.5)
    g = np.random.default_rng(7)
    t = zero_training(m)
    t.particles = np.empty((20_000, 3))
    rates = {"weight_rate": 1.0, "bias_rate": 1.0, "steps": steps}
    if visible_type == "gaussian":
        t.log_variance, t.log_variance_velocity = np.log(m.variance), np.zeros(6)
        rates["variance_rate"] = 1.0
    count = 30

    def sampled(divergence: kernels.ContrastiveDivergence, i: int) -> None:
        t.particles[:] = exact_hidden_samples(m, len(t.particles), g)
        divergence.update(data, seed=5, stream=10 * i, **rates)

    found = gradients_of_updates(m, t, count, sampled)
    for name, each in found.items():
        expected = differences(m, data, "variance" if name == "log_variance" else name)
        error = each.std(axis=0, ddof=1) / np.sqrt(count)
        assert (error < 0.02).all(), "the test would not see an error"
        assert (np.abs(each.mean(axis=0) - expected) < 6 * error + 1e-9).all(), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_of_samples(each_level: str, dtype: type) -> None:
    """Means and variances over 100,000 rows, within 5 standard errors."""
    rows = 100_000
    bias = np.array([-3, -1, 0, 0.5, 2], dtype)
    x = bias.astype(float)
    p = activations.sigmoid(x)
    zero = np.zeros((1, 5), dtype)
    no_states = np.zeros((rows, 1), dtype)
    sample = np.empty((rows, 5), dtype)

    def check(mean: np.ndarray, variance: np.ndarray) -> None:
        values = sample.astype(float)
        error = np.sqrt(variance / rows)
        assert (np.abs(values.mean(axis=0) - mean) < 5 * error).all()
        fourth = ((values - mean) ** 4).mean(axis=0)
        spread = np.sqrt(np.maximum(fourth - variance**2, 0) / rows)
        assert (np.abs(((values - mean) ** 2).mean(axis=0) - variance) <= 5 * spread + 1e-12).all()

    one = np.zeros(1, dtype)
    for kind in ("bernoulli", "gaussian", "rectified"):
        model = kernels.rbm_model(zero, one, bias, hidden_type=kind)
        kernels.hidden_layer(model, no_states, sample=sample, seed=11)
        if kind == "bernoulli":
            check(p, p * (1 - p))
        elif kind == "gaussian":
            check(x, np.ones(5))
        else:  # of max(0, x + s z): Gaussian integrals
            from scipy.stats import norm

            s = np.sqrt(p)
            above, density = norm.cdf(x / s), norm.pdf(x / s)
            mean = x * above + s * density
            check(mean, (x**2 + p) * above + x * s * density - mean**2)
    variance = np.array([0.1, 0.5, 1, 2, 9], dtype)
    model = kernels.rbm_model(zero.T.copy(), bias, one, variance, visible_type="gaussian")
    kernels.visible_layer(model, no_states, sample=sample, seed=12)
    check(x, variance.astype(float))


def test_a_gibbs_chain_reaches_the_distribution_of_the_model(each_level: str) -> None:
    """Frequencies of all 16 visible states, at three temperatures, by a chi-squared statistic."""
    m = machine(4, 3)
    m.weights *= 2
    every, chains = reference.visible_states(m), 30_000
    beta = np.repeat([0.0, 0.4, 1.0], chains)
    visible = np.zeros((len(beta), 4))
    hidden = np.empty((len(beta), 3))
    model = native(m)
    for k in range(60):
        draw = {"inverse_temperature": beta, "seed": 3}
        kernels.hidden_layer(model, visible, sample=hidden, stream=2 * k, **draw)
        kernels.visible_layer(model, hidden, sample=visible, stream=2 * k + 1, **draw)
    for level in (0.0, 0.4, 1.0):
        logs = -reference.free_energy(m, every, np.full(len(every), level))
        p = np.exp(logs - logs.max())
        expected = chains * p / p.sum()
        found = visible[beta == level] @ (2 ** np.arange(3, -1, -1))
        counts = np.bincount(found.astype(int), minlength=16)
        # 15 degrees of freedom: mean 15, the 1e-6 point is 56.5
        assert ((counts - expected) ** 2 / expected).sum() < 56.5
