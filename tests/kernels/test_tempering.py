"""Annealed importance sampling and parallel tempering against float64 NumPy, at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference_tempering as reference
from tests.strategies import scalars
from tests.tolerance import assert_within, epsilon

VISIBLE = ("bernoulli", "gaussian", "softmax")
HIDDEN = ("bernoulli", "gaussian")
small = st.integers(1, 40)


def machine(visible, hidden, visible_type, hidden_type, dtype, seed=0, variance=True, scale=None):
    """Parameters as the reference wants them, rounded to the scalar, and the native model."""
    g = np.random.default_rng(seed)
    group = 4 if visible_type == "softmax" else 1
    visible *= group
    scale = 1 / np.sqrt(visible + hidden) if scale is None else scale
    m = reference.Machine(
        (scale * g.standard_normal((visible, hidden))).astype(dtype),
        g.standard_normal(visible).astype(dtype),
        g.standard_normal(hidden).astype(dtype),
        g.standard_normal(visible).astype(dtype),
        (0.5 + g.random(visible)).astype(dtype)
        if visible_type == "gaussian" and variance
        else None,
        visible_type,
        hidden_type,
        group,
    )
    model = kernels.rbm_model(
        m.weights,
        m.visible_bias,
        m.hidden_bias,
        m.variance,
        visible_type=visible_type,
        hidden_type=hidden_type,
        group_size=group,
    )
    double = reference.Machine(
        *(None if a is None else a.astype(np.float64) for a in list(vars(m).values())[:5]),
        visible_type,
        hidden_type,
        group,
    )
    return m, double, model


def states(m, rows, dtype, seed=1):
    g = np.random.default_rng(seed)
    units = len(m.visible_bias)
    if m.visible_type == "gaussian":
        return g.standard_normal((rows, units)).astype(dtype)
    if m.visible_type == "softmax":
        chosen = g.integers(0, m.group_size, (rows, units // m.group_size))
        return np.eye(m.group_size, dtype=dtype)[chosen].reshape(rows, units)
    return (g.random((rows, units)) < 0.5).astype(dtype)


def ratio_bound(m, v, beta, to, dtype):
    """Error of a row's log ratio: roundings of the inputs, then of the sums of their terms."""
    x = np.abs(v / m.s2) @ np.abs(m.weights) + np.abs(m.hidden_bias)
    slope = np.maximum(1.0, x) if m.hidden_type == "gaussian" else 1.0
    step = np.abs(to - beta)[:, None]
    hidden = (step * x * slope).sum(1)
    biases = np.abs(m.base_bias) + np.abs(m.visible_bias)
    size = np.abs(v) + biases if m.visible_type == "gaussian" else np.abs(v)
    visible = step[:, 0] * (size * biases / m.s2).sum(1)
    return 4 * epsilon(dtype) * (len(m.visible_bias) + 8) * (hidden + visible)


