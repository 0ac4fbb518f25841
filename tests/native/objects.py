"""Object files of the native module for the tests: those of the last build, else compiled here."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("c++") or shutil.which("g++")
LEVELS = {
    "baseline": (16, []),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "avx512": (64, ["-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]),
}
LEVELS["avx512vpopcntdq"] = (64, [*LEVELS["avx512"][1], "-mavx512vpopcntdq"])

FAMILIES = sorted(path.stem for path in (ROOT / "cpp" / "kernels").glob("*.cpp"))
CORE = sorted(path.stem for path in (ROOT / "cpp" / "core").glob("*.cpp"))
# Which families are compiled for which level: all but for the last, which few have use for.
PAIRS = [(family, level) for level in LEVELS for family in FAMILIES if level != "avx512vpopcntdq"]
PAIRS += [("hamming", "avx512vpopcntdq")]
BINDINGS = sorted(path.stem for path in (ROOT / "cpp" / "bindings").glob("*.cpp"))


def levels_cmake() -> str:
    """The text of cmake/levels.cmake."""
    return (ROOT / "cmake" / "levels.cmake").read_text()


def built(target: str, source: str) -> Path | None:
    """The object of a build as released that is newer than all it is made of, if there is one."""
    command = [str(COMPILER), "-std=gnu++17", "-MM", "-MG", "-DICTUS_LEVEL=baseline"]
    command += [f"-I{ROOT / 'cpp'}", f"-I{ROOT / 'cpp' / 'include'}", str(ROOT / source)]
    rule = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = [Path(word) for word in rule.replace("\\\n", " ").split()[1:]]
    parts = [path for path in parts if path.is_absolute()]  # what -MG names is not of the sources
    newest = max(path.stat().st_mtime for path in [*parts, ROOT / "cmake" / "levels.cmake"])
    for folder in [ROOT / "build" / "release", *sorted((ROOT / "build").glob("cp*"))]:
        path = folder / "CMakeFiles" / f"{target}.dir" / f"{source}.o"
        if path.is_file() and path.stat().st_mtime > newest:
            return path
    return None


def compile_here(source: str, target: Path, *flags: str) -> Path:
    """Compile one source of cpp/ and return the object."""
    command = [str(COMPILER), "-std=gnu++17", "-fPIC", "-w", *flags]
    command += [f"-I{ROOT / 'cpp'}", f"-I{ROOT / 'cpp' / 'include'}"]
    subprocess.run([*command, "-c", str(ROOT / source), "-o", str(target)], check=True)
    return target


@cache
def kernel_object(family: str, level: str, folder: Path) -> Path:
    """The object of a family at a level."""
    source = f"cpp/kernels/{family}.cpp"
    found = built(f"ictus_{level}", source)
    if found is not None:
        return found
    flags = re.search(r"ICTUS_KERNEL_FLAGS\s+(.*?)\)", levels_cmake(), re.S)
    assert flags is not None
    width, features = LEVELS[level]
    return compile_here(
        source,
        folder / f"{family}_{level}.o",
        *[flag.replace("-O3", "-O2") for flag in flags[1].split()],
        *features,
        f"-DICTUS_LEVEL={level}",
        f"-DICTUS_VECTOR_BYTES={width}",
    )


def other_object(source: str, folder: Path) -> Path | None:
    """The object of cpp/core or cpp/bindings; None for bindings that no build left behind."""
    core = source.startswith("cpp/core")
    found = built("ictus_runtime" if core else "_core", source)
    if found is not None or not core:
        return found
    return compile_here(source, folder / f"{Path(source).stem}.o", "-O2", "-DICTUS_LEVEL_COUNT=4")


def disassembly(path: Path) -> str:
    """The instructions of an object."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
