"""Training of beat trackers: networks that say at each frame how likely a beat is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.music.training.cache import FeatureCache, statistics
from ictus.music.training.changes import Change, changes
from ictus.music.training.folder import Example
from ictus.music.training.segments import (
    FeatureAugmentation,
    SegmentBatches,
    SegmentTrainer,
    fold_standardization,
)
from ictus.music.training.targets import beat_targets, downbeat_targets
from ictus.nn import LSTM, Bidirectional, Dense, SequenceNetwork
from ictus.optim import Adam
from ictus.train import EarlyStopping, History
from ictus.train.schedules import Linear

Array = NDArray[Any]

#: Models that can be trained: offline beats, online beats, and beats with downbeats.
MODELS = ("beats", "online", "downbeats")


@dataclass
class BeatTraining:
    """Settings of a training; the defaults are those of the published architecture.

    Parameters
    ----------
    model : {"beats", "online", "downbeats"}
        "beats": bidirectional LSTM, one output (Böck & Schedl 2011); "online": one direction;
        "downbeats": bidirectional, with the classes no beat, beat, downbeat (Böck et al. 2016).
    units : tuple of int
        Units of each layer and direction.
    epochs, batch_size, learning_rate
        The learning rate of Adam falls linearly to a hundredth of its value.
    segment : int
        Frames of a segment.
    neighbours : tuple of float
        Target widening; see :func:`ictus.music.training.targets.event_targets`.
    speeds, tempi, semitones : tuple of float
        How recordings are played beside as they are, of which each epoch takes one by chance: as a
        tape would (tempo and pitch change), at another tempo alone, at another pitch alone; see
        :func:`ictus.music.training.changes.changes`.
    augment : bool
        Whether the features are changed in loudness and timbre.
    early_stopping : int, optional
        Epochs without a better validation loss after which training ends.
    validation : float
        Share of the recordings that only measure the loss.
    seed : int
    """

    model: str = "beats"
    units: tuple[int, ...] = (25, 25, 25)
    epochs: int = 50
    batch_size: int = 8
    learning_rate: float = 0.003
    segment: int = 1000
    neighbours: tuple[float, ...] = (0.5,)
    speeds: tuple[float, ...] = (1.0,)
    tempi: tuple[float, ...] = ()
    semitones: tuple[float, ...] = ()
    augment: bool = True
    early_stopping: int | None = None
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}, got {self.model!r}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must be in [0, 1), got {self.validation!r}")
        self.changes()

    def changes(self) -> tuple[Change, ...]:
        """Return how recordings are played; the first is as they are."""
        return changes(self.speeds, self.tempi, self.semitones)

    def network(self, features: int) -> SequenceNetwork:
        """Return the network, not trained yet."""
        layers: list[Any] = []
        for units in self.units:
            layer = LSTM(units, peepholes=True)
            layers.append(layer if self.model == "online" else Bidirectional(layer))
        if self.model == "downbeats":
            return SequenceNetwork(
                features, [*layers, Dense(3)], "softmax_cross_entropy", seed=self.seed
            )
        network = SequenceNetwork(
            features, [*layers, Dense(1)], "binary_cross_entropy", seed=self.seed
        )
        # Beats are rare: begin where the mean output is about their share of the frames.
        network.views(network.parameters)[-1][1][...] = -3.0
        return network

    def targets(self, events: Events, frames: int, rate: float) -> Array:
        """Return what the network should say for a recording."""
        make = downbeat_targets if self.model == "downbeats" else beat_targets
        return make(events, frames, rate, neighbours=self.neighbours)


@dataclass
class Trained:
    """A network of raw features, and how it came about."""

    network: SequenceNetwork
    history: History
    training: list[str]
    validation: list[str]


def train_beats(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: BeatTraining | None = None,
    *,
    rate: float = 100.0,
    augmentation: FeatureAugmentation | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[Any, int], Any]] = (),
    comm: Any = None,
) -> Trained:
    """Train a beat tracker on recordings with annotations.

    Parameters
    ----------
    examples : sequence of Example
        See :func:`ictus.music.training.folder.find_examples`.
    cache : FeatureCache
    settings : BeatTraining, optional
    rate : float
        Frames of the features a second.
    augmentation : FeatureAugmentation, optional
        What the features' stack is made of; used if the settings ask for it.
    checkpoint : path, optional
        Written after each epoch; if it exists, training goes on from it to the same bits.
    progress, callbacks, comm
        See :class:`ictus.train.Trainer`; the cache should have the same `comm`.

    Returns
    -------
    Trained
        The network takes features as they are extracted; their standardisation is in it.

    Raises
    ------
    ValueError
        Too few recordings, or annotations without the numbers that downbeats need.
    """
    settings = settings or BeatTraining()
    order = np.random.Generator(np.random.PCG64([settings.seed, 3])).permutation(len(examples))
    held_out = round(settings.validation * len(examples))
    if settings.validation and len(examples) >= 2:
        held_out = max(held_out, 1)
    if len(examples) - held_out < 1:
        raise ValueError(f"training needs at least one recording, got {len(examples)}")
    chosen = [examples[i] for i in np.sort(order[held_out:])]
    kept = [examples[i] for i in np.sort(order[:held_out])]
    played = settings.changes()
    features, targets = _material(chosen, cache, settings, played, rate)
    mean, deviation = statistics(features)
    validation = None
    if kept:
        x, y = _material(kept, cache, settings, played[:1], rate)
        scale = 1.0 / deviation
        validation = ([((one - mean) * scale).astype(np.float32) for one in x], y)
    network = settings.network(features[0].shape[1])
    batches = SegmentBatches(
        features,
        targets,
        length=settings.segment,
        mean=mean,
        deviation=deviation,
        recordings=np.tile(np.arange(len(chosen)), len(played)).tolist(),
        augmentation=augmentation if settings.augment else None,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    patience = settings.early_stopping
    trainer = SegmentTrainer(
        network,
        Adam(settings.learning_rate, clip_norm=5.0),
        batch_size=batches.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        learning_rate=Linear(
            settings.learning_rate, 0.01 * settings.learning_rate, float(settings.epochs)
        ),
        early_stopping=EarlyStopping(patience) if patience and validation else None,
        checkpoint=checkpoint,
        progress=progress,
        callbacks=callbacks,
        comm=comm,
    )
    trainer.resume()
    history = trainer.fit_segments(batches, validation)
    fold_standardization(network, mean, deviation)
    return Trained(network, history, [e.name for e in chosen], [e.name for e in kept])


def _material(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: BeatTraining,
    played: Sequence[Change],
    rate: float,
) -> tuple[list[Array], list[Array]]:
    """Features and targets of the recordings, as they are and changed."""
    features: list[Array] = []
    targets: list[Array] = []
    for change in played:
        loaded = cache.load([example.audio for example in examples], change)
        for example, one in zip(examples, loaded, strict=True):
            try:
                targets.append(settings.targets(change.events(example.events), len(one), rate))
            except ValueError as error:
                raise ValueError(f"{example.annotation}: {error}") from None
            features.append(one)
    return features, targets
