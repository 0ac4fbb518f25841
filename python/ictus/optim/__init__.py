"""Optimisers: they see vectors, ranges of weights and products, never a layer or a loss."""

from ictus.optim.adam import Adam
from ictus.optim.conjugate_gradient import ConjugateGradient
from ictus.optim.hessian_free import HessianFree
from ictus.optim.iteration import BreakdownError, Iteration
from ictus.optim.optimizer import OPTIMIZERS, Optimizer, make_optimizer
from ictus.optim.rmsprop import RMSprop
from ictus.optim.sgd import SGD

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "BreakdownError",
    "ConjugateGradient",
    "HessianFree",
    "Iteration",
    "Optimizer",
    "RMSprop",
    "make_optimizer",
]
