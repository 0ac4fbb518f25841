"""Peaks of an activation: onsets, boundaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]


def smoothed(activations: npt.ArrayLike, frames: int) -> Floats:
    """Return activations (frames,) averaged by a Hamming window of `frames` (odd), sum 1."""
    a = np.asarray(activations, np.float64)
    if frames <= 1 or not len(a):
        return a
    window = np.hamming(frames | 1)
    half = len(window) // 2
    padded = np.pad(a, half, mode="edge")
    return np.asarray(np.convolve(padded, window / window.sum(), mode="valid"))


def moving_maximum(a: Floats, before: int, after: int) -> Floats:
    """Return the maximum of each frame with those before and after it."""
    padded = np.pad(a, (before, after), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, before + after + 1)
    return np.asarray(windows.max(axis=1))


def moving_average(a: Floats, before: int, after: int) -> Floats:
    """Return the mean of each frame with those before and after it that exist."""
    total = np.concatenate([[0.0], np.cumsum(a)])
    frame = np.arange(len(a))
    first = np.maximum(frame - before, 0)
    last = np.minimum(frame + after + 1, len(a))
    return np.asarray((total[last] - total[first]) / np.maximum(last - first, 1))


def pick_peaks(
    activations: npt.ArrayLike,
    threshold: float,
    *,
    smooth: int = 0,
    before: int = 1,
    after: int = 1,
    mean_before: int = 0,
    mean_after: int = 0,
) -> npt.NDArray[np.intp]:
    """Return the frames at which a smoothed activation has a peak.

    A peak is at least as high as its surroundings, and higher than the threshold above their mean
    [Böck, Krebs & Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR
    2012, section 2.3].

    Parameters
    ----------
    activations : array, shape (frames,)
    threshold : float
    smooth : int
        Frames of a Hamming window; 0: none.
    before, after : int
        Frames that a peak must not be lower than.
    mean_before, mean_after : int
        Frames whose mean is subtracted before the threshold; both 0: nothing is.

    Raises
    ------
    ValueError
        Activations that are not finite or not a vector.
    """
    a = np.asarray(activations)
    if a.ndim != 1 or not np.isfinite(a).all():
        raise ValueError(f"pick_peaks: activations must be finite, (frames,), got {a.shape}")
    if not len(a):
        return np.empty(0, np.intp)
    a = smoothed(a, smooth)
    height = a - moving_average(a, mean_before, mean_after) if mean_before + mean_after else a
    peak = (a >= moving_maximum(a, before, after)) & (height > threshold)
    # Of a plateau, the first frame.
    peak[1:] &= ~(peak[:-1] & (a[1:] == a[:-1]))
    return np.flatnonzero(peak)


def merge_events(times: npt.ArrayLike, seconds: float = 0.03) -> npt.NDArray[np.float64]:
    """Return the times without those that follow a kept one by less than `seconds`."""
    kept: list[float] = []
    for time in np.sort(np.asarray(times, np.float64)).tolist():
        if not kept or time - kept[-1] >= seconds:
            kept.append(time)
    return np.asarray(kept)