@pytest.mark.usefixtures("each_level")
class TestAnneal:
    @given(
        rows=small,
        visible=small,
        hidden=small,
        kinds=st.tuples(st.sampled_from(VISIBLE), st.sampled_from(HIDDEN)),
        dtype=scalars,
        to=st.sampled_from([1e-4, 0.3, 1.0]),
    )
    def test_one_step(self, rows, visible, hidden, kinds, dtype, to):
        m, double, model = machine(visible, hidden, *kinds, dtype, variance=rows % 2 == 0)
        v = states(m, rows, dtype)
        start, ladder = v.astype(np.float64), np.array([0.0, to])
        at, next_ = np.zeros(rows), np.full(rows, float(dtype(to)))
        weights = np.full(rows, 2.0)
        kernels.anneal(model, m.base_bias, ladder, v, weights, seed=3, stream=5)
        expected = reference.log_weight(double, start, next_) - reference.log_weight(
            double, start, at
        )
        bound = ratio_bound(double, start, at, next_, dtype)
        # The reference takes the difference of two sums.
        sums = np.abs(reference.log_weight(double, start, at)) + np.abs(expected)
        bound += 4 * epsilon(np.float64) * (sums + len(m.visible_bias) + hidden)
        assert_within(weights - 2.0, expected, bound, "log weights")
        moved, margin = reference.move(double, start, next_, dtype, 3, 5)
        slack = 64 * epsilon(dtype) * (visible + hidden)
        if margin > slack and m.visible_type != "gaussian":
            np.testing.assert_array_equal(v, moved)
        elif margin > slack:
            np.testing.assert_allclose(v, moved, atol=slack * (1 + np.abs(moved).max()))

    @pytest.mark.parametrize("hidden_type", HIDDEN)
    @pytest.mark.parametrize("visible_type", VISIBLE)
    def test_many_steps_dense_and_by_changes(self, visible_type, hidden_type):
        """Long enough to start afresh, large enough to move inputs by what changed."""
        units = 24 if visible_type == "softmax" else 96
        m, double, model = machine(units, 90, visible_type, hidden_type, np.float64)
        m.base_bias -= 3.0  # few units are on: few change
        double.base_bias -= 3.0
        v = states(m, 64, np.float64)
        expected_v, expected = v.copy(), np.zeros(64)
        ladder = np.linspace(0, 1, 71) ** 2
        for k in range(70):
            a, b = np.full(64, ladder[k]), np.full(64, ladder[k + 1])
            expected += reference.log_weight(double, expected_v, b)
            expected -= reference.log_weight(double, expected_v, a)
            expected_v, margin = reference.move(double, expected_v, b, np.float64, 1, 2 * k)
            assert margin > 1e-11
        weights = np.zeros(64)
        kernels.anneal(model, m.base_bias, ladder, v, weights, seed=1)
        np.testing.assert_allclose(v, expected_v, atol=1e-9 * (visible_type == "gaussian"))
        np.testing.assert_allclose(weights, expected, rtol=1e-10)

    def test_close_temperatures_lose_nothing(self):
        """100,000 small steps in float32 add up to the whole, where differences would round."""
        m, double, model = machine(30, 50, "bernoulli", "bernoulli", np.float32, scale=2.0)
        v = states(m, 1, np.float32)
        total = 0.0
        ladder = np.float64(np.float32(np.linspace(0.5, 0.6, 1001)))
        for k in range(1000):
            weights, fresh = np.zeros(1), v.copy()
            kernels.anneal(model, m.base_bias, ladder[k : k + 2], fresh, weights)
            total += weights[0]
        start = v.astype(np.float64)
        expected = reference.log_weight(double, start, ladder[-1:])
        expected -= reference.log_weight(double, start, ladder[:1])
        bound = ratio_bound(double, start, ladder[:1], ladder[-1:], np.float32)
        assert_within(np.array([total]), expected, bound, "sum of small steps")


