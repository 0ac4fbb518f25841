"""Noiseless memorisation: a few symbols are to be said again after a long wait."""

from __future__ import annotations

import numpy as np

from ictus.datasets.rows import Array, Seed, checked_integer


def noiseless_memorization(
    count: int, lag: int = 100, symbols: int = 5, alphabet: int = 2, seed: Seed = 0
) -> tuple[list[Array], list[Array]]:
    """Return sequences of the noiseless memorisation task.

    Hochreiter & Schmidhuber's tasks without noise, in the form of Martens & Sutskever 2011, section
    4, and Pascanu et al. 2013: `symbols` symbols of the alphabet, `lag` blanks, of which the last
    is the cue to answer, and as many blanks as there were symbols, at which they are to be said
    again in order; until then the answer is a blank. With symbols=5, alphabet=2 there are 32
    sequences (5-bit memory), with symbols=10, alphabet=5 some ten million (20-bit memory).

    Parameters
    ----------
    count : int
    lag : int
        T, at least 1: steps between the last symbol and the first of the answer.
    symbols, alphabet : int
    seed : int or numpy.random.Generator

    Returns
    -------
    x : list of arrays of float32, each (lag + 2 * symbols, alphabet + 2)
        One-hot: symbols, blank, cue.
    y : list of arrays of int64, each (lag + 2 * symbols,)
        The answers; a blank is `alphabet`.
    """
    count, lag = checked_integer("count", count, 1), checked_integer("lag", lag, 1)
    symbols = checked_integer("symbols", symbols, 1)
    alphabet = checked_integer("alphabet", alphabet, 2)
    chosen = np.random.default_rng(seed).integers(0, alphabet, (count, symbols))
    steps = lag + 2 * symbols
    given = np.full((count, steps), alphabet)
    given[:, :symbols] = chosen
    given[:, symbols + lag - 1] = alphabet + 1
    wanted = np.full((count, steps), alphabet, np.int64)
    wanted[:, symbols + lag :] = chosen
    return list(np.eye(alphabet + 2, dtype=np.float32)[given]), list(wanted)
