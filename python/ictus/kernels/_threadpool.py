"""A controller of ictus's threads for threadpoolctl, whose limits then reach them too."""

from __future__ import annotations

from typing import Any


def register_threadpool_controller() -> None:
    """Register ictus with threadpoolctl, whose limits then hold for it (``user_api="ictus"``).

    Not done on import, so that ``import ictus`` stays light. Calling it again does nothing.

    Raises
    ------
    ImportError
        threadpoolctl is not installed.
    """
    import threadpoolctl

    from ictus import _core

    if any(c.user_api == "ictus" for c in threadpoolctl._ALL_CONTROLLERS):
        return

    class IctusController(threadpoolctl.LibController):  # type: ignore[misc]
        user_api = "ictus"
        internal_api = "ictus"
        filename_prefixes = ("_core.",)
        check_symbols = ("ictus_num_threads",)

        def get_num_threads(self) -> int:
            return _core.num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _core.set_num_threads(num_threads)

        def get_version(self) -> Any:
            from ictus import __version__

            return __version__

        def set_additional_attributes(self) -> None:
            self.instruction_set = _core.instruction_set()

    threadpoolctl.register(IctusController)
