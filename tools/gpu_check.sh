#!/usr/bin/env bash
# On a machine with a GPU, without network: builds with CUDA, runs the whole test suite (kernel and
# network tests once more on the device), compute-sanitizer over the kernel tests, and the
# benchmarks; writes docs/results/gpu.md. PYTHON (python3) needs CMake, Ninja, pybind11, CuPy,
# PyTorch, and the runtime and test requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

cmake --preset cuda -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" \
  -DPython_EXECUTABLE="$(command -v "$python")" \
  -DCMAKE_CUDA_ARCHITECTURES="${ARCHITECTURES:-native}"
cmake --build --preset cuda
site=build/cuda/site
rm -rf "$site"
mkdir -p "$site"
cp -r python/ictus "$site/ictus"
rm -f "$site"/ictus/*.so
cp build/cuda/_core*.so build/cuda/cuda/_cuda*.so "$site/ictus/"
export PYTHONPATH=$PWD/$site:$PWD

"$python" -c 'from ictus import _cuda; assert _cuda.device_count() > 0, "no GPU here"'
"$python" -m pytest -q -p no:cacheprovider | tee build/cuda/tests.txt

# Each tool of the sanitizer over the kernels at odd shapes; fewer examples, it is slow.
for tool in memcheck racecheck initcheck synccheck; do
  if command -v compute-sanitizer >/dev/null; then
    HYPOTHESIS_PROFILE=ictus compute-sanitizer --tool "$tool" --error-exitcode 9 \
      "$python" -m pytest -q -p no:cacheprovider -n 0 -k "cuda and not 1100" tests/kernels \
      >"build/cuda/$tool.txt" 2>&1 && result=clean || result="faults: see build/cuda/$tool.txt"
  else
    result="no compute-sanitizer here"
  fi
  echo "| $tool | $result |"
done >build/cuda/sanitizer.md

"$python" tools/gpu_benchmarks.py >build/cuda/gpu_benchmarks.md
{
  echo "# On a machine with a GPU"
  echo
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
  nvcc --version | tail -1
  echo
  echo '```text'
  tail -n 12 build/cuda/tests.txt
  echo '```'
  echo
  echo "| compute-sanitizer | kernel tests |"
  echo "|---|---|"
  cat build/cuda/sanitizer.md
  echo
  cat build/cuda/gpu_benchmarks.md
  echo
  echo 'Made by `tools/gpu_check.sh`.'
} >docs/results/gpu.md
