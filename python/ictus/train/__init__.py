"""The training loop and its parts."""

from ictus.train.batches import Batches
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ictus.train.history import History
from ictus.train.loop import Callback, DivergenceError, TrainingLoop
from ictus.train.schedules import SCHEDULES, Constant, Exponential, Linear, Schedule, Steps
from ictus.train.stopping import Convergence, EarlyStopping
from ictus.train.trainer import Trainer

__all__ = [
    "SCHEDULES",
    "Batches",
    "Callback",
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
    "TrainingLoop",
    "load_checkpoint",
    "save_checkpoint",
]
