"""Pieces by rule: complete, reproducible, in the metre and the tempo of their style."""

import numpy as np
import pytest

from ictus.music.synthesis.composer import TEMPO_RANGE, compose
from ictus.music.synthesis.harmony import Key, melody_degrees, voiced
from ictus.music.synthesis.orchestra import is_among, is_held_out
from ictus.music.synthesis.rhythm import lengths, parse, rhythm
from ictus.music.synthesis.styles import STYLES


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_gives_pieces(style):
    for seed in range(4):
        made = compose(seed, seconds=20.0, style=style)
        assert made.style == style and set(made.beats_per_bar) == {STYLES[style].beats}
        assert sum(len(part.notes) for part in made.parts) > 10
        assert made.seconds > 15.0
        tempo = 60.0 / np.median(made.beat_seconds)
        low, high = STYLES[style].tempo
        assert max(low, TEMPO_RANGE[0]) * 0.8 < tempo < min(high, TEMPO_RANGE[1]) * 1.3
        for part in made.parts:
            assert (part.notes["pitch"] >= 0).all() and (part.notes["pitch"] <= 127).all()
            assert (part.notes["velocity"] >= 1).all() and (part.notes["velocity"] <= 127).all()
            assert (part.notes["start"] >= -1e-6).all()
            assert part.notes["start"].max() <= made.beats_per_bar.sum()


@pytest.mark.parametrize("tempo", [(58.0, 75.0), (190.0, 206.0)])
def test_tempi_within_limits(tempo):
    styles = set()
    for seed in range(12):
        made = compose(seed, seconds=10.0, tempo=tempo)
        styles.add(made.style)
        found = 60.0 / np.median(made.beat_seconds)
        assert tempo[0] * 0.8 < found < tempo[1] * 1.3
    assert len(styles) > 2
    with pytest.raises(ValueError, match="tempo must be within that of chorale"):
        compose(0, style="chorale", tempo=(150.0, 160.0))
    with pytest.raises(ValueError, match="tempo must be within that of some style"):
        compose(0, tempo=(300.0, 400.0))


def test_the_seed_determines_the_piece():
    one, same, other = compose(5), compose(5), compose(6)
    assert len(one.parts) == len(same.parts)
    for a, b in zip(one.parts, same.parts, strict=True):
        assert a.notes.tobytes() == b.notes.tobytes() and a.program == b.program
    np.testing.assert_array_equal(one.beat_times, same.beat_times)
    assert one.style != other.style or one.beat_times[5] != other.beat_times[5]


def test_sections_return_with_their_material():
    for seed in range(40):
        made = compose(seed, seconds=120.0, style="rock")
        labels = [label for _, label in made.sections]
        chords = [part for part in made.parts if part.role == "chords"]
        if labels.count("chorus") < 2 or not chords:
            continue
        first, second = (bar for bar, label in made.sections if label == "chorus" for _ in (0,))
        found = []
        for bar in (first, second):
            part = chords[0].notes
            within = part[(part["start"] >= 4 * bar - 0.01) & (part["start"] < 4 * bar + 15.9)]
            found.append(
                sorted(zip(within["pitch"], np.round(within["start"] - 4 * bar, 1), strict=True))
            )
        if found[0] and len(found[0]) == len(found[1]):
            assert [p for p, _ in found[0]] == [p for p, _ in found[1]]
            return
    pytest.fail("no piece with a returning chorus")


def test_test_instruments_are_not_those_of_training():
    for seed in range(12):
        for wanted in ("training", "test"):
            for part in compose(seed, seconds=10.0, instruments=wanted).parts:
                assert is_held_out(part.role, part.program) == (wanted == "test")


def test_training_instruments_part_into_core_and_validation():
    played = {}
    for wanted in ("core", "validation"):
        parts = [
            part
            for seed in range(12)
            for part in compose(seed, seconds=10.0, instruments=wanted).parts
        ]
        assert all(is_among(wanted, part.role, part.program) for part in parts)
        played[wanted] = {(part.role == "drums", part.program) for part in parts}
    assert not played["core"] & played["validation"]
    for role in ("drums", "melody"):
        for program in range(128):
            sets = [s for s in ("core", "validation", "test") if is_among(s, role, program)]
            assert len(sets) == 1
            assert is_among("training", role, program) == (sets != ["test"])


def test_patterns_and_rhythms():
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(parse("X.o.", 8, generator), [1, 0, 0.45, 0] * 2)
    np.testing.assert_array_equal(
        np.flatnonzero(rhythm("off-beats", 4, 4, generator)), [2, 6, 10, 14]
    )
    np.testing.assert_array_equal(np.flatnonzero(rhythm("after-beats", 3, 4, generator)), [4, 8])
    np.testing.assert_array_equal(np.flatnonzero(rhythm("triplets", 2, 3, generator)), np.arange(6))
    at, beats = lengths(np.array([1, 0, 0, 0.5, 0, 0, 0, 0]), 4, 0.5)
    np.testing.assert_array_equal(at, [0, 3])
    np.testing.assert_allclose(beats, [0.375, 0.625])


def test_pitches():
    key = Key(2, (0, 2, 4, 5, 7, 9, 11))
    np.testing.assert_array_equal(key.pitch([0, 2, 4, 7, -1]), [62, 66, 69, 74, 61])
    assert np.abs(voiced(key.pitch([0, 2, 4]), 60.0) - 60).max() <= 6
    degrees = melody_degrees(np.ones(200, bool), np.array([0, 2, 4]), 0, np.random.default_rng(1))
    assert degrees.min() >= -5 and degrees.max() <= 10
    assert np.isin(degrees % 7, [0, 2, 4]).mean() > 0.6


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="seconds must be positive, got 0"):
        compose(1, seconds=0)
    with pytest.raises(ValueError, match=r"style must be one of .*waltz.*, got 'grindcore'"):
        compose(1, style="grindcore")
    with pytest.raises(ValueError, match="instruments must be one of all"):
        compose(1, instruments="mine")
