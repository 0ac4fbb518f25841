"""Pickle files of arrays and plain objects, read without executing anything.

The opcodes that such files need are interpreted here; a class or function is never imported, and a
name that is not on the reader's list is an error. Objects become :class:`Record`.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ITEM_KINDS = {"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


class PickleError(ValueError):
    """The bytes are not a pickle of the allowed kind."""


@dataclass(eq=False)
class Name:
    """A class or function that the pickle names; it is never looked up."""

    text: str


@dataclass(eq=False)
class Record:
    """An object: the name of its class, and its attributes."""

    kind: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class _Dtype:
    code: str
    order: str = "<"

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order.replace("|", "=") + self.code)


@dataclass(eq=False)
class _Array:
    value: np.ndarray[Any, Any] | None = None


_MARK = object()
_END = b"."

# What is understood without being looked up: NumPy's constructors, by all the names they have had,
# and how old protocols write objects and bytes.
_RECONSTRUCT = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
_SCALAR = {"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"}
_OBJECT = {"copy_reg _reconstructor", "copyreg _reconstructor"}
_BYTES = {"__builtin__ bytes", "builtins bytes"}
_PLAIN = {"__builtin__ object", "builtins object", "numpy ndarray", "numpy dtype", "_codecs encode"}
_KNOWN = _RECONSTRUCT | _SCALAR | _OBJECT | _BYTES | _PLAIN


def read_pickle(data: bytes, allowed: Mapping[str, str]) -> Any:
    """Return what a pickle holds.

    Parameters
    ----------
    data : bytes
    allowed : mapping
        Classes and functions that may be named, as "module name", and what to call them. Arrays,
        scalars and dtypes of NumPy are always allowed.

    Returns
    -------
    Numbers, str, bytes, None, list, tuple, dict, arrays; objects of an allowed class as
    :class:`Record`, other allowed names as :class:`Name`.

    Raises
    ------
    PickleError
        The data end too early, an opcode or a name is not allowed, or arrays are inconsistent.
    """
    reader = _Reader(data, allowed)
    try:
        return _resolve(reader.run(), set())
    except (LookupError, TypeError, AttributeError, ArithmeticError, struct.error) as error:
        raise PickleError(f"damaged at byte {reader.at}: {error!r}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, PickleError):
            raise
        raise PickleError(f"damaged at byte {reader.at}: {error!r}") from error


def _resolve(value: Any, open_: set[int]) -> Any:
    """The value with arrays in place of their placeholders, at every depth."""
    if isinstance(value, _Array):
        if value.value is None:
            raise PickleError("an array without data")
        return value.value
    if not isinstance(value, list | tuple | dict | Record):
        return value
    if id(value) in open_:
        raise PickleError("an object that contains itself")
    open_ = open_ | {id(value)}
    if isinstance(value, Record):
        return Record(value.kind, {k: _resolve(v, open_) for k, v in value.state.items()})
    if isinstance(value, dict):
        return {k: _resolve(v, open_) for k, v in value.items()}
    items = [_resolve(item, open_) for item in value]
    return items if isinstance(value, list) else tuple(items)


class _Reader:
    """One pass over the opcodes: a stack and a memo, as the format prescribes."""

    def __init__(self, data: bytes, allowed: Mapping[str, str]) -> None:
        self.data, self.allowed, self.at = data, allowed, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise PickleError(f"the data end after {len(self.data)} bytes, in the middle")
        self.at += count
        return self.data[self.at - count : self.at]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise PickleError(f"the data end after {len(self.data)} bytes, in the middle")
        text = self.data[self.at : end]
        self.at = end + 1
        return text

    def number(self, form: str) -> Any:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def since_mark(self) -> list[Any]:
        index = len(self.stack) - 1
        while self.stack[index] is not _MARK:
            index -= 1
            if index < 0:
                raise PickleError(f"no mark before byte {self.at}")
        items = self.stack[index + 1 :]
        del self.stack[index:]
        return items

    def run(self) -> Any:
        while (code := self.take(1)) != _END:
            action = _OPCODES.get(code)
            if action is None:
                raise PickleError(f"the opcode {code!r} at byte {self.at - 1} is not allowed")
            action(self)
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def name(self) -> None:
        module, name = self.line().decode("ascii"), self.line().decode("ascii")
        text = f"{module} {name}"
        if text not in _KNOWN and text not in self.allowed:
            raise PickleError(f"it names {module}.{name}, which is not allowed")
        self.push(Name(self.allowed.get(text, text)))

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(items)

    def new(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        if arguments != () or not isinstance(cls, Name):
            raise PickleError("an object is made with arguments, which is not allowed")
        self.push(Record(cls.text))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        text = function.text if isinstance(function, Name) else repr(function)
        if text in _RECONSTRUCT:
            self.push(_Array())
        elif text == "numpy dtype":
            code = _text(arguments[0])
            if code not in ITEM_KINDS:
                raise PickleError(f"arrays of dtype {code!r} are not allowed")
            self.push(_Dtype(code))
        elif text in _SCALAR:
            kind, raw = arguments
            self.push(np.frombuffer(_bytes(raw), kind.numpy())[0])
        elif text in _OBJECT and isinstance(arguments[0], Name):
            self.push(Record(arguments[0].text))
        elif text == "_codecs encode":
            self.push(arguments[0].encode("latin-1"))
        elif text in _BYTES and arguments == ():
            self.push(b"")
        else:
            raise PickleError(f"it calls {text}, which is not allowed")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Array):
            target.value = _array(state)
        elif isinstance(target, _Dtype):
            target.order = _text(state[1])
        elif isinstance(target, Record) and isinstance(state, dict):
            target.state.update({_text(key): value for key, value in state.items()})
        else:
            raise PickleError(f"a state for {type(target).__name__} is not allowed")

    def set_items(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise PickleError("items for what is no dictionary")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise PickleError("items for what is no list")
        self.stack[-1].extend(items)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise PickleError(f"expected a string, got {type(value).__name__}")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise PickleError(f"expected bytes, got {type(value).__name__}")
    return value


def _array(state: Any) -> np.ndarray[Any, Any]:
    _, shape, dtype, fortran, raw = state
    if not isinstance(dtype, _Dtype):
        raise PickleError("an array of objects is not allowed")
    flat = np.frombuffer(_bytes(raw), dtype.numpy())
    size = 1
    for extent in shape:
        size *= int(extent)
    if size != flat.size or any(extent < 0 for extent in shape):
        raise PickleError(f"an array of shape {shape} with {flat.size} items")
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _integer(reader: _Reader) -> None:
    line = reader.line()
    reader.push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line))


def _quoted(reader: _Reader) -> None:
    line = reader.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
        raise PickleError(f"a string without quotes before byte {reader.at}")
    reader.push(codecs.escape_decode(line[1:-1])[0])


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _last_two(reader: _Reader) -> list[Any]:
    value, key = reader.stack.pop(), reader.stack.pop()
    return [key, value]


_OPCODES: dict[bytes, Callable[[_Reader], Any]] = {
    b"\x80": lambda r: r.take(1),  # protocol
    b"\x95": lambda r: r.take(8),  # frame
    b"(": lambda r: r.push(_MARK),
    b"N": lambda r: r.push(None),
    b"\x88": lambda r: r.push(True),
    b"\x89": lambda r: r.push(False),
    b"I": _integer,
    b"K": lambda r: r.push(r.number("B")),
    b"M": lambda r: r.push(r.number("H")),
    b"J": lambda r: r.push(r.number("i")),
    b"F": lambda r: r.push(float(r.line())),
    b"G": lambda r: r.push(struct.unpack(">d", r.take(8))[0]),
    b"L": lambda r: r.push(int(r.line().rstrip(b"L"))),
    b"V": lambda r: r.push(r.line().decode("raw-unicode-escape")),
    b"S": _quoted,
    b"U": lambda r: r.push(r.take(r.number("B"))),
    b"T": lambda r: r.push(r.take(r.number("i"))),
    b"C": lambda r: r.push(r.take(r.number("B"))),
    b"B": lambda r: r.push(r.take(r.number("I"))),
    b"X": lambda r: r.push(r.take(r.number("I")).decode("utf-8")),
    b"\x8c": lambda r: r.push(r.take(r.number("B")).decode("utf-8")),
    b")": lambda r: r.push(()),
    b"]": lambda r: r.push([]),
    b"}": lambda r: r.push({}),
    b"t": lambda r: r.push(tuple(r.since_mark())),
    b"l": lambda r: r.push(r.since_mark()),
    b"d": lambda r: r.push(_pairs(r.since_mark())),
    b"\x85": lambda r: r.tuple_of(1),
    b"\x86": lambda r: r.tuple_of(2),
    b"\x87": lambda r: r.tuple_of(3),
    b"a": lambda r: r.extend([r.stack.pop()]),
    b"e": lambda r: r.extend(r.since_mark()),
    b"s": lambda r: r.set_items(_last_two(r)),
    b"u": lambda r: r.set_items(r.since_mark()),
    b"c": _Reader.name,
    b"\x81": _Reader.new,
    b"R": _Reader.reduce,
    b"b": _Reader.build,
    b"q": lambda r: r.memo.__setitem__(r.number("B"), r.stack[-1]),
    b"r": lambda r: r.memo.__setitem__(r.number("I"), r.stack[-1]),
    b"p": lambda r: r.memo.__setitem__(int(r.line()), r.stack[-1]),
    b"h": lambda r: r.push(r.memo[r.number("B")]),
    b"j": lambda r: r.push(r.memo[r.number("I")]),
    b"g": lambda r: r.push(r.memo[int(r.line())]),
}
