"""Arrays of random numbers: counter-based, so a draw depends on where it lies and on nothing else.

Philox 4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), keyed by ``seed``; ``stream`` numbers independent sequences under it. There are two
numberings of elements:

- An array of two or more axes is a matrix whose rows are all axes but the last. Element
  (row, column) draws by (``first_row`` + row, column): the same numbers that the epilogue of
  `gemm` draws for a product of that shape, for the same seed and stream (sampling there uses
  ``stream + 1``).
- A vector is numbered by its index.

The same words at every instruction-set level and for any number of threads, hence the same
uniform and Bernoulli numbers; normal numbers differ between levels in their last bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ictus.kernels._arrays import FloatArray, input_rows, output_rows
from ictus.kernels._device import contiguous, empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays

Shape = int | tuple[int, ...]


def _output(
    function: str, shape: Shape | None, out: FloatArray | None, dtype: npt.DTypeLike
) -> FloatArray:
    if (shape is None) == (out is None):
        raise ValueError(f"{function}: give either shape or out")
    if out is not None:
        return out
    assert shape is not None
    return np.empty(shape, dtype)


def _matrix_or_vector(function: str, out: FloatArray) -> FloatArray:
    if not is_array(out) or out.ndim == 1:
        return out
    return output_rows(function, out, out.shape)


@takes_arrays
def uniform(
    shape: Shape | None = None,
    *,
    out: FloatArray | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
    dtype: npt.DTypeLike = np.float32,
) -> FloatArray:
    """Draw uniform numbers in [0, 1): multiples of 2^-24 (float32) or 2^-32 (float64).

    Parameters
    ----------
    shape : int or tuple of int, optional
        The shape of a new array; or give out.
    out : array of float32 or float64, optional
        The array to fill: a vector, a matrix with contiguous rows, or C-contiguous.
    seed, stream : int
        0 .. 2^64 - 1.
    first_row : int
        The number of the first row; has no meaning for a vector.
    dtype : float32 or float64
        Of a new array.

    Returns
    -------
    array
        ``out``, or the new array.

    Raises
    ------
    TypeError
        Where out is not an array or the dtype is another.
    ValueError
        Where both or neither of shape and out are given, out has gaps, or first_row is negative.
    """
    out = _output("uniform", shape, out, dtype)
    native_module(out).uniform(_matrix_or_vector("uniform", out), seed, stream, first_row)
    return out


@takes_arrays
def normal(
    shape: Shape | None = None,
    *,
    out: FloatArray | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
    dtype: npt.DTypeLike = np.float32,
) -> FloatArray:
    """Draw standard normal numbers, by Box & Muller (1958); parameters and errors as in `uniform`.

    They are at most 5.8 (float32) or 6.7 (float64) in magnitude, since they come of 24 or 32 bits.
    """
    out = _output("normal", shape, out, dtype)
    native_module(out).normal(_matrix_or_vector("normal", out), seed, stream, first_row)
    return out


@takes_arrays
def bernoulli(
    p: FloatArray,
    out: FloatArray | None = None,
    *,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> FloatArray:
    """Draw 1 with probability p, else 0, for each element: 1 where `uniform` of p's shape is < p.

    Parameters
    ----------
    p : array of float32 or float64
        Probabilities. NaN gives NaN.
    out : array like p, optional
        Where to write; may be p.
    seed, stream, first_row : int
        As in `uniform`.

    Returns
    -------
    array
        ``out``, or a new array.

    Raises
    ------
    TypeError, ValueError
        As in `uniform`, and where out has another shape or dtype than p.
    """
    if out is None:
        out = empty(p, p.shape) if is_array(p) else p
    if is_array(p) and p.ndim == 1:
        native_module(p).bernoulli(contiguous(p), out, seed, stream, first_row)
    else:
        shape = p.shape if is_array(p) else ()
        out_rows = output_rows("bernoulli", out, shape)
        native_module(p).bernoulli(input_rows(p), out_rows, seed, stream, first_row)
    return out
