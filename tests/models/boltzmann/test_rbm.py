"""The restricted Boltzmann machine: layers, energies and chains against enumeration."""

import pickle

import numpy as np
import pytest
from scipy.integrate import quad

from ictus.models import RBM
from tests.models.enumeration import binary_states, energies, visible_distribution, visible_states

KINDS = [
    {},
    {"visible_type": "softmax", "group_size": 3},
    {"visible_type": "labelled", "group_size": 3},
    {"visible_type": "gaussian"},
    {"visible_type": "gaussian", "learn_variance": True},
]


def make_rbm(visible=6, hidden=4, scale=0.8, seed=0, dtype="float64", **options):
    rbm = RBM(visible, hidden, dtype=dtype, seed=seed, **options)
    generator = np.random.default_rng(seed)
    rbm.parameters[...] = scale * generator.standard_normal(rbm.parameter_count)
    return rbm


def some_visible(rbm, rows=5, seed=1):
    generator = np.random.default_rng(seed)
    if rbm.visible_type == "gaussian":
        return generator.standard_normal((rows, rbm.visible_units))
    states = visible_states(rbm)
    return states[generator.integers(0, len(states), rows)]


def test_parameters_are_views_of_one_vector():
    rbm = RBM(5, 3, visible_type="gaussian", learn_variance=True)
    assert rbm.parameter_count == 5 * 3 + 5 + 3 + 5
    for view in (rbm.weights, rbm.visible_bias, rbm.hidden_bias, rbm.log_variance):
        assert np.shares_memory(view, rbm.parameters)
    np.testing.assert_array_equal(rbm.weights.ravel(), rbm.parameters[:15])
    np.testing.assert_allclose(rbm.variance, 1)
    rbm.parameters[...] = np.log(2)
    np.testing.assert_allclose(rbm.variance, 2, rtol=1e-6)


def test_initial_weights_are_small_and_from_the_seed():
    a, b, c = RBM(300, 200, seed=1), RBM(300, 200, seed=1), RBM(300, 200, seed=2)
    np.testing.assert_array_equal(a.weights, b.weights)
    assert not np.array_equal(a.weights, c.weights)
    assert a.weights.std() == pytest.approx(0.01, rel=0.02)
    assert not a.visible_bias.any()
    assert not a.hidden_bias.any()


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("hidden_type", ["bernoulli", "gaussian", "rectified"])
def test_means(options, hidden_type):
    rbm = make_rbm(hidden_type=hidden_type, **options)
    v = some_visible(rbm)
    s2 = 1.0 if rbm.variance is None else rbm.variance
    x = (v / s2) @ rbm.weights + rbm.hidden_bias
    expected = {"bernoulli": 1 / (1 + np.exp(-x)), "gaussian": x, "rectified": np.logaddexp(0, x)}
    np.testing.assert_allclose(rbm.mean_hiddens(v), expected[hidden_type], rtol=1e-12)
    h = rbm.sample_hiddens(v)
    x = h @ rbm.weights.T + rbm.visible_bias
    if rbm.visible_type == "softmax":
        e = np.exp(x.reshape(len(x), -1, 3))
        x = (e / e.sum(axis=2, keepdims=True)).reshape(x.shape)
    elif rbm.visible_type == "labelled":
        e = np.exp(x[:, 3:])
        x = np.hstack([1 / (1 + np.exp(-x[:, :3])), e / e.sum(axis=1, keepdims=True)])
    elif rbm.visible_type == "bernoulli":
        x = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(rbm.mean_visibles(h), x, rtol=1e-12)


@pytest.mark.parametrize("options", KINDS)
def test_free_energy_of_bernoulli_hidden_units_by_enumeration(options):
    rbm = make_rbm(**options)
    v, h = some_visible(rbm), binary_states(4)
    pairs = energies(rbm, v, h)
    np.testing.assert_allclose(rbm.free_energy(v), -np.logaddexp.reduce(-pairs, axis=1), rtol=1e-11)
    chosen = np.array([3, 0, 15, 7, 9])
    expected = pairs[np.arange(5), chosen]
    np.testing.assert_allclose(rbm.energy(v, h[chosen]), expected, rtol=1e-11)


@pytest.mark.parametrize("options", KINDS)
def test_free_energy_of_gaussian_hidden_units_by_integration(options):
    rbm = make_rbm(hidden=1, hidden_type="gaussian", **options)
    v = some_visible(rbm, rows=2)
    for row, free_energy in zip(v, rbm.free_energy(v), strict=True):
        integral = quad(
            lambda h, row=row: np.exp(-energies(rbm, row[None], np.array([[h]]))[0, 0]), -40, 40
        )[0]
        # The kernel leaves the constant log(2 pi) / 2 of each hidden unit aside.
        expected = -np.log(integral) + np.log(2 * np.pi) / 2
        assert free_energy == pytest.approx(expected, rel=1e-8)


