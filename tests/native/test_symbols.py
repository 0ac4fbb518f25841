"""The objects of the module: nothing weak, nothing allocated, nothing wider than the level.

Looks at the objects that the last build left behind, where they are newer than the sources;
else compiles the kernels with the flags of cmake/levels.cmake. Needs a compiler and binutils.
"""

import re
import shutil
import subprocess
import sys

import pytest

from tests.native.objects import (
    BINDINGS,
    COMPILER,
    CORE,
    FAMILIES,
    LEVELS,
    PAIRS,
    disassembly,
    kernel_object,
    levels_cmake,
    other_object,
)

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

# Mnemonics that a first x86-64 processor lacks. Whatever AVX brought begins with a v; the others
# came with SSE3 to SSE4.2, POPCNT, LZCNT, BMI, ADX, AES and the like. Not tzcnt: GCC writes it on
# purpose, since a processor without it takes its bytes for bsf, the same for numbers but zero.
BEYOND_BASELINE = re.compile(
    r"%[yz]mm|%k[0-7]|\t(?:v(?!err|erw|mcall)[a-z0-9]+|addsubp[sd]|h(?:add|sub)p[sd]|lddqu"
    r"|mov(?:d|sh|sl)dup|p(?:shufb|h(?:add|sub)s?[wd]|abs[bwd]|sign[bwd]|alignr|mulhrsw|maddubsw)"
    r"|blendv?p[sd]|pblend(?:vb|w)|dpp[sd]|(?:extract|insert)ps|p(?:extr|insr)[bdq]|pmov[sz]x[a-z]+"
    r"|pmul(?:ld|dq)|p(?:min|max)(?:sb|uw|sd|ud)|ptest|round[ps][sd]|packusdw|pcmp(?:eq|gt)q"
    r"|pcmp[ei]str[im]|mpsadbw|movntdqa|phminposuw|popcnt|lzcnt|andn|bextr|bls(?:i|r|msk)|bzhi"
    r"|mulx|pdep|pext|rorx|sarx|shlx|shrx|ad[co]x|crc32[a-z]?|aes[a-z0-9]+|pclmul[a-z]+|sha[0-9][a-z0-9]+"
    r"|movbe|rdrand|rdseed)\b"
)
BEYOND_AVX2 = re.compile(r"%zmm|%k[0-7]|%[xy]mm(?:1[6-9]|2[0-9]|3[01])\b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("objects")


def test_the_levels_here_are_those_of_the_build():
    text = levels_cmake()
    for level, (width, flags) in LEVELS.items():
        assert f"set(ICTUS_BYTES_{level} {width})" in text
        written = re.search(rf"set\(ICTUS_FLAGS_{level} (.*?)\)", text)[1].replace('""', "")
        below = re.search(r"set\(ICTUS_FLAGS_avx512 (.*?)\)", text)[1]
        assert written.replace("${ICTUS_FLAGS_avx512}", below).split() == flags
        only = re.search(rf"set\(ICTUS_FAMILIES_{level} (.*?)\)", text)
        families = only[1].split() if only else FAMILIES
        assert families == [family for family, pair_level in PAIRS if pair_level == level]


@pytest.mark.parametrize(("family", "level"), PAIRS)
def test_symbols(folder, family, level):
    lines = subprocess.run(
        ["nm", "-C", kernel_object(family, level, folder)],
        capture_output=True,
        text=True,
        check=True,
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


def test_the_patterns_find_what_they_are_for(folder):
    """Code of a wider level must be caught, or the tests below prove nothing."""
    for family in FAMILIES:
        assert BEYOND_BASELINE.search(disassembly(kernel_object(family, "avx2", folder)))
        assert BEYOND_AVX2.search(disassembly(kernel_object(family, "avx512", folder)))
    for line in ("\tpopcnt %eax,%eax", "\tvpaddd %xmm0,%xmm1,%xmm2", "\tpshufb %xmm0,%xmm1"):
        assert BEYOND_BASELINE.search(line)
    assert not BEYOND_BASELINE.search("\tpaddd  %xmm0,%xmm1\n\tbsf %eax,%eax\n\tverr %ax")


@pytest.mark.parametrize("level", ["baseline", "avx2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_instruction_beyond_the_level(folder, family, level):
    text = disassembly(kernel_object(family, level, folder))
    assert len(text.splitlines()) > 100
    found = (BEYOND_AVX2 if level == "avx2" else BEYOND_BASELINE).search(text)
    assert not found, f"{found[0] if found else ''} in {family} at {level}"


@pytest.mark.parametrize(("family", "level"), PAIRS)
def test_nothing_runs_when_the_library_is_loaded(folder, family, level):
    sections = subprocess.run(
        ["objdump", "-h", kernel_object(family, level, folder)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ".init_array" not in sections
    assert ".ctors" not in sections


@pytest.mark.parametrize(
    "source",
    [f"cpp/core/{name}.cpp" for name in CORE] + [f"cpp/bindings/{name}.cpp" for name in BINDINGS],
)
def test_all_the_rest_runs_on_any_machine(folder, source):
    """Static initialisers, dispatch, threads and bindings run before or beside any level."""
    path = other_object(source, folder)
    if path is None:
        pytest.skip("no build left an object that is newer than the sources")
    found = BEYOND_BASELINE.search(disassembly(path))
    assert not found, f"{found[0] if found else ''} in {source}"
