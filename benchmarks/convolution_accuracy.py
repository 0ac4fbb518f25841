"""Rounding errors of convolutions by direct sums and by Winograd's tiles, and of PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.convolution import LAYERS, PASSES, Ours, PyTorch, layer


def exact(shape: tuple[int, ...], which: str, batch: int) -> np.ndarray:
    """The result in float64, by the definition: a sum over the elements of the window."""
    x, w, y_gradient = (a.astype(np.float64) for a in layer(shape, batch))
    size, window = shape[2:]
    half = window // 2
    border = ((0, 0), (half, half), (half, half), (0, 0))
    seen_x, seen_y = np.pad(x, border), np.pad(y_gradient, border)
    out = np.zeros({"forward": y_gradient, "data gradient": x, "weights gradient": w}[which].shape)
    for a in range(window):
        for b in range(window):
            place = np.s_[:, a : a + size, b : b + size]
            if which == "forward":
                out += seen_x[place] @ w[a, b]
            elif which == "data gradient":
                out += seen_y[place] @ w[window - 1 - a, window - 1 - b].T
            else:
                out[a, b] = np.tensordot(seen_x[place], y_gradient, ((0, 1, 2), (0, 1, 2)))
    return out


def extra(quick: bool) -> list[dict[str, Any]]:
    """Print root mean squares and maxima of errors, relative to the results' root mean square."""
    sides: dict[str, tuple[Any, str]] = {"direct": (Ours(1), "direct")}
    sides["winograd"] = (Ours(1), "winograd")
    try:
        sides["PyTorch"] = (PyTorch(1), "")
    except ImportError as error:
        print(f"convolution_accuracy: no comparison with PyTorch: {error}")
    for shape in LAYERS[-1:] if quick else LAYERS:
        channels, outputs, size, window = shape
        for which in PASSES:
            expected = exact(shape, which, 2)
            scale = np.sqrt(np.mean(expected**2))
            texts = []
            for name, (side, algorithm) in sides.items():
                side.prepare(shape, which, algorithm, 2)
                off = (side.result()[0] - expected) / scale
                texts.append(f"{name} {np.sqrt(np.mean(off**2)):.1e}, {abs(off).max():.1e}")
            name = f"{window}x{window} {channels} to {outputs}, {size}x{size}, {which}"
            print(f"convolution_accuracy: {name}: {'; '.join(texts)}")
    return []
