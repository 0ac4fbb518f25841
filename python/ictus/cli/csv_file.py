"""Tables of numbers in text files: commas, semicolons or tabs between columns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def read_csv(path: Path, *, alone: bool = False) -> tuple[Array, Array | None]:
    """Return the features, float64, and the last column: whole numbers, numbers, or text.

    Parameters
    ----------
    path : Path
    alone : bool
        Whether the file holds targets only: every column is returned as the first array. Where
        they are text, no line can be told to be names, and all are returned.

    Raises
    ------
    ValueError
        What is wrong in which line.
    """
    rows = _rows(path)
    if alone and not all(is_number(text) for _, row in rows[1:] for text in row):
        return np.array(_equally_wide(rows, path)), None
    if not is_number(rows[0][1][0]):
        rows = rows[1:]
        if not rows:
            raise ValueError(f"{path} has a line of names and no data")
    width = len(rows[0][1])
    _equally_wide(rows, path)
    features = width if alone or width == 1 else width - 1
    x = np.empty((len(rows), features))
    for i, (line, row) in enumerate(rows):
        for j in range(features):
            try:
                x[i, j] = float(row[j])
            except ValueError:
                raise ValueError(
                    f"{path}, line {line}, column {j + 1}: expected a number, got {row[j][:40]!r}"
                ) from None
    if alone:
        return _whole(x), None
    return x, None if features == width else _column([row[-1] for _, row in rows])


def is_number(text: str) -> bool:
    """Whether the text reads as a number; "nan" and "inf" do."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and stripped columns of each row that is not empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline(1 << 20)
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(first))
            rows = [(reader.line_num, [text.strip() for text in row]) for row in reader if row]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8, got byte {error.start}: {error}") from None
    except csv.Error as error:
        raise ValueError(f"{path} is not a readable table: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    return rows


def _equally_wide(rows: list[tuple[int, list[str]]], path: Path) -> list[list[str]]:
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise ValueError(f"{path}, line {line}: expected {width} columns, got {len(row)}")
    return [row for _, row in rows]


def _delimiter(first_line: str) -> str:
    return next((mark for mark in "\t;" if mark in first_line), ",")


def _column(texts: list[str]) -> Array:
    """Targets: numbers where every entry is one, else text."""
    if not all(map(is_number, texts)):
        return np.array(texts)
    return _whole(np.array(texts, np.float64))


def _whole(values: Array) -> Array:
    """The same values as int64 where all are whole, so that class 3 is not called 3.0."""
    whole = np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < 2**53)
    return values.astype(np.int64) if whole.all() else values
