"""ARFF, the format of WEKA: a table of numbers, and a class for each row where there is one."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ictus.train.files import write_atomically

__all__ = ["ArffError", "ArffTable", "read_arff", "write_arff"]

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


# --- reading -------------------------------------------------------------------------------------


class ArffError(ValueError):
    """The file is not an ARFF file, is damaged, or has what is neither a number nor a class."""


class ArffTable(NamedTuple):
    """What an ARFF file has.

    Attributes
    ----------
    x : array of float64, shape (n, features)
        The numeric attributes; NaN where a value is missing.
    y : array, shape (n,), or None
        Targets: the nominal attribute as text, or as int64 where all its values are whole numbers;
        the numeric attribute ``target`` that :func:`write_arff` writes, as float64.
    names : list of str
        Of the features.
    classes : list of str or None
        All values that the class may have, in the file's order.
    relation : str
    """

    x: Array
    y: Array | None
    names: list[str]
    classes: list[str] | None
    relation: str


class _Attribute(NamedTuple):
    name: str
    values: list[str] | None  # of a nominal attribute


_NUMERIC = ("numeric", "real", "integer")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'" + r'|"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_HEADER = re.compile(r"@(\w+)\s*(.*)", re.DOTALL)


def read_arff(path: str | os.PathLike[str]) -> ArffTable:
    """Read an ARFF file of numbers and at most one nominal attribute, the class.

    Dense and sparse rows, comments, quoted names and missing numbers (``?``) are understood.

    Parameters
    ----------
    path : path

    Returns
    -------
    ArffTable

    Raises
    ------
    ArffError
        What is wrong in which line: no ARFF, an attribute that is text or a date, a second nominal
        one, a row of another length, a class that is not declared or is missing.
    OSError
        The file cannot be read.
    """
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ArffError(f"{os.fspath(path)} must be text in UTF-8: {error}") from None
    return _Reader(os.fspath(path)).read(lines)


class _Reader:
    """Reads one file; its name and the line are in every message."""

    def __init__(self, path: str) -> None:
        self.path, self.line = path, 0
        self.relation = ""
        self.attributes: list[_Attribute] = []

    def fail(self, text: str) -> NoReturn:
        raise ArffError(f"{self.path}, line {self.line}: {text}")

    def numbered(self, lines: list[str]) -> Iterator[str]:
        """The lines that are neither empty nor comments."""
        for self.line, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith("%"):
                yield text

    def read(self, lines: list[str]) -> ArffTable:
        meaning = self.numbered(lines)
        self.header(meaning)
        target = self.target()
        features = [i for i in range(len(self.attributes)) if i != target]
        rows = [self.row(text) for text in meaning]
        x = np.empty((len(rows), len(features)))
        column: list[str] = []
        for number, (self.line, row) in enumerate(rows):
            for place, i in enumerate(features):
                x[number, place] = self.number(row[i], self.attributes[i].name)
            if target is not None:
                column.append(row[target])
        names = [self.attributes[i].name for i in features]
        if target is None:
            return ArffTable(x, None, names, None, self.relation)
        values = self.attributes[target].values
        if values is None:
            y = np.array([self.number(text, "target") for text in column], np.float64)
        else:
            self.check_classes(rows, target, values)
            y = _classes(column, values)
        return ArffTable(x, y, names, values, self.relation)

    def header(self, lines: Iterator[str]) -> None:
        for text in lines:
            match = _HEADER.fullmatch(text)
            word = match[1].lower() if match else ""
            if not match or word not in ("relation", "attribute", "data"):
                self.fail(f"expected @relation, @attribute or @data, got {text[:40]!r}")
            if word == "relation":
                self.relation = self.word(match[2])[0] if match[2] else ""
            elif word == "attribute":
                self.attributes.append(self.attribute(match[2]))
            else:
                if not self.attributes:
                    self.fail("@data comes before any @attribute")
                return
        raise ArffError(f"{self.path}: it has no @data, so it is no ARFF file or was cut off")

    def word(self, text: str) -> tuple[str, str]:
        """A name, plain or quoted, and what follows it."""
        match = _QUOTED.match(text)
        if match:
            name = match[1] if match[1] is not None else match[2]
            return _ESCAPE.sub(r"\1", name), text[match.end() :].strip()
        parts = text.split(None, 1)
        return parts[0], parts[1] if len(parts) > 1 else ""

    def attribute(self, text: str) -> _Attribute:
        if not text:
            self.fail("an attribute must have a name and a type")
        name, kind = self.word(text)
        if name in [each.name for each in self.attributes]:
            self.fail(f"there are two attributes {name!r}")
        if kind.lower() in _NUMERIC:
            return _Attribute(name, None)
        if kind.startswith("{") and kind.endswith("}"):
            return _Attribute(name, self.cells(kind[1:-1]))
        self.fail(f"attribute {name!r} must be numeric or nominal, got {kind[:40]!r}")

    def target(self) -> int | None:
        """The place of the class, or of the numeric target."""
        nominal = [i for i, each in enumerate(self.attributes) if each.values is not None]
        if len(nominal) > 1:
            names = " and ".join(repr(self.attributes[i].name) for i in nominal[:2])
            raise ArffError(
                f"{self.path}: one attribute, the class, may be nominal, got {names}; make the "
                "others numbers (in WEKA: NominalToBinary)"
            )
        if nominal:
            return nominal[0]
        last = len(self.attributes) - 1
        return last if self.attributes[last].name == "target" and last > 0 else None

    def row(self, text: str) -> tuple[int, list[str]]:
        """Number of the line, and the text of each attribute."""
        count = len(self.attributes)
        if not text.startswith("{"):
            cells = self.cells(text)
            if len(cells) != count:
                self.fail(f"expected {count} values, got {len(cells)}")
            return self.line, cells
        # Of a sparse row, what is not named is 0, or the first value of a nominal attribute.
        cells = ["0" if each.values is None else each.values[0] for each in self.attributes]
        inside = text[1:].rstrip("}").strip()
        for pair in inside.split(",") if inside else []:
            place, value = self.word(pair.strip()) if pair.strip() else ("", "")
            if not place.isdecimal() or int(place) >= count:
                self.fail(f"expected the number of an attribute below {count}, got {place!r}")
            cells[int(place)] = self.cells(value)[0] if value else ""
        return self.line, cells

    def cells(self, text: str) -> list[str]:
        """What commas separate, without quotes."""
        cells, place = [], 0
        while True:
            while place < len(text) and text[place] in " \t":
                place += 1
            match = _QUOTED.match(text, place)
            if match:
                word = match[1] if match[1] is not None else match[2]
                cells.append(_ESCAPE.sub(r"\1", word))
                place = match.end()
                end = text.find(",", place)
                if text[place : end if end >= 0 else len(text)].strip():
                    self.fail(f"expected a comma after {word[:40]!r}")
            else:
                end = text.find(",", place)
                cells.append(text[place : end if end >= 0 else len(text)].strip())
            if end < 0:
                return cells
            place = end + 1

    def number(self, text: str, name: str) -> float:
        if text == "?":
            return float("nan")
        try:
            return float(text)
        except ValueError:
            self.fail(f"{name!r} must be a number, got {text[:40]!r}")

    def check_classes(
        self, rows: list[tuple[int, list[str]]], target: int, values: list[str]
    ) -> None:
        known = set(values)
        for self.line, row in rows:
            if row[target] not in known:
                self.fail(
                    f"{self.attributes[target].name!r} must be one of "
                    f"{', '.join(values[:10])}, got {row[target][:40]!r}"
                )


def _classes(column: list[str], values: list[str]) -> Array:
    """Classes as whole numbers where all are, else as text."""
    if all(re.fullmatch(r"[+-]?\d{1,18}", value) for value in values):
        return np.array([int(value) for value in column], np.int64)
    return np.array(column, dtype=str)
