"""Scores: times of positions, tempo curves, swing, and how they are performed."""

import numpy as np
import pytest

from ictus.music.synthesis.score import Part, Score, notes, perform, tempo_curve


def score(**options):
    part = Part("chords", notes([0.0, 0.5, 1.0, 1.5, 4.0], 0.5, [60, 64, 60, 64, 72]))
    values = {"beats_per_bar": [3, 2], "beat_seconds": [0.5, 0.5, 0.5, 1.0, 1.0]} | options
    return Score([part], **values)


def test_beats_bars_and_positions():
    made = score(lead_in=0.25, sections=[(0, "verse"), (1, "chorus")])
    np.testing.assert_allclose(made.beat_times, [0.25, 0.75, 1.25, 1.75, 2.75, 3.75])
    np.testing.assert_array_equal(made.beats()[:, 1], [1, 2, 3, 1, 2])
    np.testing.assert_allclose(made.times([0, 0.5, 3.5, 5.0, 6.0]), [0.25, 0.5, 2.25, 3.75, 4.75])
    assert made.section_times() == [(0.25, 1.75, "verse"), (1.75, 3.75, "chorus")]


def test_swing_moves_what_lies_between_beats_only():
    made = score(swing=2 / 3)
    np.testing.assert_allclose(made.times([0.0, 1.0, 2.0]), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(made.times([0.5, 0.25, 0.75]), [1 / 3, 1 / 6, 5 / 12])
    sixteenths = score(swing=0.6, swing_level=2)
    np.testing.assert_allclose(sixteenths.times([0.25, 0.5]), [0.15, 0.25])


def test_a_performance_without_deviations_is_the_score():
    made = score()
    (events,) = perform(made, np.random.default_rng(0))
    np.testing.assert_allclose(events["start"], made.times([0.0, 0.5, 1.0, 1.5, 4.0]))
    np.testing.assert_allclose(events["duration"], [0.25, 0.25, 0.25, 0.25, 0.5])


def test_players_deviate_but_chords_stay_together():
    part = Part("chords", notes(np.repeat(np.arange(4.0), 3), 0.5, [60, 64, 67] * 4), jitter=0.01)
    made = Score([part], [4], np.full(4, 0.5))
    (events,) = perform(made, np.random.default_rng(1))
    times = events["start"].reshape(4, 3)
    assert (np.ptp(times, axis=1) == 0).all()
    deviation = times[:, 0] - 0.5 * np.arange(4)
    assert 0 < np.abs(deviation[1:]).max() <= 0.025 + 1e-9


@pytest.mark.parametrize("kind", ["constant", "human", "drift", "rubato", "steps"])
def test_tempo_curves_stay_near_their_tempo(kind):
    bars = np.full(60, 4)
    seconds = tempo_curve(kind, bars, 120.0, np.random.default_rng(3))
    assert seconds.shape == (240,)
    assert 95 < 60 / np.median(seconds) < 150
    if kind == "constant":
        np.testing.assert_allclose(seconds, 0.5)
    else:
        assert np.ptp(seconds) > 0.001


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="one duration for each of 5 beats, got 3"):
        score(beat_seconds=[1, 1, 1])
    with pytest.raises(ValueError, match="positive and finite"):
        score(beat_seconds=[1, 1, 0, 1, 1])
    with pytest.raises(ValueError, match="kind must be constant"):
        tempo_curve("fast", np.array([4]), 100, np.random.default_rng(0))
