"""The thread pool with its threads interrupted at the worst moments, by pauses put in their way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "cpp" / "core"
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not CORE.is_dir(), reason="needs a compiler and the sources"
)

# Loops of few and of many chunks in turn; each chunk must run exactly once.
PROGRAM = """
#include <atomic>
#include <cstdio>

#include "core/threads.h"

static std::atomic<int> seen[64];

int main() {
  ictus::set_num_threads(6);
  int wrong = 0;
  for (int n = 0; n < 1500; ++n) {
    for (auto& s : seen) s = 0;
    const int chunks = n % 2 ? 64 : 2;
    ictus::run_chunks(chunks, nullptr, [](void*, std::int64_t c) noexcept { seen[c & 63]++; });
    for (int i = 0; i < 64; ++i) wrong += seen[i] != (i < chunks);
  }
  std::printf("%d", wrong);
}
"""


def widened(source: str) -> str:
    """The pool with a pause before a loop is opened, and one before a chunk is claimed."""
    opened = "    ticket_.store(std::uint64_t{epoch} << 32,"
    claimed = "      if (chunk >= chunks_.load("
    assert source.count(opened) == source.count(claimed) == 1
    pause = "for (int i = 0; i < %d; ++i) pause_briefly();\n"
    return source.replace(opened, pause % 400 + opened).replace(claimed, pause % 200 + claimed)


def test_every_chunk_runs_exactly_once(tmp_path):
    (tmp_path / "threads.cpp").write_text(widened((CORE / "threads.cpp").read_text("utf-8")))
    (tmp_path / "main.cpp").write_text(PROGRAM)
    program = tmp_path / "loops"
    sources = [tmp_path / "threads.cpp", tmp_path / "main.cpp", CORE / "memory.cpp"]
    command = [COMPILER, "-std=c++17", "-O1", "-pthread", f"-I{CORE.parent}", *map(str, sources)]
    subprocess.run([*command, "-o", str(program)], check=True, timeout=60)
    done = subprocess.run([str(program)], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "0"
