"""Lines of notes that are sung, bowed or blown: the sound goes on while the pitch changes.

A note of such a line may begin without an attack: the pitch glides, the vowel changes, or a
consonant is spoken before it. What begins a note is its pitch and vowel; a sibilant before it does
not. A source of harmonics goes through resonances (formants, or the body of an instrument), which
change from syllable to syllable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from ictus.music.synthesis.tones import TABLE, VOWELS, filtered_noise, wave

Array = NDArray[Any]

KINDS = ("sung", "bowed", "blown")
#: Steps a second of pitch and level, between which they are interpolated.
CONTROL = 500
#: A note that begins so soon after the one before it follows without a gap, in seconds.
CONNECTED = 0.07
#: An attack is heard where the level has come within 12 dB of its first peak.
HEARD = 0.25
SEMITONE = np.log(2.0) / 12.0


def render_line(
    notes: Array,
    seconds: float,
    rate: int,
    generator: np.random.Generator,
    kind: str | None = None,
) -> tuple[Array, Array]:
    """Return the sound of a line, float32, and how long after its beginning each note is heard.

    Parameters
    ----------
    notes : array of NOTE
        In seconds, ascending. A note ends where the next one begins; of those that begin together
        the highest sounds.
    seconds : float
    rate : int
        Samples a second.
    generator : numpy.random.Generator
        Of the voice, and of how it sings each note.
    kind : {"sung", "bowed", "blown"}, optional
        By chance, if not given.

    Returns
    -------
    (array, shape (samples,); array, shape (notes,) in seconds)
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    count = int(np.ceil(seconds * rate))
    if not len(notes):
        return np.zeros(count, np.float32), np.zeros(0)
    line = _Line(notes, seconds, generator, kind or str(generator.choice(KINDS, p=(0.6, 0.2, 0.2))))
    return line.sound(count, rate), line.delays[line.own]


