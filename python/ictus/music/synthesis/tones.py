"""Pitched sounds of the built-in synthesiser: plucked, struck, blown, organ, FM, and voice-like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from ictus.music.synthesis.effects import peak

Array = NDArray[Any]

KINDS = ("plucked", "struck", "organ", "fm", "brass", "voice", "pad", "bass", "bar")
#: Centres of the first three formants in Hz: a, e, i, o, u (Peterson & Barney 1952).
VOWELS = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
)
TABLE = 2048


@dataclass
class Timbre:
    """A sound by its parameters; :meth:`draw` takes them by chance.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    brightness : float
        Falling off of the harmonics: amplitude of harmonic k is ``k ** -brightness``.
    attack, decay, release : float
        Seconds.
    sustain : float
        Level that is held, relative to the peak.
    vibrato, vibrato_rate : float
        Depth in semitones, and Hz.
    odd : float
        Level of the even harmonics.
    ratio, index : float
        Of frequency modulation.
    noise : float
        Level of breath or pick noise.
    position : float
        Where a string is plucked, as a share of its length; 0: everywhere.
    partials : array, shape (2, partials)
        Of a bar or bell: frequencies as multiples of the pitch, and levels.
    body : array, shape (sections, 6)
        Filter of the body of the instrument; none: it has no sections.
    """

    kind: str
    brightness: float
    attack: float
    decay: float
    release: float
    sustain: float
    vibrato: float
    vibrato_rate: float
    odd: float
    ratio: float
    index: float
    noise: float
    position: float = 0.0
    partials: Array = field(default_factory=lambda: np.array([[1.0], [1.0]]))
    body: Array = field(default_factory=lambda: np.zeros((0, 6)))

    @classmethod
    def draw(cls, kind: str, generator: np.random.Generator) -> Timbre:
        """Return a timbre of a kind."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        u = generator.uniform
        struck = kind in ("plucked", "struck", "fm", "bass")
        return cls(
            kind,
            brightness=float(u(0.6, 2.2) if kind != "bass" else u(1.2, 2.6)),
            attack=float(u(0.001, 0.006) if struck else u(0.008, 0.12)),
            decay=float(u(0.15, 1.8)),
            release=float(u(0.02, 0.25)),
            sustain=0.0 if struck and kind != "bass" else float(u(0.35, 1.0)),
            vibrato=0.0 if struck else float(u(0.0, 0.5)),
            vibrato_rate=float(u(4.0, 7.0)),
            odd=float(generator.choice([1.0, u(0.0, 1.0)])),
            ratio=float(generator.choice([1.0, 2.0, 3.0, 1.41, 3.5, 7.0])),
            index=float(u(0.5, 6.0)),
            noise=float(u(0.0, 0.06)),
        )

    @classmethod
    def draw_widely(cls, kind: str, generator: np.random.Generator) -> Timbre:
        """Return a timbre of a kind from wider ranges: soft attacks, dull and noisy sounds, bodies.

        They cover more than instruments do, so that a network that was trained on them has heard
        something like an instrument that it does not know.
        """
        timbre = cls.draw(kind, generator)
        u = generator.uniform

        def between(low: float, high: float) -> float:  # evenly in the logarithm
            return float(np.exp(u(np.log(low), np.log(high))))

        struck = kind in ("plucked", "struck", "fm", "bass", "bar")
        timbre.brightness = float(u(0.3, 3.2) if kind != "plucked" else u(0.3, 7.0))
        timbre.attack = between(0.001, 0.04) if struck else between(0.004, 0.16)
        timbre.decay = between(0.08, 4.0)
        timbre.release = between(0.01, 0.5)
        if timbre.sustain or generator.random() < 0.2:
            timbre.sustain = float(u(0.1, 1.0))
        timbre.ratio = float(generator.choice([timbre.ratio, between(0.5, 8.0)]))
        timbre.noise = float(generator.choice([0.0, between(0.002, 0.15)]))
        timbre.position = float(u(0.05, 0.5))
        count = int(generator.integers(2, 8))
        bar = np.square((2 * np.arange(count) + 3.0) / 3.0)  # of a free bar, nearly
        ratios = np.append(1.0, np.sort(u(1.3, 12.0, count - 1)))
        ratios = bar if generator.random() < 0.5 else ratios
        timbre.partials = np.array([ratios, np.append(1.0, u(0.05, 0.9, count - 1))])
        if generator.random() < 0.5:
            timbre.body = np.array(
                [
                    peak(
                        float(generator.normal(0.0, 8.0)), between(80.0, 6000.0), u(0.7, 5.0), 44100
                    )
                    for _ in range(int(generator.integers(1, 5)))
                ]
            )
        return timbre


