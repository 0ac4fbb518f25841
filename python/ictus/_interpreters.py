"""Refuses Python's subinterpreters before a native module is loaded into one.

The native modules have one state for the process. Below Python 3.12 nothing keeps them out of a
subinterpreter: importing them there would wait forever for a lock.
"""

from __future__ import annotations

from importlib import import_module

# The name since Python 3.13, and the one before; another Python has no subinterpreters.
MODULES = ("_interpreters", "_xxsubinterpreters")


def in_main_interpreter() -> bool:
    """Whether this is the process's first interpreter, as far as that can be known."""
    for name in MODULES:
        try:
            module = import_module(name)
        except ImportError:
            continue
        return bool(module.get_current() == module.get_main())
    return True


if not in_main_interpreter():
    raise ImportError(
        "ictus cannot be imported in a subinterpreter: its native modules belong to the main "
        "interpreter. Use processes or threads"
    )
