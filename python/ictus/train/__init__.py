"""The training loop and its parts."""

from ictus.train.batches import Batches
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ictus.train.history import History
from ictus.train.schedules import SCHEDULES, Constant, Exponential, Linear, Schedule, Steps
from ictus.train.stopping import Convergence, EarlyStopping
from ictus.train.trainer import DivergenceError, Trainer

__all__ = [
    "SCHEDULES",
    "Batches",
    "CheckpointError",
    "Constant",
    "Convergence",
    "DivergenceError",
    "EarlyStopping",
    "Exponential",
    "History",
    "Linear",
    "Schedule",
    "Steps",
    "Trainer",
    "load_checkpoint",
    "save_checkpoint",
]
