"""Minibatches of patches of spectrograms: a few neighbouring frames, and what they surround.

Patches of neighbouring frames overlap almost wholly. So minibatches are made of short runs of
frames, and the network slides over each run: what the patches of a run share is computed once
(:func:`ictus.nn.sliding.sliding_network`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.training.cache import FeatureCache, statistics
from ictus.music.training.folder import Example
from ictus.music.training.recordings import Schedule, Trained, material, split
from ictus.nn import Network
from ictus.nn.sliding import sliding_network
from ictus.optim import SGD, Optimizer
from ictus.train import EarlyStopping, History, Trainer
from ictus.train.batches import BatchOrder
from ictus.train.schedules import Exponential, Ramp

Array = NDArray[Any]
Batch = tuple[Array, Array, Array]
#: Changes runs of raw features (runs, frames, features) by a generator.
RunAugmentation = Callable[[Array, np.random.Generator], Array]

#: Frames of a run where a loss is only measured.
LONG_RUN = 64


def spectrogram_axes(features: Array, channels: int) -> Array:
    """Return features (..., channels * bands), spectra side by side, as (..., bands, channels)."""
    shape = (*features.shape[:-1], channels, features.shape[-1] // channels)
    return np.moveaxis(features.reshape(shape), -2, -1)


class PatchBatches(BatchOrder):
    """Minibatches of runs of frames: each epoch takes every frame once.

    Of a recording that is there in several versions (played at other tempi, say), each epoch takes
    one by chance.

    Parameters
    ----------
    features : sequence of arrays (frames, channels * bands)
        Raw, of recordings; they may be mapped files. Frames before the first and after the last
        are as these.
    targets : sequence of arrays (frames, outputs)
    weights : sequence of arrays (frames,)
        Of the frames in the loss.
    before, after : int
        Frames of a patch before and after the one it is about.
    channels : int
        Spectra side by side in the features.
    run : int
        Frames of a run. The first run of a recording begins up to a run early, by chance.
    recordings : sequence of int, optional
        Which recording each of the features is a version of; by default all are different ones.
    augmentation : callable, optional
        ``augmentation(runs, generator)`` changes raw features.
    batch_size : int
        Patches of a minibatch; ``batch_size // run`` runs.
    shuffle, seed
        See :class:`ictus.train.batches.BatchOrder`.
    """

    def __init__(
        self,
        features: Sequence[Array],
        targets: Sequence[Array],
        weights: Sequence[Array],
        *,
        before: int,
        after: int,
        channels: int = 1,
        run: int = 8,
        recordings: Sequence[int] | None = None,
        augmentation: RunAugmentation | None = None,
        batch_size: int = 256,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        if run < 1 or batch_size < run:
            raise ValueError(f"run must be from 1 to the batch size {batch_size}, got {run!r}")
        for name, given in (("targets", targets), ("weights", weights)):
            lengths = [len(one) for one in given]
            if lengths != [len(one) for one in features]:
                raise ValueError(f"{name} must have as many frames as the features of each")
        self.features, self.targets, self.weights = features, targets, weights
        self.before, self.after, self.channels, self.run = before, after, channels, int(run)
        self.augmentation = augmentation
        groups = np.arange(len(features)) if recordings is None else np.asarray(recordings)
        # The numbers of the versions of each recording; runs enough for the longest.
        self.versions = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        longest = [max(len(features[int(i)]) for i in own) for own in self.versions]
        counts = [-(-frames // self.run) + bool(shuffle) for frames in longest]
        self.recording = np.repeat(np.arange(len(counts)), counts)
        self.part = np.concatenate([np.arange(count) for count in counts])
        super().__init__(
            len(self.recording), batch_size=batch_size // self.run, shuffle=shuffle, seed=seed
        )

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the minibatches of an epoch; their content depends on seed and epoch alone."""
        generator = np.random.Generator(np.random.PCG64([self.seed, number, 1]))
        early = np.zeros(len(self.versions), np.intp)
        if self.shuffle:
            early = generator.integers(0, self.run, len(early))
        version = np.array([own[generator.integers(len(own))] for own in self.versions])
        for index, rows in enumerate(self.rows(number, first), first):
            chosen = np.arange(self.size)[rows]
            recordings = self.recording[chosen]
            begins = self.part[chosen] * self.run - early[recordings]
            recordings = version[recordings]
            x = self._frames(recordings, begins)
            if self.augmentation is not None:
                own = np.random.Generator(np.random.PCG64([self.seed, number, 2, index]))
                x = self.augmentation(x, own)
            y, weights = self._wanted(recordings, begins)
            yield np.ascontiguousarray(spectrogram_axes(x, self.channels)), y, weights

    def _frames(self, recordings: Array, begins: Array) -> Array:
        span = np.arange(-self.before, self.run + self.after)
        width = self.features[0].shape[1]
        x = np.empty((len(recordings), len(span), width), np.float32)
        for row, recording, begin in zip(x, recordings, begins, strict=True):
            whole = self.features[recording]
            first, last = begin - self.before, begin + self.run + self.after
            if first >= 0 and last <= len(whole):
                row[...] = whole[first:last]
            else:
                row[...] = whole[np.clip(begin + span, 0, len(whole) - 1)]
        return x

    def _wanted(self, recordings: Array, begins: Array) -> tuple[Array, Array]:
        """Targets and weights; frames outside the recording have none."""
        outputs = self.targets[0].shape[1]
        y = np.zeros((len(recordings), self.run, 1, outputs), np.float32)
        weights = np.zeros((len(recordings), self.run, 1), np.float32)
        for row, (recording, begin) in enumerate(zip(recordings, begins, strict=True)):
            first, last = max(begin, 0), min(begin + self.run, len(self.targets[recording]))
            if first < last:
                y[row, first - begin : last - begin, 0] = self.targets[recording][first:last]
                weights[row, first - begin : last - begin, 0] = self.weights[recording][first:last]
        return y, weights


