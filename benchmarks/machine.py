"""Names the machine that figures are of."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def processor_name() -> str:
    """Return the processor's name as the system has it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def this_machine() -> str:
    """Return processor, their number, and the instruction set whose kernels ictus runs."""
    import ictus

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    many = "1 processor" if count == 1 else f"{count} processors"
    return f"{processor_name()} ({many}; instruction set {ictus.instruction_set()})"


def measured_on(records: Iterable[dict[str, Any]]) -> str:
    """Return a sentence that names the machines of some records."""
    names = dict.fromkeys(r.get("machine", "a machine that was not noted") for r in records)
    return f"Measured on {' and '.join(names)}." if names else ""