def test_free_energy_of_rectified_hidden_units_is_that_of_their_stack():
    rbm = make_rbm(hidden_type="rectified", scale=2.0)
    v = some_visible(rbm)
    x = v @ rbm.weights + rbm.hidden_bias
    assert x.min() < -3
    assert x.max() > 3
    stack = np.logaddexp(0, x[..., None] - np.arange(0.5, 60)).sum(axis=(1, 2))
    # The integral in the place of the sum differs by sigmoid(x) / 24 a unit to first order.
    bound = (1 / (1 + np.exp(-x))).sum(axis=1) / 20
    difference = rbm.free_energy(v) - (-v @ rbm.visible_bias - stack)
    assert (np.abs(difference) < bound).all()
    # Its derivative with respect to a bias is the mean that training uses.
    step = np.zeros_like(rbm.hidden_bias)
    step[2] = 1e-5
    rbm.hidden_bias += step
    above = rbm.free_energy(v)
    rbm.hidden_bias -= 2 * step
    below = rbm.free_energy(v)
    rbm.hidden_bias += step
    np.testing.assert_allclose((below - above) / 2e-5, rbm.mean_hiddens(v)[:, 2], rtol=1e-7)


@pytest.mark.parametrize("options", KINDS[:2])
def test_long_chains_draw_from_the_machine(options):
    rbm = make_rbm(scale=0.6, **options)
    v, p = visible_distribution(rbm)
    n = 40_000
    found = rbm.sample(n, steps=30)
    codes = {tuple(state): i for i, state in enumerate(v)}
    counts = np.bincount([codes[tuple(row)] for row in found], minlength=len(v))
    # Pearson's chi square with expected counts of at least 5: within 5 deviations of its mean.
    common = p * n >= 5
    chi_square = (np.square(counts - p * n) / (p * n))[common].sum()
    degrees = common.sum() - 1
    assert degrees >= 8
    assert abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees)


def test_gaussian_chains_have_the_moments_of_the_machine():
    rbm = make_rbm(3, 2, visible_type="gaussian", learn_variance=True, scale=0.5)
    h = binary_states(2)
    # p(h) after the Gaussian integral over v; v given h is N(W h + b, s2).
    mean = h @ rbm.weights.T + rbm.visible_bias
    log_p = h @ rbm.hidden_bias
    log_p += (np.square(mean) - np.square(rbm.visible_bias)) @ (1 / (2 * rbm.variance))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    found = rbm.sample(50_000, steps=20)
    expected_mean = p @ mean
    expected_variance = rbm.variance + p @ np.square(mean) - np.square(expected_mean)
    error = 5 * np.sqrt(expected_variance / 50_000)
    assert (np.abs(found.mean(axis=0) - expected_mean) < error).all()
    np.testing.assert_allclose(found.var(axis=0), expected_variance, rtol=0.05)


@pytest.mark.parametrize("options", KINDS[:2])
def test_completion_is_the_conditional_mean(options):
    rbm = make_rbm(scale=0.7, **options)
    v, p = visible_distribution(rbm)
    known = np.array([True, True, True, False, False, False])
    given = v[5]
    match = (v[:, known] == given[known]).all(axis=1)
    expected = (p[match] @ v[match]) / p[match].sum()
    hidden_part = np.where(known, given, np.nan)
    chains = np.tile(hidden_part, (500, 1))
    completed = rbm.complete(chains, steps=100)
    np.testing.assert_array_equal(completed[:, known], chains[:, known])
    np.testing.assert_allclose(completed.mean(axis=0), expected, atol=0.02)
    again = rbm.complete(np.nan_to_num(chains), known, steps=100)
    np.testing.assert_allclose(again.mean(axis=0), expected, atol=0.02)


@pytest.mark.parametrize("options", KINDS[:2])
def test_denoising_is_the_posterior_mean(options):
    rbm = make_rbm(scale=0.7, **options)
    v, p = visible_distribution(rbm)
    noisy, noise = v[7], 0.2
    size = rbm.group_size
    kept = 1 - noise + noise / size if size > 1 else 1 - noise
    other = noise / size if size > 1 else noise
    same = (v == noisy).reshape(len(v), -1, size).all(axis=2)
    posterior = p * np.where(same, kept, other).prod(axis=1)
    expected = posterior @ v / posterior.sum()
    found = rbm.denoise(np.tile(noisy, (500, 1)), noise=noise, steps=100)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.02)


def test_denoising_of_gaussian_units_without_weights_is_the_normal_posterior():
    rbm = RBM(3, 2, visible_type="gaussian", learn_variance=True, dtype="float64")
    rbm.weights[...] = 0
    rbm.visible_bias[...] = [1.0, -2.0, 0.0]
    rbm.log_variance[...] = np.log([0.5, 1.0, 2.0])
    noisy = np.array([[0.0, 0.0, 3.0]])
    precision = 1 / rbm.variance + 1 / 0.4**2
    expected = (rbm.visible_bias / rbm.variance + noisy / 0.4**2) / precision
    np.testing.assert_allclose(rbm.denoise(noisy, noise=0.4, steps=3), expected, rtol=1e-12)


