"""From a score to finished audio and its annotations: who is rendered by what, and the mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis import effects, fluidsynth
from ictus.music.synthesis.audible import audible, band_powers, fluidsynth_delays, present
from ictus.music.synthesis.builtin import is_line, render_part
from ictus.music.synthesis.score import Part, Score, perform

Array = NDArray[Any]

#: Strokes softer than this are not annotated; nobody hears them in a mix.
AUDIBLE_VELOCITY = 25
#: Onsets nearer than this are one, in seconds.
SAME_ONSET = 0.012
TIMBRES = ("plain", "wide")
#: How often the built-in synthesiser plays a group, of plain and of wide timbres.
BUILT_IN = (0.3, 0.5)
GROUPS = ("drums", "bass", "harmony", "lead")


@dataclass
class Recording:
    """Audio with everything that is known about it.

    Attributes
    ----------
    audio : array, shape (samples,), float32
    sample_rate : int
    beats : array, shape (beats, 2)
        Times in seconds and numbers in the bar (1: downbeat).
    onsets : array, shape (onsets,)
        Times at which the attacks of all notes are heard that the mix does not cover; those that
        begin together are one. See :mod:`ictus.music.synthesis.audible`.
    drum_onsets : array, shape (strokes, 2)
        Time and note of General MIDI's percussion map.
    sections : list of (begin, end, label)
    description : dict
        Style, synthesiser, tempo and so on.
    """

    audio: Array
    sample_rate: int
    beats: Array
    onsets: Array
    drum_onsets: Array
    sections: list[tuple[float, float, str]]
    description: dict[str, Any]


def render(
    score: Score,
    seed: int | np.random.SeedSequence = 0,
    *,
    synthesizer: str = "auto",
    sample_rate: int = 44100,
    effect: float = 1.0,
    timbres: str = "plain",
) -> Recording:
    """Play and record a score.

    Parameters
    ----------
    score : Score
    seed : int
        Of the players' deviations, timbres and the mix. The same seed gives the same samples with
        the same synthesiser.
    synthesizer : {"auto", "builtin", "fluidsynth", "mixed"}
        "mixed": each group of instruments (drums, bass, harmony, lead) comes from the one or the
        other by chance; "auto": mixed where FluidSynth and a sound font are installed, else
        builtin. Parts with the role "voice" are always builtin, unless "fluidsynth" is given.
    sample_rate : int
    effect : float
        Strength of the mix's effects; 0: the plain sum.
    timbres : {"plain", "wide"}
        "wide": the built-in synthesiser plays more often, draws its sounds from wider ranges, and
        sings and bows lines without attacks (:mod:`ictus.music.synthesis.lines`).

    Raises
    ------
    ValueError
        An unknown synthesiser, or unknown timbres.
    RuntimeError
        FluidSynth was asked for and is not installed.
    """
    if synthesizer not in ("auto", "builtin", "fluidsynth", "mixed"):
        raise ValueError(
            f"synthesizer must be auto, builtin, fluidsynth or mixed, got {synthesizer!r}"
        )
    if timbres not in TIMBRES:
        raise ValueError(f"timbres must be plain or wide, got {timbres!r}")
    if synthesizer == "auto":
        synthesizer = "mixed" if fluidsynth.is_available() else "builtin"
    generator = np.random.Generator(np.random.PCG64(seed))
    events = perform(score, generator)
    seconds = score.seconds + float(generator.uniform(0.3, 2.0))
    stems, sources, delays, lines = _stems(
        score, events, seconds, sample_rate, synthesizer, generator, wide=timbres == "wide"
    )
    mixed, total = _mix(stems, sample_rate, effect, generator)
    heard = _heard(score.parts, events, delays, lines, stems, total, sample_rate)
    return Recording(
        mixed,
        sample_rate,
        score.beats(),
        distinct(np.sort(np.concatenate([*heard, np.zeros(0)])), SAME_ONSET),
        _strokes(score.parts, events),
        score.section_times(),
        {
            "style": score.style,
            "tempo": round(60.0 / float(np.median(score.beat_seconds)), 3),
            "swing": round(score.swing, 3),
            "sources": sources,
            "parts": [f"{part.role} {part.program}" for part in score.parts],
        },
    )


def _group(part: Part) -> str:
    if part.role in ("drums", "bass"):
        return part.role
    return "lead" if part.role in ("melody", "voice") else "harmony"


def _stems(
    score: Score,
    events: list[Array],
    seconds: float,
    rate: int,
    synthesizer: str,
    generator: np.random.Generator,
    *,
    wide: bool,
) -> tuple[dict[str, Array], dict[str, str], list[Array], set[int]]:
    """The sound of each group, where it came from, the delays of all attacks, and the lines."""
    lines: set[int] = set()
    stems: dict[str, Array] = {}
    sources: dict[str, str] = {}
    delays = [np.zeros(len(e)) for e in events]
    for group in GROUPS:
        built_in = generator.random() < BUILT_IN[wide]
        members = [i for i, part in enumerate(score.parts) if _group(part) == group]
        inside: list[int] = []
        for i in members:
            own = synthesizer == "builtin" or (synthesizer == "mixed" and built_in)
            if own or (score.parts[i].role == "voice" and synthesizer != "fluidsynth"):
                inside.append(i)
        outside = [i for i in members if i not in inside]
        sound = np.zeros(int(np.ceil(seconds * rate)), np.float32)
        for i in inside:
            if wide and is_line(score.parts[i], generator):
                lines.add(i)
            made = render_part(
                score.parts[i],
                events[i],
                seconds,
                rate,
                generator,
                delays[i],
                wide=wide,
                line=i in lines,
            )
            sound += _levelled(made) * _gain(score.parts[i].gain)
        if outside:
            machine = fluidsynth.FluidSynth(rate)
            parts = [score.parts[i] for i in outside]
            both = machine.render(parts, [events[i] for i in outside], seconds)
            sound += _levelled(both.mean(1)[: len(sound)]) * _gain(parts[0].gain)
            for i in outside:
                delays[i] = fluidsynth_delays(score.parts[i], events[i], rate)
        if members:
            stems[group] = sound
            sources[group] = "+".join(
                name for name, used in (("builtin", inside), ("fluidsynth", outside)) if used
            )
    return stems, sources, delays, lines


def _gain(decibels: float) -> np.float32:
    return np.float32(10.0 ** (decibels / 20.0))


def _levelled(sound: Array) -> Array:
    """The sound at one loudness: the mean power of its louder blocks."""
    block = 4096
    count = len(sound) // block
    if not count:
        return sound
    power = np.square(sound[: count * block]).reshape(count, block).mean(1)
    loud = power[power > 0.01 * power.max()] if power.max() > 0 else power
    level = float(np.sqrt(loud.mean())) if len(loud) else 0.0
    return sound * np.float32(0.1 / level) if level > 1e-8 else sound


#: Mean level of each group in the mix and its standard deviation, in decibels.
LEVELS = {"drums": (0.0, 3.0), "bass": (-2.5, 3.0), "harmony": (-4.5, 3.5), "lead": (-3.5, 4.0)}


def _mix(
    stems: dict[str, Array], rate: int, effect: float, generator: np.random.Generator
) -> tuple[Array, Array]:
    """The finished mix, and the sum of the stems with their room; stems become what is in it."""
    length = max((len(s) for s in stems.values()), default=1)
    total: Array = np.zeros(length, np.float32)
    reverberant = np.zeros_like(total)
    wet = float(generator.choice([0.0, generator.uniform(0.05, 0.5), generator.uniform(0.1, 1.2)]))
    for group, stem in stems.items():
        sound = stem
        if effect:
            mean, deviation = LEVELS[group]
            sound = effects.equalize(sound, rate, 3.5 * effect, generator).astype(np.float32)
            if generator.random() < 0.4 * effect:
                sound = effects.compress(
                    sound,
                    rate,
                    generator.uniform(-24, -8),
                    generator.uniform(2, 8),
                    generator.uniform(0.03, 0.3),
                )
            if group in ("harmony", "lead", "bass") and generator.random() < 0.2 * effect:
                sound = effects.drive(sound, float(np.exp(generator.uniform(0.0, 3.0))))
            # In a mix everybody is heard: no level is further than 1.5 deviations from its mean.
            level = np.clip(generator.normal(0.0, 1.0), -1.5, 1.5)
            sound = _levelled(sound) * _gain(mean + deviation * effect * level)
        total += sound
        stems[group] = sound
        if wet:
            reverberant += sound * np.float32(generator.uniform(0.1, 1.0))
    if not effect:
        return _limited(total, 0.9), total
    if wet:
        room = effects.impulse_response(
            float(np.exp(generator.uniform(np.log(0.2), np.log(2.5)))),
            float(generator.uniform(0.15, 0.9)),
            rate,
            generator,
        )
        total = total + np.float32(wet) * effects.convolve(reverberant, room)
    return _mastered(total, rate, effect, generator), total


def _mastered(total: Array, rate: int, effect: float, generator: np.random.Generator) -> Array:
    """The sum through what happens to a whole recording."""
    random, u = generator.random, generator.uniform
    total = effects.equalize(total, rate, 2.5 * effect, generator).astype(np.float32)
    if random() < 0.7:
        total = effects.compress(total, rate, u(-18, -4), u(1.5, 6), u(0.05, 0.4))
    if random() < 0.15:
        total = effects.drive(total, u(1.0, 3.0))
    if random() < 0.35:
        level = float(np.abs(total).max()) * 10.0 ** (u(-70, -32) / 20.0)
        total = total + level * generator.standard_normal(len(total), np.float32)
    total = _limited(total, float(10.0 ** (u(-14.0, -0.2) / 20.0)))
    if random() < 0.2 * effect:
        total = effects.lossy(total, rate, u(0.3, 1.0))
    return np.asarray(total, np.float32)


def _limited(sound: Array, level: float) -> Array:
    highest = float(np.abs(sound).max())
    return sound * np.float32(level / highest) if highest > 0 else sound


def _heard(
    parts: list[Part],
    events: list[Array],
    delays: list[Array],
    lines: set[int],
    stems: dict[str, Array],
    total: Array,
    rate: int,
) -> list[Array]:
    """The times of each part's attacks that are heard in the mix."""
    mix = band_powers(total, rate)
    powers = {group: band_powers(stem, rate) for group, stem in stems.items()}
    heard = []
    for number, (part, event, delay) in enumerate(zip(parts, events, delays, strict=True)):
        times = event["start"] + delay
        test = present if number in lines else audible
        heard.append(times[test(times, powers[_group(part)], mix)])
    return heard


def _strokes(parts: list[Part], events: list[Array]) -> Array:
    """Time and note of the strokes on drums."""
    strokes = [np.zeros((0, 2))]
    for part, event in zip(parts, events, strict=True):
        if part.role == "drums":
            loud = event[event["velocity"] >= AUDIBLE_VELOCITY]
            strokes.append(np.column_stack([loud["start"], loud["pitch"]]))
    drums = np.concatenate(strokes)
    return drums[np.argsort(drums[:, 0], kind="stable")]


def distinct(times: Array, distance: float) -> Array:
    """Return the times without those that follow a kept one by less than `distance`."""
    kept: list[float] = []
    for time in times.tolist():
        if not kept or time - kept[-1] >= distance:
            kept.append(time)
    return np.asarray(kept)
