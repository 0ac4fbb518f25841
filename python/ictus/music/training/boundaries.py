"""Training of boundary detectors: networks that see 16 s around a frame of a spectrogram."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.music.boundaries import (
    BANDS,
    CONTEXT,
    FIRST,
    FPS,
    boundary_activations,
    network_input,
    pick_boundaries,
)
from ictus.music.training.cache import FeatureCache
from ictus.music.training.changes import Change
from ictus.music.training.folder import Example
from ictus.music.training.patches import begin_with
from ictus.music.training.recordings import Material, Schedule, Trained, material, split
from ictus.nn import Conv2D, Dense, Dropout, Flatten, MaxPool, Network
from ictus.optim import Adam
from ictus.train import History, Trainer
from ictus.train.batches import BatchOrder
from ictus.train.schedules import Linear

Array = NDArray[Any]


@dataclass
class BoundaryTraining(Schedule):
    """Settings of a training.

    The network of Ullrich, Schlüter & Grill 2014 has ``maps=(32, 64)``, ``units=128``, no
    `second_pooling` and 2.6 million weights.

    Parameters
    ----------
    lag_matrix : bool
        Whether the network sees the self-similarity lag matrix, too.
    maps : (int, int)
        Feature maps of the two convolutions.
    second_pooling : (int, int)
        Frames and places of which the maximum is kept after the second convolution.
    units : int
        Of the hidden layer behind them.
    dropout : float
        Of the inputs and of the units of that layer.
    examples : int
        Frames drawn for an epoch (a "mini-epoch" of the paper).
    smearing : float
        Frames as near to a boundary as this, in seconds, are positive, too.
    deviation : float
        Standard deviation of the Gaussian that weighs them by their distance, in seconds.
    stretches : tuple of float
        Tempi at which each recording comes once more, its spectrogram stretched: cheaper than
        `tempi`, which play the sound.
    oversampling : float
        How much likelier a positive frame is drawn than its share of the frames.
    options
        See :class:`ictus.music.training.recordings.Schedule`; the learning rate of Adam falls
        linearly to a hundredth of its value. `augment` changes nothing, since loudness and timbre
        of a recording are taken out of the network's input; there is no early stopping.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.001
    lag_matrix: bool = True
    maps: tuple[int, int] = (16, 32)
    second_pooling: tuple[int, int] = (1, 2)
    units: int = 64
    dropout: float = 0.5
    examples: int = 16_384
    smearing: float = 0.5
    deviation: float = 0.3
    oversampling: float = 3.0
    stretches: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("smearing", "deviation", "oversampling"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")

    @property
    def channels(self) -> int:
        """Pictures that the network sees."""
        return 2 if self.lag_matrix else 1

    def network(self, *, sliding: bool = True) -> Network:
        """Return the network, not trained yet.

        Parameters
        ----------
        sliding : bool
            With pooling layers of their own, as :meth:`ictus.nn.Network.slide` needs them. The same
            network without is trained faster; both have the same flat vector of parameters.
        """
        layers: list[Any] = []
        pooling = ((3, 6), self.second_pooling)
        for maps, window, pool in zip(self.maps, ((8, 6), (6, 3)), pooling, strict=True):
            if sliding:
                layers += [Conv2D(maps, window, "relu"), MaxPool(pool)]
            else:
                layers.append(Conv2D(maps, window, "relu", pool=pool))
        hidden = Dense(self.units, "sigmoid", dropout=self.dropout)
        layers += [Flatten(), Dropout(self.dropout), hidden, Dense(1)]
        shape = (CONTEXT, BANDS, self.channels)
        return Network(shape, layers, "binary_cross_entropy", seed=self.seed)


def inner_boundaries(events: Events) -> Array:
    """Return where sections begin or end, without the first and the last time, in seconds."""
    times = events.times if events.ends is None else np.concatenate([events.times, events.ends])
    return np.asarray(np.unique(np.round(times, 3))[1:-1])


def boundary_targets(
    boundaries: Array, frames: int, rate: float, smearing: float, deviation: float
) -> tuple[Array, Array]:
    """Return 1 at frames near a boundary, and the weights of all frames.

    Ullrich et al. 2014, section 3.3: what is near a boundary is positive, weighted by a Gaussian of
    the distance.

    Parameters
    ----------
    boundaries : array, shape (n,)
        Seconds.
    frames : int
    rate : float
        Frames in a second.
    smearing : float
        Seconds around a boundary that are positive.
    deviation : float
        Of the Gaussian, in seconds.

    Returns
    -------
    (array of float32, array of float32), each of shape (frames,)
    """
    place = np.arange(frames) / rate + FIRST
    boundaries = np.asarray(boundaries, np.float64)
    if not len(boundaries):
        return np.zeros(frames, np.float32), np.ones(frames, np.float32)
    distance = np.abs(place[:, None] - boundaries[None, :]).min(axis=1)
    near = distance <= smearing
    weights = np.where(near, np.exp(-0.5 * np.square(distance / deviation)), 1.0)
    return near.astype(np.float32), weights.astype(np.float32)


class DrawnPatches(BatchOrder):
    """Minibatches of patches around frames of many recordings, drawn anew in each epoch.

    Parameters
    ----------
    inputs : sequence of arrays (frames + 114, 80, channels)
        Of :func:`ictus.music.boundaries.network_input`.
    targets, weights : sequences of arrays (frames,)
    examples : int
        Frames of an epoch.
    oversampling : float
        Of the frames with a target above 0.
    batch_size, seed
        See :class:`ictus.train.batches.BatchOrder`.
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        weights: Sequence[Array],
        *,
        examples: int,
        oversampling: float,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        self.values = np.concatenate(inputs)
        first = np.cumsum([0, *(len(one) for one in inputs[:-1])])
        self.first = np.concatenate(
            [begin + np.arange(len(one)) for begin, one in zip(first, targets, strict=True)]
        )
        self.targets, self.weights = np.concatenate(targets), np.concatenate(weights)
        positive = self.targets > 0
        if not positive.any() or positive.all():
            raise ValueError("training needs recordings with boundaries between their sections")
        chance = np.where(positive, oversampling, 1.0)
        self.chance = chance / chance.sum()
        super().__init__(examples, batch_size=batch_size, shuffle=True, seed=seed)

    def take(self, frames: Array) -> tuple[Array, Array, Array]:
        """Return patches, targets and weights (mean 1) of frames, counted over all recordings."""
        windows = np.lib.stride_tricks.sliding_window_view(self.values, CONTEXT, axis=0)
        x = np.ascontiguousarray(np.moveaxis(windows[self.first[frames]], -1, 1))
        weights = self.weights[frames]
        return x, self.targets[frames, None], weights / weights.mean()

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Array, Array, Array]]:
        generator = np.random.Generator(np.random.PCG64([self.seed, number, 4]))
        drawn = generator.choice(len(self.chance), self.size, p=self.chance)
        for index in range(first, len(self)):
            yield self.take(drawn[index * self.batch_size : (index + 1) * self.batch_size])


class DrawnTrainer(Trainer):
    """A Trainer whose data are :class:`DrawnPatches`."""

    def fit_patches(self, batches: DrawnPatches) -> History:
        """Train from where training stands; return the history."""
        self.optimizer.prepare(
            self.network.parameters, self.network.weight_segments, self.network.weight_matrices
        )
        return self._run(batches, None, None)


@dataclass
class TrainedBoundaries(Trained):
    """A network, and the threshold that suits the recordings that were held out.

    Attributes
    ----------
    network, history, training, validation
        As of :class:`Trained`.
    threshold : float, optional
        None where no recording was held out.
    score : float, optional
        F-measure of their boundaries (0.5 s) with this threshold, without beginnings and ends.
    """

    threshold: float | None = None
    score: float | None = None


def best_threshold(
    activations: Sequence[Array], boundaries: Sequence[Array], tolerance: float = 0.5
) -> tuple[float, float]:
    """Return the threshold of :func:`pick_boundaries` with the best mean F around it, and its F.

    Of several as good the middle one. Beginning and end of recordings do not count.
    """
    thresholds = np.round(np.arange(0.02, 0.92, 0.02), 2)
    scores = np.array(
        [
            np.mean(
                [
                    hit_f(wanted, pick_boundaries(a, float(threshold)), tolerance)
                    for a, wanted in zip(activations, boundaries, strict=True)
                ]
            )
            for threshold in thresholds
        ]
    )
    # Few recordings make a rough curve: what lies within 0.04 counts, too.
    padded = np.pad(scores, 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 5).mean(axis=1)
    best = np.flatnonzero(around >= around.max() - 1e-9)
    chosen = best[len(best) // 2]
    return float(thresholds[chosen]), float(scores[chosen])


def hit_f(wanted: Array, found: Array, tolerance: float) -> float:
    """Return the F-measure of boundary times; 1 where there are none and none were found."""
    if not len(wanted) and not len(found):
        return 1.0
    if not len(wanted) or not len(found):
        return 0.0
    from mir_eval.util import match_events

    hits = len(match_events(np.sort(wanted), np.sort(found), tolerance))
    return 2.0 * hits / (len(wanted) + len(found))


def train_boundaries(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: BoundaryTraining | None = None,
    *,
    rate: float = FPS,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[Any, int], Any]] = (),
    comm: Any = None,
    start: Network | None = None,
) -> TrainedBoundaries:
    """Train a boundary detector on recordings with annotated sections.

    Parameters
    ----------
    examples : sequence of Example
        See :func:`ictus.music.training.folder.find_examples`, of the kind "segments".
    cache : FeatureCache
        Of pooled spectrograms: ``feature_cache(folder, "boundaries")`` of
        :mod:`ictus.music.training.material`.
    settings : BoundaryTraining, optional
    rate : float
        Frames of the features a second.
    checkpoint : path, optional
        Written after each epoch; if it exists, training goes on from it to the same bits.
    progress, callbacks, comm
        See :class:`ictus.train.Trainer`.
    start : Network, optional
        Of the same shape, to begin with instead of chance.

    Raises
    ------
    ValueError
        Too few recordings, or none with a boundary.
    """
    settings = settings or BoundaryTraining()
    chosen, kept = split(examples, settings.validation, settings.seed)

    def targets(events: Events, frames: int, rate: float) -> tuple[Array, Array]:
        boundaries = inner_boundaries(events)
        return boundary_targets(boundaries, frames, rate, settings.smearing, settings.deviation)

    made = material(chosen, cache, targets, played=settings.changes(), rate=rate)
    for tempo in settings.stretches:
        for number, example in enumerate(chosen):
            features = stretched(made.features[number], tempo)
            events = Change(tempo=tempo).events(example.events)
            positive, weights = targets(events, len(features), rate)
            made.features.append(features)
            made.targets.append(positive)
            made.weights.append(weights)
    batches = _patches(made, settings)
    network = settings.network(sliding=False)
    if start is not None:
        begin_with(network, start)
    trainer = DrawnTrainer(
        network,
        Adam(settings.learning_rate, clip_norm=5.0),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        learning_rate=Linear(
            settings.learning_rate, 0.01 * settings.learning_rate, float(settings.epochs)
        ),
        checkpoint=checkpoint,
        progress=progress,
        callbacks=callbacks,
        comm=comm,
    )
    trainer.resume()
    history = trainer.fit_patches(batches)
    sliding = settings.network()
    sliding.numbers[...] = network.numbers
    result = TrainedBoundaries(sliding, history, [e.name for e in chosen], [e.name for e in kept])
    if kept:
        spectra = cache.load([example.audio for example in kept])
        activations = [boundary_activations([sliding], np.asarray(s, np.float32)) for s in spectra]
        wanted = [inner_boundaries(example.events) for example in kept]
        result.threshold, result.score = best_threshold(activations, wanted)
    return result


def stretched(features: Array, tempo: float) -> Array:
    """Return features (frames, size) as if played at another tempo, linearly interpolated."""
    x = np.asarray(features, np.float32)
    place = np.arange(max(int(len(x) / tempo), 1)) * tempo
    first = np.minimum(place.astype(np.intp), len(x) - 1)
    share = (place - first)[:, None].astype(np.float32)
    after = x[np.minimum(first + 1, len(x) - 1)]
    return np.asarray(x[first] + share * (after - x[first]), np.float32)


def _patches(made: Material, settings: BoundaryTraining) -> DrawnPatches:
    inputs = [network_input(np.asarray(s, np.float32), settings.channels) for s in made.features]
    return DrawnPatches(
        inputs,
        made.targets,
        made.weights,
        examples=settings.examples,
        oversampling=settings.oversampling,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
