"""Peaks of activations against a loop over frames, and times that are merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictus.music.peaks import merge_events, moving_average, moving_maximum, pick_peaks, smoothed


def by_loop(a, threshold, before, after, mean_before, mean_after):
    peaks = []
    for t in range(len(a)):
        around = a[max(t - before, 0) : t + after + 1]
        mean = 0.0
        if mean_before + mean_after:
            mean = np.mean(a[max(t - mean_before, 0) : t + mean_after + 1])
        fits = a[t] >= around.max() and a[t] - mean > threshold
        if fits and not (t and a[t] == a[t - 1] and peaks_at[t - 1]):
            peaks.append(t)
        peaks_at[t] = fits
    return peaks


peaks_at = {}


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7, 0.9]), min_size=0, max_size=40),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_peaks_are_those_of_a_loop(values, before, after, mean_before, mean_after):
    a = np.array(values)
    peaks_at.clear()
    wanted = by_loop(a, 0.317, before, after, mean_before, mean_after)
    found = pick_peaks(
        a, 0.317, before=before, after=after, mean_before=mean_before, mean_after=mean_after
    )
    assert found.tolist() == wanted


def test_windows():
    a = np.array([0.0, 1.0, 4.0, 2.0, 0.0])
    assert moving_maximum(a, 1, 0).tolist() == [0, 1, 4, 4, 2]
    np.testing.assert_allclose(moving_average(a, 1, 1), [0.5, 5 / 3, 7 / 3, 2, 1])
    np.testing.assert_allclose(smoothed(np.ones(6), 5), 1.0)
    window = np.hamming(5) / np.hamming(5).sum()
    np.testing.assert_allclose(smoothed(a, 5)[2], a @ window)
    assert smoothed(a, 0).tolist() == a.tolist() and len(smoothed([], 5)) == 0


def test_events_nearer_than_30_ms_are_one():
    times = [0.5, 0.1, 0.12, 0.131, 0.155, 0.53]
    np.testing.assert_allclose(merge_events(times), [0.1, 0.131, 0.5, 0.53])
    assert len(merge_events([])) == 0


@pytest.mark.parametrize("bad", [np.zeros((3, 2)), np.array([0.1, np.nan])])
def test_bad_activations_are_refused(bad):
    with pytest.raises(ValueError, match="activations must be finite"):
        pick_peaks(bad, 0.5)
