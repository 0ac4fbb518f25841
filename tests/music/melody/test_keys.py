"""Keys by profiles; what of the circle of fifths is found in spaces that have it and do not."""

import numpy as np
import pytest

from ictus.music.melody import (
    KRUMHANSL_KESSLER,
    CentroidKeyFinder,
    Key,
    Melody,
    ScoreError,
    SymbolicScore,
    find_key,
    key_distances,
    key_map,
    key_profiles,
    make_notes,
    mirex_score,
    partitura_key,
    pitch_class_durations,
    profile_correlations,
    profile_map,
)

from .tunes import tune


@pytest.mark.parametrize("number", range(24))
def test_a_profile_is_found_in_its_key(number):
    key = Key.from_number(number)
    assert key.number == number
    assert find_key(key_profiles()[number]) == key
    pitches = np.repeat(np.arange(60, 72), 2)
    weights = np.roll(KRUMHANSL_KESSLER[key.mode], key.tonic)
    melody = Melody(pitches, np.repeat(weights, 2))
    assert find_key(melody) == find_key(melody.score()) == key
    assert find_key(melody.transposed(5)) == key.transposed(5)


def test_our_key_is_that_of_partitura():
    pytest.importorskip("partitura")
    for seed in range(12):
        melody = tune(seed, 40, Key(seed))
        assert find_key(melody) == partitura_key(melody)


@pytest.mark.parametrize(
    ("key", "fifths", "name"),
    [
        (Key(0), 0, "C major"),
        (Key(9, "minor"), 0, "A minor"),
        (Key(6), 6, "F# major"),
        (Key(1), -5, "Db major"),
        (Key(3, "minor"), 6, "D# minor"),
    ],
)
def test_signatures(key, fifths, name):
    assert (key.fifths, str(key)) == (fifths, name)
    assert Key.from_fifths(fifths, key.mode) == key


def test_distances_are_least_to_fifths_and_relatives():
    distance = key_distances()
    assert np.allclose(np.diag(distance), 0)
    assert set(np.argsort(distance[0])[1:4].tolist()) == {5, 7, 21}


def test_the_map_of_the_profiles_is_a_circle_of_fifths():
    found = profile_map()
    assert found.fifths == 12
    assert found.radius_variation < 1e-10
    assert found.major_correlation > 0.95


def test_a_map_without_keys_has_no_circle_of_fifths():
    generator = np.random.default_rng(0)
    found = [key_map(generator.normal(size=(24, 30))) for _ in range(20)]
    assert max(one.fifths for one in found) < 8
    assert abs(np.mean([one.correlation for one in found])) < 0.2
    chromatic = np.stack([np.cos(np.arange(24) * np.pi / 6), np.sin(np.arange(24) * np.pi / 6)], 1)
    assert key_map(chromatic).fifths == 0
    with pytest.raises(ValueError, match="24 rows"):
        key_map(np.zeros((12, 2)))


def test_centroids_find_keys_and_ignore_what_does_not_matter():
    melodies = [tune(seed, 60) for seed in range(30)]
    shares = lambda m: np.append(pitch_class_durations(m), m.pitches.mean())  # noqa: E731
    finder = CentroidKeyFinder(shares).fit(melodies)
    test = [tune(seed, 60).transposed(seed % 12 - 5) for seed in range(100, 130)]
    assert np.mean([finder.find(melody) == melody.key for melody in test]) > 0.8
    with pytest.raises(ValueError, match="at least one melody with a key"):
        CentroidKeyFinder(shares).fit([Melody([60], [1.0])])


def test_scores_of_confusions():
    c = Key(0)
    pairs = {c: 1, Key(7): 0.5, Key(5): 0.5, Key(9, "minor"): 0.3, Key(0, "minor"): 0.2, Key(1): 0}
    assert {found: mirex_score(found, c) for found in pairs} == pairs
    assert mirex_score(Key(3), Key(0, "minor")) == 0.3


def test_no_notes_no_key():
    with pytest.raises(ScoreError, match="key cannot be found"):
        find_key(Melody([-1], [1.0]))
    with pytest.raises(ScoreError, match="key cannot be found"):
        find_key(SymbolicScore(make_notes([], 1, 60)))
    with pytest.raises(ScoreError, match="12 numbers"):
        find_key(np.zeros(12))
    with pytest.raises(ValueError, match="tonic must be"):
        Key(12)
    with pytest.raises(ValueError, match="mode must be"):
        Key(0, "dorian")


def test_correlation_with_the_profiles_themselves():
    assert profile_correlations(KRUMHANSL_KESSLER) == pytest.approx({"major": 1, "minor": 1})
