"""Sizes of what Winograd's tiles add up, in float64 NumPy: their rounding errors follow them.

The forward pass is ``A^T [(G w G^T) * (B^T d B)] A``, built here from the points by Lagrange's
formula (Toom-Cook); every matrix and operand is replaced by its absolute values.
"""

from __future__ import annotations

import numpy as np

TILE = 6
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
# Roundings of one result beside those of the sum over channels or tiles: both transforms of both
# operands, the constants, and the way back.
ROUNDINGS = 40


def matrices(window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A^T, G and B^T for windows of a size."""
    results = TILE + 1 - window
    a, g, b = np.zeros((results, TILE)), np.zeros((TILE, window)), np.zeros((TILE, TILE))
    for k, p in enumerate(POINTS):
        others = [q for q in POINTS if q != p]
        a[:, k] = [p**i for i in range(results)]
        g[k] = [p**i / np.prod([p - q for q in others]) for i in range(window)]
        b[k, :-1] = np.poly(others)[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(POINTS)[::-1]
    return a, g, b


def _both(matrix, x):
    """abs(matrix) applied to axes 1 and 2."""
    return np.einsum("ia,jb,nabc->nijc", abs(matrix), abs(matrix), x, optimize=True)


def _tiles(x, size, results, padding, places):
    """Squares of x that tiles see, as (tiles, size, size, channels), and how many down, across."""
    counts = [-(-p // results) for p in places]
    canvas = np.zeros((len(x), *[c * results + size for c in counts], x.shape[3]))
    seen, where = [], []
    for i, (before, pixels) in enumerate(zip(padding, x.shape[1:3], strict=True)):
        low, high = max(-before, 0), min(pixels, canvas.shape[1 + i] - before)
        seen.append(slice(low, high))
        where.append(slice(low + before, high + before))
    canvas[:, where[0], where[1]] = abs(x[:, seen[0], seen[1]])
    tiles = np.empty((len(x), *counts, size, size, x.shape[3]))
    for i in range(size):
        for j in range(size):
            tiles[:, :, :, i, j] = canvas[
                :,
                i : i + counts[0] * results : results,
                j : j + counts[1] * results : results,
            ]
    return tiles.reshape(-1, size, size, x.shape[3]), counts


def convolution(x, w, places, padding):
    """Size of each result, shape (batch, *places, outputs)."""
    a, g, b = matrices(len(w))
    results = len(a)
    tiles, counts = _tiles(x, TILE, results, padding, places)
    weights = np.einsum("ia,jb,abco->ijco", abs(g), abs(g), abs(w), optimize=True)
    products = np.einsum("nijc,ijco->nijo", _both(b, tiles), weights, optimize=True)
    outputs, whole = w.shape[3], [c * results for c in counts]
    y = _both(a, products).reshape(len(x), *counts, results, results, outputs)
    y = y.transpose(0, 1, 3, 2, 4, 5).reshape(len(x), *whole, outputs)
    return y[:, : places[0], : places[1]]


def data_gradient(y_gradient, w, size, padding):
    """Size of each element of the data's gradient, shape (batch, *size, channels)."""
    turned = w[::-1, ::-1].transpose(0, 1, 3, 2)
    before = (len(w) - 1 - padding[0], len(w) - 1 - padding[1])
    return convolution(y_gradient, turned, size, before)


def weights_gradient(x, y_gradient, window, padding):
    """Size of each element of the weights' gradient, and how many tiles it sums."""
    a, g, b = matrices(window)
    places = y_gradient.shape[1:3]
    left, _ = _tiles(x, TILE, len(a), padding, places)
    right, _ = _tiles(y_gradient, len(a), len(a), (0, 0), places)
    sums = np.einsum("nijc,nijo->ijco", _both(b, left), _both(a.T, right), optimize=True)
    return np.einsum("ia,jb,ijco->abco", abs(g), abs(g), sums, optimize=True), len(left)
