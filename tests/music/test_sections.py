"""Novelty, chroma, letters, and what of a recording its sections are found from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus.music.boundaries import (
    CONTEXT,
    FIRST,
    FPS,
    is_silent,
    lag_matrix,
    network_input,
    pick_boundaries,
    pooled_spectrogram,
)
from ictus.music.features import boundary_features
from ictus.music.novelty import checkerboard_novelty
from ictus.music.pitch_classes import chroma, semitone_features
from ictus.music.section_labels import (
    group_sections,
    harmony_similarity,
    letters,
    similarity_matrix,
)
from ictus.music.segmenter import Segmenter, describe

RATE = 44_100


def tone(pitches, seconds, level=0.1):
    time = np.arange(int(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * 440.0 * 2 ** ((p - 69) / 12) * time) for p in pitches]
    return (level * np.sum(waves, axis=0)).astype(np.float32)


def noise(seconds, seed=0, level=0.1):
    generator = np.random.default_rng(seed)
    return (level * generator.standard_normal(int(seconds * RATE))).astype(np.float32)


def song():
    """Sections A B A, of 16, 14 and 16 s: a chord, noise with another chord, the first chord."""
    first = tone([60, 64, 67, 72], 16)
    other = tone([50, 57, 65], 14) + noise(14)
    return np.concatenate([first, other, first])


# --- novelty -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 40), st.integers(1, 6), st.integers(0, 2**31))
def test_novelty_is_the_checkerboard_on_the_similarity_matrix(half, frames, size, seed):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((frames, size))
    x[generator.random(frames) < 0.2] = 0.0
    novelty = checkerboard_novelty(x, half, 0.4)
    assert novelty.shape == (frames,)
    padded = np.pad(x, ((half, half), (0, 0)), mode="edge") if frames else x
    length = np.sqrt((padded**2).sum(axis=1, keepdims=True))
    unit = padded / np.where(length > 0, length, 1.0)
    similarity = unit @ unit.T
    place = np.arange(-half, half) + 0.5
    taper = np.exp(-0.5 * (place / (0.4 * half)) ** 2)
    taper /= taper.sum()
    kernel = np.outer(np.sign(place) * taper, np.sign(place) * taper)
    for t in range(frames):
        wanted = (kernel * similarity[t : t + 2 * half, t : t + 2 * half]).sum()
        assert novelty[t] == pytest.approx(wanted, abs=1e-12)


def test_novelty_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="finite and of shape"):
        checkerboard_novelty(np.zeros(4), 2)
    with pytest.raises(ValueError, match="finite and of shape"):
        checkerboard_novelty(np.full((4, 2), np.nan), 2)
    with pytest.raises(ValueError, match="half and taper"):
        checkerboard_novelty(np.zeros((4, 2)), 0)


# --- input ---------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 60_000), st.lists(st.integers(0, 60_000), max_size=4))
def test_pooled_spectrogram_is_the_same_in_any_blocks(samples, cuts):
    signal = noise(samples / RATE + 0.01)[:samples]
    frames = boundary_features()(signal)
    pooled = pooled_spectrogram(np.split(signal, sorted(min(cut, samples) for cut in cuts)))
    wanted = [frames[i : i + 6].max(axis=0) for i in range(0, len(frames), 6)]
    np.testing.assert_array_equal(pooled, np.reshape(wanted, (-1, 80)))


def test_input_has_the_recording_in_its_middle_at_its_own_scale():
    spectrogram = pooled_spectrogram([noise(20) * np.linspace(0.1, 1, 20 * RATE, dtype=np.float32)])
    x = network_input(spectrogram)
    assert x.shape == (len(spectrogram) + CONTEXT - 1, 80, 1)
    inside = x[CONTEXT // 2 : CONTEXT // 2 + len(spectrogram), :, 0]
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(inside.std(axis=0), 1, atol=1e-3)
    assert x[: CONTEXT // 2].max() < inside.min()
    # Louder by a constant: the same, but for rounding.
    np.testing.assert_allclose(network_input(spectrogram + 2.0), x, atol=1e-4)
    assert network_input(np.zeros((0, 80))).shape == (0, 80, 1)
    both = network_input(spectrogram, 2)
    np.testing.assert_array_equal(both[:, :, :1], x)


def test_input_mistakes():
    with pytest.raises(ValueError, match="channels must be 1 or 2"):
        network_input(np.zeros((4, 80)), 3)
    with pytest.raises(ValueError, match="spectrogram must have shape"):
        network_input(np.zeros((4, 81)))


def test_lag_matrix_shows_what_returns():
    generator = np.random.default_rng(1)
    part = generator.standard_normal((24, 80))
    x = np.concatenate([part, generator.standard_normal((16, 80)), part])
    lags = lag_matrix(x, lags=30, step=2)
    assert lags.shape == (64, 30) and np.isfinite(lags).all() and np.abs(lags).max() <= 1
    # The part returns 40 frames later: column 19, from frame 40 on (the last has no successor).
    assert lags[40:63, 19].max() < -0.9
    assert np.delete(lags[40:], 19, axis=1).mean() > 0.0
    np.testing.assert_array_equal(lags[:2], 1.0)  # nothing lies before the first frames


# --- picking -------------------------------------------------------------------------------------


def test_picking_takes_the_highest_within_six_seconds():
    a = np.full(700, 0.1)
    for frame, height in ((100, 0.9), (130, 0.8), (200, 0.5), (300, 0.2)):
        a[frame] = height
    assert [round((t - FIRST) * FPS) for t in pick_boundaries(a, 0.3, smooth=0)] == [100, 200]
    assert [round((t - FIRST) * FPS) for t in pick_boundaries(a, 0.05, smooth=0)] == [100, 200, 300]
    a[400:404] = 0.9  # of equals the first
    assert [round((t - FIRST) * FPS) for t in pick_boundaries(a, 0.3, smooth=0)] == [100, 200, 400]


def test_picking_subtracts_the_mean_around():
    a = np.full(700, 0.6)
    a[350] = 0.8
    height = 0.8 - (0.6 + 0.2 / 130)  # 86 frames before, 43 after
    assert len(pick_boundaries(a, height - 1e-6, smooth=0)) == 1
    assert len(pick_boundaries(a, height + 1e-6, smooth=0)) == 0


def test_picking_takes_the_middle_of_what_is_high():
    a = np.full(700, 0.1)
    a[300:307] = (0.9, 0.91, 0.92, 0.92, 0.92, 0.91, 0.93)
    assert [round((t - FIRST) * FPS) for t in pick_boundaries(a, 0.3)] == [303]
    assert [round((t - FIRST) * FPS) for t in pick_boundaries(a, 0.3, smooth=0)] == [306]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_nothing_is_picked_in_nothing(frames):
    assert len(pick_boundaries(np.zeros(frames), 0.0)) == 0


def test_picking_mistakes():
    with pytest.raises(ValueError, match=r"activations must"):
        pick_boundaries(np.zeros((3, 1)), 0.1)
    with pytest.raises(ValueError, match=r"activations must"):
        pick_boundaries(np.full(3, np.nan), 0.1)


# --- chroma and letters --------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", range(47, 83, 5))
def test_chroma_names_the_pitch_class(pitch):
    found = chroma(semitone_features(FPS)(tone([pitch], 1.5)))
    assert np.argmax(found[3:-3].mean(axis=0)) == (pitch - 69) % 12


def test_chroma_of_silence_is_nothing():
    assert not chroma(semitone_features(FPS)(np.zeros(RATE))).any()


def unit(x):
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(0, 2**31))
def test_harmony_is_compared_along_the_best_diagonal(lengths, seed):
    generator = np.random.default_rng(seed)
    sequences = [unit(generator.standard_normal((n, 12))) for n in lengths]
    found = harmony_similarity(sequences)
    np.testing.assert_array_equal(np.diagonal(found), 1.0)
    for i, first in enumerate(sequences):
        for j, second in enumerate(sequences[:i]):
            cosines, shorter = first @ second.T, min(len(first), len(second))
            diagonals = [np.diagonal(cosines, k) for k in range(1 - len(first), len(second))]
            fewest = max(min(7, shorter), shorter // 2)
            wanted = max(d.mean() for d in diagonals if len(d) >= fewest)
            assert found[i, j] == found[j, i] == pytest.approx(max(wanted, 0.0), abs=1e-5)


def test_sequences_of_chords_may_begin_anywhere():
    chords = unit(np.random.default_rng(3).standard_normal((60, 12)))
    parts = [chords, chords[15:], chords[:40], chords[20:]]
    np.testing.assert_allclose(harmony_similarity(parts), 1.0, atol=1e-5)
    assert harmony_similarity([]).shape == (0, 0)
    np.testing.assert_array_equal(harmony_similarity([chords, chords[:0]]), np.eye(2))


def test_groups_join_what_is_alike():
    similarity = np.full((5, 5), 0.2)
    np.fill_diagonal(similarity, 1.0)
    for i, j in ((0, 2), (0, 4), (2, 4), (1, 3)):
        similarity[i, j] = similarity[j, i] = 0.9
    assert group_sections(similarity, 0.8) == [0, 1, 0, 1, 0]
    assert group_sections(similarity, 0.1) == [0] * 5
    assert group_sections(similarity, 0.95) == [0, 1, 2, 3, 4]
    # Mean similarity: one alike member does not draw a section into a group.
    similarity[0, 1] = similarity[1, 0] = 0.85
    assert group_sections(similarity, 0.8) == [0, 1, 0, 1, 0]
    assert group_sections(np.zeros((0, 0))) == []


def test_letters():
    assert letters([0, 1, 0, 25, 26, 27, 701, 702]) == [
        *("A", "B", "A", "Z", "AA", "AB", "ZZ", "AAA"),
    ]


def test_similar_sections_have_high_similarity():
    description = describe([song()])
    count = len(description.spectrogram)
    x = network_input(description.spectrogram)[:, :, 0]
    x = x[CONTEXT // 2 : CONTEXT // 2 + count]
    bounds = [round(t * FPS) for t in (0, 16, 30)] + [count]
    similarity = similarity_matrix(bounds, x, description.harmony)
    assert similarity[0, 2] > 0.9 and similarity[0, 1] < 0.5
    np.testing.assert_array_equal(similarity, similarity.T)


# --- recordings ----------------------------------------------------------------------------------


def test_novelty_segments_a_song_and_names_what_returns():
    found = Segmenter().segment_signal(song())
    np.testing.assert_allclose(found.times, [0, 16, 30], atol=0.3)
    np.testing.assert_array_equal(found.ends, [*found.times[1:], 46.0])
    assert found.labels == ["A", "B", "A"]
    np.testing.assert_array_equal(found.boundaries, found.times[1:])


@pytest.mark.parametrize("samples", [1, 100, 3 * RATE])
@pytest.mark.parametrize("loud", [False, True])
def test_short_or_silent_recordings_are_one_section(samples, loud):
    signal = noise(3.1)[:samples] if loud else np.zeros(samples, np.float32)
    found = Segmenter().segment_signal(signal)
    assert found.times.tolist() == [0.0] and found.labels == ["A"]
    assert found.ends.tolist() == [samples / RATE]


def test_nothing_has_no_section():
    found = Segmenter().segment_signal(np.zeros(0, np.float32))
    assert len(found.times) == len(found.ends) == len(found.labels) == len(found.activations) == 0
    assert is_silent(np.zeros((0, 80)))
