"""Gives odd arrays to functions and models, and compares with the same numbers in a plain array.

    python tools/reliability/odd_arrays.py --calls 10000
    python tools/reliability/odd_arrays.py --call 4711       (one call again)

An array of a valid call is replaced by one of another layout (transposed, negative or zero strides,
unaligned, byte-swapped, read-only, a subclass, a part of a larger one) or by other content (NaN,
infinities, denormal and huge numbers, no rows, no dimension, one dimension more, another type). A
right answer is what the same numbers give in a plain array (sums of products, which may be added in
another order, to the last digits), or a TypeError or ValueError. All else is a finding, and so is
an input that was changed.
"""

from __future__ import annotations

import argparse
import collections
import functools
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import ictus
from ictus import kernels, nn
from ictus.music.retrieval import HammingIndex

Array = Any
Call = tuple[Callable[..., Any], dict[str, Array]]


def _floats(*shape: int, low: float = -1.0, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(low, 1.0, shape).astype(np.float32)


@functools.cache
def _calls() -> dict[str, Call]:
    """A valid call of each function: what is called with which arrays."""
    x, square = _floats(6, 4), _floats(4, 4, seed=1)
    images, labels = _floats(3, 5, 5, 2), np.array([0, 1, 2, 1, 0, 2])
    codes = np.random.default_rng(0).integers(0, 256, (9, 8), dtype=np.uint8)
    positive, vector = _floats(6, 4, low=0.01), _floats(4)
    k = kernels
    steps, gates = _floats(7, 2, 3), _floats(3, 20, seed=2)
    calls: dict[str, Call] = {
        "gemm": (k.gemm, {"a": x, "b": square, "bias": vector}),
        "gemm out": (
            lambda a, b, out: k.gemm(a, b, out, beta=0.5), {"a": x, "b": square, "out": x.copy()}
        ),
        "column_sums": (k.column_sums, {"x": x}),
        "row_sums": (k.row_sums, {"x": x}),
        "sum_of_squares": (k.sum_of_squares, {"x": x}),
        "softmax": (k.softmax, {"x": x}),
        "log_sum_exp": (k.log_sum_exp, {"x": x}),
        "squared_error": (k.squared_error, {"logits": x, "targets": positive}),
        "binary_cross_entropy": (k.binary_cross_entropy, {"logits": x, "targets": positive}),
        "softmax_cross_entropy": (k.softmax_cross_entropy, {"logits": x, "targets": labels}),
        "dropout": (lambda x: k.dropout(x, 0.4, seed=1, stream=2), {"x": x}),
        "bernoulli": (lambda p: k.bernoulli(p, seed=1), {"p": positive}),
        "corrupt": (lambda x: k.corrupt(x, seed=1), {"x": x}),
        "convolution": (
            k.convolution, {"x": images, "weights": _floats(3, 3, 2, 4), "bias": vector}
        ),
        "max_pooling": (lambda x: k.max_pooling(x, 2), {"x": images}),
        "average_pooling": (lambda x: k.average_pooling(x, 2), {"x": images}),
        "lstm": (
            k.lstm,
            {
                "x": steps, "input_weights": gates, "recurrent_weights": _floats(5, 20),
                "bias": _floats(20),
            },
        ),
        "hamming_nearest": (
            lambda codes, queries: k.hamming_nearest(codes, queries, 3),
            {"codes": codes, "queries": codes[:2].copy()},
        ),
        "hamming_within": (
            lambda codes, queries: k.hamming_within(codes, queries, 9),
            {"codes": codes, "queries": codes[:2].copy()},
        ),
    }  # fmt: skip
    for name in ("sigmoid", "tanh", "exp", "log", "softplus"):
        calls[name] = (getattr(k, name), {"x": positive})
    calls["activation relu"] = (lambda x: k.activation(x, "relu"), {"x": x})
    return calls | _model_calls(positive, labels)


def _model_calls(x: Array, labels: Array) -> dict[str, Call]:
    short: dict[str, Any] = {"max_epochs": 2, "random_state": 0}
    dense = nn.Network(4, [nn.Dense(3, activation="tanh"), nn.Dense(3)], seed=0)
    sequence = nn.SequenceNetwork(3, [nn.LSTM(4, directions=2), nn.Dense(2)], seed=0)
    mlp = ictus.MLPClassifier((5,), **short).fit(x, labels)
    rbm = ictus.BernoulliRBM(3, n_iter=2, random_state=0).fit(x)
    encoder = ictus.Autoencoder((3,), **short).fit(x)

    def fitted(model: Any, *arrays: Array) -> Any:
        return model.fit(*arrays)

    def searched(codes: Array) -> Any:
        index = HammingIndex(64)
        index.add(codes)
        return index.nearest(np.zeros((1, 8), np.uint8), 2)

    codes = np.random.default_rng(1).integers(0, 256, (9, 8), dtype=np.uint8)
    return {
        "Network.forward": (lambda x: dense.forward(x), {"x": x}),
        "Network.predict": (lambda x: dense.predict(x), {"x": x}),
        "Network.loss_and_gradient": (
            lambda x, y: dense.loss_and_gradient(x, y), {"x": x, "y": labels}
        ),
        "Network.jvp": (
            lambda x, direction: dense.jvp(x, direction),
            {"x": x, "direction": _floats(dense.parameter_count)},
        ),
        "SequenceNetwork.forward": (lambda x: sequence.forward([x]), {"x": _floats(7, 3)}),
        "MLPClassifier.predict_proba": (mlp.predict_proba, {"X": x}),
        "MLPClassifier.fit": (
            lambda X, y: fitted(ictus.MLPClassifier((5,), **short), X, y).network_.parameters,
            {"X": x, "y": labels},
        ),
        "MLPRegressor.fit": (
            lambda X, y: fitted(ictus.MLPRegressor((5,), **short), X, y).network_.parameters,
            {"X": x, "y": x[:, 0].copy()},
        ),
        "BernoulliRBM.transform": (rbm.transform, {"X": x}),
        "BernoulliRBM.fit": (
            lambda X: fitted(ictus.BernoulliRBM(3, n_iter=2, random_state=0), X).components_,
            {"X": x},
        ),
        "Autoencoder.transform": (encoder.transform, {"X": x}),
        "HammingIndex": (searched, {"codes": codes}),
    }  # fmt: skip


# --- odd arrays -----------------------------------------------------------------------------------


def _unaligned(array: Array) -> Array:
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    odd = np.frombuffer(memory, array.dtype).reshape(array.shape)
    odd[...] = array
    return odd


def _part(array: Array) -> Array:
    whole = np.full([n + 3 for n in array.shape], 7, array.dtype)
    inside = whole[tuple(slice(1, 1 + n) for n in array.shape)]
    inside[...] = array
    return inside


def _read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


class Subclass(np.ndarray):
    """An array of another class."""


def _with(array: Array, values: Any, rng: random.Random) -> Array:
    array = array.copy()
    for _ in range(rng.randrange(1, 4)):
        if array.size:
            value = rng.choice(values)
            with np.errstate(all="ignore"):
                array.reshape(-1)[rng.randrange(array.size)] = np.array(value).astype(array.dtype)
    return array


LAYOUTS: dict[str, Callable[[Array, random.Random], Array]] = {
    "Fortran": lambda a, _: np.asfortranarray(a),
    "backwards": lambda a, _: np.ascontiguousarray(a[::-1])[::-1],
    "rightmost backwards": lambda a, _: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "every second": lambda a, _: np.repeat(a, 2, axis=0)[::2],
    "every second column": lambda a, _: np.repeat(a, 2, axis=-1)[..., ::2],
    "one row repeated": lambda a, _: np.broadcast_to(a[:1], a.shape),
    "one number repeated": lambda a, _: np.broadcast_to(a.reshape(-1)[0], a.shape),
    "unaligned": lambda a, _: _unaligned(a),
    "byte-swapped": lambda a, _: a.astype(a.dtype.newbyteorder()),
    "read-only": lambda a, _: _read_only(a),
    "part of a larger one": lambda a, _: _part(a),
    "subclass": lambda a, _: a.copy().view(Subclass),
    "list": lambda a, _: a.tolist(),
}
CONTENTS: dict[str, Callable[[Array, random.Random], Array]] = {
    "special numbers": lambda a, rng: _with(
        a, (np.nan, np.inf, -np.inf, 1e-42, 3e38, -3e38, -0.0, 0), rng
    ),
    "large integers": lambda a, rng: _with(a, (-1, 2**31, -(2**31), 255, 10**6), rng),
    "no rows": lambda a, _: a[:0],
    "no columns": lambda a, _: a[..., :0],
    "no dimension": lambda a, _: a.reshape(-1)[0],
    "one dimension more": lambda a, _: a[None],
    "one row less": lambda a, _: a[:-1].copy(),
    "one column more": lambda a, _: np.concatenate([a, a[..., :1]], -1),
    "transposed": lambda a, _: np.ascontiguousarray(a.T),
    **{
        name: (lambda a, _, t=name: (a * 3).astype(t))
        for name in ("float64", "float16", "int64", "uint8", "int8", "bool", "complex64", "object")
    },
    "text": lambda a, _: a.astype(str),
    "None": lambda a, _: None,
}


def _plain(value: Any, native: bool = True) -> Any:
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = np.array(value, order="C")
    return array.astype(array.dtype.newbyteorder("=")) if native else array


def _outcome(function: Callable[..., Any], arrays: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return "answer", function(**arrays)
    except (TypeError, ValueError, ictus.train.DivergenceError) as error:
        return "refused", str(error)
    except Exception as error:
        return "finding", f"{type(error).__name__}: {str(error)[:150]}"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return a.tobytes() == b.tobytes() or (
        a.dtype.kind == "f" and bool(np.allclose(a, b, rtol=2e-6, atol=2e-7, equal_nan=True))
    )


def call(number: int) -> tuple[str, str]:
    """Make the call of a number; return what it was, and "same", "refused", or what was wrong."""
    rng = random.Random(number)
    name = rng.choice(sorted(_calls()))
    function, arrays = _calls()[name]
    argument = rng.choice(sorted(arrays))
    kinds = LAYOUTS if rng.random() < 0.5 else CONTENTS
    kind = rng.choice(sorted(kinds))
    what = f"{name}({argument}: {kind})"
    try:
        odd = kinds[kind](arrays[argument], rng)
    except (ValueError, IndexError):
        return what, "refused"  # NumPy knows no such array
    given = {n: _plain(a) for n, a in arrays.items()}
    expected, right = _outcome(function, given | {argument: _plain(odd)})
    before = _plain(odd, native=False)
    outcome, answer = _outcome(function, given | {argument: odd})
    if outcome == "finding" or expected == "finding":
        return what, answer if outcome == "finding" else f"plain: {right}"
    if outcome == "answer" and expected == "answer" and not _same(answer, right):
        return what, "another answer than for a plain array"
    if outcome == "answer" and expected == "refused":
        return what, f"an answer, but a plain array is refused: {right}"
    changed = argument != "out" and isinstance(odd, np.ndarray) and not _same(odd, before)
    if changed and "out" not in argument:
        return what, "the input was changed"
    return what, "same" if outcome == "answer" else "refused"


def main() -> int:
    """Make the calls that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--call", type=int, help="make this one alone")
    arguments = parser.parse_args()
    if arguments.call is not None:
        print(*call(arguments.call), sep=": ")
        return 0
    counts: collections.Counter[str] = collections.Counter()
    findings: dict[str, list[str]] = {}
    for number in range(arguments.first, arguments.first + arguments.calls):
        what, result = call(number)
        kind = result if result in ("same", "refused") else "findings"
        counts[kind] += 1
        if kind == "findings":
            findings.setdefault(f"{what}: {result}", []).append(str(number))
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    for text, numbers in sorted(findings.items()):
        print(f"    {len(numbers)} x {text} (call {numbers[0]})")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
