"""Triangular filters on a logarithmic or a mel scale of frequency."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ictus.kernels.spectrogram import Filterbank

Floats = npt.NDArray[np.float64]

TUNING = 440.0  # Hz
MEL_FACTOR, MEL_CORNER = 1127.01048, 700.0  # mel = factor * log(1 + f / corner)


def bin_frequencies(size: int, sample_rate: float) -> Floats:
    """Frequencies in Hz of the bins below half the sample rate, shape (size / 2,)."""
    # In this order of operations, on which halves between two bins depend.
    return np.asarray(np.fft.fftfreq(size, 1.0 / sample_rate)[: size // 2], np.float64)


def logarithmic_frequencies(
    bands_per_octave: int, lowest: float, highest: float, tuning: float = TUNING
) -> Floats:
    """All frequencies ``tuning * 2 ** (n / bands_per_octave)`` in [lowest, highest], in Hz."""
    first = np.floor(np.log2(lowest / tuning) * bands_per_octave)
    last = np.ceil(np.log2(highest / tuning) * bands_per_octave)
    frequencies = tuning * 2.0 ** (np.arange(first, last) / bands_per_octave)
    return frequencies[(frequencies >= lowest) & (frequencies <= highest)]


def mel_frequencies(number: int, lowest: float, highest: float) -> Floats:
    """`number` frequencies in Hz, equally spaced in mel, from lowest to highest."""
    low, high = (MEL_FACTOR * float(np.log(f / MEL_CORNER + 1.0)) for f in (lowest, highest))
    mel = np.linspace(low, high, number)
    return np.asarray(MEL_CORNER * (np.exp(mel / MEL_FACTOR) - 1.0), np.float64)


def nearest_bins(frequencies: Floats, bins: Floats) -> npt.NDArray[np.intp]:
    """The bin with the frequency nearest to each; halfway between two, the upper one."""
    above = np.clip(bins.searchsorted(frequencies), 1, len(bins) - 1)
    return above - (frequencies - bins[above - 1] < bins[above] - frequencies)


def triangles(corners: npt.NDArray[np.intp], normalize: bool = True) -> Filterbank:
    """One triangle over every three neighbours among `corners`, its top on the middle one.

    Parameters
    ----------
    corners : array of int, shape (bands + 2,)
        Bins, not descending. A triangle narrower than two bins is the one bin where it begins.
    normalize : bool
        Divide each filter by its sum.

    Raises
    ------
    ValueError
        Fewer than three corners.
    """
    if len(corners) < 3:
        raise ValueError(f"triangles: a filter needs three bins, got {len(corners)}")
    first, weights = [], []
    for start, centre, stop in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        if stop - start < 2:
            centre, stop = start, start + 1
        rising = np.linspace(0, 1, centre - start, endpoint=False)
        falling = np.linspace(1, 0, stop - centre, endpoint=False)
        w = np.concatenate([rising, falling])
        first.append(start)
        weights.append(w / np.sum(w) if normalize else w)
    offsets = np.concatenate([[0], np.cumsum([len(w) for w in weights])])
    return Filterbank(
        np.array(first, np.int32),
        offsets.astype(np.int32),
        np.concatenate(weights).astype(np.float32),
    )


def _check(function: str, size: int, sample_rate: float, lowest: float, highest: float) -> None:
    if not (0 < lowest < highest):
        raise ValueError(
            f"{function}: expected 0 < lowest < highest, got {lowest} and {highest} Hz"
        )
    if not sample_rate > 0 or size < 4:
        raise ValueError(f"{function}: got size {size} and sample rate {sample_rate} Hz")


@lru_cache(maxsize=64)
def logarithmic_filterbank(
    size: int,
    sample_rate: float = 44_100,
    bands_per_octave: int = 12,
    lowest: float = 30.0,
    highest: float = 17_000.0,
    *,
    normalize: bool = True,
    unique: bool = True,
) -> Filterbank:
    """Triangular filters with centres spaced logarithmically [Böck & Schedl, DAFx 2011].

    Parameters
    ----------
    size : int
        Of the Fourier transform.
    sample_rate : float
        In Hz.
    bands_per_octave : int
    lowest, highest : float
        In Hz.
    normalize : bool
        Every filter has the sum 1.
    unique : bool
        Where several frequencies fall on one bin (in the bass), keep one of them.
    """
    _check("logarithmic_filterbank", size, sample_rate, lowest, highest)
    frequencies = logarithmic_frequencies(bands_per_octave, lowest, highest)
    corners = nearest_bins(frequencies, bin_frequencies(size, sample_rate))
    return triangles(np.unique(corners) if unique else corners, normalize)


@lru_cache(maxsize=64)
def mel_filterbank(
    size: int,
    sample_rate: float = 44_100,
    bands: int = 80,
    lowest: float = 27.5,
    highest: float = 16_000.0,
    *,
    normalize: bool = True,
    unique: bool = False,
) -> Filterbank:
    """Triangular filters equally spaced in mel [Schlüter & Böck, ICASSP 2014].

    Arguments as of :func:`logarithmic_filterbank`; there are `bands` filters, or fewer with
    `unique`.
    """
    _check("mel_filterbank", size, sample_rate, lowest, highest)
    frequencies = mel_frequencies(bands + 2, lowest, highest)
    corners = nearest_bins(frequencies, bin_frequencies(size, sample_rate))
    return triangles(np.unique(corners) if unique else corners, normalize)
