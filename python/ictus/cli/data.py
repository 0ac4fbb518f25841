"""Data sets named on the command line: arrays from .npz, .npy, .csv, idx images, or by name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HELP = """\
DATA is one of: the word "digits" (MNIST where ICTUS_DATA has it, else the 1,797 digits of
scikit-learn) or "mnist"; a folder with the four MNIST idx files; an .npz file with arrays x and y;
a .csv file whose last column is y (a header is recognised); an .npy file with x, then --targets
names the .npy file with y; an idx file (.gz or not) of images, --targets an idx file of labels."""


@dataclass
class Table:
    """Examples, their targets where there are any, and a separate test set where there is one."""

    x: Array
    y: Array | None
    test: tuple[Array, Array] | None = None
    image_shape: tuple[int, int] | None = None
    name: str = ""


def load_table(data: str, targets: str | None = None, *, need_targets: bool = True) -> Table:
    """Return the data that `data` (and `targets`) name.

    Raises
    ------
    ValueError, OSError
        What is wrong with which file.
    """
    path = Path(data)
    if data in ("digits", "mnist") or path.is_dir():
        return _named(data, path)
    if not path.is_file():
        raise FileNotFoundError(f"no such data file, folder, or name: {data}")
    table = _from_file(path)
    if targets is not None:
        y = _from_file(Path(targets), alone=True).x
        table.y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if need_targets and table.y is None:
        raise ValueError(f"{data} has no targets: name their file with --targets")
    if table.y is not None and len(table.y) != len(table.x):
        raise ValueError(f"{data}: {len(table.x)} examples, but {len(table.y)} targets")
    table.name = table.name or path.name
    return table


def _named(data: str, path: Path) -> Table:
    from ictus import datasets

    if data == "digits":
        images = datasets.load_digits_or_mnist()
    else:
        images = datasets.load_mnist(path if path.is_dir() else None)
    return Table(
        images.x_train,
        images.y_train,
        (images.x_test, images.y_test),
        images.image_shape,
        images.name,
    )


def _from_file(path: Path, *, alone: bool = False) -> Table:
    suffixes = "".join(path.suffixes[-2:]).lower()
    if suffixes.endswith(".npz"):
        return _from_npz(path)
    if suffixes.endswith(".npy"):
        return Table(_matrix(_load_numpy(path), path, alone), None)
    if suffixes.endswith((".csv", ".tsv", ".txt")):
        return _from_csv(path, alone)
    from ictus.io.idx import read_idx

    array = read_idx(path)
    if array.ndim == 1:
        return Table(array[:, None], None)
    x = array.reshape(len(array), -1)
    if array.dtype == np.uint8:
        x = x.astype(np.float32) / np.float32(255)
    shape = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    return Table(x, None, image_shape=shape)


def _load_numpy(path: Path) -> Any:
    try:
        # Object arrays would be unpickled, which runs code: they are refused.
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a readable NumPy file: {error}") from error


def _matrix(array: Array, path: Path, alone: bool = False) -> Array:
    if array.ndim == 1 and alone:
        return array[:, None]
    if array.ndim < 2 or (array.dtype.kind not in "fiub" and not alone):
        raise ValueError(
            f"{path}: examples must be a numeric array of shape (rows, features), got dtype "
            f"{array.dtype}, shape {array.shape}"
        )
    return array.reshape(len(array), -1)


def _from_npz(path: Path) -> Table:
    import zipfile

    try:
        with _load_numpy(path) as archive:
            arrays = {name.lower(): archive[name] for name in archive.files}
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from error
    if "x" not in arrays:
        raise ValueError(f"{path} must hold an array x (and y), got {sorted(arrays) or 'nothing'}")
    test = None
    if "x_test" in arrays and "y_test" in arrays:
        test = (_matrix(arrays["x_test"], path), arrays["y_test"])
    return Table(_matrix(arrays["x"], path), arrays.get("y"), test)


def _from_csv(path: Path, alone: bool) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.read(65536)
        file.seek(0)
        delimiter = "\t" if "\t" in sample.partition("\n")[0] else ","
        if delimiter == "," and ";" in sample and "," not in sample.partition("\n")[0]:
            delimiter = ";"
        rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    if not rows:
        raise ValueError(f"{path} is empty")
    if not _is_number(rows[0][0]):
        rows = rows[1:]
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"{path}: data row {number + 1} has {len(row)} columns, not {width}")
    features = width if alone or width == 1 else width - 1
    try:
        x = np.array([row[:features] for row in rows], np.float64)
    except ValueError as error:
        if alone:
            return Table(np.array(rows), None)
        raise ValueError(f"{path}: examples must be numbers: {error}") from error
    if features == width:
        return Table(x, None)
    last = [row[-1].strip() for row in rows]
    return Table(x, np.array(last, np.float64 if all(map(_is_number, last)) else None))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
