"""Ways to damage a file: bytes, words of a text, and values of JSON.

All choices come from the generator that is given, so that the number of an input makes it again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

# Lengths, counts and numbers at which programs break.
INTEGERS = [0, 1, -1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 10**6, 10**9]
INTEGERS += [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**48, 2**53, 2**63 - 1, 2**63]
INTEGERS += [2**64 - 1]
NUMBERS = [0.0, -0.0, -1.0, 0.5, 1e-320, 1e300, -1e300, 1e19, float("nan"), float("inf")]
WORDS = [
    "",
    "0",
    "-1",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "1,5",
    "0x10",
    "\u0661",
    "\x00",
    "\ufeff",
    "{",
]
WORDS += [
    "[" * 300,
    "9" * 400,
    "a" * 5000,
    "../../x",
    "\t\t\t",
    "\r",
    "%s%n",
    "\N{MUSICAL SYMBOL G CLEF}",
]


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Damage bytes at one to eight places."""
    result = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        _mutate_once(result, others, rng)
    return bytes(result)


def _mutate_once(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    end = min(len(data), place + 1 + int(rng.expovariate(0.1)))
    kind = rng.randrange(9)
    if kind == 0 and place < len(data):
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1 and place < len(data):
        data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    elif kind == 2:
        del data[place:end]
    elif kind == 3:
        data[place:place] = rng.randbytes(1 + int(rng.expovariate(0.2)))
    elif kind == 4:
        data[place:place] = data[place:end]
    elif kind == 5:  # a number of two, four or eight bytes, in either order
        width = rng.choice((2, 4, 8))
        number = rng.choice(INTEGERS) & ((1 << 8 * width) - 1)
        data[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))
    elif kind == 6:
        del data[place:]
    elif kind == 7:  # a piece of another file
        other = rng.choice(others)
        begin = rng.randrange(len(other) + 1)
        data[place:end] = other[begin : begin + end - place + rng.randrange(3)]
    else:  # numbers and words of a text
        data[place:end] = rng.choice([*WORDS, *map(str, INTEGERS)]).encode()


def mutate_json(value: Any, rng: random.Random) -> Any:
    """A copy in which one to four values were replaced, removed or doubled."""
    value = copy.deepcopy(value)
    for _ in range(1 << rng.randrange(3)):
        places = list(_places(value))
        if places:
            _change(*rng.choice(places), rng)
    return value


def _places(value: Any) -> Any:
    """Every container in a value, with each key or index in it."""
    items = (
        value.items() if isinstance(value, dict) else
        enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _change(container: Any, key: Any, rng: random.Random) -> None:
    old = container[key]
    kind = rng.randrange(6)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, list):
        container.insert(key, copy.deepcopy(old))
    elif kind == 2 and isinstance(old, int | float) and not isinstance(old, bool):
        container[key] = rng.choice((old + 1, old - 1, old * 2, old * 1000, -old, old / 2))
    elif kind == 3:
        container[key] = rng.choice((None, True, False, [], {}, "", [old], {"a": old}))
    elif kind == 4:
        container[key] = rng.choice((*NUMBERS, *WORDS))
    else:
        container[key] = rng.choice(INTEGERS)


def dump(value: Any) -> bytes:
    """JSON as Python writes it, NaN and infinities included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
