"""Minibatches of segments cut from long recordings at places that change from epoch to epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.nn import SequenceBatch, SequenceNetwork
from ictus.nn.sequences import join
from ictus.train import SequenceTrainer
from ictus.train.batches import BatchOrder

Array = NDArray[Any]
Batch = tuple[SequenceBatch, Array, Array | None]


@dataclass(frozen=True)
class FeatureAugmentation:
    """Changes of loudness and timbre, made on the features of each segment.

    The features must be stacks of logarithmic spectra ``log10(1 + x)``, each followed by its
    positive difference, as the beat features are. A gain then is exact: ``log10(1 + g x)``.

    Parameters
    ----------
    bands : tuple of int
        Bands of each spectrum in the stack.
    lags : tuple of int
        Frames between the frames of each difference.
    gain : float
        Standard deviation of the gain of a whole segment, in decibels.
    tilt : float
        Standard deviation of the gain at each of six points over the bands, between which it is
        interpolated, in decibels.
    chance : float
        Share of the segments that are changed.
    noise : float
        Share of the changed segments that get white noise, 25 to 60 dB below the mean magnitude.
        Its phase is at random beside that of the sound, so powers add.
    """

    bands: tuple[int, ...]
    lags: tuple[int, ...]
    gain: float = 6.0
    tilt: float = 4.0
    chance: float = 0.6
    noise: float = 0.0

    def apply(self, frames: Array, generator: np.random.Generator) -> Array:
        """Return a changed copy of the frames, or the frames themselves."""
        if generator.random() >= self.chance:
            return frames
        points = generator.normal(0.0, self.tilt, 6) + generator.normal(0.0, self.gain)
        noisy = self.noise > 0 and generator.random() < self.noise
        level = 10.0 ** (generator.uniform(-60.0, -25.0) / 20.0) if noisy else 0.0
        changed = np.empty_like(frames)
        column = 0
        for size, lag in zip(self.bands, self.lags, strict=True):
            decibels = np.interp(np.linspace(0, 5, size), np.arange(6), points)
            factor = (10.0 ** (decibels / 20.0)).astype(np.float32)
            magnitude = np.expm1(frames[:, column : column + size] * np.float32(np.log(10.0)))
            magnitude *= factor
            if noisy:
                # The magnitude of one bin of noise has Rayleigh's distribution.
                floor = generator.rayleigh(level * float(magnitude.mean()), magnitude.shape)
                magnitude = np.hypot(magnitude, floor.astype(np.float32))
            spectrum = np.log1p(magnitude) * np.float32(1.0 / np.log(10.0))
            changed[:, column : column + size] = spectrum
            difference = changed[:, column + size : column + 2 * size]
            difference[:lag] = frames[:lag, column + size : column + 2 * size]
            np.maximum(spectrum[lag:] - spectrum[:-lag], 0.0, out=difference[lag:])
            column += 2 * size
        return changed


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
    """A SequenceTrainer whose data are :class:`SegmentBatches`."""

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


def _first_layer(network: SequenceNetwork) -> tuple[Array, Array]:
    """Input weights, shape (features, columns), and bias of the first layer."""
    views = network.views(network.parameters)[0]
    weights = views[0].reshape(network.input_size, -1)
    bias = views[2] if hasattr(network.layers[0], "gates") else views[1]
    return weights, bias