def tempering_state(rows, replicas):
    temperature = np.tile(np.arange(replicas), rows // replicas)
    return temperature, np.arange(rows), np.zeros(replicas - 1, np.int64)


@pytest.mark.usefixtures("each_level")
class TestParallelTempering:
    @pytest.mark.parametrize("hidden_type", HIDDEN)
    @pytest.mark.parametrize("visible_type", VISIBLE)
    @pytest.mark.parametrize(("chains", "replicas", "first"), [(3, 4, 0), (5, 3, 1), (7, 1, 0)])
    def test_steps(self, visible_type, hidden_type, chains, replicas, first):
        m, double, model = machine(9, 11, visible_type, hidden_type, np.float64)
        rows, beta = chains * replicas, np.linspace(0, 1, replicas) if replicas > 1 else np.ones(1)
        v = states(m, rows, np.float64)
        temperature, row_at, swaps = tempering_state(rows, replicas)
        w, at = v.copy(), temperature.copy()
        accepted = np.zeros(replicas - 1, int)
        for k in range(20):
            u = reference.draws("uniform", (chains, replicas), np.float64, 2, 7 + 3 * k)
            for chain in range(chains):
                mine = range(chain * replicas, (chain + 1) * replicas)
                for t in range((first + k) % 2, replicas - 1, 2):
                    i, j = (next(r for r in mine if at[r] == s) for s in (t, t + 1))
                    pair, b = w[[i, j]], beta[[t, t + 1]]
                    gain = reference.log_weight(double, pair, b[::-1])
                    gain -= reference.log_weight(double, pair, b)
                    assert abs(u[chain, t] - np.exp(gain.sum())) > 1e-9
                    if u[chain, t] < np.exp(gain.sum()):
                        at[i], at[j] = t + 1, t
                        accepted[t] += 1
            w, margin = reference.move(double, w, beta[at], np.float64, 2, 8 + 3 * k)
            assert margin > 1e-11
        kernels.parallel_tempering(
            model,
            m.base_bias,
            beta,
            v,
            temperature,
            row_at,
            swaps,
            steps=20,
            first_step=first,
            seed=2,
            stream=7,
        )
        np.testing.assert_array_equal(temperature, at)
        np.testing.assert_array_equal(swaps, accepted)
        assert replicas == 1 or accepted.sum() > 0
        np.testing.assert_array_equal(temperature[row_at], np.tile(np.arange(replicas), chains))
        np.testing.assert_allclose(v, w, atol=1e-10 * (visible_type == "gaussian"))


@pytest.mark.usefixtures("keep_threads")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(dtype):
    m, _, model = machine(120, 110, "bernoulli", "bernoulli", dtype)
    results = []
    for threads in (1, 2, 5):
        ictus.set_num_threads(threads)
        v, weights = states(m, 90, dtype), np.zeros(90)
        kernels.anneal(model, m.base_bias, np.linspace(0, 1, 80), v, weights, seed=9)
        temperature, row_at, swaps = tempering_state(90, 9)
        beta = np.linspace(0, 1, 9)
        kernels.parallel_tempering(
            model, m.base_bias, beta, v, temperature, row_at, swaps, steps=30
        )
        results.append((v, weights, temperature, swaps))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_bad_arguments_are_named():
    m, _, model = machine(6, 5, "bernoulli", "bernoulli", np.float64)
    v, weights, ladder = states(m, 4, np.float64), np.zeros(4), np.array([0.0, 1.0])
    with pytest.raises(ValueError, match=r"anneal: base_bias must have shape \(6,\), got \(5,\)"):
        kernels.anneal(model, np.zeros(5), ladder, v, weights)
    with pytest.raises(TypeError, match="anneal: visible must have dtype float64, got float32"):
        kernels.anneal(model, m.base_bias, ladder, v.astype(np.float32), weights)
    with pytest.raises(ValueError, match=r"anneal: log_weights must have shape \(4,\)"):
        kernels.anneal(model, m.base_bias, ladder, v, np.zeros(3))
    with pytest.raises(ValueError, match="anneal: visible must not overlap weights"):
        kernels.anneal(model, m.base_bias, ladder, m.weights.reshape(5, 6), np.zeros(5))
    rectified = kernels.rbm_model(m.weights, m.visible_bias, m.hidden_bias, hidden_type="rectified")
    with pytest.raises(ValueError, match="model must have bernoulli or gaussian hidden units"):
        kernels.anneal(rectified, m.base_bias, ladder, v, weights)
    temperature, row_at, swaps = tempering_state(4, 2)
    with pytest.raises(ValueError, match="row_at must be the inverse of temperature"):
        kernels.parallel_tempering(model, m.base_bias, ladder, v, temperature, row_at + 1, swaps)
    with pytest.raises(ValueError, match="inverse_temperature must be one for each replica"):
        kernels.parallel_tempering(
            model, m.base_bias, np.linspace(0, 1, 3), v, temperature, row_at, np.zeros(2, np.int64)
        )
    with pytest.raises(ValueError, match="steps must be not negative"):
        kernels.parallel_tempering(
            model, m.base_bias, ladder, v, temperature, row_at, swaps, steps=-1
        )
