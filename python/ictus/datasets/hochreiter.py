"""The sequence tasks of Hochreiter & Schmidhuber 1997 (Long short-term memory, section 5).

Experiment 1, the embedded Reber grammar, is in ``reber.py``.

Every generator takes the number of sequences and a seed, and returns inputs and targets as
:class:`ictus.SequenceNetwork` takes them: a list with an array (steps, features) a sequence, and
either a list with targets for each step or an array with a row a sequence.

A seed is an int or a ``numpy.random.Generator``; a generator goes on where it stands.
"""

from __future__ import annotations

import numpy as np

from ictus.datasets.rows import Array, Seed, checked_integer, one_hot_rows, split_rows

TEMPORAL_ORDER_SYMBOLS = "abcdXYEB"


# --- experiment 2: long time lags without noise ----------------------------------------------


def regular_time_lag(
    count: int, symbols: int = 100, seed: Seed = 0
) -> tuple[list[Array], list[Array]]:
    """Return sequences of experiment 2a: (y, a1 .. a_{p-1}, y) or (x, a1 .. a_{p-1}, x).

    The alphabet has p + 1 symbols in the order a1 .. a_{p-1}, x, y; both sequences have
    probability 1/2. Every next symbol is to be predicted, the last one from the first.

    Parameters
    ----------
    count : int
    symbols : int
        p, at least 2: the number of steps before the last symbol.
    seed : int or numpy.random.Generator

    Returns
    -------
    x : list of arrays of float32, each (p, p + 1)
        All symbols but the last.
    y : list of arrays of int64, each (p,)
        The next symbols.
    """
    count, symbols = checked_integer("count", count, 1), checked_integer("symbols", symbols, 2)
    generator = np.random.default_rng(seed)
    ends = symbols - 1 + generator.integers(0, 2, (count, 1))
    middle = np.broadcast_to(np.arange(symbols - 1), (count, symbols - 1))
    whole = np.concatenate([ends, middle, ends], axis=1)
    frames = one_hot_rows(whole[:, :-1].reshape(-1), symbols + 1)
    return list(frames.reshape(count, symbols, -1)), list(np.ascontiguousarray(whole[:, 1:]))


def random_time_lag(
    count: int, symbols: int = 100, seed: Seed = 0, *, one_hot: bool = True
) -> tuple[list[Array], Array]:
    """Return sequences of experiment 2b: as 2a, but what lies between is drawn from a1 .. a_{p-1}.

    Parameters
    ----------
    count, symbols, seed
        See :func:`regular_time_lag`.
    one_hot : bool
        False: symbols as integers, for an :class:`ictus.Embedding`.

    Returns
    -------
    x : list of arrays of float32, each (p, p + 1), or of int64, each (p,)
        All symbols but the last.
    y : array of int64, shape (count,)
        The last symbol, which is the first: x is p - 1, y is p.
    """
    count, symbols = checked_integer("count", count, 1), checked_integer("symbols", symbols, 2)
    generator = np.random.default_rng(seed)
    ends = symbols - 1 + generator.integers(0, 2, count)
    whole = generator.integers(0, symbols - 1, (count, symbols))
    whole[:, 0] = ends
    if not one_hot:
        return list(whole), ends
    return list(one_hot_rows(whole.reshape(-1), symbols + 1).reshape(count, symbols, -1)), ends


