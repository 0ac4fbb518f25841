"""Training of the music models on folders of recordings and annotations."""

from ictus.music.training.beats import BeatTraining, Trained, train_beats
from ictus.music.training.cache import FeatureCache
from ictus.music.training.changes import Change, changes
from ictus.music.training.folder import Example, find_examples, folds
from ictus.music.training.segments import FeatureAugmentation, SegmentBatches, SegmentTrainer
from ictus.music.training.targets import beat_targets, downbeat_targets, event_targets

__all__ = [
    "BeatTraining",
    "Change",
    "Example",
    "FeatureAugmentation",
    "FeatureCache",
    "SegmentBatches",
    "SegmentTrainer",
    "Trained",
    "beat_targets",
    "changes",
    "downbeat_targets",
    "event_targets",
    "find_examples",
    "folds",
    "train_beats",
]
