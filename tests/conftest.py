"""Fixtures of the whole suite, and the settings of hypothesis."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import ictus
from tests import devices, emulated
from tests.executed import ExecutedCounts, families_of, family_of, levels_of

settings.register_profile(
    "ictus",
    deadline=None,  # the machine may be busy; no test asserts on time
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# For counting which lines run: `--hypothesis-profile=few`.
settings.register_profile("few", settings.get_profile("ictus"), max_examples=3)
settings.load_profile("ictus")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with Ctrl-C ignored; the tests of it need it as in a terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(ExecutedCounts(), "executed counts")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a family at the levels and on the devices that it is compiled for."""

    def belongs(item: pytest.Item) -> bool:
        level = getattr(getattr(item, "callspec", None), "params", {}).get("each_level")
        return level is None or level in levels_of(family_of(item.path.name))

    items[:] = filter(belongs, items)


@pytest.fixture(params=[*ictus.instruction_sets(), *filter(families_of, devices.DEVICES)])
def each_level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test once at every instruction-set level that the machine has; gives its name.

    And once on a GPU and on its emulation, where they are and the family that the test file is
    about has a CUDA variant.
    """
    if request.param in devices.DEVICES:
        with devices.serving(request.param) as calls:
            yield request.param
        assert calls[0] > 0, "the test never called a kernel of the device"
        return
    before = ictus.instruction_set()
    ictus.set_instruction_set(request.param)
    yield request.param
    ictus.set_instruction_set(before)


@pytest.fixture(params=devices.DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """The name of a device that networks and models can be put on: a GPU, or its emulation."""
    name: str = request.param
    native, reason = devices.native_of(name)
    if native is None:
        pytest.skip(f"{name}: {reason}")
    if name == "emulated":
        emulated.add()
    else:
        pytest.importorskip("cupy", reason="CuPy is not installed")
    return name


@pytest.fixture
def keep_threads() -> Iterator[None]:
    """Lets a test change the number of threads, and restores it."""
    before = ictus.num_threads()
    yield
    ictus.set_num_threads(before)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The shared data: ICTUS_DATA, else ../shared/data beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ICTUS_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set ICTUS_DATA to where it is")
    return folder


@pytest.fixture
def keep_field_size():
    """Reading ARFF with SciPy changes what csv takes as a field, for the whole process."""
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)