class _Line:
    """Pitch, level, vowel and noise of a line at each control step."""

    def __init__(
        self, notes: Array, seconds: float, generator: np.random.Generator, kind: str
    ) -> None:
        self.kind, self.generator = kind, generator
        u = generator.uniform
        begins, self.own = np.unique(notes["start"], return_inverse=True)
        highest = np.full(len(begins), -1)
        np.maximum.at(highest, self.own, notes["pitch"])
        ends = np.zeros(len(begins))
        np.maximum.at(ends, self.own, notes["start"] + notes["duration"])
        ends = np.minimum(ends, np.append(begins[1:], np.inf))
        level = np.zeros(len(begins))
        np.maximum.at(level, self.own, (notes["velocity"] / 127.0) ** 1.2)
        octave = generator.choice([-12, 0, 0, 0, 12])
        self.begins, self.ends = begins, ends
        self.pitches = np.clip(highest + octave, 36, 96).astype(float)
        self.delays = np.zeros(len(begins))
        self.time = np.arange(int(np.ceil(seconds * CONTROL)) + 2) / CONTROL
        steps = len(self.time)
        self.level, self.breath = np.zeros(steps), np.zeros(steps)
        self.vowels = [int(v) for v in generator.choice(len(VOWELS), 3, replace=False)]
        self.weights = np.zeros((steps, len(self.vowels)))
        self.bursts: list[tuple[float, float, float, float, float]] = []
        # How this voice sings.
        sung = kind == "sung"
        self.glide = (u(0.01, 0.05), u(0.05, 0.16))
        self.attack = (u(0.008, 0.03), u(0.04, 0.15))
        self.release = u(0.02, 0.15)
        self.legato = u(0.1, 0.8)
        self.speech = u(0.2, 0.9) if sung else 0.0
        self.scoop = u(0.0, 0.5) if sung else u(0.0, 0.1)
        self.pitch = self._pitch()
        for number in range(len(begins)):
            self._note(number, float(level[number]))
        self.weights = self._smooth(self.weights, 0.05)
        self.level *= np.exp(self._wander(0.15, u(0.02, 0.12)))

    def _smooth(self, values: Array, seconds: float) -> Array:
        window = np.hanning(max(int(seconds * CONTROL), 1) + 2)
        window /= window.sum()
        return np.apply_along_axis(lambda v: np.convolve(v, window, mode="same"), 0, values)

    def _wander(self, seconds: float, deviation: float) -> Array:
        """Slow noise of this standard deviation."""
        memory = float(np.exp(-1.0 / (seconds * CONTROL)))
        noise = self.generator.standard_normal(len(self.time)) * np.sqrt(1.0 - memory**2)
        return np.asarray(deviation * lfilter([1.0], [1.0, -memory], noise))

    def _pitch(self) -> Array:
        """The pitch in semitones: steps with glides, scoops, vibrato that sets in, and drift."""
        u, time = self.generator.uniform, self.time
        pitch = np.full(len(time), self.pitches[0])
        vibrato = np.zeros(len(time))
        depth, when = u(0.0, 0.9) * (self.generator.random() < 0.75), u(0.05, 0.5)
        for number, (begin, end) in enumerate(zip(self.begins, self.ends, strict=True)):
            target = self.pitches[number]
            inside = slice(np.searchsorted(time, begin), None)
            if number:
                width = u(*self.glide)
                # The new pitch is there soon after the note's time: more of the glide is before it.
                place = np.clip((time - begin) / width + 0.65, 0.0, 1.0)
                step = target - self.pitches[number - 1]
                pitch += step * place * place * (3.0 - 2.0 * place)
            if self.generator.random() < self.scoop:
                fall = np.exp(-(time[inside] - begin) / u(0.02, 0.06))
                pitch[inside] -= u(0.3, 2.0) * fall
            during = slice(inside.start, np.searchsorted(time, end))
            vibrato[during] = np.clip((time[during] - begin - when) / 0.25, 0.0, 1.0)
        rate = u(4.3, 7.0) * np.exp(self._wander(0.5, 0.05))
        turn = 2.0 * np.pi * np.cumsum(rate) / CONTROL
        pitch += 0.5 * depth * self._smooth(vibrato, 0.1) * np.sin(turn)
        return pitch + self._wander(0.3, u(0.02, 0.15)) + self._wander(0.01, u(0.0, 0.05))

    def _note(self, number: int, level: float) -> None:
        """Write level, vowel and consonant of one note."""
        generator, time = self.generator, self.time
        u, begin, end = generator.uniform, self.begins[number], self.ends[number]
        first, last = np.searchsorted(time, [begin, end])
        before = self.ends[number - 1] if number else -1.0
        connected = number > 0 and begin - before < CONNECTED
        same = number > 0 and self.pitches[number] == self.pitches[number - 1]
        syllable = not connected or generator.random() > self.legato or same
        if connected and before < begin:  # the sound goes on up to this note
            gap = slice(np.searchsorted(time, before), first)
            self.level[gap] = self.level[max(gap.start - 1, 0)]
            self.weights[gap] = self.weights[max(gap.start - 1, 0)]
        swell = np.linspace(1.0, np.exp(generator.normal(-0.2, 0.35)), last - first)
        self.level[first:last] = level * swell
        if not connected:
            attack = u(*self.attack)
            self.level[first:last] *= np.clip((time[first:last] - begin) / attack, 0.0, 1.0)
            self.delays[number] = HEARD * attack
        following = self.begins[number + 1] if number + 1 < len(self.begins) else np.inf
        if following - end >= CONNECTED:
            tail = slice(last, np.searchsorted(time, end + self.release))
            held = self.level[last - 1] if last > first else 0.0
            self.level[tail] = held * np.clip(1.0 - (time[tail] - end) / self.release, 0.0, 1.0)
        vowel = generator.integers(len(self.vowels)) if syllable or not number else -1
        tail_end = np.searchsorted(time, max(end, min(following, end + self.release)))
        if vowel < 0:
            self.weights[first:tail_end] = self.weights[max(first - 1, 0)]
        else:
            self.weights[first:tail_end] = np.eye(len(self.vowels))[vowel]
        spoken = syllable and generator.random() < self.speech
        if spoken:
            self._consonant(begin, level)
        elif connected and syllable:
            depth, width = u(3.0, 24.0) if not same else u(8.0, 30.0), u(0.015, 0.05)
            dip = np.exp(-0.5 * np.square((time - (begin - 1.2 * width)) / (0.6 * width)))
            self.level *= 10.0 ** (-depth / 20.0 * dip)

    def _consonant(self, begin: float, level: float) -> None:
        """Before a note: a sibilant, a plosive, or a nasal; none of them is the note."""
        u, time = self.generator.uniform, self.time
        kind = self.generator.choice(["sibilant", "plosive", "nasal"])
        length = {"sibilant": u(0.05, 0.15), "plosive": u(0.03, 0.08), "nasal": u(0.04, 0.1)}[kind]
        part = slice(np.searchsorted(time, max(begin - length, 0.0)), np.searchsorted(time, begin))
        if kind == "nasal":
            self.level[part] = np.maximum(self.level[part], 0.3 * level) * 10.0 ** -u(0.3, 0.8)
            self.weights[part] *= u(0.1, 0.6)
            return
        self.level[part] *= 0.02
        soft = slice(part.stop, np.searchsorted(time, begin + u(0.005, 0.03)))
        self.level[soft] *= np.linspace(0.1, 1.0, max(int(soft.stop - soft.start), 0))
        low = u(2500.0, 6000.0) if kind == "sibilant" else u(500.0, 3500.0)
        loud = level * 10.0 ** (-u(6.0, 30.0) / 20.0)
        burst = length if kind == "sibilant" else u(0.006, 0.02)
        self.bursts.append((begin - burst, begin, low, min(low * u(1.6, 3.0), 15_000.0), loud))

    def sound(self, count: int, rate: int) -> Array:
        """Return the line as samples, peak 1."""
        generator = self.generator
        u = generator.uniform
        time = np.arange(count) / rate
        pitch = np.interp(time, self.time, self.pitch)
        frequency = 440.0 * np.exp(SEMITONE * (pitch - 69.0))
        phase = np.cumsum(frequency) / rate
        highest = float(frequency.max(initial=1.0))
        source = wave(self._period(rate, highest), phase)
        noise = u(0.0, 0.08) if generator.random() < 0.7 else 0.0
        if noise:
            source = source + noise * generator.standard_normal(count, np.float32)
        source = source * np.interp(time, self.time, self.level).astype(np.float32)
        made = np.zeros(count, np.float32)
        for number, resonances in enumerate(self._resonances()):
            part = self._resonant(source, resonances, rate)
            made += part * np.interp(time, self.time, self.weights[:, number]).astype(np.float32)
        made /= max(float(np.abs(made).max()), 1e-9)
        for begin, end, low, high, loud in self.bursts:
            first, last = (int(np.clip(t * rate, 0, count)) for t in (begin, end + 0.01))
            if last > first:
                burst = filtered_noise(last - first, low, high, rate, generator)
                burst *= np.hanning(last - first) ** 0.5 / max(float(np.abs(burst).max()), 1e-9)
                made[first:last] += (loud * burst).astype(np.float32)
        return made

    def _period(self, rate: int, highest: float) -> Array:
        """One period of the source: harmonics that stay below 0.45 of the sample rate."""
        generator = self.generator
        k = np.arange(1, int(np.clip(0.45 * rate / highest, 1, 80)) + 1)
        tilt = {"sung": (0.8, 1.9), "bowed": (0.7, 1.5), "blown": (0.9, 3.0)}[self.kind]
        amplitude = k ** -generator.uniform(*tilt)
        if self.kind == "blown":
            amplitude[1::2] *= generator.choice([1.0, generator.uniform(0.05, 1.0)])
        spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
        turns = generator.random(len(k)) if self.kind != "sung" else 0.1 * generator.random(len(k))
        spectrum[1 : len(k) + 1] = amplitude * np.exp(2j * np.pi * turns)
        period = np.fft.irfft(spectrum, TABLE)
        return np.asarray(period / max(float(np.abs(period).max()), 1e-12), np.float32)

    def _resonances(self) -> list[tuple[Array, Array, Array, float]]:
        """Centres, widths and levels of the resonances of each vowel, and what passes beside."""
        u = self.generator.uniform
        if self.kind != "sung":
            count = int(self.generator.integers(2, 6))
            centres = np.sort(np.exp(u(np.log(200.0), np.log(5000.0), count)))
            body = (centres, centres * u(0.05, 0.4, count), u(0.1, 1.0, count), u(0.1, 0.8))
            return [body] * len(self.vowels)
        scale, found = u(0.88, 1.25), []
        for vowel in self.vowels:
            centres = np.append(np.array(VOWELS[vowel]), [3300.0, 4200.0]) * scale
            centres = centres * np.exp(self.generator.normal(0.0, 0.06, 5))
            widths = np.array([80.0, 110.0, 160.0, 220.0, 300.0]) * u(0.8, 1.6)
            levels = np.array([1.0, 0.6, 0.35, 0.3, 0.15]) * np.exp(
                self.generator.normal(0.0, 0.4, 5)
            )
            found.append((centres, widths, levels, 0.05))
        return found

    def _resonant(
        self, source: Array, resonances: tuple[Array, Array, Array, float], rate: int
    ) -> Array:
        """The sum of the source through band passes of gain 1 at their centres."""
        centres, widths, levels, beside = resonances
        made = np.float32(beside) * source
        for centre, width, level in zip(centres, widths, levels, strict=True):
            angle = 2.0 * np.pi * min(centre, 0.45 * rate) / rate
            radius = np.exp(-np.pi * width / rate)
            b = np.array([1.0, 0.0, -1.0], np.float32) * np.float32(0.5 * (1.0 - radius**2))
            a = np.array([1.0, -2.0 * radius * np.cos(angle), radius**2])
            made = made + np.float32(level) * lfilter(b, a.astype(np.float32), source)
        return np.asarray(made, np.float32)
