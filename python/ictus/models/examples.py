"""Examples for energy models: rows of a matrix, dense, memory-mapped or sparse, checked once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._foreign import shared_as_numpy

Array = NDArray[Any]

ROWS_AT_ONCE = 4096


class Rows:
    """Rows of a matrix, or images, as a source of minibatches.

    Parameters
    ----------
    x : array, memory map or sparse matrix, shape (n, units) or (n, ...)
        Read a minibatch at a time.
    dtype : dtype
        What the rows become.

    Attributes
    ----------
    visible
        The matrix.
    """

    def __init__(self, x: Any, dtype: Any) -> None:
        self.visible = x
        self.size = int(x.shape[0])
        self._dtype = np.dtype(dtype)
        self._sparse = hasattr(x, "toarray")
        self._as_it_is = not self._sparse and x.dtype == self._dtype
        self._room: Array = np.empty((0, *x.shape[1:]), self._dtype)

    def take(self, rows: slice | Array) -> tuple[Array, ...]:
        """Return some rows; what was returned before may be overwritten."""
        if self._sparse:
            return (np.ascontiguousarray(self.visible[rows].toarray(), self._dtype),)
        if isinstance(rows, slice):
            return (np.ascontiguousarray(self.visible[rows], self._dtype),)
        if len(self._room) < len(rows):
            self._room = np.empty((len(rows), *self.visible.shape[1:]), self._dtype)
        out = self._room[: len(rows)]
        if self._as_it_is:
            np.take(self.visible, rows, axis=0, out=out, mode="clip")
        else:
            out[...] = self.visible[rows]
        return (out,)


def validate_data(estimator: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Return X, or X and y, as scikit-learn's function of that name does.

    That function would not ask for DLPack, and take single precision of others, or in another byte
    order, for double.
    """
    from sklearn.utils.validation import validate_data as check

    X, y = shared_as_numpy(X, "X"), shared_as_numpy(y, "y")
    if isinstance(X, np.ndarray) and not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    return check(estimator, X, y, **options)


def as_matrix(x: Any, units: int, name: str) -> Any:
    """Return examples as a matrix with `units` columns, sparse ones by rows.

    Raises
    ------
    ValueError
        Another shape, or no rows.
    """
    x = x.tocsr() if hasattr(x, "tocsr") else np.asanyarray(x)
    if len(x.shape) != 2 or x.shape[1] != units:
        raise ValueError(f"{name} must have shape (rows, {units}), got {tuple(x.shape)}")
    if x.shape[0] == 0:
        raise ValueError(f"{name} must have at least one row, got 0")
    return x


def _parts(x: Any) -> Iterator[tuple[int, Array]]:
    """Number of the first row, and the rows, dense, of one part after another."""
    for first in range(0, x.shape[0], ROWS_AT_ONCE):
        part = x[first : first + ROWS_AT_ONCE]
        yield first, part.toarray() if hasattr(part, "toarray") else np.asarray(part)


def check_values(x: Any, visible_type: str, group_size: int, name: str) -> None:
    """Raise ValueError where training examples have values that the visible units cannot take.

    All must be finite; Bernoulli units take [0, 1] (probabilities count as soft states), softmax
    groups, and labels, numbers of [0, 1] with the sum 1.
    """
    for first, part in _parts(x):
        good = np.isfinite(part).all(axis=1)
        if not good.all():
            raise ValueError(f"{name} must be finite, row {first + int(np.argmin(good))} is not")
        if visible_type == "gaussian":
            continue
        inside = ((part >= 0) & (part <= 1)).all(axis=1)
        if not inside.all():
            row = int(np.argmin(inside))
            values = part[row]
            value = values[(values < 0) | (values > 1)][0]
            raise ValueError(
                f"{name} must be in [0, 1] for {visible_type} visible units, got {value:g} in row "
                f"{first + row}: scale or threshold the data"
            )
        if visible_type in ("softmax", "labelled"):
            grouped = part[:, -group_size:] if visible_type == "labelled" else part
            sums = grouped.reshape(len(part), -1, group_size).sum(axis=2)
            one = (np.abs(sums - 1) < 1e-3).all(axis=1)
            if not one.all():
                row = int(np.argmin(one))
                raise ValueError(
                    f"each group of {group_size} units of {name} must have the sum 1, row "
                    f"{first + row} has {sums[row][np.abs(sums[row] - 1) >= 1e-3][0]:g}"
                )


def column_moments(data: Any) -> tuple[Array, Array]:
    """Return mean and variance of each column of a matrix, in float64, read part by part."""
    count = data.shape[0]
    mean = sum(part.sum(axis=0, dtype=np.float64) for _, part in _parts(data)) / count
    squares = (np.square(part - mean).sum(axis=0) for _, part in _parts(data))
    return np.asarray(mean), np.asarray(sum(squares) / count)


def independent_biases(mean: Array, count: int, visible_type: str, group_size: int) -> Array:
    """Return the visible biases of a machine without weights that fits the means of `count` rows.

    ``log(p / (1 - p))`` of the share p of examples in which a Bernoulli unit is on, with one
    example more of each kind, so that p is never 0 or 1; log p of softmax units, with one example
    more, spread over the group; the mean of Gaussian units.
    """
    if visible_type == "gaussian":
        return mean
    shares = np.clip(mean, 0.0, 1.0) * count
    if visible_type == "softmax":
        return np.asarray(np.log((shares + 1 / group_size) / (count + 1)))
    p = (shares + 1) / (count + 2)
    biases = np.log(p / (1 - p))
    if visible_type == "labelled":
        label = shares[-group_size:]
        biases[-group_size:] = np.log((label + 1 / group_size) / (count + 1))
    return np.asarray(biases)
