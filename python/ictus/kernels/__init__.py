"""The kernel functions: formulas on arrays."""

from ictus.kernels.activation import (
    activation,
    activation_backward,
    dropout,
    exp,
    log,
    sigmoid,
    softplus,
    tanh,
)
from ictus.kernels.gemm import PackedMatrix, gemm
from ictus.kernels.random import bernoulli, normal, uniform

__all__ = [
    "PackedMatrix",
    "activation",
    "activation_backward",
    "bernoulli",
    "dropout",
    "exp",
    "gemm",
    "log",
    "normal",
    "sigmoid",
    "softplus",
    "tanh",
    "uniform",
]
