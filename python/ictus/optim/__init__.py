"""First-order optimisers: they see vectors and ranges of weights, never a layer or a loss."""

from ictus.optim.adam import Adam
from ictus.optim.optimizer import OPTIMIZERS, Optimizer, make_optimizer
from ictus.optim.rmsprop import RMSprop
from ictus.optim.sgd import SGD

__all__ = ["OPTIMIZERS", "SGD", "Adam", "Optimizer", "RMSprop", "make_optimizer"]
