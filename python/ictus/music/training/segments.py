"""Minibatches of segments cut from long recordings at places that change from epoch to epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.training.augmentation import FeatureAugmentation
from ictus.music.training.cache import FeatureCache, statistics
from ictus.music.training.folder import Example
from ictus.music.training.recordings import Schedule, Trained, material, split
from ictus.nn import SequenceBatch, SequenceNetwork
from ictus.nn.sequences import join
from ictus.optim import Adam
from ictus.train import EarlyStopping, SequenceTrainer
from ictus.train.batches import BatchOrder
from ictus.train.schedules import Linear

Array = NDArray[Any]
Batch = tuple[SequenceBatch, Array, Array | None]


class SegmentBatches(BatchOrder):
    """Minibatches of segments: each epoch covers every recording once, from a random first frame.

    Of a recording that is there in several versions (played at other tempi, say), each epoch takes
    one by chance.

    Parameters
    ----------
    features : sequence of arrays (frames, size)
        They may be mapped files; only the segments of a minibatch are read.
    targets : sequence of arrays (frames, outputs)
    length : int
        Frames of a segment; shorter recordings are segments as they are.
    mean, deviation : arrays, shape (size,)
        What standardises the features.
    recordings : sequence of int, optional
        Which recording each of the features is a version of; by default all are different ones.
    augmentation : FeatureAugmentation, optional
    batch_size, seed
        See :class:`ictus.train.batches.BatchOrder`.
    """

    def __init__(
        self,
        features: Sequence[Array],
        targets: Sequence[Array],
        *,
        length: int,
        mean: Array,
        deviation: Array,
        recordings: Sequence[int] | None = None,
        augmentation: FeatureAugmentation | None = None,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be positive, got {length!r}")
        self.features, self.targets, self.length = features, targets, int(length)
        self.mean = np.asarray(mean, np.float32)
        self.scale = (1.0 / np.asarray(deviation)).astype(np.float32)
        self.augmentation = augmentation
        groups = np.arange(len(features)) if recordings is None else np.asarray(recordings)
        # The numbers of the versions of each recording.
        self.versions = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        counts = [max(len(features[own[0]]) // self.length, 1) for own in self.versions]
        # Which recording, and which segment of it.
        self.recording = np.repeat(np.arange(len(counts)), counts)
        self.part = np.concatenate([np.arange(count) for count in counts])
        self.counts = np.asarray(counts)
        super().__init__(len(self.recording), batch_size=batch_size, shuffle=True, seed=seed)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the minibatches of an epoch; their content depends on seed and epoch alone."""
        generator = np.random.Generator(np.random.PCG64([self.seed, number, 1]))
        chosen = [int(own[generator.integers(len(own))]) for own in self.versions]
        place = generator.random(len(chosen))
        for index, rows in enumerate(self.rows(number, first), first):
            own = np.random.Generator(np.random.PCG64([self.seed, number, 2, index]))
            frames, wanted = [], []
            for segment in range(self.size)[rows] if isinstance(rows, slice) else rows:
                recording = self.recording[segment]
                version = chosen[recording]
                whole = self.features[version]
                begin = self._begin(len(whole), recording, self.part[segment], place[recording])
                end = min(begin + self.length, len(whole))
                values = np.asarray(whole[begin:end], np.float32)
                if self.augmentation is not None:
                    values = self.augmentation.apply(values, own)
                frames.append((values - self.mean) * self.scale)
                wanted.append(np.asarray(self.targets[version][begin:end], np.float32))
            yield join(frames), np.concatenate(wanted), None

    def _begin(self, frames: int, recording: int, part: int, place: float) -> int:
        """The first frame of a segment: the segments of a version are evenly spaced over it."""
        stride = frames / self.counts[recording]
        free = max(stride - self.length, 0.0)
        return int(max(min(part * stride + place * (free + 1), frames - self.length), 0))


