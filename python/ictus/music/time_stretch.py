"""Tempo without pitch, and pitch without tempo, of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Samples of a window at 44.1 kHz (46 ms), and how far it may be moved (10 ms).
WINDOW, TOLERANCE = 2048, 441


def stretch(
    signal: Array, tempo: float, *, window: int = WINDOW, tolerance: int = TOLERANCE
) -> Array:
    """Return a signal that is played at another tempo with the same pitch.

    Waveform similarity overlap-add: each window is taken from where the signal goes on most like
    the end of the window before it. Events are at their time divided by `tempo`, up to
    `tolerance`. Above a tempo of about 1.3 a short attack can fall between two windows.

    Parameters
    ----------
    signal : array, shape (samples,)
    tempo : float
        2: twice as fast, half as long.
    window : int
        Samples of a window, even.
    tolerance : int
        Samples by which a window may be moved.

    Returns
    -------
    array of float32, shape (round(samples / tempo),)

    Raises
    ------
    ValueError
        `signal` is not one-dimensional, or `tempo` is not between 0.25 and 4.

    References
    ----------
    Verhelst & Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high
    quality time-scale modification of speech", ICASSP 1993.
    """
    x = np.asarray(signal, np.float32)
    if x.ndim != 1:
        raise ValueError(f"stretch: signal must have shape (samples,), got {x.shape}")
    if not 0.25 <= tempo <= 4:
        raise ValueError(f"stretch: tempo must be between 0.25 and 4, got {tempo!r}")
    if tempo == 1 or len(x) == 0:
        return x.copy()
    length, hop = max(round(len(x) / tempo), 1), window // 2
    # A window's middle is at its time: silence before and after, also to search in.
    margin = window + tolerance
    padded = np.concatenate([np.zeros(margin, np.float32), x, np.zeros(2 * margin, np.float32)])
    last = len(padded) - window - hop
    fade = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)
    count = length // hop + 2
    out = np.zeros((count + 1) * hop, np.float32)
    size = int(2 ** np.ceil(np.log2(window + 2 * tolerance)))
    begin = margin - hop
    for i in range(count):
        if i:
            wanted = padded[begin + hop : begin + hop + window]
            target = min(margin - hop + round(i * hop * tempo), last)
            first = max(target - tolerance, 0)
            begin = first + _most_similar(wanted, padded[first : target + tolerance + window], size)
            begin = min(begin, last)
        out[i * hop : i * hop + window] += fade * padded[begin : begin + window]
    return out[hop : hop + length]


def _most_similar(wanted: Array, place: Array, size: int) -> int:
    """Where in `place` a stretch of the signal is most like `wanted`: highest correlation."""
    offsets = len(place) - len(wanted) + 1
    spectrum = np.fft.rfft(place, size) * np.conj(np.fft.rfft(wanted, size))
    products = np.fft.irfft(spectrum, size)[:offsets]
    energy = np.concatenate([[0.0], np.cumsum(np.square(place, dtype=np.float64))])
    energy = energy[len(wanted) : len(wanted) + offsets] - energy[:offsets]
    return int(np.argmax(products / np.sqrt(np.maximum(energy, 1e-9))))


def change(signal: Array, rate: float, *, tempo: float = 1.0, pitch: float = 1.0) -> Array:
    """Return a signal at another tempo and pitch.

    Parameters
    ----------
    signal : array, shape (samples,)
    rate : float
        Its samples a second.
    tempo, pitch : float
        Factors; where they are equal, it is played as a faster tape, else also stretched.

    Returns
    -------
    array of float32, shape (about samples / tempo,)
    """
    made = np.asarray(signal, np.float32)
    if pitch != 1.0:
        import soxr

        made = soxr.resample(made, rate * pitch, rate, quality="HQ")
    if tempo == pitch:
        return made
    window = 2 * round(WINDOW * rate / 44_100 / 2)
    return stretch(made, tempo / pitch, window=window, tolerance=round(TOLERANCE * rate / 44_100))
