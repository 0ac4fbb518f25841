"""The line an epoch that training of Boltzmann machines prints with ``verbose``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ictus.models.boltzmann.divergence import DivergenceTrainer

if TYPE_CHECKING:
    from ictus.models.boltzmann.boltzmann_estimator import BoltzmannEstimator


class Report:
    """A line an epoch on standard output, as scikit-learn's BernoulliRBM prints it."""

    def __init__(self, estimator: BoltzmannEstimator, score: Callable[[], float]) -> None:
        self.name, self.score = type(estimator).__name__, score
        self.what = estimator.score_name
        self.begin = time.time()

    def __call__(self, trainer: DivergenceTrainer, epoch: int) -> None:
        score, end = self.score(), time.time()
        print(
            f"[{self.name}] Iteration {epoch}, {self.what} = {score:.2f}, "
            f"time = {end - self.begin:.2f}s"
        )
        self.begin = end
