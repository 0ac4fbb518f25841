"""The objects of the kernels: nothing weak, nothing allocated, nothing wider than the level.

Compiles each family at each level with the flags of cmake/levels.cmake (one family a test, without
linking), and looks at the symbols and instructions. Needs the sources, a compiler and binutils.
"""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("c++") or shutil.which("g++")
LEVELS = {
    "baseline": (16, []),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "avx512": (64, ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]),
}
FAMILIES = sorted(path.stem for path in (ROOT / "cpp" / "kernels").glob("*.cpp"))

pytestmark = [
    pytest.mark.skipif(not FAMILIES, reason="the sources are not beside the tests"),
    pytest.mark.skipif(
        not (COMPILER and shutil.which("nm") and shutil.which("objdump")),
        reason="no C++ compiler or no binutils here",
    ),
    pytest.mark.skipif(
        sys.platform != "linux" or subprocess.getoutput("uname -m") != "x86_64",
        reason="the levels are those of Linux on x86-64",
    ),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    kernel_flags = re.search(r"ICTUS_KERNEL_FLAGS\s+(.*?)\)", levels_cmake(), re.S)[1].split()

    @cache
    def build(family, level):
        width, flags = LEVELS[level]
        target = folder / f"{family}_{level}.o"
        subprocess.run(
            [
                COMPILER,
                "-std=gnu++17",
                "-fPIC",
                *[flag.replace("-O3", "-O2") for flag in kernel_flags],
                *flags,
                "-w",
                f"-DICTUS_LEVEL={level}",
                f"-DICTUS_VECTOR_BYTES={width}",
                f"-I{ROOT / 'cpp'}",
                f"-I{ROOT / 'cpp' / 'include'}",
                "-c",
                str(ROOT / "cpp" / "kernels" / f"{family}.cpp"),
                "-o",
                str(target),
            ],
            check=True,
        )
        return target

    return build


def levels_cmake():
    return (ROOT / "cmake" / "levels.cmake").read_text()


def test_the_levels_here_are_those_of_the_build():
    text = levels_cmake()
    for level, (width, flags) in LEVELS.items():
        assert f"set(ICTUS_BYTES_{level} {width})" in text
        written = re.search(rf"set\(ICTUS_FLAGS_{level} (.*?)\)", text)[1].replace('""', "").split()
        assert written == flags


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_symbols(compiled, family, level):
    lines = subprocess.run(
        ["nm", "-C", compiled(family, level)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert any(f"ictus::{level}::{family}_float" in line for line in lines)
    for line in lines:
        kind, name = re.match(r"[0-9a-f ]{16,17} ?(\w) (.*)", line).groups()
        # A weak symbol may be merged by the linker with that of a wider level.
        assert kind not in "WwVvu", f"weak symbol: {line}"
        if kind in "TDBR":
            assert name.startswith(f"ictus::{level}::{family}_"), f"visible symbol: {line}"
        if kind == "U":
            forbidden = r"malloc|calloc|realloc|free|operator new|operator delete|__cxa|std::"
            assert not re.search(forbidden, name), f"a kernel calls {name}"


@pytest.mark.parametrize("level", ["baseline", "avx2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_instruction_beyond_the_level(compiled, family, level):
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", compiled(family, level)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert len(text.splitlines()) > 100
    wider = r"%zmm|%k[0-7]" if level == "avx2" else r"%[yz]mm|\tv[a-z]+[ps][sd]\b"
    found = re.search(wider, text)
    assert not found, f"{found[0] if found else ''} in {family} at {level}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_runs_when_the_library_is_loaded(compiled, family, level):
    sections = subprocess.run(
        ["objdump", "-h", compiled(family, level)], capture_output=True, text=True, check=True
    ).stdout
    assert ".init_array" not in sections
    assert ".ctors" not in sections