def distractor_time_lag(
    count: int, lag: int = 1000, symbols: int = 1000, seed: Seed = 0, *, one_hot: bool = True
) -> tuple[list[Array], Array]:
    """Return sequences of experiment 2c: very long time lags, no regularities between.

    (b, x or y, distractors, e, the same x or y). Distractors are drawn from a1 .. a_p, at least
    `lag` of them; then each time another follows with probability 0.9. The last symbol is to be
    predicted, after e. The alphabet has p + 4 symbols in the order a1 .. a_p, b, e, x, y.

    Parameters
    ----------
    count : int
    lag : int
        q, the smallest number of distractors.
    symbols : int
        p, the number of different distractors.
    seed : int or numpy.random.Generator
    one_hot : bool
        False: symbols as integers, for an :class:`ictus.Embedding`.

    Returns
    -------
    x : list of arrays of float32, each (steps, p + 4), or of int64, each (steps,)
        All symbols but the last.
    y : array of int64, shape (count,)
        Whether the last symbol is y.
    """
    count, lag = checked_integer("count", count, 1), checked_integer("lag", lag, 1)
    symbols = checked_integer("symbols", symbols, 1)
    generator = np.random.default_rng(seed)
    which = generator.integers(0, 2, count)
    # numpy counts draws up to the first stop, from 1; distractors are those before it.
    lengths = lag + generator.geometric(0.1, count) + 2
    first = np.cumsum(lengths) - lengths
    whole = generator.integers(0, symbols, int(lengths.sum()))
    whole[first] = symbols
    whole[first + 1] = symbols + 2 + which
    whole[first + lengths - 1] = symbols + 1
    rows = one_hot_rows(whole, symbols + 4) if one_hot else whole
    return split_rows(rows, lengths), which


# --- experiment 3: noise and signal on one input ---------------------------------------------


