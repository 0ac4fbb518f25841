"""Data sets named on the command line: .npz, .npy, .csv, .arff, idx images, or by name."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.cli.csv_file import read_csv

Array = NDArray[Any]

HELP = """\
DATA is one of
  digits         MNIST where ICTUS_DATA names a folder that has it in mnist/,
                 else the 1,797 digits of scikit-learn
  mnist          MNIST
  a folder       with the four idx files of MNIST
  FILE.npz       arrays x and y (x_test and y_test for a test set)
  FILE.csv       the last column is y; a first line of names is recognised
  FILE.arff      of WEKA: numbers, and a class where there is one
  FILE.npy       array x; --targets names a .npy or .csv file with y
  an idx file    images, plain or .gz; --targets names an idx file of labels"""


# What NumPy, and what it reads with, raise at damaged files.
DAMAGED: tuple[type[Exception], ...] = (
    ValueError, TypeError, KeyError, OverflowError, MemoryError, SyntaxError,
    RuntimeError, TokenError, EOFError, OSError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


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
        y = _from_file(_existing(targets), alone=True).x
        if y.dtype.kind == "U" and len(y) == len(table.x) + 1:
            y = y[1:]  # the name of the column
        table.y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if need_targets and table.y is None:
        raise ValueError(f"{data} has no targets: name their file with --targets")
    _check(table.x, table.y, data, targets or data)
    if table.test is not None:
        _check(*table.test, f"{data}, x_test", f"{data}, y_test")
        if table.test[0].shape[1] != table.x.shape[1]:
            raise ValueError(
                f"{data}: x_test must have {table.x.shape[1]} features like x, "
                f"got {table.test[0].shape[1]}"
            )
    table.name = table.name or path.name
    return table


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"--targets must name a file that exists, got {name}")
    return path


def _check(x: Array, y: Array | None, data: str, targets: str) -> None:
    """ValueError where there is nothing to learn from, naming the file and the first bad entry."""
    if len(x) == 0 or x.shape[1] == 0:
        raise ValueError(f"{data}: at least one example and feature are needed, got {x.shape}")
    if y is not None and y.ndim not in (1, 2):
        raise ValueError(f"{targets}: targets must have shape (rows,) or (rows, k), got {y.shape}")
    if y is not None and len(y) != len(x):
        raise ValueError(f"{data}: {len(x)} examples, but {len(y)} targets")
    for what, array in ((data, x), (f"{targets}: targets", y)):
        if array is None or array.dtype.kind != "f":
            continue
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(array.astype(np.float32, copy=False))
        if bad.any():
            place = np.unravel_index(int(np.argmax(bad)), bad.shape)
            column = f", column {place[1] + 1}" if array.ndim == 2 else ""
            raise ValueError(
                f"{what}: expected finite numbers in the range of float32, got {array[place]} "
                f"in example {place[0] + 1}{column}"
            )


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
    """Examples of a file; with `alone`, targets in the place of examples."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _from_npz(path, alone)
    if suffix == ".npy":
        return Table(_matrix(_load_numpy(path), path, alone), None)
    if suffix in (".csv", ".tsv", ".txt"):
        return Table(*read_csv(path, alone=alone))
    if suffix == ".arff":
        return _from_arff(path, alone)
    from ictus.io.idx import IdxError, read_idx

    try:
        array = read_idx(path)
    except IdxError as error:
        raise ValueError(
            f"{error} (nor does its name end in .npz, .npy, .csv, .tsv or .arff)"
        ) from None
    if alone:
        return Table(array, None)
    x = array.reshape(len(array), -1) if array.size else np.zeros((len(array), 0))
    if array.dtype == np.uint8:
        x = x.astype(np.float32) / np.float32(255)
    shape = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    return Table(x, None, image_shape=shape)


def _from_arff(path: Path, alone: bool) -> Table:
    from ictus.io.arff import read_arff

    table = read_arff(path)
    if not alone:
        return Table(table.x, table.y)
    return Table(table.x if table.y is None else table.y, None)


def _load_numpy(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(6)
    if not start.startswith((b"\x93NUMPY", b"PK")):
        raise ValueError(f"{path} is not a readable NumPy file: it begins with {start!r}")
    try:
        # Object arrays would be unpickled, which runs code: they are refused.
        return np.load(path, allow_pickle=False)
    except DAMAGED as error:
        raise ValueError(f"{path} is not a readable NumPy file: {error}") from error


def _matrix(array: Array, path: Path, alone: bool = False) -> Array:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path} is an .npz archive by its content; name it so")
    if alone and array.ndim > 0:
        return array
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: examples must be a numeric array of shape (rows, features), got dtype "
            f"{array.dtype}, shape {array.shape}"
        )
    return array.reshape(len(array), -1) if array.size else np.zeros((len(array), 0))


def _from_npz(path: Path, alone: bool) -> Table:
    loaded = _load_numpy(path)
    if isinstance(loaded, np.ndarray):
        raise ValueError(f"{path} is an .npy file by its content; name it so")
    try:
        with loaded as archive:
            arrays = {name.lower(): archive[name] for name in archive.files}
    except DAMAGED as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from error
    wanted = "y" if alone else "x"
    if wanted not in arrays:
        raise ValueError(
            f"{path} must hold an array {wanted}, got {', '.join(sorted(arrays)) or 'nothing'}"
        )
    if alone:
        return Table(_matrix(arrays["y"], path, True), None)
    test = None
    if "x_test" in arrays and "y_test" in arrays:
        test = (_matrix(arrays["x_test"], path), arrays["y_test"])
    y = arrays.get("y")
    if y is not None and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    return Table(_matrix(arrays["x"], path), y, test)
