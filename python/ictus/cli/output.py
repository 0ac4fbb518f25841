"""Arrays that commands write: .npz, .npy or .csv, whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

ENDINGS = (".npz", ".npy", ".csv")


def check_ending(
    path: str | None, option: str = "--output", endings: tuple[str, ...] = ENDINGS
) -> None:
    """ValueError where the name of an output file says no format that is known."""
    if path is not None and not path.lower().endswith(endings):
        raise ValueError(f"{option} must end in {', '.join(endings)}, got {path}")


def write_table(path: str, x: Any, y: Any = None, **further: Any) -> None:
    """Write examples, and where the format has a place for them their targets, atomically.

    .npz: arrays x, y and others by name, as ``ictus train`` takes them; .csv: y is the last
    column; .npy: x alone.
    """
    from ictus.train.files import write_atomically

    ending = Path(path).suffix.lower()
    if ending == ".csv":
        write_atomically(path, as_csv(x, y).encode())
        return
    buffer = io.BytesIO()
    if ending == ".npy":
        np.save(buffer, x, allow_pickle=False)
    else:
        arrays = ({"x": x} if y is None else {"x": x, "y": y}) | further
        np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def as_csv(x: Any, y: Any = None) -> str:
    """Return a line a row, the target last."""
    text = io.StringIO()
    rows = x if x.ndim == 2 else x[:, None]
    if y is not None:
        rows = ([*row, *np.atleast_1d(target)] for row, target in zip(rows, y, strict=True))
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
