"""Elementwise functions, activation derivatives and dropout, at every level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus import kernels
from tests import reference, strategies, tolerance

FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": reference.sigmoid,
    "softplus": reference.softplus,
}
# Units in the last place. Without a fused multiply-add, softplus misses 2 by a hair.
LIMITS = {"exp": 2.0, "log": 2.0, "tanh": 2.0, "sigmoid": 2.0, "softplus": 2.1}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0]
SEED = 0x0123_4567_89AB_CDEF


def float_grid() -> np.ndarray:
    """4.2 million floats: every 1021st bit pattern, so all exponents, signs, NaN and denormals."""
    bits = np.arange(0, 2**32, 1021, dtype=np.uint64).astype(np.uint32)
    edges = np.array([*SPECIAL, 88.7228, 88.73, -87.33, -103.9, -104.1], np.float32)
    return np.concatenate([bits.view(np.float32), edges])


def double_grid() -> np.ndarray:
    """All exponents coarsely, and densely where the functions are neither 0 nor saturated."""
    bits = np.random.default_rng(5).integers(0, 2**64, 60_000, dtype=np.uint64)
    edges = np.array([*SPECIAL, 709.7, 709.8, -708.4, -745.1, -745.2])
    dense = [np.linspace(-r, r, 40_001) for r in (0.7, 1.6, 40.0, 750.0)]
    return np.concatenate([bits.view(np.float64), edges, *dense])


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_float_accuracy_over_the_whole_range(each_level: str, name: str) -> None:
    x = float_grid()
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
    error = tolerance.ulps(getattr(kernels, name)(x), exact)
    worst = int(np.argmax(error))
    assert error[worst] <= LIMITS[name], f"{error[worst]} ulp at {x[worst]!r}"


@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="long double is no wider than double here"
)
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_double_accuracy_over_the_whole_range(each_level: str, name: str) -> None:
    x = double_grid()
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.longdouble))
    error = tolerance.ulps(getattr(kernels, name)(x), exact)
    worst = int(np.argmax(error))
    assert error[worst] <= LIMITS[name], f"{error[worst]} ulp at {x[worst]!r}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(each_level: str, dtype: type) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    expected = {
        "exp": [1, 1, np.inf, 0, np.nan],
        "log": [-np.inf, -np.inf, np.inf, np.nan, np.nan],
        "tanh": [0.0, -0.0, 1, -1, np.nan],
        "sigmoid": [0.5, 0.5, 1, 0, np.nan],
        "softplus": [np.log(2), np.log(2), np.inf, 0, np.nan],
    }
    for name, values in expected.items():
        y = getattr(kernels, name)(x)
        np.testing.assert_allclose(y, values, rtol=4 * tolerance.epsilon(dtype), err_msg=name)
        np.testing.assert_array_equal(np.signbit(y[:4]), np.signbit(values[:4]), err_msg=name)
    np.testing.assert_array_equal(kernels.log(np.array([-1e-45, -1.0], dtype)), [np.nan, np.nan])
    relu = kernels.activation(x, "relu")
    np.testing.assert_array_equal(relu, np.array([0, 0, np.inf, 0, np.nan], dtype))


@pytest.mark.parametrize("name", list(reference.ACTIVATIONS))
@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    layout=strategies.layouts,
    in_place=st.booleans(),
)
def test_activation_of_any_layout(
    each_level: str,
    name: str,
    rows: int,
    columns: int,
    dtype: type,
    layout: str,
    in_place: bool,
) -> None:
    values = strategies.matrix(rows, columns, dtype, seed=4, scale=3)
    x = strategies.arrange(values, layout)
    expected = reference.ACTIVATIONS[name](values.astype(np.float64))
    in_place = in_place and layout in ("contiguous", "padded", "shifted")
    out = x if in_place else strategies.arrange(np.full_like(values, np.nan), "padded")
    result = kernels.activation(x, name, out)
    assert result is out
    tolerance.assert_within(out, expected, 6 * tolerance.epsilon(dtype) * np.abs(expected))
    if out.base is not None and out.strides[0] > columns * out.itemsize:
        assert np.isnan(out.base[:, columns:]).all()  # the padding is not touched
    np.testing.assert_array_equal(kernels.activation(values, name), out)


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (5, 0), (7,), (3, 4, 5), (2, 1, 3, 17)])
def test_any_rank_and_empty(each_level: str, shape: tuple[int, ...]) -> None:
    x = np.linspace(-2, 2, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    y = kernels.sigmoid(x)
    assert y.shape == shape and y.dtype == np.float32
    tolerance.assert_within(y, reference.sigmoid(x.astype(np.float64)), 2e-7)
    out = np.empty(shape, np.float32)
    assert kernels.sigmoid(x, out) is out
    np.testing.assert_array_equal(out, y)
    assert kernels.dropout(x, 0.5, seed=1, stream=2).shape == shape
    assert kernels.activation_backward(x, y, "sigmoid").shape == shape


def difference_quotient(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """Central differences of fourth order."""
    h = 1e-3
    return (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("name", list(reference.ACTIVATIONS))
def test_backward_against_differences(each_level: str, name: str, rate: float) -> None:
    rows, columns = 13, 37
    z = strategies.matrix(rows, columns, np.float64, seed=6, scale=2)
    z[np.abs(z) < 0.01] = 0.5  # where ReLU has no derivative
    grad = strategies.matrix(rows, columns, np.float64, seed=7)
    draw = {"seed": SEED, "stream": 9, "first_row": 2}
    mask = reference.dropout_mask(rows, columns, rate, np.float64, SEED, 9, 2)
    y = kernels.dropout(kernels.activation(z, name), rate, **draw)
    actual = kernels.activation_backward(grad, y, name, dropout_rate=rate, **draw)
    f = reference.ACTIVATIONS[name]
    expected = grad * mask * difference_quotient(f, z)
    tolerance.assert_within(actual, expected, 1e-10 * (1 + np.abs(expected)))


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    name=st.sampled_from(list(reference.ACTIVATIONS)),
    rate=st.sampled_from([0.0, 0.3]),
    target=st.sampled_from(["new", "grad", "y"]),
    layout=strategies.row_layouts,
)
def test_backward_of_any_shape_and_in_place(
    each_level: str,
    rows: int,
    columns: int,
    dtype: type,
    name: str,
    rate: float,
    target: str,
    layout: str,
) -> None:
    z = strategies.matrix(rows, columns, dtype, seed=8)
    mask = reference.dropout_mask(rows, columns, rate, dtype, SEED, 1, 0)
    f = reference.ACTIVATIONS[name](z.astype(np.float64))
    slope = {
        "identity": np.ones_like(f),
        "sigmoid": f * (1 - f),
        "tanh": 1 - f**2,
        "relu": (f > 0).astype(float),
        "softplus": reference.sigmoid(z.astype(np.float64)),
    }[name]
    y = strategies.arrange((f * mask).astype(dtype), layout)
    grad_values = strategies.matrix(rows, columns, dtype, seed=9)
    grad = strategies.arrange(grad_values, layout)
    out = {"new": None, "grad": grad, "y": y}[target]
    result = kernels.activation_backward(grad, y, name, out, dropout_rate=rate, seed=SEED, stream=1)
    assert out is None or result is out
    expected = grad_values * mask * slope
    bound = 12 * tolerance.epsilon(dtype) * (1 + np.abs(f)) ** 2 * np.abs(grad_values) * mask
    tolerance.assert_within(result, expected, bound)


@given(
    rows=strategies.sizes,
    columns=strategies.sizes,
    dtype=strategies.scalars,
    rate=st.sampled_from([0.0, 0.2, 0.5, 0.99]),
    first_row=st.integers(0, 9),
    layout=strategies.layouts,
)
def test_dropout_is_the_numbered_mask(
    each_level: str,
    rows: int,
    columns: int,
    dtype: type,
    rate: float,
    first_row: int,
    layout: str,
) -> None:
    values = strategies.matrix(rows, columns, dtype, seed=10)
    mask = reference.dropout_mask(rows, columns, rate, dtype, SEED, 2**33 + 1, first_row)
    x = strategies.arrange(values, layout)
    y = kernels.dropout(x, rate, seed=SEED, stream=2**33 + 1, first_row=first_row)
    expected = values * mask
    np.testing.assert_array_equal(y == 0, expected == 0)
    tolerance.assert_within(y, expected, 4 * tolerance.epsilon(dtype) * np.abs(expected))


def test_dropout_forward_and_epilogue_agree(each_level: str) -> None:
    x = strategies.matrix(50, 70, np.float32, seed=11)
    draw = {"seed": 3, "stream": 4, "first_row": 1}
    eye = np.eye(70, dtype=np.float32)
    fused = kernels.gemm(x, eye, activation="sigmoid", dropout_rate=0.5, **draw)
    apart = kernels.dropout(kernels.sigmoid(x), 0.5, **draw)
    np.testing.assert_array_equal(fused, apart)


def test_same_bits_for_any_number_of_threads(each_level: str, keep_threads: None) -> None:
    x = strategies.matrix(401, 517, np.float32, seed=12)  # several chunks, rows and columns left
    padded = strategies.arrange(x, "padded")
    results = []
    for threads in (1, 2, 3):
        ictus.set_num_threads(threads)
        y = kernels.dropout(padded, 0.5, seed=1, stream=0, first_row=3)
        back = kernels.activation_backward(
            x, y, "tanh", dropout_rate=0.5, seed=1, stream=0, first_row=3
        )
        results.append([kernels.exp(x), kernels.sigmoid(padded), y, back])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    expected = x * reference.dropout_mask(401, 517, 0.5, np.float32, 1, 0, 3)
    np.testing.assert_array_equal(results[0][2], expected.astype(np.float32))


X = np.zeros((4, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.exp([1.0]), TypeError, "exp: x must be a NumPy array, got list"),
        (
            lambda: kernels.exp(np.arange(3)),
            TypeError,
            "exp: x must have dtype float32 or float64, got int64",
        ),
        (
            lambda: kernels.sigmoid(X, np.empty((4, 6))),
            TypeError,
            "sigmoid: out must have dtype float32, got float64",
        ),
        (
            lambda: kernels.tanh(X, np.empty((6, 4), np.float32)),
            ValueError,
            "tanh: out must have shape (4, 6), got (6, 4)",
        ),
        (
            lambda: kernels.log(X[:, :3], X[:, 1:4]),
            ValueError,
            "log: out must not overlap x",
        ),
        (
            lambda: kernels.exp(X, np.empty((6, 4), np.float32).T),
            ValueError,
            "exp: out must have contiguous rows",
        ),
        (
            lambda: kernels.exp(np.zeros((2, 2, 2)), np.zeros((2, 2, 4))[:, :, ::2]),
            ValueError,
            "exp: out must be C-contiguous",
        ),
        (
            lambda: kernels.activation(X, "gelu"),
            ValueError,
            "activation: activation must be one of identity, sigmoid, tanh, relu, softplus, "
            "got 'gelu'",
        ),
        (
            lambda: kernels.dropout(X, 1.0, seed=0, stream=0),
            ValueError,
            "dropout: rate must be in [0, 1), got 1",
        ),
        (
            lambda: kernels.dropout(X, np.nan, seed=0, stream=0),
            ValueError,
            "dropout: rate must be in [0, 1), got nan",
        ),
        (
            lambda: kernels.dropout(X, 0.5, seed=0, stream=0, first_row=-1),
            ValueError,
            "dropout: first_row must be at least 0, got -1",
        ),
        (
            lambda: kernels.activation_backward(X, X[:2], "tanh"),
            ValueError,
            "activation_backward: y must have shape (4, 6), got (2, 6)",
        ),
        (
            lambda: kernels.activation_backward(X, X.astype(np.float64), "tanh"),
            TypeError,
            "activation_backward: y must have dtype float32, got float64",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_read_only_output() -> None:
    out = np.zeros((4, 6), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="exp: out must be writeable, got a read-only array"):
        kernels.exp(X, out)