class PatchTrainer(Trainer):
    """Trains a network of patches on :class:`PatchBatches`.

    Parameters
    ----------
    network : Network
        Of patches (frames, bands, channels). It slides over the runs; when training ends it has
        the parameters.
    optimizer : Optimizer, optional
    options
        As of :class:`ictus.train.Trainer`.

    Attributes
    ----------
    patches : Network
        The network that was given.
    """

    def __init__(
        self, network: Network, optimizer: Optimizer | None = None, **options: Any
    ) -> None:
        super().__init__(sliding_network(network, [0], training=True), optimizer, **options)
        self.patches = network

    def fit_patches(self, batches: PatchBatches, held_out: PatchBatches | None = None) -> History:
        """Train on the batches from where training stands; return the history.

        Parameters
        ----------
        batches : PatchBatches
            With this trainer's seed.
        held_out : PatchBatches, optional
            In order, to measure the loss on.
        """
        self.batch_size = batches.batch_size
        self.optimizer.prepare(
            self.network.parameters, self.network.weight_segments, self.network.weight_matrices
        )
        try:
            return self._run(batches, held_out, None)
        finally:
            self.patches.numbers[...] = self.network.numbers

    def _step(self, batch: Any) -> float:
        x, y, weights = batch
        # The mean over frames, as if each patch were an example.
        return super()._step((x, y, weights / np.float32(weights.shape[1])))

    def _measure(self, loss: float, held_out: Any) -> dict[str, float]:
        measured = {"loss": loss}
        if held_out is None:
            return measured
        total = weight = 0.0
        for x, y, weights in held_out.epoch(0):
            share = float(weights.sum())
            total += self.network.loss(x, y, weights) * share
            weight += share
        measured["validation_loss"] = total / max(weight, 1e-12)
        return measured


