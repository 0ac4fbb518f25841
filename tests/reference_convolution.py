"""Convolution and its gradients in float64 NumPy, by the definition: a loop over the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Geometry:
    """Strides, dilations and zeros before the image, down and across, and groups."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def seen(self, a: int, b: int, size: tuple[int, ...], places: tuple[int, ...]):
        """Places whose element (a, b) is a pixel, and those pixels: index arrays of both axes."""
        found = []
        for axis, element in enumerate((a, b)):
            at = np.arange(places[axis]) * self.stride[axis] + element * self.dilation[axis]
            at -= self.padding[axis]
            inside = (at >= 0) & (at < size[axis])
            found.append((np.flatnonzero(inside), at[inside]))
        (i, down), (j, across) = found
        return np.ix_(i, j), np.ix_(down, across)


def _pairs(x, w, y, geometry):
    """Window element, group, and views of what it sees: (a, b, slices) in turn."""
    channels, outputs = x.shape[3] // geometry.groups, y.shape[3] // geometry.groups
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            places, pixels = geometry.seen(a, b, x.shape[1:3], y.shape[1:3])
            for g in range(geometry.groups):
                yield (
                    (slice(None), *pixels, slice(g * channels, (g + 1) * channels)),
                    (a, b, slice(None), slice(g * outputs, (g + 1) * outputs)),
                    (slice(None), *places, slice(g * outputs, (g + 1) * outputs)),
                )


def _grid(x, where):
    """x at the crossings of two index arrays, channels cut."""
    n, down, across, c = where
    return x[n][:, down, across][..., c]


def _add(x, where, values):
    n, down, across, c = where
    part = x[..., c]
    part[:, down, across] += values
    del n


def convolution(x, w, places, geometry):
    y = np.zeros((len(x), *places, w.shape[3]))
    for pixels, element, seen in _pairs(x, w, y, geometry):
        _add(y, seen, _grid(x, pixels) @ w[element])
    return y


def data_gradient(y_gradient, w, x_shape, geometry):
    x = np.zeros(x_shape)
    for pixels, element, seen in _pairs(x, w, y_gradient, geometry):
        _add(x, pixels, _grid(y_gradient, seen) @ w[element].T)
    return x


def weights_gradient(x, y_gradient, w_shape, geometry):
    w = np.zeros(w_shape)
    for pixels, element, seen in _pairs(x, w, y_gradient, geometry):
        w[element] += np.einsum("nijc,nijo->co", _grid(x, pixels), _grid(y_gradient, seen))
    return w
