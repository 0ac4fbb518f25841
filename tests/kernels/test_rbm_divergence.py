"""Whole updates by contrastive divergence against the float64 reference, at every level."""

from __future__ import annotations

import copy
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference_rbm as reference
from tests import strategies
from tests.kernels.test_rbm import HIDDEN, VISIBLE, machine, native, states, units_of

SMALL, LARGE = (7, 12, 9), (40, 132, 129)


def training(
    m: reference.Machine,
    *,
    particles: int = 0,
    fast: bool = False,
    context: int = 0,
    learned_variance: bool = False,
    activity: bool = False,
    seed: int = 3,
) -> reference.Training:
    """A training state in the middle of training: nothing in it is zero."""
    g = np.random.default_rng(seed)
    dtype = m.weights.dtype.type
    visible, hidden = m.weights.shape

    def small(*shape: int) -> np.ndarray:
        return (g.standard_normal(shape) / 10).astype(dtype)

    t = reference.Training(small(visible, hidden), small(visible), small(hidden))
    if particles:
        t.particles = (g.random((particles, hidden)) < 0.5).astype(dtype)
    if fast:
        t.fast_weights = small(visible, hidden)
    if context:
        t.visible_context, t.hidden_context = small(context, visible), small(context, hidden)
        t.visible_context_velocity = small(context, visible)
        t.hidden_context_velocity = small(context, hidden)
    if learned_variance:
        t.log_variance, t.log_variance_velocity = np.log(m.variance), small(visible)
    if activity:
        t.activity = g.random(hidden).astype(dtype)
    return t


def native_training(m: reference.Machine, t: reference.Training) -> kernels.ContrastiveDivergence:
    names = list(vars(t))
    optional = {name: getattr(t, name) for name in names[3:]}
    first = [getattr(t, name) for name in names[:3]]
    return kernels.ContrastiveDivergence(native(m), *first, **optional)


def data_of(m: reference.Machine, rows: int, share: float, seed: int = 4) -> np.ndarray:
    """Visible states as the units have them, of which about `share` are not zero."""
    g = np.random.default_rng(seed)
    dtype = m.weights.dtype.type
    if m.visible_type == "softmax":
        groups = len(m.visible_bias) // m.group_size
        return np.eye(m.group_size, dtype=dtype)[
            g.integers(0, m.group_size, (rows, groups))
        ].reshape(rows, -1)
    if m.visible_type == "labelled":
        label = np.eye(m.group_size, dtype=dtype)[g.integers(0, m.group_size, rows)]
        plain = g.random((rows, len(m.visible_bias) - m.group_size)) < share
        return np.concatenate([plain.astype(dtype), label], axis=1)
    if m.visible_type == "gaussian":
        return states(rows, len(m.visible_bias), dtype, share, seed)
    return (g.random((rows, len(m.visible_bias))) < share).astype(dtype)


def changed(m: reference.Machine, t: reference.Training) -> dict[str, np.ndarray]:
    """All arrays that an update may change."""
    arrays = {**vars(m), **vars(t)}
    return {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}


def compare_updates(
    m: reference.Machine,
    t: reference.Training,
    rule: reference.Rule,
    data: np.ndarray,
    context: np.ndarray | None = None,
    updates: int = 2,
    tolerance: float = 1e-12,
) -> dict[str, np.ndarray]:
    """Some updates on both sides; the largest error, relative to an array's largest element."""
    ours_m, ours_t = copy.deepcopy(m), copy.deepcopy(t)
    divergence = native_training(ours_m, ours_t)
    theirs_m = m.doubled()
    theirs_t = reference.Training(
        *(None if a is None else a.astype(np.float64) for a in vars(copy.deepcopy(t)).values())
    )
    wide = None if context is None else context.astype(np.float64)
    for i in range(updates):
        rule.stream = 100 * i
        divergence.update(data, context=context, **asdict(rule))
        reference.update(theirs_m, theirs_t, data.astype(np.float64), rule, wide)
    ours, theirs = changed(ours_m, ours_t), changed(theirs_m, theirs_t)
    assert ours.keys() == theirs.keys()
    before = changed(m, t)
    for name, expected in theirs.items():
        error = np.abs(ours[name] - expected).max() / (np.abs(expected).max() or 1)
        assert error <= tolerance, f"{name}: {error}"
        if updates > 1 and (name != "variance" or t.log_variance is not None):
            assert not np.array_equal(ours[name], before[name]), f"{name} did not change"
    return ours


