"""Tempo and pitch of a sound, changed each by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictus.music.time_stretch import change, stretch

RATE = 22_050


def tone_with_clicks(seconds=4.0):
    """A tone of 300 Hz, and clicks every half second."""
    t = np.arange(int(seconds * RATE)) / RATE
    sound = 0.2 * np.sin(2 * np.pi * 300 * t)
    noise = np.random.default_rng(0).standard_normal(600) * np.exp(-np.arange(600) / 100)
    clicks = np.arange(0.5, seconds - 0.4, 0.5)
    for click in clicks:
        sound[int(click * RATE) :][:600] += noise
    return sound.astype(np.float32), clicks


def frequency(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return np.argmax(spectrum) * RATE / (8 * len(sound))


def click_times(sound, near):
    """Where the high frequencies come up, near each of these times."""
    energy = np.convolve(np.square(np.diff(sound)), np.ones(50))[: len(sound)]
    found = []
    for time in near:
        first = max(int((time - 0.1) * RATE), 0)
        part = energy[first : int((time + 0.1) * RATE)]
        found.append((first + np.argmax(part > 0.2 * part.max())) / RATE)
    return np.array(found)


@pytest.mark.parametrize("tempo", [0.7, 0.9, 1.1, 1.25])
def test_tempo_changes_and_pitch_stays(tempo):
    sound, clicks = tone_with_clicks()
    made = stretch(sound, tempo, window=1024, tolerance=220)
    assert len(made) == round(len(sound) / tempo)
    assert frequency(made) == pytest.approx(300, abs=1.0)
    assert np.abs(click_times(made, clicks / tempo) - clicks / tempo).max() < 0.016
    assert made.std() == pytest.approx(sound.std(), rel=0.1)


@pytest.mark.parametrize("pitch", [0.8, 1.25])
def test_pitch_changes_and_tempo_stays(pitch):
    pytest.importorskip("soxr")
    sound, clicks = tone_with_clicks()
    made = change(sound, RATE, pitch=pitch)
    assert abs(len(made) - len(sound)) <= 2
    assert frequency(made) == pytest.approx(300 * pitch, abs=1.5)
    assert np.abs(click_times(made, clicks) - clicks).max() < 0.016


def test_a_tape_changes_both():
    pytest.importorskip("soxr")
    sound, clicks = tone_with_clicks()
    made = change(sound, RATE, tempo=1.25, pitch=1.25)
    assert frequency(made) == pytest.approx(375, abs=1.5)
    assert np.abs(click_times(made, clicks / 1.25) - clicks / 1.25).max() < 0.003


@given(
    samples=st.integers(0, 5000),
    tempo=st.floats(0.25, 4.0),
    window=st.sampled_from([2, 64, 500]),
    tolerance=st.integers(0, 300),
)
def test_any_length_comes_out_right(samples, tempo, window, tolerance):
    sound = np.random.default_rng(1).standard_normal(samples).astype(np.float32)
    made = stretch(sound, tempo, window=window, tolerance=tolerance)
    assert np.isfinite(made).all() and made.dtype == np.float32
    assert len(made) == (max(round(samples / tempo), 1) if samples else 0)
    np.testing.assert_array_equal(stretch(sound, 1.0), sound)


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match=r"tempo must be between 0\.25 and 4, got 5"):
        stretch(np.zeros(10), 5)
    with pytest.raises(ValueError, match=r"signal must have shape \(samples,\), got \(3, 2\)"):
        stretch(np.zeros((3, 2)), 2)
