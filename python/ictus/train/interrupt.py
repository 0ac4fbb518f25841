"""Ctrl-C between two minibatches instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptGuard:
    """While active, the first Ctrl-C only sets ``requested``; a second one interrupts at once.

    The training loop asks after each minibatch, so the model, the optimiser's state and the
    position always belong together. Outside the main thread Python delivers no signals, and the
    guard does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._previous)
            self._active = False
