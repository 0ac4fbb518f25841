"""The training loop and its parts."""

from ictus.train.augmentation import Augmentation, AugmentedBatches, Distortion, SpectrogramMask
from ictus.train.batches import Batches, BatchOrder, Source, SourceBatches
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ictus.train.history import History
from ictus.train.loop import Callback, DivergenceError, TrainingLoop
from ictus.train.minimize import minimize
from ictus.train.objective import NetworkObjective
from ictus.train.schedules import (
    SCHEDULES,
    Constant,
    Exponential,
    Linear,
    NesterovMomentum,
    Ramp,
    Schedule,
    Steps,
)
from ictus.train.sequence_trainer import SequenceBatches, SequenceTrainer
from ictus.train.stopping import Convergence, EarlyStopping, GapStopping
from ictus.train.trainer import Trainer

__all__ = [
    "SCHEDULES",
    "Augmentation",
    "AugmentedBatches",
    "BatchOrder",
    "Batches",
    "Callback",
    "CheckpointError",
    "Constant",
    "Convergence",
    "Distortion",
    "DivergenceError",
    "EarlyStopping",
    "Exponential",
    "GapStopping",
    "History",
    "Linear",
    "NesterovMomentum",
    "NetworkObjective",
    "Ramp",
    "Schedule",
    "SequenceBatches",
    "SequenceTrainer",
    "Source",
    "SourceBatches",
    "SpectrogramMask",
    "Steps",
    "Trainer",
    "TrainingLoop",
    "load_checkpoint",
    "minimize",
    "save_checkpoint",
]
