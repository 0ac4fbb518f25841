"""Whitening by principal components, as a function of rows and as a layer's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels.gemm import gemm

Array = NDArray[Any]


@dataclass(frozen=True)
class Whitening:
    """Excerpts to whitened principal components: ``(x - mean) @ matrix``."""

    mean: Array
    matrix: Array

    @classmethod
    def of(cls, x: Array, components: int) -> Whitening:
        """Return the whitening of rows.

        Raises
        ------
        ValueError
            Fewer rows or columns than components.
        """
        rows, columns = x.shape
        if not 1 <= components <= min(rows - 1, columns):
            raise ValueError(
                f"components must be from 1 to {min(rows - 1, columns)} for {rows} excerpts, got "
                f"{components}"
            )
        mean = x.mean(axis=0, dtype=np.float64)
        centred = (x - mean).astype(np.float64)
        from threadpoolctl import threadpool_limits

        # One thread: threads of a BLAS that spin are slow beside others, and round differently.
        with threadpool_limits(1):
            variance, vectors = np.linalg.eigh(gemm(centred.T, centred) / rows)
        variance, vectors = variance[::-1][:components], vectors[:, ::-1][:, :components]
        # Signs are arbitrary: the largest element is positive.
        signs = np.sign(vectors[np.argmax(abs(vectors), axis=0), np.arange(components)])
        scale = signs / np.sqrt(np.maximum(variance, 1e-6 * variance[0]))
        return cls(mean.astype(np.float32), np.ascontiguousarray(vectors * scale, np.float32))

    @classmethod
    def standardization(cls, x: Array) -> Whitening:
        """Return what makes each column's mean 0 and deviation 1."""
        deviation = x.std(axis=0, dtype=np.float64)
        scale = 1.0 / np.where(deviation > 1e-6, deviation, 1.0)
        return cls(x.mean(axis=0, dtype=np.float64).astype(np.float32),
                   np.diag(scale).astype(np.float32))  # fmt: skip

    def __call__(self, x: Array) -> Array:
        """Return whitened rows."""
        return np.asarray(gemm(np.ascontiguousarray(x - self.mean, np.float32), self.matrix))

    def layer(self) -> tuple[Array, Array]:
        """Weights and biases of a linear layer that does it."""
        bias = -(self.mean.astype(np.float64) @ self.matrix.astype(np.float64))
        return self.matrix, bias.astype(np.float32)