FULL = {
    "weight_rate": 0.05,
    "bias_rate": 0.03,
    "momentum": 0.7,
    "l1": 1e-3,
    "l2": 2e-3,
    "seed": 2**40 + 5,
}


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("visible_type", VISIBLE)
@pytest.mark.parametrize("hidden_type", HIDDEN)
def test_update_of_every_kind_of_units(
    each_level: str, visible_type: str, hidden_type: str, steps: int, persistent: bool
) -> None:
    for rows, visible, hidden in (SMALL,) if steps > 1 else (SMALL, LARGE):
        m = machine(visible, hidden, np.float64, visible_type, hidden_type)
        m.weights *= 0.3  # Gaussian and rectified chains stay bounded
        t = training(m, particles=rows + 2 if persistent else 0)
        rule = reference.Rule(steps=steps, **FULL)
        compare_updates(m, t, rule, data_of(m, rows, 0.2))


@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("share", [0.15, 0.9])
@pytest.mark.parametrize("visible_type", VISIBLE)
def test_everything_at_once(
    each_level: str, visible_type: str, share: float, shape: tuple[int, int, int]
) -> None:
    """Fast weights, sparsity and learned variance with particles, then with a context."""
    rows, visible, hidden = shape
    gaussian = visible_type == "gaussian"
    m = machine(visible, hidden, np.float64, visible_type, "bernoulli")
    more = {"sparsity_target": 0.1, "sparsity_cost": 0.3, "sparsity_decay": 0.8}
    more |= {"fast_rate": 0.2, "fast_decay": 0.9, "steps": 2}
    if gaussian:
        more |= {"variance_rate": 0.01, "lowest_log_variance": -0.02, "highest_log_variance": 0.1}
    rule = reference.Rule(**FULL, **more)
    data = data_of(m, rows, share)
    parts = {"fast": True, "learned_variance": gaussian, "activity": True}
    found = compare_updates(m, training(m, particles=rows, **parts), rule, data)
    if gaussian:
        assert found["log_variance"].min() == -0.02
        assert found["log_variance"].max() == 0.1
    context = np.random.default_rng(6).standard_normal((rows, 5))
    compare_updates(m, training(m, context=5, **parts), rule, data, context)


@given(
    rows=strategies.sizes,
    visible=strategies.sizes,
    hidden=strategies.sizes,
    particles=st.one_of(st.just(0), strategies.sizes),
    context=st.integers(0, 7),
    parts=st.fixed_dictionaries(
        {name: st.booleans() for name in ("fast", "activity", "learned_variance")}
    ),
    types=st.tuples(st.sampled_from(VISIBLE), st.sampled_from(HIDDEN)),
    share=st.sampled_from([0.1, 0.6]),
    layout=strategies.row_layouts,
)
def test_update_of_any_shape(
    each_level, rows, visible, hidden, particles, context, parts, types, share, layout
) -> None:
    m = machine(units_of(types[0], visible), hidden, np.float64, *types, 3)
    m.weights *= 0.2
    parts["learned_variance"] &= types[0] == "gaussian"
    context = 0 if particles else context
    t = training(m, particles=particles, context=context, **parts)
    rule = reference.Rule(**FULL)
    if parts["fast"]:
        rule.fast_rate = 0.1
    if parts["activity"]:
        rule.sparsity_cost = 0.1
    if parts["learned_variance"]:
        rule.variance_rate = 0.001
    data = strategies.arrange(data_of(m, rows, share), layout)
    rows_of_context = None
    if context:
        values = np.random.default_rng(6).standard_normal((rows, context))
        rows_of_context = strategies.arrange(values, layout)
    compare_updates(m, t, rule, data, rows_of_context, updates=1, tolerance=3e-12)


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("visible_type", VISIBLE)
def test_single_precision(each_level: str, visible_type: str, share: float) -> None:
    """No draw of these lies near its mean, so that one update stays within rounding."""
    m = machine(132, 129, np.float32, visible_type, "bernoulli")
    rule = reference.Rule(**FULL)
    t = training(m, particles=40)
    compare_updates(m, t, rule, data_of(m, 40, share), updates=1, tolerance=2e-5)


