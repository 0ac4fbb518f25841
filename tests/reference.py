"""Float64 NumPy of the kernels, written to be read."""

from __future__ import annotations

import numpy as np

# --- activations ---------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, x * 0)


def identity(x: np.ndarray) -> np.ndarray:
    return x + 0


ACTIVATIONS = {
    "identity": identity,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": relu,
    "softplus": softplus,
}

# --- random numbers ------------------------------------------------------------------------------

WORD = np.uint64(0xFFFFFFFF)


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox 4x32-10 of counters (..., 4): words (..., 4), all as uint64 below 2^32."""
    c0, c1, c2, c3 = np.moveaxis(counter.astype(np.uint64), -1, 0)
    k0, k1 = key
    shift = np.uint64(32)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (p1 >> shift) ^ c1 ^ np.uint64(k0),
            p1 & WORD,
            (p0 >> shift) ^ c3 ^ np.uint64(k1),
            p0 & WORD,
        )
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def random_words(
    rows: int, columns: int, seed: int = 0, stream: int = 0, first_row: int = 0
) -> np.ndarray:
    """The word that each element (row, column) of a matrix draws."""
    i = (np.arange(rows, dtype=np.uint64) + np.uint64(first_row))[:, None]
    j = np.arange(columns, dtype=np.uint64)[None, :]
    counter = np.zeros((rows, columns, 4), np.uint64)
    counter[..., 0] = j
    counter[..., 1] = i // np.uint64(4)
    counter[..., 2] = stream & 0xFFFFFFFF
    counter[..., 3] = stream >> 32
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return np.take_along_axis(
        words, np.broadcast_to((i % np.uint64(4)).astype(np.int64), (rows, columns))[..., None], -1
    )[..., 0]


def uniform(
    rows: int, columns: int, dtype: type, seed: int = 0, stream: int = 0, first_row: int = 0
) -> np.ndarray:
    """Uniform numbers in [0, 1): 24 bits for float32, 32 for float64."""
    words = random_words(rows, columns, seed, stream, first_row)
    if dtype is np.float32:
        return (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    return words.astype(np.float64) * 2.0**-32


def normal(
    rows: int, columns: int, dtype: type, seed: int = 0, stream: int = 0, first_row: int = 0
) -> np.ndarray:
    """Box-Muller: rows 4 g and 4 g + 1 are cosine and sine of one pair, the next two of another."""
    top = first_row // 4 * 4
    count = -(-(first_row + rows - top) // 4) * 4
    u = uniform(count, columns, dtype, seed, stream, top).astype(np.float64)
    radius = np.sqrt(-2 * np.log(1 - u[0::2]))
    angle = 2 * np.pi * u[1::2]
    z = np.empty_like(u)
    z[0::2], z[1::2] = radius * np.cos(angle), radius * np.sin(angle)
    return z[first_row - top : first_row - top + rows]


def dropout_mask(
    rows: int,
    columns: int,
    rate: float,
    dtype: type,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> np.ndarray:
    """1 / (1 - rate) where an element is kept, else 0; the rate is the one that the dtype has."""
    keep = uniform(rows, columns, dtype, seed, stream, first_row) >= dtype(rate)
    return keep / (1 - float(dtype(rate)))