class SegmentTrainer(SequenceTrainer):
    """A SequenceTrainer whose data are :class:`SegmentBatches`; see there for the parameters."""

    def fit_segments(self, batches: SegmentBatches, validation: Any = None) -> Any:
        """Train on the batches from where training stands; return the history.

        Parameters
        ----------
        batches : SegmentBatches
            With this trainer's batch size and seed.
        validation : (x, y), optional
            Whole sequences, standardised.
        """
        held_out = None
        if validation is not None:
            held_out = self._checked(validation[0], validation[1], "validation ")
        self.optimizer.prepare(
            self.network.parameters, self.network.weight_segments, self.network.weight_matrices
        )
        return self._run(batches, held_out, None)


def fold_standardization(network: SequenceNetwork, mean: Array, deviation: Array) -> None:
    """Change a network of standardised features into the same function of the raw ones."""
    weights, bias = _first_layer(network)
    scaled = np.asarray(weights, np.float64) / np.asarray(deviation)[:, None]
    bias -= (np.asarray(mean) @ scaled).reshape(bias.shape).astype(bias.dtype)
    weights[...] = scaled


def unfold_standardization(network: SequenceNetwork, mean: Array, deviation: Array) -> None:
    """Change a network of raw features into the same function of standardised ones."""
    weights, bias = _first_layer(network)
    raw = np.asarray(weights, np.float64)
    bias += (np.asarray(mean) @ raw).reshape(bias.shape).astype(bias.dtype)
    weights[...] = raw * np.asarray(deviation)[:, None]


def _first_layer(network: SequenceNetwork) -> tuple[Array, Array]:
    """Input weights, shape (features, columns), and bias of the first layer."""
    views = network.views(network.parameters)[0]
    weights = views[0].reshape(network.input_size, -1)
    bias = views[2] if hasattr(network.layers[0], "gates") else views[1]
    return weights, bias


@dataclass
class SegmentTraining(Schedule):
    """Settings of a recurrent network that is trained on segments.

    The learning rate of Adam falls linearly to a hundredth of its value.

    Parameters
    ----------
    segment : int
        Frames of a segment.
    options
        See :class:`ictus.music.training.recordings.Schedule`.
    """

    segment: int = 1000

    def network(self, features: int) -> SequenceNetwork:
        """Return the network, not trained yet."""
        raise NotImplementedError

    def targets(self, events: Any, frames: int, rate: float) -> tuple[Array, Array | None]:
        """Return what the network should say for a recording; weights do not count here."""
        raise NotImplementedError


def train_segments(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: SegmentTraining,
    *,
    rate: float = 100.0,
    augmentation: FeatureAugmentation | None = None,
    start: SequenceNetwork | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[Any, int], Any]] = (),
    comm: Any = None,
) -> Trained:
    """Train a recurrent network on segments of annotated recordings.

    Parameters
    ----------
    examples : sequence of Example
        See :func:`ictus.music.training.folder.find_examples`.
    cache : FeatureCache
    settings : SegmentTraining
    rate : float
        Frames of the features a second.
    augmentation : FeatureAugmentation, optional
        What the features' stack is made of; used if the settings ask for it.
    start : SequenceNetwork, optional
        A network of raw features, as this function returns them: training begins with a copy of its
        parameters instead of random ones.
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
        Too few recordings, annotations that do not fit the model, or a `start` of another
        architecture.
    """
    chosen, kept = split(examples, settings.validation, settings.seed)
    made = material(chosen, cache, settings.targets, played=settings.changes(), rate=rate)
    mean, deviation = statistics(made.features)
    validation = None
    if kept:
        held_out = material(kept, cache, settings.targets, rate=rate)
        scale = 1.0 / deviation
        x = [((one - mean) * scale).astype(np.float32) for one in held_out.features]
        validation = (x, held_out.targets)
    network = settings.network(made.features[0].shape[1])
    if start is not None:
        if start.config() | {"seed": network.seed} != network.config():
            raise ValueError("start must have the layers of the network that is trained")
        network.parameters[...] = start.parameters
        unfold_standardization(network, mean, deviation)
    batches = SegmentBatches(
        made.features,
        made.targets,
        length=settings.segment,
        mean=mean,
        deviation=deviation,
        recordings=made.recordings,
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