def two_sequence(
    count: int,
    length: int = 100,
    informative: int = 3,
    seed: Seed = 0,
    *,
    noisy_input: bool = False,
    noisy_target: bool = False,
) -> tuple[list[Array], Array]:
    """Return sequences of experiment 3 (after Bengio et al. 1994): the first elements tell.

    The first `informative` elements are all 1 (class 1) or all -1 (class 2), the others Gaussian
    noise of variance 0.2. Lengths are uniform in length .. 1.1 length, both classes have
    probability 1/2. Targets are 1 and 0.

    Parameters
    ----------
    count : int
    length : int
        T.
    informative : int
        N, at most T.
    seed : int or numpy.random.Generator
    noisy_input : bool
        3b: noise of variance 0.2 on the first elements, too.
    noisy_target : bool
        3c: targets are 0.8 and 0.2 with Gaussian noise of variance 0.1.

    Returns
    -------
    x : list of arrays of float32, each (steps, 1)
    y : array of float32, shape (count, 1)
        The noise of 3c is drawn last: the same seed without it gives the same x and classes.
    """
    count, length = checked_integer("count", count, 1), checked_integer("length", length, 1)
    informative = checked_integer("informative", informative, 1)
    if informative > length:
        raise ValueError(f"informative must be at most length ({length}), got {informative}")
    generator = np.random.default_rng(seed)
    lengths = generator.integers(length, length + length // 10 + 1, count)
    first = np.cumsum(lengths) - lengths
    one = generator.integers(0, 2, count)
    rows = generator.normal(0, np.sqrt(0.2), int(lengths.sum()))
    places = (first[:, None] + np.arange(informative)).reshape(-1)
    signal = np.repeat(2.0 * one - 1, informative)
    rows[places] = signal + rows[places] if noisy_input else signal
    y = one.astype(float)
    if noisy_target:
        y = 0.2 + 0.6 * one + generator.normal(0, np.sqrt(0.1), count)
    return split_rows(rows.astype(np.float32)[:, None], lengths), y.astype(np.float32)[:, None]


# --- experiments 4 and 5: adding and multiplication ------------------------------------------


def _marked_pairs(
    count: int, length: int, low: float, neutral: float, generator: np.random.Generator
) -> tuple[list[Array], Array, Array]:
    """Sequences of (value, marker), and the two marked values of each."""
    count, length = checked_integer("count", count, 1), checked_integer("length", length, 22)
    lengths = generator.integers(length, length + length // 10 + 1, count)
    first = np.cumsum(lengths) - lengths
    rows = np.zeros((int(lengths.sum()), 2))
    rows[:, 0] = generator.uniform(low, 1, len(rows))
    one = generator.integers(0, 10, count)
    # One of those that are left: the numbers from the marked one on move up.
    two = generator.integers(0, length // 2 - 2, count)
    two += two >= one
    for marked in (one, two):
        rows[first + marked, 1] = 1
    rows[first, 1] = rows[first + lengths - 1, 1] = -1
    values = [np.where(m == 0, neutral, rows[first + m, 0]) for m in (one, two)]
    return split_rows(rows.astype(np.float32), lengths), values[0], values[1]


def adding(count: int, length: int = 100, seed: Seed = 0) -> tuple[list[Array], Array]:
    """Return sequences of experiment 4: the sum of two marked values.

    Each element is a pair: a value uniform in [-1, 1], and a marker. One of the first 10 pairs is
    marked (marker 1), then one of the first T/2 - 1 that is not; the first and the last pair have
    marker -1, all others 0. The target is 0.5 + (X1 + X2) / 4; of X1 and X2, one that is in the
    first pair counts as 0. Lengths are uniform in T .. 1.1 T.

    Parameters
    ----------
    count : int
    length : int
        T, at least 22.
    seed : int or numpy.random.Generator

    Returns
    -------
    x : list of arrays of float32, each (steps, 2)
    y : array of float32, shape (count, 1)
    """
    generator = np.random.default_rng(seed)
    x, one, two = _marked_pairs(count, length, -1.0, 0.0, generator)
    return x, (0.5 + (one + two) / 4).astype(np.float32)[:, None]


def multiplication(count: int, length: int = 100, seed: Seed = 0) -> tuple[list[Array], Array]:
    """Return sequences of experiment 5: the product of two marked values.

    As :func:`adding`, with values uniform in [0, 1] and the target X1 X2; one that is in the first
    pair counts as 1.
    """
    generator = np.random.default_rng(seed)
    x, one, two = _marked_pairs(count, length, 0.0, 1.0, generator)
    return x, (one * two).astype(np.float32)[:, None]


# --- experiment 6: temporal order ------------------------------------------------------------

#: Places (counted from 0, the end included) of the symbols that matter, in 6a and 6b.
ORDER_PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}


def temporal_order(
    count: int, relevant: int = 2, seed: Seed = 0, *, one_hot: bool = True
) -> tuple[list[Array], Array]:
    """Return sequences of experiment 6: in which order did X and Y come?

    A sequence begins with E, ends with B, and has 100 to 110 symbols, drawn from a, b, c, d, but
    for two (6a) or three (6b) that are X or Y: at places drawn from 10-20 and 50-60, or from 10-20,
    33-43 and 66-76 (places are counted from 0). The symbols are in the order of
    ``TEMPORAL_ORDER_SYMBOLS``.

    Parameters
    ----------
    count : int
    relevant : {2, 3}
    seed : int or numpy.random.Generator
    one_hot : bool
        False: symbols as integers, for an :class:`ictus.Embedding`.

    Returns
    -------
    x : list of arrays of float32, each (steps, 8), or of int64, each (steps,)
    y : array of int64, shape (count,)
        The class: X is 0 and Y is 1, the first one counts most. 4 or 8 classes.
    """
    count = checked_integer("count", count, 1)
    if relevant not in ORDER_PLACES:
        raise ValueError(f"relevant must be 2 or 3, got {relevant!r}")
    generator = np.random.default_rng(seed)
    lengths = generator.integers(100, 111, count)
    first = np.cumsum(lengths) - lengths
    whole = generator.integers(0, 4, int(lengths.sum()))
    classes = np.zeros(count, np.int64)
    for low, high in ORDER_PLACES[relevant]:
        symbol = generator.integers(0, 2, count)
        whole[first + generator.integers(low, high + 1, count)] = 4 + symbol
        classes = 2 * classes + symbol
    whole[first], whole[first + lengths - 1] = 6, 7
    return split_rows(one_hot_rows(whole, 8) if one_hot else whole, lengths), classes
