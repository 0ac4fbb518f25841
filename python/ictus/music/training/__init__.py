"""Training of the music models on folders of recordings and annotations."""

from ictus.music.training.augmentation import FeatureAugmentation, LogarithmicAugmentation
from ictus.music.training.beats import BeatTraining, train_beats
from ictus.music.training.boundaries import (
    BoundaryTraining,
    TrainedBoundaries,
    boundary_targets,
    train_boundaries,
)
from ictus.music.training.cache import FeatureCache
from ictus.music.training.changes import Change, changes
from ictus.music.training.folder import Example, find_examples, folds
from ictus.music.training.onsets import OnsetTraining, RecurrentOnsetTraining, train_onsets
from ictus.music.training.patches import PatchBatches, PatchTrainer, PatchTraining, train_patches
from ictus.music.training.recordings import Trained
from ictus.music.training.segments import (
    SegmentBatches,
    SegmentTrainer,
    SegmentTraining,
    train_segments,
)
from ictus.music.training.targets import (
    beat_targets,
    downbeat_targets,
    event_targets,
    onset_targets,
)

__all__ = [
    "BeatTraining",
    "BoundaryTraining",
    "Change",
    "Example",
    "FeatureAugmentation",
    "FeatureCache",
    "LogarithmicAugmentation",
    "OnsetTraining",
    "PatchBatches",
    "PatchTrainer",
    "PatchTraining",
    "RecurrentOnsetTraining",
    "SegmentBatches",
    "SegmentTrainer",
    "SegmentTraining",
    "Trained",
    "TrainedBoundaries",
    "beat_targets",
    "boundary_targets",
    "changes",
    "downbeat_targets",
    "event_targets",
    "find_examples",
    "folds",
    "onset_targets",
    "train_beats",
    "train_boundaries",
    "train_onsets",
    "train_patches",
    "train_segments",
]
