"""Boundaries between the sections of a recording, by a convolutional network.

[Ullrich, Schlüter & Grill, "Boundary detection in music structure analysis using convolutional
neural networks", ISMIR 2014]: a mel spectrogram, pooled to 7.2 frames a second; the network sees 16
s around a frame and says how likely a boundary is there. The self-similarity lag matrix as further
input is that of Grill & Schlüter, "Music boundary detection using neural networks on combined
features and two-level annotations", ISMIR 2015, here as a second channel of the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ictus.music.features import SAMPLE_RATE, boundary_features, max_pool
from ictus.music.peaks import pick_peaks

if TYPE_CHECKING:
    from ictus.nn import Network

Floats = npt.NDArray[np.float32]

HOP = 1024  # samples
POOLING = 6  # frames
FPS = SAMPLE_RATE / (HOP * POOLING)
#: The middle of the first pooled frame, in seconds.
FIRST = 0.5 * (POOLING - 1) * HOP / SAMPLE_RATE
CONTEXT, BANDS = 115, 80
#: Inputs that networks may have: the spectrogram, or beside it the lag matrix.
SHAPES = ((CONTEXT, BANDS, 1), (CONTEXT, BANDS, 2))
# How far below its loudest place a recording is cut off: there lies the noise before and after it.
RANGE = 9.0  # of the natural logarithm, 78 dB
SMALLEST_DEVIATION = 0.5
SILENT = -20.0  # a recording without any louder place is silent
LAG_STEP = 2
COEFFICIENTS = 20
#: Seconds on both sides among which a boundary is the highest.
NEIGHBOURHOOD = 6.0
#: Seconds before and after a boundary whose mean is taken off its activation.
BEFORE, AFTER = 12.0, 6.0
#: Frames of the Hamming window that smooths activations first: networks are sure of a boundary for
#: about a second, and its middle is nearer to the boundary than its highest frame.
SMOOTHING = 7


def pooled_spectrogram(blocks: Iterable[Floats]) -> Floats:
    """Return the mel spectrogram of a mono signal that comes in blocks, shape (frames, 80).

    The signal has 44.1 kHz; a frame is the maximum of six (139 ms). The memory taken is bounded,
    except for the result.
    """
    made, rest = [], np.empty((0, BANDS), np.float32)
    for block in boundary_features().blocks(blocks):
        joined = np.concatenate([rest, block])
        whole = len(joined) // POOLING * POOLING
        made.append(max_pool(joined[:whole], POOLING))
        rest = joined[whole:]
    return np.concatenate([*made, max_pool(rest, POOLING)]).astype(np.float32, copy=False)


@lru_cache(maxsize=1)
def _pink_noise() -> Floats:
    """The pooled spectrogram of pink noise, its mean 0, shape (frames, 80)."""
    count = (CONTEXT // 2 + 4) * POOLING * HOP
    spectrum = np.fft.rfft(np.random.Generator(np.random.PCG64(0)).standard_normal(count))
    frequency = np.fft.rfftfreq(count)
    spectrum[1:] /= np.sqrt(frequency[1:])
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum)
    noise /= np.sqrt(np.square(noise).mean())
    pooled = pooled_spectrogram([noise.astype(np.float32)])[2 : 2 + CONTEXT // 2]
    return np.asarray(pooled - pooled.mean(), np.float32)


def network_input(spectrogram: Floats, channels: int = 1) -> Floats:
    """Return what networks see, with faint pink noise before and after the recording.

    The recording decides its own scale: each band has mean 0 and deviation 1, so loudness, the
    equaliser and an upper limit of frequency do not matter.

    Parameters
    ----------
    spectrogram : array, shape (frames, 80)
        Of :func:`pooled_spectrogram`.
    channels : {1, 2}
        2: with :func:`lag_matrix`.

    Returns
    -------
    array, shape (frames + 114, 80, channels)
        The patch for frame i begins at i.
    """
    if channels not in (1, 2):
        raise ValueError(f"channels must be 1 or 2, got {channels!r}")
    x = np.asarray(spectrogram, np.float32)
    if x.ndim != 2 or x.shape[1] != BANDS:
        raise ValueError(f"spectrogram must have shape (frames, {BANDS}), got {x.shape}")
    if len(x) == 0:
        return np.zeros((0, BANDS, channels), np.float32)
    noise = _pink_noise() + (x.max() - np.float32(RANGE))
    x = np.maximum(x, noise.mean(axis=0))
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), SMALLEST_DEVIATION)
    x = (np.concatenate([noise, x, noise[::-1]]) - mean) / deviation
    planes = [x] if channels == 1 else [x, lag_matrix(x)]
    return np.ascontiguousarray(np.stack(planes, axis=-1), np.float32)


def lag_matrix(x: Floats, lags: int = BANDS, step: int = LAG_STEP) -> Floats:
    """Return how unlike each frame is to those before it, shape (frames, lags).

    Grill & Schlüter 2015, section 3.1: cosine distances of cepstra (of two frames in a row) to
    those ``step``, ``2 step``, ... frames before, each brought between 0 and 1 by a logistic
    function around the median of the distances of both frames. They pool the spectrogram and have
    two ranges of lags; this is one of 22 s at 7.2 frames a second.

    Parameters
    ----------
    x : array, shape (frames, bands)
    lags, step : int

    Returns
    -------
    array, shape (frames, lags)
        Column j holds the lag ``(j + 1) * step``; what lies before the first frame is 1. The mean
        of the whole is taken off.
    """
    from scipy.fft import dct

    cepstrum = dct(np.asarray(x, np.float32), axis=1, norm="ortho")[:, 1 : COEFFICIENTS + 1]
    frames = np.concatenate([cepstrum, np.concatenate([cepstrum[1:], cepstrum[-1:]])], axis=1)
    frames /= np.maximum(np.sqrt(np.square(frames).sum(axis=1, keepdims=True)), 1e-6)
    distance = np.full((len(frames), lags), np.nan, np.float32)
    for j in range(lags):
        lag = (j + 1) * step
        if lag < len(frames):
            distance[lag:, j] = 1.0 - np.einsum("ij,ij->i", frames[lag:], frames[:-lag])
    own = np.array([np.nanmedian(row) if np.isfinite(row).any() else 1.0 for row in distance])
    own = np.maximum(own, 1e-3).astype(np.float32)
    for j in range(lags):
        lag = (j + 1) * step
        if lag < len(frames):
            scale = 0.5 * (own[lag:] + own[:-lag])
            distance[lag:, j] = 1.0 / (1.0 + np.exp(4.0 * (1.0 - distance[lag:, j] / scale)))
    filled = np.nan_to_num(distance, nan=1.0)
    return np.asarray((filled - np.float32(0.5)) * np.float32(2.0), np.float32)


def is_silent(spectrogram: Floats) -> bool:
    """Return whether a recording has no sound at all."""
    return len(spectrogram) == 0 or float(np.max(spectrogram)) < SILENT


def boundary_activations(networks: Sequence[Network], spectrogram: Floats) -> Floats:
    """Return the mean output of networks for each frame, shape (frames,); 0 throughout in silence.

    Parameters
    ----------
    networks : sequence of Network
        Of inputs (115, 80, 1) or (115, 80, 2), and one output.
    spectrogram : array, shape (frames, 80)
        Of :func:`pooled_spectrogram`.
    """
    if is_silent(spectrogram):
        return np.zeros(len(spectrogram), np.float32)
    inputs: dict[int, Floats] = {}
    total = np.zeros(len(spectrogram))
    for network in networks:
        channels = int(network.input_shape[-1] or 1)
        if channels not in inputs:
            inputs[channels] = network_input(spectrogram, channels)
        total += network.slide(inputs[channels])[:, 0]
    return np.asarray(total / len(networks), np.float32)


def frame_times(frames: Any) -> npt.NDArray[np.float64]:
    """Return the middle of frames in seconds."""
    return np.asarray(np.asarray(frames) / FPS + FIRST, np.float64)


def pick_boundaries(
    activations: npt.ArrayLike,
    threshold: float,
    *,
    smooth: int = SMOOTHING,
    fps: float = FPS,
    first: float = FIRST,
) -> npt.NDArray[np.float64]:
    """Return the times of boundaries in seconds.

    A boundary is the highest within 6 s on both sides; the mean of the 12 s before and the 6 s
    after it is taken off before it is compared with the threshold (Ullrich et al. 2014, section
    3.4). Before that the activations are smoothed, which the paper does not do.

    Parameters
    ----------
    activations : array, shape (frames,)
    threshold : float
    smooth : int
        Frames of the window (odd); 0: as they are.
    fps, first : float
        Frames a second, and the time of the first one.
    """
    near, before, after = (round(s * fps) for s in (NEIGHBOURHOOD, BEFORE, AFTER))
    peaks = pick_peaks(
        activations,
        threshold,
        smooth=smooth,
        before=near,
        after=near,
        mean_before=before,
        mean_after=after,
    )
    return np.asarray(peaks / fps + first)
