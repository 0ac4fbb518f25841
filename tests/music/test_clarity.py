"""What hides a beat is noticed, and what arrangers do about it."""

import numpy as np
import pytest

from ictus.music.synthesis.accompaniment import make_material
from ictus.music.synthesis.clarity import (
    accents,
    clarify,
    has_drum_set,
    is_clear,
    is_heard,
    mark_bars,
)
from ictus.music.synthesis.drum_writing import Groove, make_groove
from ictus.music.synthesis.harmony import random_key
from ictus.music.synthesis.rhythm import parse
from ictus.music.synthesis.styles import STYLES


def bar(pattern):
    return parse(pattern, len(pattern), np.random.default_rng(0))


def section(style, seed=0):
    generator = np.random.default_rng(seed)
    material = make_material(STYLES[style], random_key(generator), 4, generator)
    return material, make_groove(STYLES[style], generator), generator


@pytest.mark.parametrize(
    ("pattern", "low", "tempo", "clear"),
    [
        ("X...x...X...x...", "X.......X.......", 120, True),
        ("X.......X.......", "X.......X.......", 120, False),  # every second beat alone
        ("X.x.x.x.X.x.x.x.", "X.......X.......", 120, True),
        ("X.x.x.x.X.x.x.x.", "X.......X.......", 70, False),  # as well twice as fast
        ("x.X.x.X.x.X.x.X.", "x.......x.......", 120, False),  # louder between the beats
        ("X...x...X...x...", "..X...X...X...X.", 120, False),  # low notes between them
    ],
)
def test_what_is_clear(pattern, low, tempo, clear):
    assert is_clear(bar(pattern), bar(low), 4, tempo) == clear


def test_a_drum_set_tells_the_level_of_the_beat():
    weak = np.maximum(bar("X...X...........") * 1.0, bar("x...x...x...x...") * 0.4)
    assert not is_clear(weak, bar("X..............."), 4, 170)
    assert is_clear(weak, bar("X..............."), 4, 170, drum_set=True)


@pytest.mark.parametrize("style", STYLES)
def test_sections_become_clear(style):
    before = after = 0
    for seed in range(25):
        material, groove, generator = section(style, seed)
        tempo = float(generator.uniform(*STYLES[style].tempo))
        playing = {"drums", "bass", "chords"} if seed % 2 else {"bass", "chords"}
        drum_set = has_drum_set(groove, playing)

        def clear(material=material, groove=groove, playing=playing, tempo=tempo, drums=drum_set):
            total, low = accents(material, groove, playing)
            return is_clear(total, low, material.style.steps, tempo, drum_set=drums)

        before += clear()
        clarify(material, groove, playing, tempo, generator)
        after += clear()
    assert after >= before and after >= 24


def test_chords_between_slow_beats_are_not_taken_for_backbeats():
    material, groove, generator = section("polka")
    material.comping = ("off-beats", bar("..x...x."))
    clarify(material, groove, {"bass", "chords"}, 90.0, generator)
    assert material.comping[0] != "off-beats"


def test_halves_of_a_bar_come_to_differ():
    material, _, generator = section("rock")
    even = Groove({"kick": bar("X.......X......."), "snare": bar("....X.......X...")}, {})
    mark_bars(material, even, {"drums"}, generator)
    kick = even.bars["kick"]
    assert np.abs(kick[:8] - kick[8:]).sum() > 0.3
    uneven = Groove({"kick": bar("X.......X.x.....")}, {})
    mark_bars(material, uneven, {"drums"}, generator)
    np.testing.assert_array_equal(uneven.bars["kick"], bar("X.......X.x....."))


def strokes(tempo, on, between, rate=16_000):
    """Noise bursts on the beats and midway between them, of these levels, over soft noise."""
    generator = np.random.default_rng(1)
    beats = 0.5 + np.arange(16) * 60.0 / tempo
    sound = 1e-3 * generator.standard_normal(int(rate * (beats[-1] + 1.0)))
    burst = generator.standard_normal(rate // 20) * np.exp(-np.arange(rate // 20) / 100.0)
    for times, level in ((beats, on), (beats[:-1] + 30.0 / tempo, between)):
        for time in times:
            begin = int(time * rate)
            sound[begin : begin + len(burst)] += level * burst
    return sound, rate, beats


@pytest.mark.parametrize(
    ("tempo", "on", "between", "heard"),
    [
        (120, 1.0, 0.0, True),
        (120, 1.0, 0.8, True),
        (120, 1.0, 1.0, True),  # at an easy tempo nobody taps twice as fast
        (120, 0.05, 1.0, False),
        (70, 1.0, 0.03, True),
        (70, 1.0, 1.0, False),  # as well twice as fast
        (180, 0.3, 1.0, False),
    ],
)
def test_recordings_whose_beat_is_heard(tempo, on, between, heard):
    assert is_heard(*strokes(tempo, on, between)) == heard


def test_recordings_without_beats_or_sound():
    assert is_heard(np.zeros(4000), 16_000, np.zeros(0))
    assert is_heard(np.zeros(16_000), 16_000, np.array([0.1, 0.6]))
