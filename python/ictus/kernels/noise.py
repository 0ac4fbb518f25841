"""Corruption of arrays by noise that depends on the place of an element and on nothing else.

Vincent, Larochelle, Lajoie, Bengio & Manzagol, "Stacked denoising autoencoders" (JMLR 2010),
section 3.3.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np

from ictus.kernels._arrays import FloatArray, input_rows, output_rows
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays

Corruption = Literal["masking", "gaussian", "salt_and_pepper"]
#: The numbers of the corruptions.
CORRUPTIONS: dict[str, int] = {"masking": 0, "gaussian": 1, "salt_and_pepper": 2}


def check_level(owner: str, corruption: Any, level: Any) -> float:
    """Return a level of corruption as a float.

    Raises
    ------
    ValueError
        An unknown corruption, or a level out of its range; names `owner`.
    """
    if corruption not in CORRUPTIONS:
        known = ", ".join(CORRUPTIONS)
        raise ValueError(f"{owner}: corruption must be one of {known}, got {corruption!r}")
    highest, words = (1.0, "in [0, 1]") if corruption != "gaussian" else (np.inf, "not negative")
    real = isinstance(level, Real) and not isinstance(level, bool)
    if not real or not 0 <= level <= highest or not np.isfinite(level):
        raise ValueError(f"{owner}: level of {corruption} noise must be {words}, got {level!r}")
    return float(level)


@takes_arrays
def corrupt(
    x: FloatArray,
    corruption: Corruption = "masking",
    level: float = 0.3,
    out: FloatArray | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> FloatArray:
    """Return x with noise.

    An element draws by its row and column as `uniform` and `normal` draw for a matrix of that
    shape. With u uniform and z normal, in terms of them:

    - masking: 0 where u < level, else x;
    - salt_and_pepper: low where u < level / 2, high where level / 2 <= u < level, else x;
    - gaussian: x + level z.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., columns)
        All axes but the last number the rows.
    corruption : {"masking", "gaussian", "salt_and_pepper"}
    level : float
        Probability in [0, 1], or standard deviation.
    out : array like x, optional
        Where to write; may be x.
    low, high : float
        What salt and pepper put in.
    seed, stream, first_row : int
        As in `uniform`.

    Returns
    -------
    array
        ``out``, or a new array.

    Raises
    ------
    TypeError, ValueError
        An unknown corruption, a level out of its range, x or out of another type or shape.
    """
    level = check_level("corrupt", corruption, level)
    if out is None:
        out = empty(x, x.shape) if is_array(x) else x
    shape = x.shape if is_array(x) else ()
    out_rows = output_rows("corrupt", out, shape)
    number = CORRUPTIONS[corruption]
    native_module(x).corrupt(
        number, input_rows(x), out_rows, level, low, high, seed, stream, first_row
    )
    return out
