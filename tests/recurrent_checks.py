"""The checks that every recurrent family must pass; tests/kernels/test_{lstm,gru,recurrent}.py run
them at every instruction-set level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import ictus
from ictus import _core
from tests.recurrent_cases import STREAMS, Case
from tests.reference_recurrent import Parameters
from tests.tolerance import assert_within


def check_forward(case: Case) -> None:
    """Outputs and states equal the reference, recorded or not; nothing else is written."""
    expected = case.expected()
    for record in (False, True):
        frame = np.full((case.y.shape[0] + 2, case.y.shape[1] + 5), 7, case.dtype)
        case.y = frame[1:-1, 2:-3]
        case.run(record)
        assert_within(case.y, expected[0], case.bound(), "y")
        assert_within(case.final, expected[1], case.bound(), "final state")
        case.y[...] = 7
        assert (frame == 7).all()


def check_tangent(case: Case) -> None:
    """The R-operator equals the reference's derivative by complex step."""
    case.run()
    direction, x_dot = case.random_parameters(), case.normal(*case.x.shape)
    for moved in (x_dot, None):
        y_dot, final_dot = case.tangent(direction, moved)
        still = np.zeros_like(case.x) if moved is None else moved
        expected = case.expected_tangent(direction, still, np.zeros_like(case.initial))
        scale = 8 * (1 + max(np.abs(e).max() for e in expected))
        assert_within(y_dot, expected[0], scale * case.bound(), "y_dot")
        assert_within(final_dot, expected[1], scale * case.bound(), "final_dot")


def check_every_derivative(case: Case) -> None:
    """Each element of each gradient, against the reference's derivative by complex step."""
    v, final_v = case.normal(*case.y.shape), case.normal(*case.final.shape)
    case.run()
    gradients, x_gradient, initial_gradient = case.backward(v, final_v)
    names = [*Parameters._fields, "x", "initial"]
    variables = [*case.parameters, case.x, case.initial]
    results = [*gradients, x_gradient, initial_gradient]
    for number, (name, variable) in enumerate(zip(names, variables, strict=True)):
        if variable is None:
            continue
        expected = np.zeros(variable.shape)
        for at in np.ndindex(*variable.shape):
            dots = [None if a is None else np.zeros_like(a) for a in variables]
            dots[number][at] = 1
            y_dot, final_dot = case.expected_tangent(Parameters(*dots[:4]), dots[4], dots[5])
            expected[at] = (v * y_dot).sum() + (final_v * final_dot).sum()
        scale = 8 * (1 + np.abs(expected).max()) * (1 + len(case.x)) ** 0.5
        assert_within(results[number], expected, scale * case.bound(), name)


def check_duality(case: Case) -> None:
    """<gradient, direction> = <v, derivative along the direction>, for a large layer."""
    v, final_v = case.normal(*case.y.shape), case.normal(*case.final.shape)
    case.run()
    direction, x_dot = case.random_parameters(), case.normal(*case.x.shape)
    y_dot, final_dot = case.tangent(direction, x_dot)
    gradients, x_gradient, _ = case.backward(v, final_v)
    forwards = [(v, y_dot), (final_v, final_dot)]
    back = [(g, d) for g, d in zip(gradients, direction, strict=True) if g is not None]
    back.append((x_gradient, x_dot))
    left, right = (
        sum(float((a.astype(np.float64) * b).sum()) for a, b in pairs) for pairs in (forwards, back)
    )
    magnitude = sum(float(np.abs(a.astype(np.float64) * b).sum()) for a, b in forwards + back)
    assert abs(left - right) <= case.bound() * magnitude


def check_threads(case: Case) -> None:
    """The same bits with 1, 2 and 3 threads."""
    v, final_v = case.normal(*case.y.shape), case.normal(*case.final.shape)
    direction, x_dot = case.random_parameters(), case.normal(*case.x.shape)
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        plain = [a.copy() for a in case.run(record=False)]
        outputs = [a.copy() for a in case.run()]
        tangents = case.tangent(direction, x_dot)
        gradients, *others = case.backward(v, final_v)
        present = [g for g in gradients if g is not None]
        results.append([*plain, *outputs, *tangents, *present, *others])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def check_halves(case: Case) -> None:
    """A sequence cut in two, with its state carried on and its gradient carried back."""
    (length,) = case.lengths
    v = case.normal(*case.y.shape)
    case.run()
    whole, x_gradient, initial_gradient = case.backward(v, None)
    cut = length // 2
    first = replace(case, lengths=[cut])
    second = replace(case, lengths=[length - cut])
    for part, rows in ((first, slice(0, cut)), (second, slice(cut, None))):
        part.parameters, part.layer, part.x = case.parameters, case.layer, case.x[rows]
    first.initial = case.initial
    first.run()
    second.initial = first.final.copy()
    second.run()
    assert_within(np.concatenate([first.y, second.y]), case.y, 2 * case.bound())
    assert_within(second.final, case.final, 2 * case.bound())
    gradients, x_second, middle = second.backward(v[cut:], None)
    gradients, x_first, initial = first.backward(v[:cut], middle, gradients)
    limit = 64 * case.bound() * (1 + np.abs(v).max())
    assert_within(np.concatenate([x_first, x_second]), x_gradient, limit)
    assert_within(initial, initial_gradient, limit)
    for name, a, b in zip(Parameters._fields, gradients, whole, strict=True):
        if a is not None:
            assert_within(a, b, limit * length, name)


