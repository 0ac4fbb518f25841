"""The embedded Reber grammar, against its transition table written as a regular expression."""

import re

import numpy as np
import pytest

from ictus import datasets
from ictus.datasets.reber import REBER_SYMBOLS

EMBEDDED = re.compile(r"B([TP])(B[TPSXV]+E)\1E")


def follow(string):
    """Next symbols that the graph allows behind each symbol of a Reber string B .. E."""
    graph = {
        0: {"T": 1, "P": 2}, 1: {"X": 3, "S": 1}, 2: {"V": 4, "T": 2}, 3: {"X": 2, "S": 5},
        4: {"P": 3, "V": 5}, 5: {"E": 6}, 6: {},
    }  # fmt: skip
    state, result = 0, []
    for symbol in string[1:]:
        result.append(set(graph[state]))
        state = graph[state][symbol]
    assert state == 6
    return result


STRINGS = datasets.embedded_reber_strings(2000, seed=0)


def test_strings_are_of_the_grammar():
    for string in STRINGS:
        match = EMBEDDED.fullmatch(string)
        assert match, string
        follow(match[2])  # KeyError where it is not of the grammar
    assert min(map(len, STRINGS)) == 9


def test_both_ways_are_equally_probable_at_every_state():
    inner = [one[2:-2] for one in STRINGS]
    assert abs(np.mean([one[1] == "T" for one in STRINGS]) - 0.5) < 0.05
    assert abs(np.mean([one[1] == "T" for one in inner]) - 0.5) < 0.05
    counts = {}
    for one in inner:
        for allowed, symbol in zip(follow(one), one[1:], strict=True):
            if len(allowed) == 2:
                counts.setdefault(frozenset(allowed), []).append(symbol)
    assert len(counts) == 4  # {T, P}, {X, S} twice, {V, T}, {P, V}
    for symbols in counts.values():
        share = np.mean([s == symbols[0] for s in symbols])
        assert abs(share - 0.5) < 0.05


def test_encoding():
    x, y, possible = datasets.embedded_reber(STRINGS[:50])
    for string, frames, labels, allowed in zip(STRINGS, x, y, possible, strict=False):
        numbers = [REBER_SYMBOLS.index(s) for s in string]
        assert frames.argmax(axis=1).tolist() == numbers[:-1]
        assert (frames.sum(axis=1) == 1).all()
        assert labels.tolist() == numbers[1:]
        expected = [{"T", "P"}, {"B"}, *follow(string[2:-2]), {string[1]}, {"E"}]
        assert [{REBER_SYMBOLS[k] for k in np.flatnonzero(row)} for row in allowed] == expected


def test_seed():
    assert datasets.embedded_reber_strings(5, seed=0) == STRINGS[:0] + (
        datasets.embedded_reber_strings(5, seed=np.random.default_rng(0))
    )
    assert datasets.embedded_reber_strings(20, 1) != datasets.embedded_reber_strings(20, 2)


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("BTBTXSETX", "'X' at place 8, expected one of 'E'"),
        ("BTBTXSEPE", "'P' at place 7, expected one of 'T'"),  # forgot the second symbol
        ("BTBTXPETE", "'P' at place 5, expected one of 'XS'"),
        ("XTBTXSETE", "'X' at place 0, expected one of 'B'"),
        ("BTBTXSET", "ends too early or too late"),
        ("BTBTXSETEE", "ends too early or too late"),
        ("BTBTX", "ends too early or too late"),
        ("", "ends too early or too late"),
    ],
)
def test_foreign_strings(string, message):
    with pytest.raises(ValueError, match=message):
        datasets.embedded_reber([string])


@pytest.mark.parametrize("strings", ["BTBTXSETE", []])
def test_strings_must_be_a_list(strings):
    with pytest.raises(ValueError, match="strings must be at least one string in a list"):
        datasets.embedded_reber(strings)
