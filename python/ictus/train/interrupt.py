"""Ctrl-C between two minibatches instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any


class AbandonedError(BaseException):
    """What was being computed is not wanted any more. Not an Exception: nothing else catches it."""


class InterruptGuard:
    """While active, the first Ctrl-C only sets ``requested``; a second one interrupts at once.

    The training loop asks after each minibatch, so the model, the optimiser's state and the
    position always belong together. What takes long and has changed nothing yet goes under
    :meth:`abandoning`, which Ctrl-C ends at once. Outside the main thread Python delivers no
    signals, and the guard does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._abandons = False
        self._previous: Any = None
        self._active = False

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.getsignal(signal.SIGINT)
            # Another program's handler is not taken away, nor a request to ignore Ctrl-C.
            if self._previous is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._handle)
                self._active = True
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._abandons:
            self._abandons = False
            raise AbandonedError

    @contextlib.contextmanager
    def abandoning(self) -> Iterator[None]:
        """While this lasts, the first Ctrl-C raises AbandonedError."""
        self._abandons = self._active
        try:
            yield
        finally:
            self._abandons = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._previous)
            self._active = False
