"""ARFF, the format of WEKA: a table of numbers, and a class for each row where there is one."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.train.files import write_atomically

__all__ = ["write_arff"]

Array = NDArray[Any]

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")


def write_arff(
    path: str | os.PathLike[str],
    x: Array,
    y: Array | None = None,
    *,
    names: Sequence[str] | None = None,
    classes: Iterable[Any] | None = None,
    relation: str = "features",
) -> None:
    """Write examples to an ARFF file, atomically.

    Parameters
    ----------
    path : path
    x : array, shape (n, features)
        Finite numbers.
    y : array, shape (n,), optional
        Targets: text, truth values or whole numbers become an attribute ``class`` with its nominal
        values; other numbers the numeric attribute ``target``.
    names : sequence of str, optional
        Of the features; x0, x1, .. if not given.
    classes : iterable, optional
        All values that the class may have, in order; the sorted ones of y if not given. With
        them, y is taken as classes.
    relation : str

    Raises
    ------
    ValueError
        Shapes or names that do not fit, numbers that are not finite, a class that is not named.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.dtype.kind not in "fiub":
        raise ValueError(f"x must be numbers of shape (n, features), got {x.dtype}, {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    names = [f"x{i}" for i in range(x.shape[1])] if names is None else [str(n) for n in names]
    if len(names) != x.shape[1] or len(set(names)) != len(names):
        raise ValueError(f"names must be {x.shape[1]} different ones, got {len(names)}")
    attributes = [f"@ATTRIBUTE {quoted(name)} NUMERIC" for name in names]
    column: list[Any] | None = None
    if y is not None:
        y = np.asarray(y)
        if y.shape != (len(x),):
            raise ValueError(f"y must have shape ({len(x)},), got {y.shape}")
        attribute, column = _target(y, classes, names)
        attributes.append(attribute)
    text = io.StringIO()
    text.write("\n".join([f"@RELATION {quoted(relation)}", "", *attributes, "", "@DATA", ""]))
    # NumPy's str gives the fewest digits that tell numbers of a precision apart.
    for number, row in enumerate(x):
        text.write(",".join(map(str, row)))
        text.write("\n" if column is None else f",{column[number]}\n")
    write_atomically(path, text.getvalue().encode())


def quoted(text: str) -> str:
    """Return a name or a nominal value as ARFF has it: plain, or between quotes."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _target(y: Array, classes: Iterable[Any] | None, names: Sequence[str]) -> tuple[str, list[Any]]:
    """The attribute of the targets, and their column."""
    name = "class" if classes is not None or y.dtype.kind != "f" else "target"
    if classes is None and y.dtype.kind == "f" and bool(np.all(y == np.round(y))):
        name, y = "class", y.astype(np.int64)
    if name in names:
        raise ValueError(f"names must not hold {name!r}, the name of the targets")
    if name == "target":
        return "@ATTRIBUTE target NUMERIC", y.tolist()
    known = [str(each) for each in (np.unique(y) if classes is None else classes)]
    column = [str(each) for each in y]
    unknown = sorted(set(column) - set(known))
    if unknown:
        raise ValueError(f"y must hold the classes {', '.join(known)}, got {unknown[0]}")
    return (
        f"@ATTRIBUTE class {{{','.join(map(quoted, known))}}}",
        [quoted(each) for each in column],
    )
