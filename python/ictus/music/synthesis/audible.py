"""Where and whether the beginning of a note is heard: slow attacks, and notes that others cover.

A score says when a key goes down. An annotator marks when the tone has come up, and marks nothing
where the rest of the music hides it. Both are measured here on the sound itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis import fluidsynth
from ictus.music.synthesis.score import Part, notes

Array = NDArray[Any]

#: The attack is over where the tone has come within this many decibels of its first peak.
ATTACK_LEVEL = -12.0
#: Seconds in which the first peak is looked for.
ATTACK_LIMIT = 0.2
#: Seconds over which the level is measured.
BLOCK = 0.003
#: Quicker attacks are none.
SHORTEST = 0.003

FPS, WINDOW, BANDS = 100, 1024, 24
PART = 64  # frames
LOWEST, HIGHEST = 60.0, 16_000.0  # Hz
#: A note is heard where it raises the power of the mix this much in so many bands.
RISE, RISING_BANDS = 4.0, 2
#: A note without an attack is heard where it leads in so many of its loudest bands.
LEADING, LOUDEST = 3, 8
FLOOR = 1e-6  # power of what nobody hears, relative to the loudest of all bands and frames


def attack_delay(sound: Array, rate: int) -> float:
    """Return the seconds until the attack of a note, which is alone in `sound`, is heard.

    The level over 3 ms reaches -12 dB of its maximum within the first 0.2 s; 0 where that takes
    less than 3 ms.
    """
    part = np.square(np.asarray(sound[: int(ATTACK_LIMIT * rate)], np.float64))
    size = max(int(BLOCK * rate), 1)
    if len(part) <= size:
        return 0.0
    total = np.concatenate([[0.0], np.cumsum(part)])
    power = total[size:] - total[:-size]
    highest = float(power.max())
    if highest <= 0:
        return 0.0
    delay = float(np.argmax(power >= highest * 10.0 ** (ATTACK_LEVEL / 10.0))) / rate
    # The block that first is loud enough has its sound at its end.
    return delay + BLOCK if delay >= SHORTEST else 0.0


@lru_cache(maxsize=20_000)
def _fluidsynth_delay(role: str, program: int, pitch: int, velocity: int, rate: int) -> float:
    note = notes(0.0, ATTACK_LIMIT, pitch, velocity)
    machine = fluidsynth.FluidSynth(rate)
    sound = machine.render([Part(role, note, program)], [note], ATTACK_LIMIT + 0.01)
    return attack_delay(sound.mean(1), rate)


def fluidsynth_delays(part: Part, events: Array, rate: int) -> Array:
    """Return the delay of each note of a part that FluidSynth plays.

    Measured on the note alone; pitches of a minor third and velocities of a sixteenth are one.
    """
    role = "drums" if part.role == "drums" else "other"
    pitches = events["pitch"] if role == "drums" else events["pitch"] // 3 * 3 + 1
    velocities = np.clip(events["velocity"] // 16 * 16 + 8, 1, 127)
    return np.array(
        [
            _fluidsynth_delay(role, int(part.program), int(pitch), int(velocity), rate)
            for pitch, velocity in zip(pitches, velocities, strict=True)
        ]
    )


def band_powers(sound: Array, rate: int) -> Array:
    """Return the power in 24 bands of equal ratio at 100 frames a second, (frames, bands)."""
    half = WINDOW // 2
    count = int(np.ceil(len(sound) * FPS / rate)) + 1
    padded = np.pad(np.asarray(sound, np.float32), (half, half + rate // FPS + 1))
    begins = np.arange(count) * rate // FPS
    begins = np.minimum(begins, len(padded) - WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    window = np.hanning(WINDOW).astype(np.float32)
    edges = np.geomspace(LOWEST, min(HIGHEST, 0.45 * rate), BANDS + 1) * WINDOW / rate
    # Bands are at least a bin wide, so the lowest ones lie side by side.
    cuts = np.maximum(np.round(edges).astype(int), np.arange(BANDS + 1) + 1)
    made = []
    for first in range(0, count, PART):  # a part stays in the cache
        spectra = np.fft.rfft(windows[begins[first : first + PART]] * window)[:, : cuts[-1]]
        power = np.square(np.abs(spectra))
        made.append(np.add.reduceat(power, cuts[:-1], axis=1))
    return np.concatenate(made)


def rises(times: Array, powers: Array, mix: Array) -> Array:
    """Return for each time by which factor one group of instruments raises the power of the mix.

    In the second of its bands by this factor: what the group's power rises, from 25 ms before to
    the highest in the 50 ms after, is added to what the whole mix had before.

    Parameters
    ----------
    times : array
        Seconds.
    powers, mix : arrays, shape (frames, bands)
        Of the group and of everything; see :func:`band_powers`.
    """
    times = np.asarray(times)
    if not len(times):
        return np.zeros(0)
    frame = np.round(times * FPS).astype(int)
    before = np.clip(frame[:, None] + np.array([-3, -2]), 0, len(mix) - 1)
    after = np.clip(frame[:, None] + np.arange(6), 0, len(mix) - 1)
    rise = powers[after].max(1) - powers[before].mean(1)
    masked = mix[before].mean(1) + FLOOR * mix.max()
    if np.any(first := frame < 2):  # nothing is before the first note
        masked[first] = FLOOR * mix.max()
    ratio = np.sort(rise / np.maximum(masked, 1e-30), axis=1)
    return np.asarray(1.0 + ratio[:, -RISING_BANDS])


def audible(times: Array, powers: Array, mix: Array) -> Array:
    """Return for each time whether an onset of one group of instruments is heard in the mix.

    It is where the group makes the mix 6 dB louder in two bands; see :func:`rises`.
    """
    return np.asarray(rises(times, powers, mix) >= RISE)


def present(times: Array, powers: Array, mix: Array) -> Array:
    """Return for each time whether one group of instruments is heard after it in the mix.

    For notes that begin without getting louder (:mod:`ictus.music.synthesis.lines`): within 50 ms
    the group is more than half of the power in at least three of its eight loudest bands.

    Parameters
    ----------
    times, powers, mix
        As of :func:`audible`.
    """
    times = np.asarray(times)
    if not len(times):
        return np.zeros(0, bool)
    frame = np.round(times * FPS).astype(int)
    after = np.clip(frame[:, None] + np.arange(1, 6), 0, len(mix) - 1)
    own, whole = powers[after].mean(1), mix[after].mean(1) + FLOOR * mix.max()
    loudest = np.argsort(own, axis=1)[:, -LOUDEST:]
    share = np.take_along_axis(own / whole, loudest, axis=1)
    return np.asarray((share > 0.5).sum(1) >= LEADING)
