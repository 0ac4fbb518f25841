#!/usr/bin/env bash
# On a machine with a GPU, nvcc, CuPy and PyTorch: builds with CUDA, runs the whole test suite and the
# benchmarks there, and writes docs/results/gpu.md. The Python that runs this needs pybind11, cmake,
# ninja, the runtime and the test requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

cmake --preset cuda -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" \
  -DPython_EXECUTABLE="$(command -v "$python")"
cmake --build --preset cuda
site=build/cuda/site
rm -rf "$site"
mkdir -p "$site"
cp -r python/ictus "$site/ictus"
rm -f "$site"/ictus/*.so
cp build/cuda/_core*.so build/cuda/cuda/_cuda*.so "$site/ictus/"
export PYTHONPATH=$PWD/$site

"$python" -c 'from ictus import _cuda; assert _cuda.device_count() > 0, "no GPU here"'
"$python" -m pytest -q -p no:cacheprovider | tee build/cuda/tests.txt
"$python" -m benchmarks --markdown build/cuda/benchmarks.md

{
  echo "# On a machine with a GPU"
  echo
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
  echo
  echo '```text'
  tail -n 3 build/cuda/tests.txt
  echo '```'
  echo
  echo "The processor of that machine beside its peers:"
  echo
  cat build/cuda/benchmarks.md
  echo
  echo 'Made by `tools/gpu_check.sh`.'
} >docs/results/gpu.md
