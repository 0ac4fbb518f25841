"""Loudness, timbre and noise of training material, changed on its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


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
    shift : float
        Standard deviation of a shift along the bands, as a share of all of them: everything sounds
        higher or lower, with other timbres.
    """

    bands: tuple[int, ...]
    lags: tuple[int, ...]
    gain: float = 6.0
    tilt: float = 4.0
    chance: float = 0.6
    noise: float = 0.0
    shift: float = 0.0

    def apply(self, frames: Array, generator: np.random.Generator) -> Array:
        """Return a changed copy of the frames, or the frames themselves."""
        if generator.random() >= self.chance:
            return frames
        points = generator.normal(0.0, self.tilt, 6) + generator.normal(0.0, self.gain)
        noisy = self.noise > 0 and generator.random() < self.noise
        level = 10.0 ** (generator.uniform(-60.0, -25.0) / 20.0) if noisy else 0.0
        shift = float(np.clip(generator.normal(0.0, self.shift), -0.1, 0.1)) if self.shift else 0.0
        changed = np.empty_like(frames)
        column = 0
        for size, lag in zip(self.bands, self.lags, strict=True):
            decibels = np.interp(np.linspace(0, 5, size), np.arange(6), points)
            factor = (10.0 ** (decibels / 20.0)).astype(np.float32)
            magnitude = np.expm1(frames[:, column : column + size] * np.float32(np.log(10.0)))
            magnitude *= factor
            if shift:
                magnitude = shifted(magnitude, shift * size)
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


def shifted(values: Array, bands: float) -> Array:
    """Return values (frames, bands) moved to higher bands, between two by interpolation.

    What comes in at the border is the outermost band.
    """
    place = np.clip(np.arange(values.shape[1]) - bands, 0, values.shape[1] - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, values.shape[1] - 1)
    part = (place - below).astype(values.dtype)
    return np.asarray(values[:, below] * (1 - part) + values[:, above] * part)


@dataclass(frozen=True)
class LogarithmicAugmentation:
    """Changes of loudness, timbre and noise, made on runs of frames of logarithmic spectra.

    The features must be spectra ``log(x)`` side by side, as those of onsets and boundaries: a gain
    is a number that is added, in which a run and its three spectra agree.

    Parameters
    ----------
    spectra : int
        Side by side, each of as many bands.
    gain : float
        Standard deviation of the gain of a run, in decibels.
    tilt : float
        Standard deviation of the gain at each of six points over the bands, between which it is
        interpolated, in decibels.
    chance : float
        Share of the runs that are changed.
    noise : float
        Share of the changed runs that get noise, 25 to 70 dB below the loudest band.
    """

    spectra: int
    gain: float = 8.0
    tilt: float = 4.0
    chance: float = 0.6
    noise: float = 0.0

    def __call__(self, runs: Array, generator: np.random.Generator) -> Array:
        """Change runs (runs, frames, features) in place, and return them."""
        chosen = np.flatnonzero(generator.random(len(runs)) < self.chance)
        bands = runs.shape[2] // self.spectra
        place = np.linspace(0, 5, bands)
        left = np.minimum(place.astype(int), 4)
        points = generator.normal(0.0, self.tilt, (len(chosen), 6))
        points += generator.normal(0.0, self.gain, (len(chosen), 1))
        decibels = points[:, left] + (place - left) * (points[:, left + 1] - points[:, left])
        factor = (decibels * (np.log(10.0) / 20.0)).astype(np.float32)
        runs[chosen] += np.tile(factor, self.spectra)[:, None, :]
        noisy = chosen[generator.random(len(chosen)) < self.noise]
        if len(noisy):
            part = runs[noisy]
            level = generator.uniform(-70.0, -25.0, (len(noisy), 1, 1)) * (np.log(10.0) / 20.0)
            floor = part.max(axis=(1, 2), keepdims=True) + level
            # The magnitude of a bin of noise has Rayleigh's distribution; powers add.
            drawn = generator.standard_exponential(part.shape, np.float32)
            power = 2.0 * floor + np.log(np.maximum(drawn, 1e-12))
            runs[noisy] = 0.5 * np.logaddexp(2.0 * part, power.astype(np.float32))
        return runs
