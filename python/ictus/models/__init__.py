"""Models with the interface of scikit-learn."""

from ictus.models.mlp import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
