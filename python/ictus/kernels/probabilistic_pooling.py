"""Probabilistic max-pooling: at most one detection unit of a block is on.

Lee, Grosse, Ranganath & Ng, "Convolutional deep belief networks for scalable unsupervised learning
of hierarchical representations" (ICML 2009, section 3.3). Detection maps are cut into blocks; with
the inputs x of a block's units, ``p(unit i on) = exp(x_i) / (1 + sum_j exp(x_j))``, and the block's
pooling unit is on where one of them is.
"""

from __future__ import annotations

from collections.abc import Sequence

from ictus.kernels._arrays import FloatArray
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays
from ictus.kernels.convolution import Pair, pair


def pooled_shape(shape: Sequence[int], block: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Return the shape of the pooling maps of detection maps of this shape.

    Parameters
    ----------
    shape : (batch, height, width, maps)
    block : int or (int, int)
        Places of a block, down and across; those at the lower and right edges may be smaller.
    """
    down, across = pair("block", block)
    batch, height, width, maps = shape
    return batch, -(-height // down), -(-width // across), maps


@takes_arrays
def probabilistic_pooling(
    x: FloatArray,
    block: int | Sequence[int],
    mean: FloatArray | None = None,
    *,
    sample: FloatArray | None = None,
    pooled_mean: FloatArray | None = None,
    pooled_sample: FloatArray | None = None,
    log_sum: FloatArray | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> FloatArray:
    """Return the probabilities of detection units with the inputs x; write what else is wanted.

    A block of a map draws one number: that of `uniform` for its place in the pooling maps, seen as
    a matrix whose rows are blocks. The first unit, row by row, whose probability and those before
    it exceed the number in sum is on.

    Parameters
    ----------
    x : array, shape (batch, height, width, maps)
        C-contiguous float32 or float64.
    block : int or (int, int)
        Places of a block, down and across.
    mean : array like x, optional
        Where to write the probabilities; may be x. Made if not given.
    sample : array like x, optional
        Detection units drawn: 0, and at most one 1 in each block of each map.
    pooled_mean, pooled_sample : array, shape (batch, blocks down, blocks across, maps), optional
        Of the pooling units; their samples are those of the detection units.
    log_sum : array like pooled_mean, optional
        ``log(1 + sum_j exp(x_j))`` of each block, whose negative sum is the maps' free energy.
    seed, stream, first_row : int
        Which numbers are drawn: `first_row` is the number of the first block.

    Returns
    -------
    array
        ``mean``.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, overlap, or a block that is none.
    """
    try:
        size: Pair = pair("block", block)
    except ValueError as error:
        raise ValueError(f"probabilistic_pooling: {error}") from None
    if mean is None:
        mean = empty(x, x.shape) if is_array(x) else x
    native_module(x).probabilistic_pooling(
        x, *size, mean, sample, pooled_mean, pooled_sample, log_sum, seed, stream, first_row
    )
    return mean
