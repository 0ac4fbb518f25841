"""Small real images: MNIST where its files are, else the digits that scikit-learn carries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.idx import read_idx

Array = NDArray[Any]


@dataclass(frozen=True)
class ImageData:
    """A classification task on images.

    Attributes
    ----------
    name : str
    x_train, x_test : array of float32, shape (n, height * width)
        Pixels in [0, 1].
    y_train, y_test : array of int64, shape (n,)
    image_shape : (height, width)
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    image_shape: tuple[int, int]


def data_folder() -> Path | None:
    """Return the folder named by the environment variable ICTUS_DATA, if it is set and exists."""
    name = os.environ.get("ICTUS_DATA")
    return Path(name) if name and Path(name).is_dir() else None


def _file(folder: Path, stem: str) -> Path:
    for candidate in (folder / stem, folder / f"{stem}.gz"):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"no {stem} or {stem}.gz in {folder}")


def _images(folder: Path, part: str) -> tuple[Array, Array, tuple[int, int]]:
    images = read_idx(_file(folder, f"{part}-images-idx3-ubyte"))
    labels = read_idx(_file(folder, f"{part}-labels-idx1-ubyte"))
    pixels = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return pixels, labels.astype(np.int64), (images.shape[1], images.shape[2])


def load_mnist(folder: str | os.PathLike[str] | None = None) -> ImageData:
    """Load MNIST from its four idx files (LeCun et al. 1998).

    Parameters
    ----------
    folder : path, optional
        Where ``train-images-idx3-ubyte[.gz]`` and its companions are; ``$ICTUS_DATA/mnist`` if not
        given.

    Raises
    ------
    FileNotFoundError
        A file is missing.
    ictus.io.idx.IdxError
        A file is damaged.
    """
    if folder is None:
        base = data_folder()
        if base is None:
            raise FileNotFoundError("no MNIST: set ICTUS_DATA, or name the folder of its idx files")
        folder = base / "mnist"
    folder = Path(folder)
    x_train, y_train, shape = _images(folder, "train")
    x_test, y_test, _ = _images(folder, "t10k")
    return ImageData("MNIST", x_train, y_train, x_test, y_test, shape)


def load_small_digits() -> ImageData:
    """Load scikit-learn's 1,797 real digits of 8 x 8 pixels; every fifth is for testing."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.data / 16).astype(np.float32)
    y = data.target.astype(np.int64)
    test = np.arange(len(x)) % 5 == 4
    return ImageData("digits 8 x 8", x[~test], y[~test], x[test], y[test], (8, 8))


def load_digits_or_mnist() -> ImageData:
    """Load MNIST where ``$ICTUS_DATA/mnist`` has it, else :func:`load_small_digits`."""
    try:
        return load_mnist()
    except FileNotFoundError:
        return load_small_digits()
