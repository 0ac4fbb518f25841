"""What studio, room and file format do to sound: filters, compression, reverberation, noise."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter, sosfilt

Array = NDArray[Any]


def shelf(gain: float, frequency: float, rate: int, *, high: bool) -> Array:
    """Return a second-order low or high shelf as one section (Bristow-Johnson's formulas)."""
    amplitude = 10.0 ** (gain / 40.0)
    omega = 2.0 * np.pi * frequency / rate
    sign = -1.0 if high else 1.0
    cosine = np.cos(omega) * sign
    alpha = np.sin(omega) / np.sqrt(2.0) * 2.0 * np.sqrt(amplitude)
    plus, minus = amplitude + 1.0, amplitude - 1.0
    b = [
        amplitude * (plus - minus * cosine + alpha),
        sign * 2.0 * amplitude * (minus - plus * cosine),
        amplitude * (plus - minus * cosine - alpha),
    ]
    a = [
        plus + minus * cosine + alpha,
        -sign * 2.0 * (minus + plus * cosine),
        plus + minus * cosine - alpha,
    ]
    return np.asarray(np.array([*b, *a]) / a[0])


def peak(gain: float, frequency: float, quality: float, rate: int) -> Array:
    """Return a second-order peaking filter as one section (Bristow-Johnson's formulas)."""
    amplitude = 10.0 ** (gain / 40.0)
    omega = 2.0 * np.pi * frequency / rate
    alpha = np.sin(omega) / (2.0 * quality)
    b = [1.0 + alpha * amplitude, -2.0 * np.cos(omega), 1.0 - alpha * amplitude]
    a = [1.0 + alpha / amplitude, -2.0 * np.cos(omega), 1.0 - alpha / amplitude]
    return np.asarray(np.array([*b, *a]) / a[0])


def equalize(sound: Array, rate: int, strength: float, generator: np.random.Generator) -> Array:
    """Return the sound through random shelves and one peak; `strength` is in decibels."""
    u = generator.uniform
    sections = [
        shelf(generator.normal(0, strength), u(60, 300), rate, high=False),
        shelf(generator.normal(0, strength), u(2000, 8000), rate, high=True),
        peak(generator.normal(0, strength), float(np.exp(u(np.log(150), np.log(6000)))), 1.0, rate),
    ]
    return np.asarray(sosfilt(np.stack(sections).astype(np.float32), sound, axis=0))


def compress(sound: Array, rate: int, threshold: float, ratio: float, release: float) -> Array:
    """Return the sound with its loud parts turned down.

    Parameters
    ----------
    sound : array, shape (samples,)
    threshold : float
        Level relative to the peak, in decibels, above which it is turned down.
    ratio : float
        Decibels in for one decibel out.
    release : float
        Seconds in which the gain comes back; it goes down within 2 ms.
    """
    step = max(rate // 500, 1)
    count = -(-len(sound) // step)
    padded = np.pad(np.abs(sound), (0, count * step - len(sound)))
    level = padded.reshape(count, step).max(1)
    forget = float(np.exp(-step / (rate * release)))
    # The maximum of the level and of a decay from earlier levels, in the logarithm.
    slope = np.log(forget)
    ramp = slope * np.arange(count)
    held = np.exp(np.maximum.accumulate(np.log(level + 1e-6) - ramp) + ramp)
    limit = 10.0 ** (threshold / 20.0) * max(float(level.max()), 1e-9)
    gain = np.minimum((held / limit), 1e9)
    gain = np.where(gain > 1.0, gain ** (1.0 / ratio - 1.0), 1.0)
    place = (np.arange(count) + 0.5) * step
    smooth = np.interp(np.arange(len(sound)), place, gain).astype(np.float32)
    return sound * smooth


def impulse_response(
    seconds: float, brightness: float, rate: int, generator: np.random.Generator
) -> Array:
    """Return a room: noise that decays by 60 dB in `seconds`, after the direct sound.

    Parameters
    ----------
    brightness : float in (0, 1]
        1: white; smaller: high frequencies are weaker.
    """
    count = int(rate * min(seconds, 3.0))
    time = np.arange(count) / rate
    noise = generator.standard_normal(count) * np.exp(-6.9 * time / seconds)
    noise = lfilter([brightness], [1.0, brightness - 1.0], noise)
    noise[: int(rate * generator.uniform(0.001, 0.03))] = 0.0
    return np.asarray(noise / max(float(np.sqrt((noise**2).sum())), 1e-9), np.float32)


def convolve(sound: Array, response: Array) -> Array:
    """Return the convolution, cut to the sound's length, by overlapping blocks."""
    block = next_fast_len(max(4 * len(response), 1 << 15), True)
    step = block - len(response) + 1
    spectrum = rfft(response, block)
    out = np.zeros(len(sound) + block, np.float32)
    for first in range(0, len(sound), step):
        part = irfft(rfft(sound[first : first + step], block) * spectrum, block)
        out[first : first + block] += part
    return out[: len(sound)]


def drive(sound: Array, amount: float) -> Array:
    """Return the sound through a soft clipper; more `amount`, more distortion."""
    scale = max(float(np.abs(sound).max()), 1e-9)
    return np.asarray(np.tanh(sound * (amount / scale)) * (scale / np.tanh(amount)))


def lossy(sound: Array, rate: int, quality: float) -> Array:
    """Return the sound coded as Ogg Vorbis and decoded again, in time with what it was.

    Parameters
    ----------
    sound : array, shape (samples,)
    rate : int
    quality : float in [0, 1]
        0 is the best.
    """
    import soundfile

    with io.BytesIO() as file:
        # In blocks: libsndfile's encoder needs much stack for a long buffer.
        with soundfile.SoundFile(
            file, "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=quality
        ) as writer:
            for first in range(0, len(sound), rate):
                writer.write(sound[first : first + rate])
        file.seek(0)
        decoded, _ = soundfile.read(file, dtype="float32")
    made = np.zeros(len(sound), np.float32)
    made[: min(len(sound), len(decoded))] = decoded[: len(sound)]
    return made