def test_biases_from_data():
    data = np.array([[1.0, 0, 0, 1], [1, 0, 1, 0], [1, 0, 0, 0]])
    rbm = RBM(4, 2, dtype="float64")
    rbm.initialize_biases(data)
    p = (data.sum(axis=0) + 1) / 5
    np.testing.assert_allclose(rbm.visible_bias, np.log(p / (1 - p)))
    softmax = RBM(4, 2, visible_type="softmax", group_size=2, dtype="float64")
    softmax.initialize_biases(np.array([[1.0, 0, 0, 1]] * 3))
    np.testing.assert_allclose(
        np.exp(softmax.visible_bias), [3.5 / 4, 0.5 / 4, 0.5 / 4, 3.5 / 4], rtol=1e-12
    )
    gaussian = RBM(4, 2, visible_type="gaussian", learn_variance=True, dtype="float64")
    values = np.random.default_rng(0).normal(3, 2, (1000, 4))
    gaussian.initialize_biases(values)
    np.testing.assert_allclose(gaussian.visible_bias, values.mean(axis=0))
    np.testing.assert_allclose(gaussian.variance, values.var(axis=0))


@pytest.mark.parametrize("options", [*KINDS, {"hidden_type": "rectified"}])
def test_pickling_keeps_parameters_and_draws(options):
    rbm = make_rbm(dtype="float32", **options)
    v = some_visible(rbm)
    rbm.gibbs(v, steps=3)
    other = pickle.loads(pickle.dumps(rbm))
    np.testing.assert_array_equal(other.parameters, rbm.parameters)
    assert other.config() == rbm.config()
    np.testing.assert_array_equal(other.gibbs(v), rbm.gibbs(v))
    assert np.shares_memory(other.weights, other.parameters)


def test_draws_differ_from_call_to_call_and_repeat_with_the_seed():
    v = np.full((20, 6), 0.5)
    a, b = make_rbm(), make_rbm()
    first = a.sample_hiddens(v)
    assert not np.array_equal(first, a.sample_hiddens(v))
    np.testing.assert_array_equal(first, b.sample_hiddens(v))


BAD = np.zeros((3, 6))
BAD[1, 2] = np.nan
SOFTMAX = {"visible_type": "softmax", "group_size": 3}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RBM(0, 3), "RBM: visible_units must be a positive integer, got 0"),
        (lambda: RBM(3, 2.5), "RBM: hidden_units must be a positive integer, got 2.5"),
        (lambda: RBM(3, "x"), "RBM: hidden_units must be a positive integer, got 'x'"),
        (lambda: RBM(3, 2, visible_type="binary"), "visible_type must be one of bernoulli"),
        (lambda: RBM(3, 2, hidden_type="softmax"), "hidden_type must be one of bernoulli"),
        (lambda: RBM(4, 2, group_size=2), "group_size must be 1 without softmax units, got 2"),
        (lambda: RBM(4, 2, **SOFTMAX), "group_size must divide visible_units 4, got 3"),
        (lambda: RBM(4, 2, learn_variance=True), "learn_variance needs gaussian visible units"),
        (lambda: RBM(4, 2, dtype="int32"), "dtype must be float32 or float64, got int32"),
        (lambda: RBM(4, 2, parameters=np.zeros(3)), r"parameters must have shape \(14,\)"),
        (lambda: make_rbm().mean_hiddens(BAD[:, :5]), r"v must have shape \(rows, 6\), got \(3, 5"),
        (lambda: make_rbm().mean_hiddens(BAD), "v must be finite, row 1 is not"),
        (lambda: make_rbm().mean_visibles(BAD), r"h must have shape \(rows, 4\), got \(3, 6\)"),
        (lambda: make_rbm().gibbs(np.zeros((3, 6)), 0), "steps must be a positive integer, got 0"),
        (lambda: make_rbm().sample(0), "n must be a positive integer, got 0"),
        (lambda: make_rbm().sample(2, 3, np.zeros((3, 6))), "start must have 2 rows, got 3"),
        (lambda: make_rbm().complete(BAD, np.ones((3, 5), bool)), "known must be a mask of bool"),
        (lambda: make_rbm().complete(BAD, np.ones((3, 6))), "known must be a mask of bool"),
        (lambda: make_rbm().complete(BAD, np.ones((3, 6), bool)), "finite where it is known"),
        (
            lambda: make_rbm(**SOFTMAX).complete(BAD * 0, np.arange(6) < 2),
            "known must hold for all units of a softmax group or for none",
        ),
        (lambda: make_rbm().denoise(np.zeros((3, 6)), noise=1.0), r"noise must be in \(0, 1\)"),
        (lambda: make_rbm().energy(np.zeros((3, 6)), np.zeros((2, 4))), "h must have 3 rows"),
        (lambda: make_rbm().initialize_biases(BAD[:0]), "data must have at least one row, got 0"),
        (lambda: RBM.from_config({"visible": 3}), "not the configuration of a RBM"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
