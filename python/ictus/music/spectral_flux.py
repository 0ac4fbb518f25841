"""SuperFlux: onsets without training, by the increase of a spectrum whose past is widened."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ictus.music.features import Features, Resolution, difference_frames
from ictus.music.filterbanks import logarithmic_filterbank
from ictus.music.peaks import merge_events, pick_peaks

Floats = npt.NDArray[np.float64]

WINDOW, FPS, BANDS_PER_OCTAVE = 2048, 200.0, 24
# Peak picking, in seconds: maximum before and after, mean before.
MAXIMUM_BEFORE, MAXIMUM_AFTER, MEAN_BEFORE = 0.01, 0.05, 0.15
THRESHOLD = 1.1


@lru_cache(maxsize=1)
def superflux_features() -> Features:
    """The spectrum: 46 ms, 200 frames a second, quarter tones, ``log10(1 + magnitude)``."""
    filters = logarithmic_filterbank(WINDOW, bands_per_octave=BANDS_PER_OCTAVE, normalize=False)
    return Features((Resolution(WINDOW, filters),), fps=FPS)


def superflux(signal: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the onset strength of a signal, 200 frames a second.

    Each band's increase over the largest of itself and its two neighbours some frames before, so
    that vibrato is no increase; the sum over bands [Böck & Widmer, "Maximum filter vibrato
    suppression for onset detection", DAFx 2013, equations 1 to 3].

    Parameters
    ----------
    signal : array, shape (samples,)
        Mono at 44.1 kHz, full scale 1.

    Returns
    -------
    array, shape (frames,)

    Raises
    ------
    ValueError
        Not one-dimensional, or not finite.
    """
    features = superflux_features()
    spectrum = features(signal)
    distance = difference_frames(WINDOW, 0.5, features.hop)
    wide = spectrum[: max(len(spectrum) - distance, 0)].copy()
    np.maximum(wide[:, 1:], spectrum[: len(wide), :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], spectrum[: len(wide), 1:], out=wide[:, :-1])
    strength = np.zeros(len(spectrum), np.float32)
    strength[distance:] = np.maximum(spectrum[distance:] - wide, 0).sum(axis=1)
    return strength


def superflux_peaks(
    strength: npt.ArrayLike, *, threshold: float = THRESHOLD, combine: float = 0.03
) -> Floats:
    """Return the onsets that strengths of :func:`superflux` tell of, in seconds.

    Parameters
    ----------
    strength : array, shape (frames,)
    threshold : float
        Over the mean of the last 150 ms.
    combine : float
        Of onsets nearer than this, the first; seconds.
    """
    peaks = pick_peaks(
        strength,
        threshold,
        before=round(MAXIMUM_BEFORE * FPS),
        after=round(MAXIMUM_AFTER * FPS),
        mean_before=round(MEAN_BEFORE * FPS),
    )
    return merge_events(peaks / FPS, combine)


def superflux_onsets(signal: npt.ArrayLike, **options: float) -> Floats:
    """Return the onsets of a mono signal at 44.1 kHz, in seconds.

    Options are those of :func:`superflux_peaks`.

    Parameters
    ----------
    signal : array, shape (samples,)
    **options
        As of :func:`superflux_peaks`.
    """
    return superflux_peaks(superflux(signal), **options)
