"""The embedded Reber grammar, experiment 1 of Hochreiter & Schmidhuber 1997."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictus.datasets.rows import Array, Seed, checked_integer, one_hot_rows

REBER_SYMBOLS = "BTPSXVE"
#: Of each state of the Reber grammar: its two symbols, and the states they lead to. State 5 has
#: E alone, which leads to the end.
REBER_TRANSITIONS = (
    ("TP", (1, 2)),
    ("XS", (3, 1)),
    ("VT", (4, 2)),
    ("XS", (2, 5)),
    ("PV", (3, 5)),
    ("E", (6,)),
)
_END = 6


def embedded_reber_strings(count: int, seed: Seed = 0) -> list[str]:
    """Return strings of the embedded Reber grammar: B, T or P, a Reber string, the same, E.

    At each state of the grammar (Reber 1967) both symbols have probability 1/2, and so have the
    two outer paths. The Reber string inside has its own B and E.

    Parameters
    ----------
    count : int
    seed : int or numpy.random.Generator

    Examples
    --------
    >>> embedded_reber_strings(1, seed=2)  # doctest: +SKIP
    ['BTBPVVETE']
    """
    count = checked_integer("count", count, 1)
    generator = np.random.default_rng(seed)
    letters = np.array([list(two.ljust(2, "E")) for two, _ in REBER_TRANSITIONS])
    targets = np.array([(*to, _END)[:2] for _, to in REBER_TRANSITIONS])
    outer = np.array(list("TP"))[generator.integers(0, 2, count)]
    state = np.zeros(count, np.int64)
    columns = []
    while (state != _END).any():
        choice = np.where(state == 5, 0, generator.integers(0, 2, count))
        at = np.minimum(state, 5)
        columns.append(np.where(state == _END, "", letters[at, choice]))
        state = np.where(state == _END, _END, targets[at, choice])
    inner = np.stack(columns, axis=1)
    return [
        f"B{path}B{''.join(row)}{path}E" for path, row in zip(outer, inner.tolist(), strict=True)
    ]


def embedded_reber(strings: Sequence[str]) -> tuple[list[Array], list[Array], list[Array]]:
    """Return strings of the embedded Reber grammar as sequences for prediction of the next symbol.

    Parameters
    ----------
    strings : sequence of str
        See :func:`embedded_reber_strings`.

    Returns
    -------
    x : list of arrays of float32, each (steps, 7)
        All symbols but the last, one of 7, in the order of ``REBER_SYMBOLS``.
    y : list of arrays of int64, each (steps,)
        The next symbols.
    possible : list of arrays of bool, each (steps, 7)
        Which symbols the grammar allows next.

    Raises
    ------
    ValueError
        A string that the grammar does not make; names it and the place.
    """
    if isinstance(strings, str) or len(strings) == 0:
        raise ValueError(f"strings must be at least one string in a list, got {strings!r}")
    numbers, possible = [], []
    for string in strings:
        allowed = _allowed(string)
        rows = np.zeros((len(allowed), 7), bool)
        for row, symbols in zip(rows, allowed, strict=True):
            row[[REBER_SYMBOLS.index(one) for one in symbols]] = True
        possible.append(rows)
        numbers.append(np.array([REBER_SYMBOLS.index(one) for one in string]))
    return [one_hot_rows(n[:-1], 7) for n in numbers], [n[1:] for n in numbers], possible


def _allowed(string: str) -> list[str]:
    """The symbols that the grammar allows at each place of a string but the first."""
    allowed, state = ["B", "TP", "B"], 0
    for symbol in string[3:]:
        letters, to = REBER_TRANSITIONS[state]
        allowed.append(letters)
        if symbol not in letters:
            break
        state = to[letters.index(symbol)]
        if state == _END:
            allowed += [string[1], "E"]
            break
    for place, (symbol, letters) in enumerate(zip(string, allowed, strict=False)):
        if symbol not in letters:
            raise ValueError(
                f"{string!r} is not of the embedded Reber grammar: {symbol!r} at place {place}, "
                f"expected one of {letters!r}"
            )
    if state != _END or len(string) != len(allowed):
        raise ValueError(
            f"{string!r} is not of the embedded Reber grammar: it ends too early or too late"
        )
    return allowed[1:]
