"""Chroma: how much each of the twelve pitch classes sounds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ictus.music.features import SAMPLE_RATE, Features, Resolution
from ictus.music.filterbanks import (
    bin_frequencies,
    logarithmic_frequencies,
    nearest_bins,
    triangles,
)

Floats = npt.NDArray[np.float32]

WINDOW = 8192  # samples: 5.4 Hz between bins
LOWEST, HIGHEST = 110.0, 4200.0  # Hz


@lru_cache(maxsize=8)
def semitone_features(fps: float, sample_rate: int = SAMPLE_RATE) -> Features:
    """One spectrogram with a band a semitone, from B flat 2 on, on the scale log10(1 + 10 m).

    Parameters
    ----------
    fps : float
        Frames in a second.
    sample_rate : int
        Hz, of the signals to come.
    """
    frequencies = logarithmic_frequencies(12, LOWEST, HIGHEST)
    corners = nearest_bins(frequencies, bin_frequencies(WINDOW, sample_rate))
    bank = triangles(corners, normalize=True)
    return Features((Resolution(WINDOW, bank),), sample_rate=sample_rate, fps=fps, mul=10.0)


def chroma(semitones: npt.NDArray[np.floating]) -> Floats:
    """Return pitch classes of a spectrogram by semitones, shape (frames, 12).

    Parameters
    ----------
    semitones : array, shape (frames, bands)
        Of :func:`semitone_features`.

    Returns
    -------
    array, shape (frames, 12)
        Column 0 is A. Each frame has its mean taken off and the length 1; silent frames are 0.
    """
    x = np.asarray(semitones, np.float32)
    if x.ndim != 2:
        raise ValueError(f"semitones must have shape (frames, bands), got {x.shape}")
    folded = np.zeros((len(x), 12), np.float32)
    for band in range(x.shape[1]):
        folded[:, (band + 1) % 12] += x[:, band]
    folded -= folded.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(folded).sum(axis=1, keepdims=True))
    np.divide(folded, length, out=folded, where=length > 1e-6)
    folded[length[:, 0] <= 1e-6] = 0.0
    return folded
