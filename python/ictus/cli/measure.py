"""How good a model's predictions are, as plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


def measure(model: Any, x: Any, y: Any, prefix: str = "") -> dict[str, Any]:
    """Return errors of a classifier, or R^2 and RMS error of a regressor, on x and y."""
    y = np.asarray(y)
    if hasattr(model, "classes_") and not getattr(model, "multilabel_", False):
        numbers, known = y.dtype.kind in "fiub", model.classes_.dtype.kind in "fiub"
        if numbers != known or not np.isin(y, model.classes_).any():
            raise ValueError(
                f"targets must be classes that the model knows, such as {model.classes_[0]!s}, "
                f"got {y.flat[0]!s}"
            )
    predicted = model.predict(x)
    if predicted.shape != y.shape:
        raise ValueError(f"targets must have shape {predicted.shape}, got {y.shape}")
    result: dict[str, Any] = {f"{prefix}examples": len(y)}
    if hasattr(model, "classes_"):
        wrong = predicted != y
        errors = int((wrong if wrong.ndim == 1 else wrong.any(axis=1)).sum())
        result[f"{prefix}errors"] = errors
        result[f"{prefix}error_percent"] = 100.0 * errors / max(len(y), 1)
        return result
    residual = np.square(predicted - y).sum()
    spread = np.square(y - y.mean(axis=0)).sum()
    result[f"{prefix}r2"] = float(1 - residual / spread) if spread > 0 else float("nan")
    result[f"{prefix}rms_error"] = float(np.sqrt(residual / max(y.size, 1)))
    return result
