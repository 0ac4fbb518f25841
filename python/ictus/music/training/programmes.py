"""Radio programmes made of single recordings: speech, music, both at many levels, and neither.

What a network of speech and music learns from: it has heard speech over music that is louder or
softer, in rooms, over telephones, in noise, and coded by lossy formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import butter, sosfilt

from ictus.music.synthesis import effects

Floats = NDArray[np.float32]

CLASSES = ("speech", "music")
#: A frame is active where the level is above this in decibels, relative to the loud frames.
QUIET = -35.0
#: Seconds around an active frame that belong to it: pauses within speech are speech.
HANGOVER = 0.3
SILENCE = 1e-5  # amplitude below which nothing is there


def frame_levels(signal: Floats, hop: float) -> NDArray[np.float64]:
    """Return the root mean square of each frame of `hop` samples, shape (frames,)."""
    count = int(np.ceil(len(signal) / hop))
    edges = np.append((np.arange(count) * hop).astype(int), len(signal))
    power = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=np.float64))])
    mean = np.maximum(np.diff(power[edges]), 0.0) / np.maximum(np.diff(edges), 1)
    return np.asarray(np.sqrt(mean))


def activity(signal: Floats, sample_rate: int, fps: float) -> NDArray[np.bool_]:
    """Return where a recording of one thing is more than silence, shape (frames,).

    Frames softer than the loud ones by more than 35 dB are silent where they last longer than
    0.6 s: a breath within a sentence belongs to it.
    """
    levels = frame_levels(signal, sample_rate / fps)
    if not len(levels):
        return np.zeros(0, bool)
    loud = float(np.quantile(levels, 0.9))
    active = levels > max(loud * 10.0 ** (QUIET / 20.0), SILENCE)
    return np.asarray(maximum_filter1d(active, 2 * round(HANGOVER * fps) + 1, mode="constant"))


def at_level(signal: Floats, level: float) -> Floats:
    """Return the signal with `level` decibels of full scale as the power of its louder half."""
    size = min(1024, max(len(signal), 1))
    power = np.sort(frame_levels(signal, size))[::-1]
    loud = power[: max(1, len(power) // 2)]
    now = float(np.sqrt(np.mean(np.square(loud)))) if len(loud) else 0.0
    return signal * np.float32(10.0 ** (level / 20.0) / now) if now > SILENCE else signal


@dataclass
class Sources:
    """Recordings of one thing each, mono, at one sample rate.

    Attributes
    ----------
    speech, music, other : list of array
        `other` is neither: noise, animals, traffic. It may be empty.
    sample_rate : int
    """

    speech: Sequence[Floats]
    music: Sequence[Floats]
    other: Sequence[Floats] = ()
    sample_rate: int = 16_000


@dataclass(frozen=True)
class Mixing:
    """How programmes are put together.

    Parameters
    ----------
    shares : (float, float, float, float)
        Of time with speech alone, music alone, both, and neither.
    seconds : (float, float)
        Shortest and longest time of each.
    levels : (float, float)
        Speech over music, in decibels, where there are both.
    gains : (float, float)
        Level of all, in decibels of full scale.
    degrade : float
        Probability of each of: room, equaliser, noise, telephone band, lossy coding.
    """

    shares: tuple[float, float, float, float] = (0.28, 0.32, 0.2, 0.2)
    seconds: tuple[float, float] = (2.0, 12.0)
    levels: tuple[float, float] = (-10.0, 14.0)
    gains: tuple[float, float] = (-40.0, -12.0)
    degrade: float = 0.35


@dataclass
class Programme:
    """A signal, and where in it there are speech and music.

    Attributes
    ----------
    signal : array, shape (samples,)
    active : array of bool, shape (frames, 2)
        Speech and music, by frame.
    """

    signal: Floats
    active: NDArray[np.bool_] = field(repr=False)


def make_programme(
    sources: Sources,
    generator: np.random.Generator,
    *,
    seconds: float = 60.0,
    fps: float = 25.0,
    mixing: Mixing | None = None,
) -> Programme:
    """Return a programme of pieces of the sources, one after another.

    Parameters
    ----------
    sources : Sources
    generator : Generator
        The same state gives the same programme.
    seconds : float
    fps : float
        Frames per second of the annotation.
    mixing : Mixing, optional

    Raises
    ------
    ValueError
        No speech or no music.
    """
    mixing = mixing or Mixing()
    if not len(sources.speech) or not len(sources.music):
        raise ValueError(
            f"programmes need recordings of speech and of music, got {len(sources.speech)} and "
            f"{len(sources.music)}"
        )
    signals, active, left = [], [], int(seconds * sources.sample_rate)
    hop = sources.sample_rate / fps
    while left > 0:
        kind = int(generator.choice(4, p=np.array(mixing.shares) / sum(mixing.shares)))
        samples = int(round(generator.uniform(*mixing.seconds) * fps) * hop)
        samples = min(samples, left)
        part, labels = _part(sources, kind, samples, fps, mixing, generator)
        signals.append(part)
        active.append(labels)
        left -= samples
    signal = np.concatenate(signals)
    signal *= np.float32(10.0 ** (generator.uniform(*mixing.gains) / 20.0))
    return Programme(_transmitted(signal, sources.sample_rate, mixing, generator),
                     np.concatenate(active))  # fmt: skip


def _part(
    sources: Sources,
    kind: int,
    samples: int,
    fps: float,
    mixing: Mixing,
    generator: np.random.Generator,
) -> tuple[Floats, NDArray[np.bool_]]:
    """One stretch, its loudest component at full scale: 0 speech, 1 music, 2 both, 3 neither."""
    rate = sources.sample_rate
    signal = np.zeros(samples, np.float32)
    frames = int(np.ceil(samples / (rate / fps)))
    active = np.zeros((frames, 2), bool)
    over = generator.uniform(*mixing.levels) if kind == 2 else 0.0
    levels = {0: (0.0, None), 1: (None, 0.0), 3: (None, None)}.get(
        kind, (min(0.0, over), min(0.0, -over))
    )
    for i, (level, pool) in enumerate(zip(levels, (sources.speech, sources.music), strict=True)):
        if level is None:
            continue
        cut = _coloured(excerpt(pool, samples, rate, generator), rate, mixing, generator)
        cut = at_level(cut, level)
        active[:, i] = activity(cut, rate, fps)[:frames]
        signal += cut
    noisy = generator.random() < (0.85 if kind == 3 else 1.5 * mixing.degrade)
    if noisy and len(sources.other):
        level = generator.uniform(-30, 0) if kind == 3 else generator.uniform(-50, -10)
        noise = excerpt(sources.other, samples, rate, generator)
        if mixing.degrade:  # another colour each time: noises are few and easily known by heart
            noise = np.asarray(effects.equalize(noise, rate, 8.0, generator), np.float32)
        signal += at_level(noise, level)
    return signal, active


def excerpt(
    pool: Sequence[Floats], samples: int, rate: int, generator: np.random.Generator
) -> Floats:
    """Return so many samples: a piece of a recording, or several short ones with pauses."""
    out = np.zeros(samples, np.float32)
    position = 0
    while position < samples:
        one = pool[int(generator.integers(len(pool)))]
        first = int(generator.integers(max(1, len(one) - samples + position + 1)))
        cut = one[first : first + samples - position]
        out[position : position + len(cut)] = cut
        position += len(cut) + int(generator.uniform(0.05, 0.5) * rate)
    return out


def _coloured(signal: Floats, rate: int, mixing: Mixing, generator: np.random.Generator) -> Floats:
    """A component in its own room, through its own equaliser."""
    if generator.random() < mixing.degrade:
        signal = effects.equalize(signal, rate, 6.0, generator).astype(np.float32)
    if generator.random() < mixing.degrade:
        room = effects.impulse_response(
            float(np.exp(generator.uniform(np.log(0.15), np.log(1.2)))),
            float(generator.uniform(0.2, 0.9)),
            rate,
            generator,
        )
        wet = np.float32(generator.uniform(0.05, 0.6))
        signal = np.asarray(signal + wet * effects.convolve(signal, room), np.float32)
    return np.asarray(signal, np.float32)


def _transmitted(
    signal: Floats, rate: int, mixing: Mixing, generator: np.random.Generator
) -> Floats:
    """The whole programme through noise, a narrow band, compression and a lossy format."""
    if generator.random() < mixing.degrade:
        noise = generator.standard_normal(len(signal), np.float32)
        signal = signal + noise * np.float32(10.0 ** (generator.uniform(-90, -50) / 20.0))
    if generator.random() < mixing.degrade:
        threshold, ratio = generator.uniform(-24, -6), generator.uniform(2, 6)
        signal = np.asarray(effects.compress(signal, rate, threshold, ratio, 0.2), np.float32)
    if generator.random() < mixing.degrade:
        high = float(np.exp(generator.uniform(np.log(3200), np.log(0.45 * rate))))
        low = float(generator.choice([20.0, 300.0]))
        band = butter(6, [low, high], "bandpass", fs=rate, output="sos")
        signal = np.asarray(sosfilt(band, signal)).astype(np.float32)
    if generator.random() < 0.5 * mixing.degrade:
        signal = effects.lossy(np.asarray(signal, np.float32), rate, generator.uniform(0.4, 1.0))
    return np.asarray(signal, np.float32)
