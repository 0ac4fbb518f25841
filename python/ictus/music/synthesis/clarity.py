"""Whether a listener can tell the beat: of a section, of a recording; and what an arranger adds.

Parts that are chosen one by one can together hide the beat: bass and chords that avoid it, two
chords a bar and nothing else, a drum that is louder between the beats. Arrangers see to it that
somebody tells the time. So does :func:`clarify`, by two rules on what is played in a bar: every
beat is marked, and what is low or loud is not mostly elsewhere. Instruments and the mix can still
bury it; :func:`is_heard` listens to what was recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.accompaniment import Material
from ictus.music.synthesis.audible import FLOOR, FPS, band_powers
from ictus.music.synthesis.drum_writing import Groove
from ictus.music.synthesis.rhythm import rhythm

Array = NDArray[Any]

#: How much a stroke of a voice tells; all others do so less.
WEIGHTS = {"kick": 1.0, "snare": 0.8, "clap": 0.8}
OTHERS = 0.45
#: A beat must be marked this much: under a drum set, and else at easy and at ambiguous tempi.
MARKED_BY_DRUMS, MARKED, MARKED_WELL = 0.25, 0.35, 0.55
#: Tempi that most listeners would halve, or double, without good reasons not to.
FAST, SLOW = 140.0, 95.0
#: What begins between the beats of a recording may be so much stronger than what begins on them, at
#: easy tempi and at others.
HEARD, HEARD_WELL = 1.15, 0.85
#: Chords only between the beats, slower than this, are heard as every second beat of a fast piece.
SLOWEST_AFTERBEAT = 104.0


def has_drum_set(groove: Groove, playing: set[str]) -> bool:
    """Return whether kick and snare (or claps) play."""
    heard = {voice for voice, bar in groove.bars.items() if bar.any()}
    return "drums" in playing and "kick" in heard and bool(heard & {"snare", "clap", "stick"})


def accents(material: Material, groove: Groove, playing: set[str]) -> tuple[Array, Array]:
    """Return how strong all instruments, and the low ones, are on each step of a bar.

    Chords do not count beside a drum set: between its beats they are a mark of some styles.
    """
    count = material.style.beats * material.style.steps
    total, low = np.zeros(count), np.zeros(count)
    if "drums" in playing:
        for voice, bar in groove.bars.items():
            total += WEIGHTS.get(voice, OTHERS) * bar
        low += groove.bars.get("kick", 0.0)
        low += 0.8 * groove.bars.get("low tom", 0.0)
    if "bass" in playing:
        bass = _played(material.bass, groove)
        total += bass
        low += bass
    if "chords" in playing and not has_drum_set(groove, playing):
        total += 0.8 * _played(material.comping, groove)
    return total, low


def _played(part: tuple[str, Array], groove: Groove) -> Array:
    name, pattern = part
    kick = groove.bars.get("kick")
    return kick if name == "kick" and kick is not None and kick.any() else pattern


def is_clear(total: Array, low: Array, steps: int, tempo: float, *, drum_set: bool = False) -> bool:
    """Return whether every beat is marked, and no other place of the beat is stronger.

    Parameters
    ----------
    total, low : arrays, shape (beats * steps,)
        See :func:`accents`.
    steps : int
        Of a beat.
    tempo : float
        Beats a minute.
    drum_set : bool
        A kick and a snare tell the level of the beat, so that single beats may be weaker.
    """
    by_step = total.reshape(-1, steps)
    easy = SLOW <= tempo <= FAST
    marked = MARKED_BY_DRUMS if drum_set else MARKED if easy else MARKED_WELL
    if by_step[:, 0].min() < marked:
        return False
    between = by_step[:, 1:].mean(0).max(initial=0.0)
    if between > by_step[:, 0].mean() * (0.9 if easy else 0.75):
        return False
    low_by_step = low.reshape(-1, steps).sum(0)
    return bool(low_by_step[1:].max(initial=0.0) <= low_by_step[0] + 1e-9)


def clarify(
    material: Material,
    groove: Groove,
    playing: set[str],
    tempo: float,
    generator: np.random.Generator,
) -> None:
    """Change bass, chords or drums of a section, in place, until its beat is clear.

    What plays stays; bass, then a timekeeper of the drums, then the chords play on the beats.
    """
    style = material.style
    grid, count = (style.beats, style.steps), style.beats * style.steps
    on_beats = np.arange(0, count, style.steps)
    drum_set = has_drum_set(groove, playing)

    def clear() -> bool:
        total, low = accents(material, groove, playing)
        return is_clear(total, low, style.steps, tempo, drum_set=drum_set)

    if material.comping[0] == "off-beats" and tempo < SLOWEST_AFTERBEAT and not drum_set:
        material.comping = ("quarters", rhythm("quarters", *grid, generator))
    snare = groove.bars.get("snare")
    if snare is not None and drum_set and style.steps == 4 and style.family != "jazz":
        by_step = snare.reshape(-1, 4).mean(0)
        if tempo < SLOWEST_AFTERBEAT and by_step[2] > 1.2 * by_step[0]:
            groove.bars["snare"] = np.roll(snare, 2)
    if "bass" in playing and not clear():
        name = str(generator.choice(["root quarters", "root quarters", "walking", "root eighths"]))
        material.bass = (name, rhythm(name, *grid, generator))
    if "drums" in playing and not clear():
        voice = next((v for v in ("hat", "ride", "open") if v in groove.bars), "hat")
        bar = 0.6 * groove.bars.get(voice, np.zeros(count))
        bar[on_beats] = 0.9
        groove.bars[voice], groove.open_hat = bar, -1
    if "chords" in playing and not clear():
        name = str(generator.choice(["quarters", "eighths", "strum"]))
        material.comping = (name, rhythm(name, *grid, generator))
    if "drums" in playing and not clear():
        kick = 0.5 * groove.bars.get("kick", np.zeros(count))
        kick[on_beats] = 0.9
        groove.bars["kick"] = kick


def mark_bars(
    material: Material, groove: Groove, playing: set[str], generator: np.random.Generator
) -> None:
    """Where the second half of a bar of four is like the first, make them different, in place."""
    style = material.style
    total, _ = accents(material, groove, playing)
    half = len(total) // 2
    if style.beats != 4 or np.abs(total[:half] - total[half:]).sum() > 0.3:
        return
    if "drums" in playing and groove.bars.get("kick", np.zeros(1)).any():
        kick = groove.bars["kick"].copy()
        before = half - (style.steps // 2 if style.steps % 2 == 0 else 1)
        place = before if generator.random() < 0.5 else len(kick) - half + before
        kick[place] = max(kick[place], 0.7)
        kick[half] = min(kick[half], 0.75)
        groove.bars["kick"] = kick
    if "bass" in playing and generator.random() < 0.5:
        name, bar = material.bass
        bar = 0.8 * bar
        bar[0] = 1.0
        material.bass = (name, bar)


def rises(levels: Array, times: Array) -> float:
    """Return by how much the levels of all bands rise at times (seconds), in decibels, on average.

    From 25 ms before to the highest in the 40 ms after; see :func:`audible.band_powers`.
    """
    frame = np.round(times * FPS).astype(int)
    frame = frame[(frame >= 3) & (frame < len(levels) - 4)]
    if not len(frame):
        return 0.0
    before = levels[frame[:, None] + np.array([-3, -2])].mean(1)
    after = levels[frame[:, None] + np.arange(5)].max(1)
    return float(np.maximum(after - before, 0.0).mean())


def is_heard(sound: Array, rate: int, beats: Array) -> bool:
    """Return whether what begins on the beats of a recording is heard beside what begins between.

    Parameters
    ----------
    sound : array, shape (samples,)
    rate : int
    beats : array
        Times in seconds. Between them are their halves and their thirds.
    """
    if len(beats) < 2:
        return True
    powers = band_powers(sound, rate)
    levels = 10.0 * np.log10(powers + FLOOR * powers.max() + 1e-30)
    gaps = np.diff(beats)
    between = max(rises(levels, beats[:-1] + gaps * part) for part in (1 / 3, 1 / 2, 2 / 3))
    easy = SLOW <= 60.0 / float(np.median(gaps)) <= FAST
    return between <= (HEARD if easy else HEARD_WELL) * rises(levels, beats)
