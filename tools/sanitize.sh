#!/usr/bin/env bash
# Builds a sanitizer preset and runs tests against it.
#
#   tools/sanitize.sh asan-ubsan [pytest arguments]      tools/sanitize.sh tsan [pytest arguments]
#
# ICTUS_PLAIN_LEVELS=avx2, say, leaves a level that is not tested without sanitizers: GCC takes long.
# ICTUS_COVERAGE=ON counts which lines run (see tools/cpp_coverage.py).
# The Python that runs this needs numpy, pybind11, cmake, ninja and the test requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?name a preset: asan-ubsan or tsan}
shift
python=${PYTHON:-python3}
cmake --preset "$preset" -DICTUS_COVERAGE="${ICTUS_COVERAGE:-OFF}" -DICTUS_PLAIN_LEVELS="${ICTUS_PLAIN_LEVELS:-}" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" \
  -DPython_EXECUTABLE="$(command -v "$python")" >/dev/null
cmake --build --preset "$preset"

# A copy of the package with the sanitized module in it.
site=build/$preset/site
rm -rf "$site"
mkdir -p "$site"
cp -r python/ictus "$site/ictus"
rm -f "$site"/ictus/*.so
cp build/"$preset"/_core*.so "$site/ictus/"

case $preset in
  tsan)
    runtime=$(g++ -print-file-name=libtsan.so)
    # The sanitizer itself cannot follow a fork beside running threads ("dup thread with used id").
    set -- "$@" --deselect tests/test_runtime.py::TestProcesses::test_fork_while_other_threads_compute
    ;;
  *) runtime=$(g++ -print-file-name=libasan.so):$(g++ -print-file-name=libubsan.so) ;;
esac
# pytest captures what a test writes: reports go to a file, shown at the end.
report=$PWD/build/$preset/report
rm -f "$report".*
# Leaks are not looked for: the interpreter itself keeps memory until it ends. The C++ runtime is
# loaded first too, so that exceptions thrown through the sanitizer's own wrapper are found.
preload=$runtime:$(g++ -print-file-name=libstdc++.so)
export ASAN_OPTIONS=detect_leaks=0:log_path=$report
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$report
# OpenBLAS below NumPy is not instrumented: its own threads would look like races.
# The forked child starts threads of its own, which is what the test of it is about.
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:ignore_noninstrumented_modules=1:log_path=$report
export OPENBLAS_NUM_THREADS=1
export PYTHONPATH=$PWD/$site
status=0
LD_PRELOAD=$preload "$python" -m pytest -p no:cacheprovider "$@" || status=$?
cat "$report".* 2>/dev/null || true
exit $status
