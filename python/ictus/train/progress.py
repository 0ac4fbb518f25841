"""A progress bar with loss and examples per second, where a person is watching."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Bar(Protocol):
    """What the loop needs of a progress bar."""

    def update(self, n: int) -> Any: ...
    def set_postfix_str(self, s: str, refresh: bool = True) -> Any: ...
    def close(self) -> Any: ...


class _NoBar:
    def update(self, n: int) -> None:
        pass

    def set_postfix_str(self, s: str, refresh: bool = True) -> None:
        pass

    def close(self) -> None:
        pass


def progress_bar(progress: bool | None, examples: int, done: int, label: str) -> Bar:
    """Return a bar over `examples`, of which `done` are done.

    Parameters
    ----------
    progress : bool or None
        Whether to show it; None: where standard error is a terminal.
    """
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    if not progress:
        return _NoBar()
    from tqdm import tqdm

    bar: Bar = tqdm(
        total=examples, initial=done, desc=label, unit=" examples", unit_scale=True, leave=True
    )
    return bar