@dataclass
class PatchTraining(Schedule):
    """Settings of a network that is trained on patches, by gradient descent with momentum.

    The defaults are those of Schlüter & Böck 2014, section 3.3.

    Parameters
    ----------
    decay : float
        Factor of the learning rate from epoch to epoch.
    momentum : (float, float)
    momentum_epochs : (float, float)
        Momentum has its first value until the one epoch, and its second from the other on.
    run : int
        Neighbouring frames that a minibatch takes together.
    options
        See :class:`ictus.music.training.recordings.Schedule`.
    """

    epochs: int = 100
    batch_size: int = 256
    learning_rate: float = 0.05
    decay: float = 0.995
    momentum: tuple[float, float] = (0.45, 0.9)
    momentum_epochs: tuple[float, float] = (10.0, 20.0)
    run: int = 8

    @property
    def surroundings(self) -> tuple[int, int]:
        """Frames of a patch before and after the one it is about."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """Spectra side by side in the features."""
        raise NotImplementedError

    def network(self, features: int) -> Network:
        """Return the network of patches, not trained yet; its first layer is Standardize."""
        raise NotImplementedError

    def targets(self, events: Any, frames: int, rate: float) -> tuple[Array, Array | None]:
        """Return targets (frames, outputs) and weights (frames,) of a recording."""
        raise NotImplementedError


def train_patches(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: PatchTraining,
    *,
    rate: float = 100.0,
    augmentation: RunAugmentation | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[Any, int], Any]] = (),
    comm: Any = None,
    start: Network | None = None,
) -> Trained:
    """Train a network on patches of annotated recordings.

    Parameters
    ----------
    examples : sequence of Example
        See :func:`ictus.music.training.folder.find_examples`.
    cache : FeatureCache
    settings : PatchTraining
    rate : float
        Frames of the features a second.
    augmentation : callable, optional
        ``augmentation(runs, generator)`` changes raw features; used if the settings ask for it.
    checkpoint : path, optional
        Written after each epoch; if it exists, training goes on from it to the same bits.
    progress, callbacks, comm
        See :class:`ictus.train.Trainer`; the cache should have the same `comm`.
    start : Network, optional
        Of the same shape, to begin with instead of chance; its standardisation stays.

    Returns
    -------
    Trained
        The network takes patches (frames, bands, channels) of features as they are extracted; run
        it over whole recordings by :meth:`ictus.nn.Network.slide`.

    Raises
    ------
    ValueError
        Too few recordings, or annotations that do not fit the model.
    """
    chosen, kept = split(examples, settings.validation, settings.seed)
    made = material(chosen, cache, settings.targets, played=settings.changes(), rate=rate)
    before, after = settings.surroundings
    shape: dict[str, Any] = {"before": before, "after": after, "channels": settings.channels}
    batches = PatchBatches(
        made.features,
        made.targets,
        made.weights,
        **shape,
        run=settings.run,
        recordings=made.recordings,
        augmentation=augmentation if settings.augment else None,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    held_out = None
    if kept:
        other = material(kept, cache, settings.targets, rate=rate)
        held_out = PatchBatches(
            other.features,
            other.targets,
            other.weights,
            **shape,
            run=LONG_RUN,
            batch_size=16 * LONG_RUN,
            shuffle=False,
        )
    network = settings.network(made.features[0].shape[1])
    if start is None:
        standardize(network, *statistics(made.features), settings.channels)
    else:
        begin_with(network, start)
    patience = settings.early_stopping
    trainer = PatchTrainer(
        network,
        SGD(settings.learning_rate, settings.momentum[0]),
        epochs=settings.epochs,
        seed=settings.seed,
        learning_rate=Exponential(settings.learning_rate, settings.decay),
        momentum=Ramp(*settings.momentum, *settings.momentum_epochs),
        early_stopping=EarlyStopping(patience) if patience and held_out else None,
        checkpoint=checkpoint,
        progress=progress,
        callbacks=callbacks,
        batch_size=batches.batch_size,
        comm=comm,
    )
    trainer.resume()
    history = trainer.fit_patches(batches, held_out)
    return Trained(network, history, [e.name for e in chosen], [e.name for e in kept])


def begin_with(network: Network, start: Network) -> None:
    """Give a network all numbers of another one.

    Raises
    ------
    ValueError
        It has not as many.
    """
    if network.numbers.shape != start.numbers.shape:
        raise ValueError(
            f"start must have the {network.numbers.size} numbers of the settings' network, got "
            f"{start.numbers.size}"
        )
    network.numbers[...] = start.numbers


def standardize(network: Network, mean: Array, deviation: Array, channels: int) -> None:
    """Fill the first layer of a network, a Standardize, with what was measured of features."""
    first_mean, scale = network.layer_views[0]
    first_mean[...] = spectrogram_axes(mean, channels)
    scale[...] = spectrogram_axes(1.0 / deviation, channels)
