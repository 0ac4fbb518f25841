"""The kernel functions: formulas on arrays."""

from ictus.kernels.gemm import PackedMatrix, gemm

__all__ = ["PackedMatrix", "gemm"]
