"""The delta rule of a layer, and free energies of labels, against float64 NumPy at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference_rbm as reference
from tests import strategies, tolerance
from tests.kernels.test_rbm import HIDDEN, VISIBLE, machine, native, states, units_of
from tests.kernels.test_rbm_divergence import data_of

RULE = {"weight_rate": 0.05, "bias_rate": 0.03, "momentum": 0.7, "l1": 1e-3, "l2": 2e-3}
LARGE = [(37, 131, 129), (5, 300, 111), (130, 64, 65)]


def expected_update(m: reference.Machine, hidden: bool, given, target, velocity) -> None:
    """The equations of DeltaArguments (ictus/rbm.h), in place."""
    x = m.hidden_input(given) if hidden else m.visible_input(given)
    mean = reference.unit_means(m.hidden_type if hidden else m.visible_type, x, m.group_size)
    d = target - mean
    scale = 1 if m.variance is None else m.variance
    gradient = (given.T @ d if hidden else d.T @ given) / len(given)
    bias_gradient = d.mean(axis=0) if hidden else d.mean(axis=0) / scale
    gradient = gradient / (scale[:, None] if np.ndim(scale) else 1)
    rule = reference.Rule(**RULE)
    bias = m.hidden_bias if hidden else m.visible_bias
    reference.move(m.weights, velocity[0], gradient, rule.weight_rate, rule, True)
    reference.move(bias, velocity[1], bias_gradient, rule.bias_rate, rule, False)


def check_update(m: reference.Machine, hidden: bool, rows: int, layout: str, limit: float) -> None:
    dtype = m.weights.dtype.type
    visible, units = data_of(m, rows, 0.2), m.weights.shape[1 if hidden else 0]
    above = (states(rows, m.weights.shape[1], np.float64, 0.5) > 0).astype(dtype)
    given, target = (visible, above) if hidden else (above, visible)
    g = np.random.default_rng(2)
    velocity = [g.standard_normal(n).astype(dtype) / 10 for n in (m.weights.shape, units)]
    wide, wide_velocity = m.doubled(), [v.astype(np.float64) for v in velocity]
    rule = kernels.DeltaRule(native(m), hidden, *velocity)
    for _ in range(2):
        arranged = [strategies.arrange(a, layout) for a in (given, target)]
        rule.update(*arranged, **RULE)
        expected_update(wide, hidden, given.astype(float), target.astype(float), wide_velocity)
    other = m.visible_bias if hidden else m.hidden_bias
    np.testing.assert_array_equal(other, wide.visible_bias if hidden else wide.hidden_bias)
    bias, wide_bias = (
        (m.hidden_bias, wide.hidden_bias) if hidden else (m.visible_bias, wide.visible_bias)
    )
    pairs = [
        (m.weights, wide.weights),
        (bias, wide_bias),
        *zip(velocity, wide_velocity, strict=True),
    ]
    for got, expected in pairs:
        assert np.abs(got - expected).max() <= limit * np.abs(expected).max()


@given(
    rows=strategies.sizes,
    visible=strategies.sizes,
    hidden=strategies.sizes,
    types=st.tuples(st.sampled_from(VISIBLE), st.sampled_from(HIDDEN)),
    upwards=st.booleans(),
    layout=strategies.row_layouts,
)
def test_updates_of_any_shape(each_level, rows, visible, hidden, types, upwards, layout) -> None:
    m = machine(units_of(types[0], visible), hidden, np.float64, *types, 3)
    check_update(m, upwards, rows, layout, 1e-12)


@pytest.mark.parametrize("visible_type", VISIBLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("upwards", [False, True])
def test_large_updates_dense_and_sparse(
    each_level: str, upwards: bool, dtype: type, visible_type: str
) -> None:
    for rows, visible, hidden in LARGE:
        m = machine(visible - visible % 4, hidden, dtype, visible_type)
        check_update(m, upwards, rows, "padded", 1e-12 if dtype is np.float64 else 2e-5)


def test_the_same_bits_for_any_number_of_threads(each_level: str, keep_threads: None) -> None:
    found = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        m = machine(300, 200, np.float32, "labelled")
        zeros = np.zeros_like(m.weights), np.zeros_like(m.hidden_bias)
        kernels.DeltaRule(native(m), True, *zeros).update(
            data_of(m, 100, 0.2), np.ones((100, 200), np.float32)
        )
        energies = np.empty((100, 4), np.float32)
        kernels.label_energies(native(m), data_of(m, 100, 0.2)[:, :-4], energies)
        found.append((m.weights, m.hidden_bias, energies))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@given(
    rows=strategies.sizes,
    visible=strategies.sizes,
    hidden=strategies.sizes,
    labels=st.integers(1, 12),
    dtype=strategies.scalars,
    hidden_type=st.sampled_from(["bernoulli", "gaussian"]),
    layout=strategies.row_layouts,
)
def test_label_energies(each_level, rows, visible, hidden, labels, dtype, hidden_type, layout):
    """F(v, y) is the free energy of v with the label's unit on."""
    m = machine(visible + labels, hidden, dtype, "labelled", hidden_type, labels)
    v = states(rows, visible, dtype, 0.5)
    out = np.full((rows, labels), np.nan, dtype)
    kernels.label_energies(native(m), strategies.arrange(v, layout), out)
    wide = m.doubled()
    for y, label in enumerate(np.eye(labels)):
        whole = np.concatenate([v.astype(float), np.tile(label, (rows, 1))], axis=1)
        magnitude = np.abs(whole) @ (np.abs(wide.weights).sum(axis=1) + np.abs(wide.visible_bias))
        magnitude += np.square(wide.hidden_input(whole)).sum(axis=1) + hidden
        bound = tolerance.sum_bound(visible + labels + hidden, magnitude + 8, dtype, extra=16)
        tolerance.assert_within(out[:, y], reference.free_energy(wide, whole), bound * 4)


