"""Spectral features of audio, as published for beats, onsets and boundaries, for files and streams.

Every set of features is one :class:`Features`: filtered short-time spectra at one or more window
sizes, on a logarithmic scale, side by side, with or without their increase over time. The signal
goes in as a whole or in pieces of any size; the numbers are the same, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ictus.kernels.spectrogram import PER_TEN, Filterbank, spectrogram
from ictus.music.filterbanks import logarithmic_filterbank, mel_filterbank

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100  # Hz
FRAMES_PER_SECOND = 100.0


@dataclass(frozen=True, eq=False)
class Resolution:
    """One short-time spectrum of a set of features.

    Parameters
    ----------
    window_size : int
        Samples in a frame (a symmetric Hann window); a power of two.
    filterbank : Filterbank
        Of ``window_size // 2`` bins.
    """

    window_size: int
    filterbank: Filterbank
    window: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", np.hanning(self.window_size).astype(np.float32))


def difference_frames(window_size: int, ratio: float, hop: float) -> int:
    """How many frames back a window has fallen to `ratio` of its height; at least 1.

    The distance at which two frames overlap so far that an onset between them shows [Böck &
    Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013, section 2].
    """
    window = np.hanning(window_size)
    first = int(np.argmax(window > ratio * window.max()))
    return max(1, round((window_size / 2 - first) / hop))


@dataclass(frozen=True, eq=False)
class Features:
    """A set of features of audio.

    Parameters
    ----------
    resolutions : sequence of Resolution
        Stacked in this order.
    sample_rate : int
        Of the signal, in Hz.
    fps : float
        Frames per second.
    scale, mul, add : float
        A filtered magnitude m becomes ``scale * log(mul * m + add)``.
    difference_ratio : float, optional
        With it, each spectrogram is followed by its increase over the frame as far back as
        :func:`difference_frames` says: ``max(0, s(t) - s(t - d))``, 0 in the first d frames.
    causal : bool
        The windows of a frame end at its time (live input); else their centres are there.
    look_ahead : int
        Samples after its time at which the windows of a causal frame end: a window that ends with
        an onset does not show it yet.

    Attributes
    ----------
    width : int
        Features of a frame.
    """

    resolutions: tuple[Resolution, ...]
    sample_rate: int = SAMPLE_RATE
    fps: float = FRAMES_PER_SECOND
    scale: float = PER_TEN
    mul: float = 1.0
    add: float = 1.0
    difference_ratio: float | None = None
    causal: bool = False
    look_ahead: int = 0

    def __post_init__(self) -> None:
        if self.look_ahead < 0 or (self.look_ahead and not self.causal):
            raise ValueError(
                f"look_ahead must be 0, or positive in causal features, got {self.look_ahead!r}"
            )

    @property
    def hop(self) -> float:
        """Samples from a frame to the next."""
        return self.sample_rate / self.fps

    @property
    def width(self) -> int:
        """Features of a frame."""
        bands = sum(resolution.filterbank.bands for resolution in self.resolutions)
        return bands if self.difference_ratio is None else 2 * bands

    @property
    def reach(self) -> int:
        """How many samples from its time on a frame needs; at least 1."""
        if self.causal:
            return 1 + self.look_ahead
        return max(r.window_size - r.window_size // 2 for r in self.resolutions)

    def frames(self, samples: int) -> int:
        """How many frames `samples` of a signal have: one for each hop that is begun."""
        return int(np.ceil(samples / self.hop))

    def __call__(self, signal: npt.ArrayLike) -> Floats:
        """Return the features of a whole signal, shape (frames, width).

        Parameters
        ----------
        signal : array, shape (samples,)
            Mono, full scale 1.

        Raises
        ------
        ValueError
            Not one-dimensional, or with samples that are not finite.
        """
        return self.stream().push(signal, last=True)

    def blocks(self, signal_blocks: Iterable[Floats]) -> Iterable[Floats]:
        """Yield the features of a signal that comes in blocks, in bounded memory."""
        stream = self.stream()
        for block in signal_blocks:
            yield stream.push(block)
        yield stream.finish()

    def stream(self) -> FeatureStream:
        """A new stream: for live input, or a file block by block."""
        return FeatureStream(self)


class FeatureStream:
    """Features of a signal that arrives in pieces; made by :meth:`Features.stream` of `features`.

    It keeps what later frames need of the signal (a window at most) and of the spectrograms.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._signal = np.empty(0, np.float32)
        self._first = 0  # the number of the first sample of _signal
        self._done = 0  # frames returned
        self._finished = False
        ratio = features.difference_ratio
        self._distance = [
            0 if ratio is None else difference_frames(r.window_size, ratio, features.hop)
            for r in features.resolutions
        ]
        # The spectrogram of the last frames; before the first, infinitely high: no increase.
        self._past = [
            np.full((d, r.filterbank.bands), np.inf, np.float32)
            for d, r in zip(self._distance, features.resolutions, strict=True)
        ]

    def push(self, signal: npt.ArrayLike, *, last: bool = False) -> Floats:
        """Take the next samples; return the features of the frames that are complete with them.

        Parameters
        ----------
        signal : array, shape (samples,)
            Any number of samples, none included.
        last : bool
            The signal ends here: return all frames that are left.

        Returns
        -------
        array, shape (frames, width)

        Raises
        ------
        ValueError
            Not one-dimensional, with samples that are not finite, or after the end.
        """
        if self._finished:
            raise ValueError("push: the stream has ended; make a new one")
        x = np.ascontiguousarray(signal, np.float32)
        if x.ndim != 1:
            raise ValueError(f"push: signal must have shape (samples,), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("push: signal must be finite")
        self._signal = np.concatenate([self._signal, x]) if len(self._signal) else x
        self._finished = last
        features = self.features
        end = self._first + len(self._signal)
        ready = features.frames(end)
        if not last:
            reach = features.reach
            ready = max(0, min(ready, int((end - reach) / features.hop) + 2))
            while ready > 0 and int((ready - 1) * features.hop) + reach > end:
                ready -= 1
        result = self._compute(self._done, max(ready, self._done))
        self._done = max(ready, self._done)
        self._forget()
        return result

    def finish(self) -> Floats:
        """The features of the frames that are left when the signal ends."""
        return self.push(np.empty(0, np.float32), last=True)

    def _starts(self, resolution: Resolution, begin: int, end: int) -> npt.NDArray[np.int64]:
        """The first sample of each frame of a resolution, in the kept part of the signal."""
        centres = (np.arange(begin, end) * self.features.hop).astype(np.int64)
        size = resolution.window_size
        before = size - 1 - self.features.look_ahead if self.features.causal else size // 2
        return centres - before - self._first

    def _compute(self, begin: int, end: int) -> Floats:
        features = self.features
        out = np.empty((end - begin, features.width), np.float32)
        column = 0
        for i, resolution in enumerate(features.resolutions):
            bands = resolution.filterbank.bands
            part = out[:, column : column + bands]
            spectrogram(
                self._signal,
                self._starts(resolution, begin, end),
                resolution.window,
                resolution.filterbank,
                scale=features.scale,
                mul=features.mul,
                add=features.add,
                out=part,
            )
            column += bands
            if distance := self._distance[i]:
                increase = out[:, column : column + bands]
                column += bands
                known = np.concatenate([self._past[i], part[: max(0, len(part) - distance)]])
                np.subtract(part, known[: len(part)], out=increase)
                np.maximum(increase, 0, out=increase)
                self._past[i] = np.concatenate([self._past[i], part])[-distance:]
        return out

    def _forget(self) -> None:
        """Drop the samples that no later frame needs."""
        size = max(r.window_size for r in self.features.resolutions)
        keep = int(self._done * self.features.hop) - size - self._first
        if keep > 0:
            self._signal = self._signal[keep:].copy()
            self._first += keep


def _stack(sizes: Iterable[int], filterbank: Callable[[int], Filterbank]) -> tuple[Resolution, ...]:
    return tuple(Resolution(size, filterbank(size)) for size in sizes)


def beat_features() -> Features:
    """The 266 features of beats [Böck & Schedl, DAFx 2011], as the reference implements them.

    Windows of 23, 46 and 93 ms at 100 frames per second, 6 bands per octave from 30 Hz to 17 kHz,
    ``log10(1 + magnitude)``, each with its increase.
    """
    resolutions = _stack(
        (1024, 2048, 4096), lambda n: logarithmic_filterbank(n, bands_per_octave=6)
    )
    return Features(resolutions, difference_ratio=0.5)


def online_beat_features() -> Features:
    """The published causal features of beats, 162 wide: a window of 46 ms, 12 bands per octave."""
    resolutions = _stack((2048,), logarithmic_filterbank)
    return Features(resolutions, difference_ratio=0.5, causal=True)


def live_beat_features() -> Features:
    """The causal features of ictus' own online beats, 300 wide.

    Windows of 23 and 46 ms, 12 bands per octave, that end 30 ms after the time of their frame, so
    that an onset at that time lies in them.
    """
    resolutions = _stack((1024, 2048), logarithmic_filterbank)
    look_ahead = round(0.03 * SAMPLE_RATE)
    return Features(resolutions, difference_ratio=0.5, causal=True, look_ahead=look_ahead)


def downbeat_features() -> Features:
    """The 314 features of joint beat and downbeat tracking [Böck, Krebs & Widmer, ISMIR 2016].

    As of beats, with 3, 6 and 12 bands per octave for windows of 23, 46 and 93 ms.
    """
    bands = {1024: 3, 2048: 6, 4096: 12}
    resolutions = _stack(bands, lambda n: logarithmic_filterbank(n, bands_per_octave=bands[n]))
    return Features(resolutions, difference_ratio=0.5)


def onset_features() -> Features:
    """Three mel spectrograms of 80 bands for onsets [Schlüter & Böck, ICASSP 2014], 240 wide.

    Windows of 23, 46 and 93 ms, 27.5 Hz to 16 kHz, natural logarithm of the magnitude.
    """
    resolutions = _stack((1024, 2048, 4096), mel_filterbank)
    return Features(resolutions, scale=1.0, add=float(np.spacing(1.0)))


def online_onset_features() -> Features:
    """The same spectra for live input: windows that end 30 ms after the time of their frame."""
    look_ahead = round(0.03 * SAMPLE_RATE)
    return replace(onset_features(), causal=True, look_ahead=look_ahead)


def recurrent_onset_features() -> Features:
    """The features of onsets for recurrent networks [Eyben, Böck, Schuller & Graves, ISMIR 2010].

    As of beats, with ``log10(1 + 5 magnitude)`` and the increase over the distance at which the
    window has fallen to a quarter of its height.
    """
    resolutions = _stack(
        (1024, 2048, 4096), lambda n: logarithmic_filterbank(n, bands_per_octave=6)
    )
    return Features(resolutions, mul=5.0, difference_ratio=0.25)


def boundary_features(sample_rate: int = SAMPLE_RATE) -> Features:
    """One mel spectrogram of 80 bands for boundaries [Ullrich, Schlüter & Grill, ISMIR 2014].

    Windows of 46 ms at `sample_rate`, half overlapping, 80 Hz to 16 kHz, natural logarithm;
    :func:`max_pool` makes the coarse frames that the network sees.
    """
    resolutions = _stack((2048,), lambda n: mel_filterbank(n, sample_rate, 80, 80.0, 16_000.0))
    return Features(
        resolutions,
        sample_rate=sample_rate,
        fps=sample_rate / 1024,
        scale=1.0,
        add=float(np.spacing(1.0)),
    )


def max_pool(features: npt.NDArray[np.floating], factor: int) -> npt.NDArray[np.floating]:
    """The maximum of every `factor` frames of `features`, shape (ceil(frames / factor), width)."""
    if factor < 1:
        raise ValueError(f"max_pool: factor must be at least 1, got {factor}")
    if len(features) == 0:
        return features
    return np.maximum.reduceat(features, np.arange(0, len(features), factor), axis=0)


class Standardization:
    """Mean and standard deviation of features over blocks and files, and their removal.

    Attributes
    ----------
    mean, deviation : array of float64, shape (width,)
        Deviation is 1 where a feature never changed.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean = np.zeros(width)
        self._squares = np.zeros(width)  # sum of squared distances from the mean

    def update(self, features: npt.NDArray[np.floating]) -> Standardization:
        """Take account of a block, shape (frames, width); the blocks' cuts do not matter.

        Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979, equation 2.1.
        """
        x = np.asarray(features, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise ValueError(
                f"update: features must have shape (frames, {len(self.mean)}), got {x.shape}"
            )
        if len(x):
            mean, total = x.mean(axis=0), self.count + len(x)
            distance = mean - self.mean
            self._squares += np.square(x - mean).sum(axis=0)
            self._squares += np.square(distance) * (self.count * len(x) / total)
            self.mean += distance * (len(x) / total)
            self.count = total
        return self

    @property
    def deviation(self) -> npt.NDArray[np.float64]:
        """The standard deviation (of the population)."""
        deviation = np.sqrt(self._squares / max(1, self.count))
        return np.where(deviation > 0, deviation, 1.0)

    def __call__(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return features with mean 0 and standard deviation 1, in their dtype."""
        return ((features - self.mean) / self.deviation).astype(features.dtype)