def check_sequences_alone(case: Case) -> None:
    """A ragged batch equals its sequences one by one; the padding behind them is not read."""
    function = getattr(ictus.kernels, case.cell)
    count, longest = len(case.lengths), max(case.lengths)
    parameters = [p for p in case.parameters if p is not None]
    if case.cell == "recurrent":
        function = _with_activation(function, case.activation)
    padded = np.full((count, longest, case.inputs), np.nan, case.dtype)
    begin = 0
    for number, length in enumerate(case.lengths):
        padded[number, :length] = case.x[begin : begin + length]
        begin += length
    y, final = function(padded, *parameters, lengths=case.lengths, initial_state=case.initial)
    for number, length in enumerate(case.lengths):
        initial = np.ascontiguousarray(case.initial[:, :, number : number + 1])
        alone, state = function(
            padded[number : number + 1, :length], *parameters, initial_state=initial
        )
        assert_within(y[number, :length], alone[0], 2 * case.bound())
        assert (y[number, length:] == 0).all()
        assert_within(final[:, :, number], state[:, :, 0], 2 * case.bound())


def _with_activation(function, activation):
    return lambda *arguments, **options: function(*arguments, activation=activation, **options)


def check_stream(case: Case) -> None:
    """Frames one by one, and blocks of any size, equal the whole; the state can be set and read."""
    (length,) = case.lengths
    case.run(record=False)
    stream = getattr(case.native, STREAMS[case.cell])(case.layer)
    for blocks in ([1] * length, [length], [2, 0, length - 3, 1]):
        stream.state = np.ascontiguousarray(case.initial[:, 0, 0])
        y = np.full_like(case.y, np.nan)
        begin = 0
        for size in blocks:
            stream.step(case.x[begin : begin + size], y[begin : begin + size])
            begin += size
        assert_within(y, case.y, 2 * case.bound())
        assert_within(stream.state, case.final[:, 0, 0], 2 * case.bound())
    stream.reset()
    assert (stream.state == 0).all()


def check_not_a_number_stays_in_its_sequence(case: Case) -> None:
    case.x[sum(case.lengths[:1])] = np.nan
    y, final = case.run(record=False)
    begin = case.lengths[0]
    assert np.isnan(y[begin : begin + case.lengths[1]]).any(axis=1).all()
    assert np.isnan(final[:, :, 1]).all()
    assert np.isfinite(np.delete(final, 1, axis=2)).all()
    assert np.isfinite(y[:begin]).all()


def bad_calls(case: Case):
    """(call, error, message) of what a family's layer must refuse."""
    run = case.layer.forward
    s, x, y, initial, final = case.sequences, case.x, case.y, case.initial, case.final
    none = (None, None, None)
    short = np.array([4, 7])
    rows = len(y)
    yield lambda: run(s, x[:-1], y, initial, final, *none), ValueError, r"x must have shape"
    yield lambda: run(s, x.tolist(), y, initial, final, *none), TypeError, "x must be a NumPy array"
    yield lambda: run(s, x, y[:, :-1], initial, final, *none), ValueError, "y must have shape"
    yield lambda: run(s, x, y, initial[..., :-1], final, *none), ValueError, "initial_state must"
    yield lambda: run(s, x, y, initial[:, :, :1], final, *none), ValueError, "initial_state must"
    yield lambda: run(s, x, y, initial, final[:, :, :1], *none), ValueError, "final_state must"
    yield (
        lambda: run(_core.Sequences(short), x, y, None, None, *none),
        ValueError,
        rf"x must have shape \(11, {case.inputs}\), got \({rows}, {case.inputs}\)",
    )
    yield lambda: _core.Sequences(np.array([3, 0, 2])), ValueError, "positive, got 0 for sequence 1"
    yield lambda: _core.Sequences(np.array([3, -1])), ValueError, "positive, got -1"
    yield lambda: _core.Sequences(np.array([3.0])), TypeError, "lengths must have dtype int64"
    other = np.float32 if case.dtype is np.float64 else np.float64
    yield lambda: run(s, x.astype(other), y, None, None, *none), TypeError, "x must have dtype"
    w, u, b, extra = case.parameters
    make = type(case.layer)
    yield lambda: make(w, u[0], b, extra), ValueError, "recurrent_weights must have shape"
    yield lambda: make(w[:, :-1], u, b, extra), ValueError, "input_weights must have shape"
    yield lambda: make(w, u, b[:-1], extra), ValueError, "bias must have shape"
    odd = np.zeros((1, case.units, 7), case.dtype)
    yield lambda: make(w, odd, b, extra), ValueError, "recurrent_weights must have shape"
    yield lambda: make(w, u[:, :, ::-1], b, extra), ValueError, "recurrent_weights must be C-contig"
    yield (
        lambda: case.layer.backward(
            s, x, y, None, None, None, None, None, None, None, None, case.layer, False
        ),
        ValueError,
        "gates must be those of a recorded pass",
    )
    yield (
        lambda: getattr(ictus.kernels, case.cell)(
            np.zeros((2, 5, case.inputs), case.dtype),
            *[p for p in case.parameters if p is not None],
            lengths=[5, 6],
        ),
        ValueError,
        "lengths must be in 1 .. 5, got 6 for sequence 1",
    )
