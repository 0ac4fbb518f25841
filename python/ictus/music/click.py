"""Clicks on beats, to be heard with the music."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SECONDS = 0.05  # a click's length
DECAY = 0.008  # seconds until it has fallen to 1/e
PITCH, HIGH_PITCH = 1000.0, 1600.0  # Hz, of beats and of downbeats


def _click(frequency: float, sample_rate: int) -> Samples:
    t = np.arange(int(SECONDS * sample_rate)) / sample_rate
    return (np.sin(2 * np.pi * frequency * t) * np.exp(-t / DECAY)).astype(np.float32)


def add_clicks(
    signal: npt.ArrayLike,
    times: npt.ArrayLike,
    numbers: npt.ArrayLike | None = None,
    *,
    sample_rate: int = 44_100,
    level: float = 0.5,
) -> Samples:
    """Return the signal, half as loud, with a click that begins at each time.

    Parameters
    ----------
    signal : array, shape (samples,)
        Full scale 1.
    times : array, shape (beats,)
        Seconds.
    numbers : array of int, shape (beats,), optional
        Clicks of number 1 are higher.
    level : float
        Peak of a click.
    sample_rate : int
        Hz.

    Returns
    -------
    array, shape (samples,)
        Clipped to [-1, 1].
    """
    mixed = 0.5 * np.asarray(signal, np.float32)
    low, high = _click(PITCH, sample_rate), _click(HIGH_PITCH, sample_rate)
    beats = np.asarray(times, np.float64).ravel()
    places = np.zeros(len(beats)) if numbers is None else np.asarray(numbers)
    for time, place in zip(beats, places, strict=True):
        start = round(float(time) * sample_rate)
        if 0 <= start < len(mixed):
            click = high if place == 1 else low
            part = mixed[start : start + len(click)]
            part += level * click[: len(part)]
    return np.clip(mixed, -1.0, 1.0, out=mixed)
