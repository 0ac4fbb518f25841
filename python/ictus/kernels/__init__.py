"""The kernel functions: formulas on arrays."""
from ictus.kernels.gemm import gemm
