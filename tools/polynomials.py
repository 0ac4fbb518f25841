"""Computes the polynomials of cpp/kernels/detail/math.h and gates.h (needs mpmath).

Each interpolates a smooth function at the Chebyshev points of its interval, which comes within a
small factor of the minimax fit; its coefficients are rounded to the scalar.
Prints the constants, one a line, and the error of each rounded polynomial.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np

mp.mp.prec = 200
Real = Callable[[mp.mpf], mp.mpf]


def interpolate(g: Real, degree: int, low: float, high: float) -> list[mp.mpf]:
    """Coefficients of the polynomial that equals g at the Chebyshev points of [low, high]."""
    n = degree + 1
    middle, radius = (mp.mpf(low) + high) / 2, (mp.mpf(high) - low) / 2
    nodes = [middle + radius * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    powers = mp.matrix([[z**k for k in range(n)] for z in nodes])
    solution = mp.lu_solve(powers, mp.matrix([g(z) for z in nodes]))
    return [solution[k] for k in range(n)]


def rounded(value: mp.mpf, scalar: type) -> mp.mpf:
    return mp.mpf(float(value)) if scalar is np.float64 else mp.mpf(float(np.float32(float(value))))


def fit(
    name: str, g: Real, weight: Real, degree: int, low: float, high: float, scalar: type
) -> None:
    """Prints the rounded coefficients, and the largest error times weight."""
    fixed = [rounded(c, scalar) for c in interpolate(g, degree, low, high)]
    points = [mp.mpf(low) + (mp.mpf(high) - low) * i / 999 for i in range(1000)]
    worst = max(abs(weight(z) * (mp.polyval(fixed[::-1], z) - g(z))) for z in points)
    print(f"{name} {scalar.__name__}: error 2^{float(mp.log(worst, 2)):.1f}")
    for c in fixed:
        print("   ", float(c).hex(), " ", float(c))


def series(coefficient: Callable[[int], mp.mpf], z: mp.mpf) -> mp.mpf:
    return mp.fsum(coefficient(k) * z**k for k in range(70))


def exp_rest(r: mp.mpf) -> mp.mpf:
    """(e^r - 1 - r) / r^2."""
    return series(lambda k: 1 / mp.factorial(k + 2), r)


def power_rest(f: mp.mpf) -> mp.mpf:
    """(2^f - 1) / f."""
    return series(lambda k: mp.log(2) ** (k + 1) / mp.factorial(k + 1), f)


def log_rest(z: mp.mpf) -> mp.mpf:
    """P in log(1 + f) = f - s (f - z P(z)), s = f / (2 + f), z = s^2."""
    return series(lambda k: mp.mpf(2) / (2 * k + 3), z)


def tanh_rest(z: mp.mpf) -> mp.mpf:
    """P in tanh x = x + x z P(z), z = x^2."""
    x = mp.sqrt(z or mp.mpf(10) ** -20)
    return (mp.tanh(x) / x - 1) / x**2


def sine_rest(z: mp.mpf) -> mp.mpf:
    """S in sin(pi f) = pi f + f z S(z), z = f^2."""
    return series(lambda k: (-1) ** (k + 1) * mp.pi ** (2 * k + 3) / mp.factorial(2 * k + 3), z)


def cosine_rest(z: mp.mpf) -> mp.mpf:
    """C in cos(pi f) = 1 + z C(z), z = f^2."""
    return series(lambda k: (-1) ** (k + 1) * mp.pi ** (2 * k + 2) / mp.factorial(2 * k + 2), z)


def main() -> None:
    half = float(mp.log(2) / 2) * 1.001
    narrow = float((3 - 2 * mp.sqrt(2)) ** 2) * 1.01
    for scalar, exp, log, log1p, tanh, sine, cosine, power in (
        (np.float32, 4, 2, 5, 4, 2, 3, 4),
        (np.float64, 9, 6, 13, 13, 5, 6, 10),
    ):
        fit("exp", exp_rest, abs, exp, -half, half, scalar)
        fit("log", log_rest, lambda z: z, log, 0, narrow, scalar)
        fit("log1p", log_rest, lambda z: z, log1p, 0, 1 / 9, scalar)
        fit("tanh", tanh_rest, lambda z: z, tanh, 0, 0.625**2, scalar)
        fit("sin", sine_rest, lambda z: z, sine, 0, 1 / 16, scalar)
        fit("cos", cosine_rest, lambda z: z, cosine, 0, 1 / 16, scalar)
        fit("power of two", power_rest, abs, power, -0.5, 0.5, scalar)


if __name__ == "__main__":
    main()