@pytest.mark.parametrize("negative_scale", [0.0, 0.05])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_uniforms_and_scale_of_the_negative_phase(
    each_level: str, share: float, negative_scale: float
) -> None:
    """Persistent chains by given numbers, as scikit-learn's BernoulliRBM draws them."""
    for rows, visible, hidden in (SMALL, LARGE):
        m = machine(visible, hidden)
        t = training(m, particles=rows)
        g = np.random.default_rng(1)
        u_visible, u_hidden = g.random((rows, visible)), g.random((rows, hidden))
        data = data_of(m, rows, share)
        v = (u_visible < reference.unit_means("bernoulli", m.visible_input(t.particles))).astype(
            float
        )
        h = reference.unit_means("bernoulli", m.hidden_input(v))
        positive = reference.unit_means("bernoulli", m.hidden_input(data))
        scale = negative_scale or 1 / rows
        expected = m.weights + 0.1 * (data.T @ positive / rows - scale * v.T @ h)
        t.weights_velocity[:] = 0
        native_training(m, t).update(
            data,
            negative_scale=negative_scale,
            visible_uniforms=u_visible,
            hidden_uniforms=u_hidden,
        )
        np.testing.assert_allclose(m.weights, expected, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(t.particles, u_hidden < h)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(
    each_level: str, keep_threads: None, dtype: type, share: float, persistent: bool
) -> None:
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        m = machine(300, 200, dtype, "gaussian" if share > 0.5 else "bernoulli")
        if m.variance is not None:
            m.weights *= dtype(0.2)
        learned = m.variance is not None
        t = training(m, particles=150 if persistent else 0, fast=True, learned_variance=learned)
        divergence = native_training(m, t)
        for i in range(3):
            divergence.update(
                data_of(m, 150, share, i),
                momentum=0.5,
                steps=2,
                fast_rate=0.1,
                variance_rate=0.001 if learned else 0.0,
                stream=5 * i,
            )
        results.append(changed(m, t))
    for other in results[1:]:
        for name, first in results[0].items():
            if isinstance(first, np.ndarray):
                assert np.isfinite(first).all()
                np.testing.assert_array_equal(first, other[name], err_msg=name)


@pytest.mark.parametrize("visible_type", VISIBLE)
@pytest.mark.parametrize("hidden_type", HIDDEN)
@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_nan_in_the_data_shows(
    each_level: str, shape: tuple[int, int, int], visible_type: str, hidden_type: str
) -> None:
    rows, visible, hidden = shape
    m = machine(visible, hidden, np.float32, visible_type, hidden_type)
    t = training(m, learned_variance=visible_type == "gaussian")
    data = data_of(m, rows, 0.1)
    data[2, 5] = np.nan
    rule = {"variance_rate": 0.01} if visible_type == "gaussian" else {}
    native_training(m, t).update(data, **rule)
    assert np.isnan(m.weights[5]).all()
    assert np.isnan(m.visible_bias).all()  # through the chain, which starts at the hidden states
    assert np.isnan(m.hidden_bias).all()
    if visible_type == "gaussian":
        assert np.isnan(m.variance).all()
        assert np.isnan(t.log_variance).all()


def test_an_empty_minibatch_changes_nothing(each_level: str) -> None:
    m = machine(6, 4)
    t = training(m, particles=3)
    before = {name: a.copy() for name, a in changed(m, t).items()}
    native_training(m, t).update(np.empty((0, 6)), momentum=0.5)
    for name, a in changed(m, t).items():
        np.testing.assert_array_equal(a, before[name])
