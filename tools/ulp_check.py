"""Measures the error of the vector functions over every float, and writes a Markdown table.

The exact value is NumPy's in float64, whose own error is some 2^-29 of what is measured.
All 2^32 bit patterns take about a minute for a function and a level on one core:

    python tools/ulp_check.py --levels avx512 avx2 baseline --output docs/results/vector_math.md
    python tools/ulp_check.py --stride 1021 --levels baseline avx2 avx512
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import ictus
from ictus import kernels

CHUNK = 1 << 16


def sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
}


def ulps(actual: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, int]:
    """The error of each float in units in the last place of the exact value, and how many
    infinities and NaN are not where they belong.

    The unit is the spacing of floats at the exact value, at least the smallest denormal.
    """
    rounded = exact.astype(np.float32)
    special = ~(np.isfinite(rounded) & np.isfinite(actual))
    exponent = np.maximum(exact.view(np.int64) >> 52 & 0x7FF, 1023 - 126) - 23
    error = np.abs(actual - exact) / (exponent << 52).view(np.float64)
    wrong = 0
    if special.any():
        error[special] = 0
        a, r = actual[special], rounded[special]
        wrong = int(((a != r) & ~(np.isnan(a) & np.isnan(r))).sum())
    return error, wrong


def measure(name: str, stride: int) -> tuple[float, float, int, int]:
    """The largest error, where it is, how many values exceed 1 ulp, how many specials are wrong."""
    worst, where, above, wrong = 0.0, 0.0, 0, 0
    function, exact = getattr(kernels, name), FUNCTIONS[name]
    for first in range(0, 1 << 32, CHUNK * stride):
        bits = np.arange(first, min(first + CHUNK * stride, 1 << 32), stride, dtype=np.uint64)
        x = bits.astype(np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            error, bad = ulps(function(x), exact(x.astype(np.float64)))
        wrong += bad
        above += int((error > 1).sum())
        i = int(np.argmax(error))
        if error[i] > worst:
            worst, where = float(error[i]), float(x[i])
    return worst, where, above, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="+", default=list(FUNCTIONS), choices=list(FUNCTIONS))
    parser.add_argument("--levels", nargs="+", default=[ictus.instruction_set()])
    parser.add_argument("--stride", type=int, default=1, help="take every n-th bit pattern")
    parser.add_argument("--output", help="the Markdown file to write")
    options = parser.parse_args()
    count = -(-(1 << 32) // options.stride)
    lines = [
        "# Error of the vector functions, float32",
        "",
        f"{count:,} of the 2^32 bit patterns, denormals, infinities and NaN included; errors in",
        "units in the last place of the exact value. Made by `python tools/ulp_check.py`.",
        "",
        "| function | level | largest error | at | above 1 ulp | wrong infinities or NaN |",
        "|---|---|---|---|---|---|",
    ]
    for level in options.levels:
        ictus.set_instruction_set(level)
        for name in options.functions:
            start = time.perf_counter()
            worst, where, above, wrong = measure(name, options.stride)
            share = 100 * above / count
            lines.append(
                f"| {name} | {level} | {worst:.3f} | {where:.9g} | {share:.3f} % | {wrong} |"
            )
            print(lines[-1], f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
