"""Counts which kernel tests really ran, family by family, at each instruction-set level.

A suite that skips in silence looks like one that passes. After a whole run the counts are printed,
and the run fails where a family has no executed test at a level, or fewer at one level than at
another. A run of selected tests only prints.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import ictus
from ictus import kernels
from tests.devices import DEVICES, native_of

FAMILIES = sorted(p.stem for p in Path(kernels.__file__).parent.glob("[!_]*.py"))


def levels_of(family: str) -> list[str]:
    """The levels of this machine that a family is compiled for, and the devices that serve it."""
    only = {"avx512vpopcntdq": {"hamming"}}
    levels = [x for x in ictus.instruction_sets() if family in only.get(x, {family})]
    return levels + [x for x in DEVICES if family in families_of(x)]


def families_of(device: str) -> list[str]:
    """The families that a device serves here: those with a CUDA variant, or none."""
    native, _ = native_of(device)
    return list(native.families) if native else []


def family_of(test_file: str) -> str:
    """The family that a file of tests is about: test_rbm.py and test_rbm_arguments.py are rbm's."""
    stem = Path(test_file).stem.removeprefix("test_")
    fitting = [name for name in FAMILIES if f"{stem}_".startswith(f"{name}_")]
    return max(fitting, key=len, default="")


class ExecutedCounts:
    """A pytest plugin."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.deselected = False

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected = True

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        level = getattr(getattr(item, "callspec", None), "params", {}).get("each_level")
        if level is not None:  # travels with the report, also from the workers of pytest-xdist
            item.user_properties.append(("each_level", level))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        level = dict(report.user_properties).get("each_level")
        if report.when == "call" and report.passed and level is not None:
            self.counts[family_of(report.nodeid.split("::")[0]), str(level)] += 1

    def gaps(self) -> list[str]:
        """What is missing, as sentences."""
        result = []
        for family in FAMILIES:
            counts = {level: self.counts[family, level] for level in levels_of(family)}
            if len(set(counts.values())) > 1 or 0 in counts.values():
                result.append(f"{family}: executed tests differ between levels: {counts}")
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        config = session.config
        if hasattr(config, "workerinput"):
            return  # one of several processes; the one that started them has all reports
        selected = self.deselected or config.option.keyword or config.option.deselect
        whole = not selected and config.args == config.getini("testpaths")
        if whole and exitstatus == pytest.ExitCode.OK and self.gaps():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.counts:
            return
        terminalreporter.section("kernel tests executed at each instruction-set level")
        for level in [*ictus.instruction_sets(), *DEVICES]:
            parts = [f"{f} {self.counts[f, level]}" for f in FAMILIES if self.counts[f, level]]
            terminalreporter.write_line(f"{level}: {', '.join(parts)}")
        for gap in self.gaps() if terminalreporter.config.args == ["tests"] else []:
            terminalreporter.write_line(gap, red=True)