def test_label_energies_of_more_rows_than_one_product_takes(each_level: str) -> None:
    m = machine(40, 30, np.float64, "labelled")
    v = states(2100, 36, np.float64, 0.3)
    out = np.empty((2100, 4))
    kernels.label_energies(native(m), v, out)
    alone = np.empty((2, 4))
    for first in (0, 1023, 2098):
        kernels.label_energies(native(m), v[first : first + 2], alone)
        np.testing.assert_allclose(out[first : first + 2], alone, rtol=1e-12)


def test_the_chain_gives_its_visible_states(each_level: str) -> None:
    """They are those whose statistics the update takes: biases move by the difference of means."""
    m = machine(12, 9, np.float64, "labelled")
    data, bias = data_of(m, 30, 0.4), m.visible_bias.copy()
    zeros = [np.zeros_like(a) for a in (m.weights, m.visible_bias, m.hidden_bias)]
    chain = np.full((30, 12), np.nan)
    kernels.ContrastiveDivergence(native(m), *zeros).update(
        data, steps=3, bias_rate=1.0, chain_visible=chain, seed=1
    )
    assert set(np.unique(chain)) == {0, 1}
    np.testing.assert_array_equal(chain[:, -4:].sum(axis=1), 1)
    np.testing.assert_allclose(m.visible_bias - bias, (data - chain).mean(axis=0), atol=1e-14)


def rule(hidden: bool = True, **changed: object) -> kernels.DeltaRule:
    m = machine(6, 4, np.float64)
    arrays = {"weights": np.zeros((6, 4)), "bias": np.zeros(4 if hidden else 6)} | changed
    return kernels.DeltaRule(native(m), hidden, arrays["weights"], arrays["bias"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rule(bias=np.zeros(6)), r"bias_velocity must have shape \(4,\), got \(6,\)"),
        (lambda: rule(weights=np.zeros((4, 6))), "weights_velocity must have shape"),
        (
            lambda: rule().update(np.zeros((2, 4)), np.zeros((2, 4))),
            "update: given must have shape",
        ),
        (lambda: rule().update(np.zeros((2, 6)), np.zeros((3, 4))), "update: target must have"),
        (
            lambda: rule(False).update(np.zeros((2, 4)), np.zeros((2, 6)), momentum=2),
            "update: momentum must be in",
        ),
        (
            lambda: rule().update(np.zeros((2, 6)), np.zeros((2, 4)), weight_rate=np.inf),
            "weight_rate must be finite",
        ),
        (
            lambda: kernels.label_energies(
                native(machine(6, 4)), np.zeros((2, 6)), np.zeros((2, 1))
            ),
            "label_energies: model must have labelled visible",
        ),
        (
            lambda: kernels.label_energies(
                native(machine(6, 4, visible_type="labelled")), np.zeros((2, 2)), np.zeros((2, 3))
            ),
            "out must have shape",
        ),
    ],
)
def test_bad_arguments(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
