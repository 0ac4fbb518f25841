"""Models: estimators with the interface of scikit-learn, and the machines under them.

Names are loaded when first used: a machine needs no scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.models.divergence import DivergenceTrainer
    from ictus.models.hybrid_divergence import HybridDivergenceTrainer
    from ictus.models.mean_covariance import MeanCovarianceMachine
    from ictus.models.mean_covariance_rbm import MeanCovarianceRBM
    from ictus.models.mlp import MLPClassifier, MLPRegressor
    from ictus.models.rbm import RBM

# Where each name lives.
_LAZY = {
    "DivergenceTrainer": "divergence",
    "HybridDivergenceTrainer": "hybrid_divergence",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "MeanCovarianceMachine": "mean_covariance",
    "MeanCovarianceRBM": "mean_covariance_rbm",
    "RBM": "rbm",
}

__all__ = [
    "RBM",
    "DivergenceTrainer",
    "HybridDivergenceTrainer",
    "MLPClassifier",
    "MLPRegressor",
    "MeanCovarianceMachine",
    "MeanCovarianceRBM",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f"ictus.models.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus.models' has no attribute {name!r}")
