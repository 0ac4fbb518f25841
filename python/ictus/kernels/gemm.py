"""Matrix product with a fused epilogue."""

from __future__ import annotations

import numpy as np

from ictus import _core

ACTIVATIONS = {"identity": 0, "sigmoid": 1, "tanh": 2, "relu": 3, "softplus": 4}
SAMPLINGS = {None: 0, "bernoulli": 1, "gaussian": 2}


def gemm(a, b, out=None, *, alpha=1.0, beta=0.0, bias=None, activation="identity",
         dropout_rate=0.0, sample=None, seed=0, stream=0, first_row=0):
    """Placeholder."""
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    _core.gemm(a, b, out, alpha, beta, bias, ACTIVATIONS[activation], dropout_rate,
               SAMPLINGS[sample], seed, stream, first_row)
    return out
