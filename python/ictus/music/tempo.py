"""Tempo: from beats, and from activations by resonating comb filters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ictus.music.decoding import check_activations, check_tempo

Floats = npt.NDArray[np.float64]


def tempo_of_beats(beats: npt.ArrayLike) -> float:
    """60 over the median of the intervals between beats (seconds), in BPM; NaN below two beats."""
    times = np.asarray(beats, np.float64)
    times = times[:, 0] if times.ndim == 2 else times
    if len(times) < 2:
        return float("nan")
    return 60.0 / float(np.median(np.diff(times)))


def _smooth(x: Floats, size: int) -> Floats:
    """Convolved with a Hamming window of `size` points."""
    return np.convolve(x, np.hamming(size), "same") if size > 1 else x


def comb_filter_histogram(
    activations: npt.NDArray[np.floating], intervals: npt.NDArray[np.intp], alpha: float
) -> Floats:
    """How strongly each interval resonates, shape (intervals,).

    Comb filters ``y(t) = x(t) + alpha y(t - interval)``; in each frame the interval with the
    highest output gets that output [Böck, Krebs & Widmer, "Accurate tempo estimation based on
    recurrent neural networks and resonating comb filters", ISMIR 2015].
    """
    shortest, longest = int(intervals.min()), int(intervals.max())
    # Rows of y: the outputs of the `longest` frames before, then new ones. No output depends on one
    # younger than the shortest interval, so that many frames are computed at once.
    y = np.zeros((longest + shortest, len(intervals)))
    columns = np.arange(len(intervals))
    histogram = np.zeros(len(intervals))
    for start in range(0, len(activations), shortest):
        x = activations[start : start + shortest]
        rows = longest + np.arange(len(x))[:, np.newaxis]
        new = x[:, np.newaxis] + alpha * y[rows - intervals, columns]
        histogram += np.sum(new * (new == new.max(axis=1, keepdims=True)), axis=0)
        y[longest : longest + len(x)] = new
        y[:longest] = y[len(x) : longest + len(x)].copy()
    return histogram


def estimate_tempo(
    activations: npt.ArrayLike,
    *,
    tempo: tuple[float, float] = (40.0, 250.0),
    fps: float = 100.0,
    alpha: float = 0.79,
    smoothing: float = 0.14,
    histogram_smoothing: int = 9,
) -> Floats:
    """Tempi of a recording, the strongest first, by resonating comb filters.

    Parameters
    ----------
    activations : array, shape (frames,)
        Probability of a beat in each frame.
    tempo : (float, float)
        Slowest and fastest tempo in beats per minute.
    fps : float
        Frames per second.
    alpha : float
        How long the filters resonate, in [0, 1).
    smoothing : float
        Length in seconds of the Hamming window that the activations are smoothed with.
    histogram_smoothing : int
        Length of the window over the histogram of intervals.

    Returns
    -------
    array, shape (tempi, 2)
        Beats per minute and strength; the strengths sum to 1. Empty where nothing resonates.

    Raises
    ------
    ValueError
        Activations that are not probabilities, or settings out of range.
    """
    a = check_activations("estimate_tempo", activations, 1).astype(np.float64)
    shortest, longest = check_tempo("estimate_tempo", tempo, fps)
    if not 0 <= alpha < 1:
        raise ValueError(f"estimate_tempo: alpha must be in [0, 1), got {alpha}")
    if not a.any():
        return np.empty((0, 2))
    intervals = np.arange(int(np.floor(shortest)), int(np.ceil(longest)) + 1)
    histogram = comb_filter_histogram(_smooth(a, round(fps * smoothing)), intervals, alpha)
    histogram = _smooth(histogram, min(histogram_smoothing, len(histogram)))
    higher = (histogram > np.roll(histogram, 1)) & (histogram > np.roll(histogram, -1))
    peaks = np.flatnonzero(higher)
    if len(peaks) == 0:
        peaks = np.array([int(np.argmax(histogram))])
    peaks = peaks[np.argsort(-histogram[peaks], kind="stable")]
    return np.column_stack(
        [60.0 * fps / intervals[peaks], histogram[peaks] / histogram[peaks].sum()]
    )
