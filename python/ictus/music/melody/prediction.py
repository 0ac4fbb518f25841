"""What a Boltzmann machine of windows expects of the next note: exact, by sums over categories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.rbm import RBM
from ictus.music.melody.encoding import BOUNDARY, MelodyEncoding

Array = NDArray[Any]

#: Inputs of hidden units beyond this change nothing that float64 sees in log(1 + exp(x)) - x; eight
#: factors of this size stay below the largest number.
LARGEST_INPUT = 80.0
FACTORS = 8
#: Each of the two parts of an input is kept within, so that their exponentials are finite.
LARGEST_PART = 300.0


def next_note_log_probabilities(
    rbm: RBM, encoding: MelodyEncoding, contexts: Array, chunk: int = 16
) -> Array:
    """Return log p(pitch, duration | the notes before), exactly normalised.

    The hidden units are summed out, p ~ exp(-F(context, pitch, duration)), and the partition
    function is that of the one open note: a sum over its pairs of categories. A boundary goes with
    a boundary only.

    Parameters
    ----------
    rbm : RBM
        Of windows as :meth:`MelodyEncoding.windows` makes them.
    encoding : MelodyEncoding
    contexts : array of int, shape (rows, size - 1, 2)
        Codes of pitch and duration.
    chunk : int
        Rows that are worked on at once.

    Returns
    -------
    array, shape (rows, pitch_count, duration_count)
    """
    size, pitches, durations = encoding.group_size, encoding.pitch_count, encoding.duration_count
    given = 2 * contexts.shape[1] * size
    weights = rbm.weights.astype(np.float64)
    bias = rbm.visible_bias.astype(np.float64)
    of_pitch = weights[given : given + pitches]
    of_duration = weights[given + size : given + size + durations]
    states = encoding.one_hot(contexts, np.float64)
    inputs = states @ weights[:given] + rbm.hidden_bias.astype(np.float64)
    base = bias[given : given + pitches, None] + bias[given + size : given + size + durations]
    result = np.empty((len(contexts), pitches, durations))
    open_note = of_pitch[:, None] + of_duration[None]
    for first in range(0, len(contexts), chunk):
        rows = inputs[first : first + chunk]
        part = _softplus_sum(rows, open_note.reshape(-1, weights.shape[1]))
        result[first : first + chunk] = part.reshape(-1, pitches, durations) + base
    result[:, BOUNDARY, 1:] = -np.inf
    result[:, 1:, BOUNDARY] = -np.inf
    flat = result.reshape(len(result), -1)
    flat -= np.logaddexp.reduce(flat, axis=1, keepdims=True)
    return result


def _softplus_sum(rows: Array, added: Array) -> Array:
    """sum over h of log(1 + exp(rows[i, h] + added[j, h])): logarithms of products of few."""
    rows, added = (np.exp(np.clip(x, -LARGEST_PART, LARGEST_PART)) for x in (rows, added))
    bound = np.exp(LARGEST_INPUT)
    total = np.zeros((len(rows), len(added)))
    beyond = rows.max(0) * added.max(0) > bound
    for first in range(0, rows.shape[1], FACTORS):
        product = np.ones_like(total)
        for h in range(first, min(first + FACTORS, rows.shape[1])):
            factor = np.outer(rows[:, h], added[:, h])
            if beyond[h]:
                total += np.log(np.maximum(factor, bound) / bound)
                np.minimum(factor, bound, out=factor)
            factor += 1.0
            product *= factor
        total += np.log(product)
    return total
