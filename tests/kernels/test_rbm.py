"""Restricted Boltzmann machines: the layers of a chain and free energy, at every level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference_rbm as reference
from tests import strategies, tolerance

SEED, STREAM = 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210
VISIBLE = ("bernoulli", "gaussian", "softmax", "labelled")
GROUPED = ("softmax", "labelled")
HIDDEN = ("bernoulli", "rectified", "gaussian")
# (rows, visible, hidden): small ones; ones around the widths of blocks and vectors that are long
# enough for the path that skips zeros (sparse.h); more rows than one product takes.
LARGE = [(37, 131, 129), (5, 1000, 111), (130, 64, 65), (65, 192, 50), (1029, 33, 17)]


def machine(
    visible: int,
    hidden: int,
    dtype: type = np.float64,
    visible_type: str = "bernoulli",
    hidden_type: str = "bernoulli",
    group_size: int = 4,
    seed: int = 0,
) -> reference.Machine:
    """Random parameters under which inputs are of the order of 1."""
    group_size = group_size if visible_type in GROUPED else 1
    g = np.random.default_rng(seed)
    parameters = [
        g.standard_normal((visible, hidden)) * 2 / np.sqrt(visible + hidden),
        g.standard_normal(visible) / 2,
        g.standard_normal(hidden) / 2,
        g.uniform(0.3, 3, visible) if visible_type == "gaussian" else None,
    ]
    arrays = [None if p is None else p.astype(dtype) for p in parameters]
    return reference.Machine(*arrays, visible_type, hidden_type, group_size)


def native(m: reference.Machine) -> kernels.RbmModel:
    return kernels.rbm_model(
        m.weights,
        m.visible_bias,
        m.hidden_bias,
        m.variance,
        visible_type=m.visible_type,
        hidden_type=m.hidden_type,
        group_size=m.group_size,
    )


def states(rows: int, units: int, dtype: type, share: float, seed: int = 1) -> np.ndarray:
    """Numbers of which about this share are not zero."""
    g = np.random.default_rng(seed)
    return (g.standard_normal((rows, units)) * (g.random((rows, units)) < share)).astype(dtype)


def input_bound(m: reference.Machine, given: np.ndarray, side: str, dtype: type) -> np.ndarray:
    """Of the inputs of a layer, from the length and the magnitude of their sums."""
    absolute = np.abs(m.weights if side == "hidden" else m.weights.T)
    seen = np.abs(m.scaled(given) if side == "hidden" else given)
    bias = np.abs(m.hidden_bias if side == "hidden" else m.visible_bias)
    return tolerance.sum_bound(given.shape[1], seen @ absolute + bias, dtype, extra=4)


def assert_samples(
    kind: str, got: np.ndarray, x: np.ndarray, draws: reference.Draws, bound: np.ndarray, m
) -> None:
    """The very draws, except where a number lies within the error of what it is compared with."""
    expected = reference.unit_samples(kind, x, draws, m.group_size, m.variance)
    if kind in ("gaussian", "rectified"):
        scale = 1 if m.variance is None or kind != "gaussian" else np.sqrt(m.variance)
        tolerance.assert_within(got, expected, bound + 200 * scale * tolerance.epsilon(draws.dtype))
        return
    if kind == "labelled":  # plain units, then a group that draws by the number of its first unit
        plain = x.shape[1] - m.group_size
        parts = [("bernoulli", slice(0, plain), 0), ("softmax", slice(plain, None), plain)]
        for part, columns, first in parts:
            assert_discrete(
                part, got[:, columns], expected[:, columns], x[:, columns],
                draws, bound[:, columns], m.group_size, first,
            )  # fmt: skip
        return
    assert_discrete(kind, got, expected, x, draws, bound, m.group_size, 0)


def assert_discrete(
    kind: str, got, expected, x, draws: reference.Draws, bound, group_size: int, first: int
) -> None:
    epsilon = tolerance.epsilon(draws.dtype)
    if kind == "softmax":
        grouped = got.reshape(-1, group_size)
        np.testing.assert_array_equal(grouped.sum(axis=1), 1)
        assert set(np.unique(got)) <= {0, 1}
        wrong = (grouped != expected.reshape(grouped.shape)).any(axis=1)
        groups = x.shape[1] // group_size
        limit = group_size * np.repeat(bound.max(axis=1), groups)
        u = draws.uniform(len(x), first + groups)[:, first:].ravel()
        below = np.cumsum(reference.softmax(x, group_size).reshape(grouped.shape), axis=1)
        near = np.abs(below - u[:, None]).min(axis=1) <= limit + 20 * epsilon
    else:
        wrong = got != expected
        p = reference.unit_means("bernoulli", x)
        near = np.abs(draws.uniform(*x.shape) - p) <= bound + 8 * epsilon
    assert not (wrong & ~near).any()
    assert wrong.mean() <= 0.01 or wrong.sum() <= 1


def units_of(visible_type: str, size: int) -> int:
    """A number of visible units that goes with groups of 3."""
    return {"softmax": 3 * size, "labelled": 3 + size}.get(visible_type, size)


def run_layer(model: kernels.RbmModel, side: str, given: np.ndarray, **arguments: object) -> None:
    (kernels.hidden_layer if side == "hidden" else kernels.visible_layer)(model, given, **arguments)


def check_layer(
    m: reference.Machine,
    side: str,
    given: np.ndarray,
    wanted: str,
    *,
    row_bias: bool = False,
    tempered: bool = False,
    first_row: int = 0,
) -> None:
    """One call of a layer against the reference: means, samples, or both."""
    dtype, rows = m.weights.dtype.type, len(given)
    units = m.weights.shape[1 if side == "hidden" else 0]
    kind = m.hidden_type if side == "hidden" else m.visible_type
    g = np.random.default_rng(5)
    bias = g.standard_normal((rows, units)).astype(dtype) if row_bias else None
    beta = g.random(rows).astype(dtype) if tempered else None
    outputs = {
        name: np.full((rows, units), np.nan, dtype)
        for name in ("mean", "sample")
        if wanted in (name, "both")
    }
    run_layer(
        native(m),
        side,
        given,
        row_bias=bias,
        inverse_temperature=beta,
        seed=SEED,
        stream=STREAM,
        first_row=first_row,
        **outputs,
    )
    d, wide = m.doubled(), given.astype(np.float64)
    wide_bias = None if bias is None else bias.astype(np.float64)
    x = d.hidden_input(wide, wide_bias) if side == "hidden" else d.visible_input(wide, wide_bias)
    bound = input_bound(d, wide, side, dtype)
    if bias is not None:
        bound = bound + tolerance.sum_bound(given.shape[1], np.abs(bias), dtype)
    if beta is not None:
        x = x * beta[:, None].astype(np.float64)
    if "mean" in outputs:
        expected = reference.unit_means(kind, x, m.group_size)
        slack = (8 + m.group_size) * tolerance.epsilon(dtype) * (1 + np.abs(expected))
        per_group = bound.max(axis=1, keepdims=True) * 2 if kind in GROUPED else bound
        tolerance.assert_within(outputs["mean"], expected, per_group + slack)
    if "sample" in outputs:
        draws = reference.Draws(SEED, STREAM, first_row, dtype)
        assert_samples(kind, outputs["sample"], x, draws, bound, d)


@given(
    rows=strategies.sizes,
    visible=strategies.sizes,
    hidden=strategies.sizes,
    dtype=strategies.scalars,
    types=st.tuples(st.sampled_from(VISIBLE), st.sampled_from(HIDDEN)),
    side=st.sampled_from(["hidden", "visible"]),
    wanted=st.sampled_from(["mean", "sample", "both"]),
    layout=strategies.row_layouts,
    row_bias=st.booleans(),
    tempered=st.booleans(),
    first_row=st.integers(0, 2**33),
)
def test_layers_of_any_shape(
    each_level, rows, visible, hidden, dtype, types, side, wanted, layout, row_bias, tempered,
    first_row,
) -> None:  # fmt: skip
    m = machine(units_of(types[0], visible), hidden, dtype, *types, 3)
    given = states(rows, len(m.visible_bias) if side == "hidden" else hidden, dtype, 0.5)
    kind = types[1] if side == "hidden" else types[0]
    check_layer(
        m,
        side,
        strategies.arrange(given, layout),
        wanted,
        row_bias=row_bias,
        tempered=tempered and kind in ("bernoulli", *GROUPED),
        first_row=first_row,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("shape", LARGE)
def test_dense_and_sparse_states(
    each_level: str, shape: tuple[int, int, int], share: float, dtype: type
) -> None:
    rows, visible, hidden = shape
    m = machine(visible, hidden, dtype)
    for side, units in (("hidden", visible), ("visible", hidden)):
        given = strategies.arrange(states(rows, units, dtype, share), "padded")
        check_layer(m, side, given, "both")
        check_layer(m, side, given, "sample", first_row=3)
        check_layer(m, side, given, "mean", row_bias=True, tempered=True)


@pytest.mark.parametrize(
    "types", [("gaussian", "rectified"), ("softmax", "gaussian"), ("labelled", "bernoulli")]
)
def test_sparse_states_of_other_units(each_level: str, types: tuple[str, str]) -> None:
    m = machine(132, 129, np.float32, *types)
    for side, units in (("hidden", 132), ("visible", 129)):
        check_layer(m, side, states(38, units, np.float32, 0.1), "both")


@pytest.mark.parametrize("visible_type", VISIBLE)
@pytest.mark.parametrize("hidden_type", HIDDEN)
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_batch_cut_in_parts_draws_as_the_whole(
    each_level: str, visible_type: str, hidden_type: str, share: float
) -> None:
    m = machine(60, 45, np.float64, visible_type, hidden_type, 5)
    for side, units, out in (("hidden", 60, 45), ("visible", 45, 60)):
        given = states(203, units, np.float64, share)
        whole, parts = np.empty((2, 203, out))
        draw = {"seed": 3, "stream": 9}
        run_layer(native(m), side, given, sample=whole, first_row=7, **draw)
        for begin, end in ((0, 1), (1, 60), (60, 61), (61, 203)):
            run_layer(
                native(m), side, given[begin:end], sample=parts[begin:end], first_row=7 + begin,
                **draw,
            )  # fmt: skip
        np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("side", ["hidden", "visible"])
@pytest.mark.parametrize("both", [False, True])
def test_uniforms_take_the_place_of_draws(
    each_level: str, side: str, both: bool, dtype: type
) -> None:
    m = machine(53, 41, dtype)
    given = states(30, 53 if side == "hidden" else 41, dtype, 0.5)
    out = np.empty((30, 41 if side == "hidden" else 53), dtype)
    mean = np.empty_like(out)
    uniforms = np.random.default_rng(8).random(out.shape).astype(dtype)
    run_layer(native(m), side, given, mean=mean)
    more = {"mean": np.empty_like(out)} if both else {}
    run_layer(native(m), side, given, sample=out, uniforms=uniforms, **more)
    np.testing.assert_array_equal(out, uniforms < mean)


@given(
    rows=strategies.sizes,
    visible=strategies.sizes,
    hidden=strategies.sizes,
    dtype=strategies.scalars,
    types=st.tuples(st.sampled_from(VISIBLE), st.sampled_from(["bernoulli", "gaussian"])),
    layout=strategies.row_layouts,
    tempered=st.booleans(),
)
def test_free_energy(
    each_level: str, rows, visible, hidden, dtype, types, layout, tempered
) -> None:
    m = machine(units_of(types[0], visible), hidden, dtype, *types, 3)
    v = states(rows, len(m.visible_bias), dtype, 0.5)
    beta = np.random.default_rng(2).random(rows).astype(dtype) if tempered else None
    got = kernels.free_energy(native(m), strategies.arrange(v, layout), inverse_temperature=beta)
    assert_free_energy(m, v, got, beta)


def assert_free_energy(m, v, got, beta=None) -> None:
    dtype = m.weights.dtype.type
    d, wide = m.doubled(), v.astype(np.float64)
    b = np.ones(len(v)) if beta is None else beta.astype(np.float64)
    x = d.hidden_input(wide)
    slope = np.abs(x) if m.hidden_type == "gaussian" else np.ones_like(x)
    hidden = x**2 / 2 if m.hidden_type == "gaussian" else np.logaddexp(0, b[:, None] * x)
    visible = np.abs(wide * d.visible_bias) if d.variance is None else (
        (np.abs(wide) + np.abs(d.visible_bias)) ** 2 / d.variance
    )  # fmt: skip
    magnitude = np.abs(hidden).sum(axis=1) + visible.sum(axis=1)
    bound = (slope * input_bound(d, wide, "hidden", dtype)).sum(axis=1)
    bound += tolerance.sum_bound(sum(m.weights.shape), magnitude, dtype, extra=12)
    tolerance.assert_within(got, reference.free_energy(d, wide, b), bound)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_free_energy_of_more_rows_than_one_product_takes(each_level: str, share: float) -> None:
    m = machine(40, 30, np.float32)
    v = states(2100, 40, np.float32, share)
    beta = np.random.default_rng(2).random(2100).astype(np.float32)
    out = np.empty(2100, np.float32)
    assert kernels.free_energy(native(m), v, out, inverse_temperature=beta) is out
    assert_free_energy(m, v, out, beta)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_same_bits_for_any_number_of_threads(
    each_level: str, keep_threads: None, share: float
) -> None:
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        found = []
        for visible_type, hidden_type in zip(VISIBLE, (*HIDDEN, HIDDEN[0]), strict=True):
            m = machine(300, 200, np.float32, visible_type, hidden_type, 5)
            v, h = states(150, 300, np.float32, share), states(150, 200, np.float32, share)
            out = [np.empty_like(h), np.empty_like(h), np.empty_like(v), np.empty_like(v)]
            kernels.hidden_layer(native(m), v, mean=out[0], sample=out[1], seed=1)
            kernels.visible_layer(native(m), h, mean=out[2], sample=out[3], seed=1)
            if hidden_type != "rectified":
                out.append(kernels.free_energy(native(m), v))
            found += out
        results.append(found)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("visible_type", VISIBLE)
@pytest.mark.parametrize("hidden_type", HIDDEN)
@pytest.mark.parametrize("shape", [(9, 12, 7), (40, 132, 129)])
def test_nan_shows(
    each_level: str, shape: tuple[int, int, int], visible_type: str, hidden_type: str, dtype: type
) -> None:
    """In the row that has it, in means, samples and free energy, and nowhere else."""
    rows, visible, hidden = shape
    m = machine(visible, hidden, dtype, visible_type, hidden_type)
    for side, units, out in (("hidden", visible, hidden), ("visible", hidden, visible)):
        given = states(rows, units, dtype, 0.1)
        given[3, units // 2] = np.nan
        mean, sample = np.zeros((2, rows, out), dtype)
        run_layer(native(m), side, given, mean=mean, sample=sample)
        alone = np.zeros_like(sample)
        run_layer(native(m), side, given, sample=alone)
        for result in (mean, sample, alone):
            assert np.isnan(result[3]).all()
            assert np.isfinite(np.delete(result, 3, axis=0)).all()
    if hidden_type != "rectified":
        v = states(rows, visible, dtype, 0.1)
        v[3, 2] = np.nan
        assert np.flatnonzero(np.isnan(kernels.free_energy(native(m), v))).tolist() == [3]


def test_a_category_that_cannot_be_is_never_drawn(each_level: str) -> None:
    """Also where the uniform number is the largest, and the last category is the impossible one."""
    bias = np.tile(np.array([0.3, 0.1, -0.2, -1e4, -1e4], np.float32), 2000)
    m = reference.Machine(
        np.zeros((10000, 1), np.float32), bias, np.zeros(1, np.float32), None, "softmax",
        group_size=5,
    )  # fmt: skip
    sample = np.empty((500, 10000), np.float32)
    kernels.visible_layer(native(m), np.zeros((500, 1), np.float32), sample=sample)
    counts = sample.reshape(-1, 5).sum(axis=0)
    assert counts[3:].tolist() == [0, 0]
    p = np.exp(bias[:3] - np.logaddexp.reduce(bias[:3].astype(float)))
    deviation = np.sqrt(1e6 * p * (1 - p))
    assert (np.abs(counts[:3] - 1e6 * p) < 5 * deviation).all()
