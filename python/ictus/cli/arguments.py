"""What the commands' arguments may be: values with their ranges, output files, one-line errors."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the line and end with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser_of(
    kind: Callable[[str], Any], allowed: Callable[[Any], bool], expected: str
) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not allowed(value):
            raise argparse.ArgumentTypeError(f"must be {expected}, got {text!r}")
        return value

    return parse


positive_integer = _parser_of(int, lambda n: n > 0, "a positive integer")
count = _parser_of(int, lambda n: n >= 0, "an integer of 0 or more")
seed = _parser_of(int, lambda n: 0 <= n < 2**32, "an integer from 0 to 4294967295")
thread_count = _parser_of(int, lambda n: 1 <= n <= 256, "an integer from 1 to 256")
positive = _parser_of(float, lambda x: 0 < x < math.inf, "a positive number")
not_negative = _parser_of(float, lambda x: 0 <= x < math.inf, "a number of 0 or more")
probability = _parser_of(float, lambda x: 0 <= x < 1, "a number from 0 to below 1")


def check_output(path: str | None, option: str) -> None:
    """Find out before hours of work whether a file can be written at the end of them.

    Raises
    ------
    OSError
        The path is a folder, or its folder does not exist or is not writeable.
    """
    if path is None:
        return
    target = Path(path)
    folder = target.resolve().parent
    if target.is_dir():
        raise IsADirectoryError(f"{option} must name a file, got the folder {path}")
    if not folder.is_dir():
        raise FileNotFoundError(f"{option} must name a file in a folder that exists, got {path}")
    # Files are replaced, not overwritten: the folder must allow it. Devices are written to.
    must_be_writeable = target if target.exists() and not target.is_file() else folder
    if not os.access(must_be_writeable, os.W_OK):
        raise PermissionError(f"{option} must name a file that may be written, got {path}")
