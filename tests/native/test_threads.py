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


#: Loops from several threads at a time while the number of threads changes. Chunks write to plain
#: memory, as kernels do, which the caller reads and writes before and after.
SHARED = """
#include <cstdio>
#include <thread>
#include <vector>

#include "core/threads.h"

int main() {
  std::vector<long> wrong(3);
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&wrong, t] {
      for (int n = 0; n < 300; ++n) {
        ictus::set_num_threads(1 + (n + t) % 5);
        long numbers[32] = {};
        const int chunks = 2 + n % 31;
        ictus::run_chunks(chunks, numbers, [](void* p, std::int64_t c) noexcept {
          static_cast<long*>(p)[c] += c + 1;
        });
        for (int i = 0; i < 32; ++i) wrong[t] += numbers[i] != (i < chunks ? i + 1 : 0);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  std::printf("%ld", wrong[0] + wrong[1] + wrong[2]);
}
"""


def run(folder: Path, pool: str, program: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Compile a program with a version of the pool, and run it."""
    (folder / "threads.cpp").write_text(pool)
    (folder / "main.cpp").write_text(program)
    sources = [folder / "threads.cpp", folder / "main.cpp", CORE / "memory.cpp"]
    command = [COMPILER, "-std=c++17", "-O1", "-pthread", *options, f"-I{CORE.parent}"]
    subprocess.run([*command, *map(str, sources), "-o", "loops"], check=True, cwd=folder)
    # The thread sanitizer may ask for addresses at their usual places, where that is allowed.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    if fixed and subprocess.run([*fixed, "true"], capture_output=True).returncode:
        fixed = []
    return subprocess.run([*fixed, folder / "loops"], capture_output=True, text=True, timeout=120)


def test_every_chunk_runs_exactly_once(tmp_path):
    done = run(tmp_path, widened((CORE / "threads.cpp").read_text("utf-8")), PROGRAM)
    assert done.returncode == 0
    assert done.stdout == "0"


class TestRaces:
    """The pool under the thread sanitizer."""

    @pytest.fixture(autouse=True)
    def sanitizer(self, tmp_path):
        (tmp_path / "none.cpp").write_text("int main() {}")
        command = [COMPILER, "-fsanitize=thread", "none.cpp", "-o", "none"]
        if subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60).returncode:
            pytest.skip("the compiler has no thread sanitizer")

    def test_there_are_none(self, tmp_path):
        pool = (CORE / "threads.cpp").read_text("utf-8")
        done = run(tmp_path, pool, SHARED, "-fsanitize=thread", "-g1")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "0"

    def test_one_would_be_found(self, tmp_path):
        pool = (CORE / "threads.cpp").read_text("utf-8")
        finished = "finished_.fetch_add(1, std::memory_order_acq_rel)"
        waited = "finished_.load(std::memory_order_acquire)"
        assert finished in pool
        assert waited in pool
        pool = pool.replace(finished, finished.replace("acq_rel", "relaxed"))
        pool = pool.replace(waited, waited.replace("acquire", "relaxed"))
        done = run(tmp_path, pool, SHARED, "-fsanitize=thread", "-g1")
        assert "data race" in done.stderr