def render_note(
    timbre: Timbre, pitch: float, seconds: float, rate: int, generator: np.random.Generator
) -> Array:
    """Return one note at full velocity, float32; its sound begins with the first sample."""
    frequency = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    count = int((seconds + timbre.release) * rate) + 1
    time = np.arange(count, dtype=np.float32) / rate
    if timbre.kind == "plucked":
        sound = karplus_strong(frequency, count, rate, timbre, generator)
    elif timbre.kind == "fm":
        phase = 2 * np.pi * frequency * time
        depth = timbre.index * np.exp(-time / (0.5 * timbre.decay))
        sound = np.sin(phase + depth * np.sin(timbre.ratio * phase))
    elif timbre.kind == "bar":
        sound = np.zeros(count)
        for number, (ratio, level) in enumerate(timbre.partials.T):
            if ratio * frequency < 0.45 * rate:
                fade = np.exp(-time * ((1.0 + number) / timbre.decay - 1.0 / timbre.decay))
                sound += level * np.sin(2 * np.pi * ratio * frequency * time) * fade
        sound /= timbre.partials[1].sum()
    else:
        phase = _phase(timbre, frequency, time)
        sound = wave(_harmonics(timbre, frequency, rate, generator), phase)
        if timbre.kind in ("struck", "bass"):
            dark = wave(_harmonics(timbre, frequency, rate, generator, 1.2), phase)
            fade = np.exp(-time / (0.3 * timbre.decay))
            sound = sound * fade + dark * (1.0 - fade)
    if timbre.noise:
        sound = sound + timbre.noise * generator.standard_normal(count, np.float32)
    if len(timbre.body):
        sound = sosfilt(timbre.body, sound)
        sound = sound / max(float(np.abs(sound).max()), 1e-9)
    return np.asarray(sound * envelope(timbre, time, seconds), np.float32)


def envelope(timbre: Timbre, time: Array, seconds: float) -> Array:
    """Return attack, exponential decay to the sustain level, and release at the note's end."""
    rise = np.minimum(time / max(timbre.attack, 1e-4), 1.0)
    fall = timbre.sustain + (1.0 - timbre.sustain) * np.exp(-time / timbre.decay)
    after = np.clip(1.0 - (time - seconds) / timbre.release, 0.0, 1.0)
    return rise * fall * after * after


def karplus_strong(
    frequency: float, count: int, rate: int, timbre: Timbre, generator: np.random.Generator
) -> Array:
    """Return a plucked string (Karplus & Strong 1983), its fraction of a sample by a two-tap loop.

    ``y[n] = x[n] + g ((1 - w) y[n - N] + w y[n - N - 1])`` with a burst of smoothed noise x.
    """
    period = max(rate / frequency - 0.5, 2.0)
    whole = int(period)
    weight = 0.5 + 0.5 * (period - whole)
    loss = 0.001 ** (1.0 / max(frequency * 2.5 * timbre.decay, 1.0))
    burst = generator.uniform(-1.0, 1.0, whole)
    smooth = np.exp(-0.5 * timbre.brightness)
    burst = lfilter([smooth], [1.0, smooth - 1.0], burst)
    if timbre.position:  # harmonics with a node there are missing
        burst = burst - np.roll(burst, max(int(timbre.position * whole), 1))
    excitation = np.zeros(count)
    excitation[: min(whole, count)] = burst[:count]
    loop = np.zeros(whole + 2)
    loop[0] = 1.0
    loop[whole] = -loss * (1.0 - weight)
    loop[whole + 1] = -loss * weight
    sound = lfilter([1.0], loop, excitation)
    return np.asarray(sound / max(float(np.abs(sound).max()), 1e-9))


def _phase(timbre: Timbre, frequency: float, time: Array) -> Array:
    """Cycles since the beginning, with vibrato that sets in and, for voices, a scoop from below."""
    phase = frequency * time.astype(np.float64)
    if timbre.vibrato:
        depth = timbre.vibrato * np.log(2.0) / 12.0 * np.clip((time - 0.15) / 0.3, 0.0, 1.0)
        turn = 2.0 * np.pi * timbre.vibrato_rate
        phase -= frequency * depth * np.cos(turn * time) / turn
    if timbre.kind == "voice":
        phase += frequency * 0.002 * timbre.index * np.exp(-time / 0.04)
    return phase


def _harmonics(
    timbre: Timbre,
    frequency: float,
    rate: int,
    generator: np.random.Generator,
    extra: float = 0.0,
) -> Array:
    """One period of the wave, from amplitudes of harmonics below 0.45 of the sample rate."""
    count = int(np.clip(0.45 * rate / frequency, 1, 60))
    k = np.arange(1, count + 1)
    amplitude = k ** -(timbre.brightness + extra)
    amplitude[1::2] *= timbre.odd
    if timbre.kind == "organ":
        amplitude = amplitude * np.isin(k, (1, 2, 3, 4, 6, 8, 10, 12, 16))
    elif timbre.kind == "voice":
        formants = np.asarray(VOWELS[generator.integers(len(VOWELS))])
        width = np.array([90.0, 120.0, 170.0])
        level = np.array([1.0, 0.5, 0.3])
        distance = (k[:, None] * frequency - formants) / width
        amplitude = k**-0.6 * ((level / (1.0 + distance**2)).sum(1) + 0.02)
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    spectrum[1 : count + 1] = amplitude * np.exp(2j * np.pi * generator.random(count))
    wave = np.fft.irfft(spectrum, TABLE)
    return np.asarray(wave / max(float(np.abs(wave).max()), 1e-12), np.float32)


def wave(table: Array, phase: Array) -> Array:
    """Read a period at these phases, linearly interpolated."""
    place = (phase - np.floor(phase)) * TABLE
    index = place.astype(np.int32)
    np.minimum(index, TABLE - 1, out=index)
    fraction = (place - index).astype(np.float32)
    closed = np.append(table, table[0])
    return np.asarray(closed[index] + fraction * (closed[index + 1] - closed[index]))


def filtered_noise(
    count: int, low: float, high: float, rate: int, generator: np.random.Generator
) -> Array:
    """Return white noise between two frequencies."""
    b, a = butter(2, [low / (0.5 * rate), min(high / (0.5 * rate), 0.98)], "bandpass")
    return np.asarray(lfilter(b, a, generator.standard_normal(count)))
