"""Models of melodies: exact expectation, completion, samples, files, n-grams."""

import itertools

import numpy as np
import pytest

import ictus
from ictus.music.melody import (
    Key,
    Melody,
    MelodyEncoding,
    MelodyNGram,
    MelodyRBM,
    NGram,
    ScoreError,
    expectation_profiles,
    find_key_by_expectation,
    hidden_features,
    probe_tone_profiles,
    transpositions,
)
from ictus.music.melody.prediction import next_note_log_probabilities

from .tunes import tune


@pytest.fixture(scope="module")
def model():
    tunes = [tune(seed, 25) for seed in range(12)]
    options = {"n_iter": 40, "batch_size": 20, "learning_rate": 0.1, "random_state": 0}
    return MelodyRBM(4, 40, transpositions=range(-2, 3), **options).fit(tunes)


def test_codes_come_back():
    melody = Melody([60, -1, 64, 62], [1.0, 0.5, 0.5, 0.77])
    encoding = MelodyEncoding.of([Melody([58, 70, 60], [1.0, 0.5, 0.75])])
    codes = encoding.codes(melody)
    assert codes.tolist() == [[4, 3], [1, 1], [8, 1], [6, 2]]
    again = encoding.melody(codes)
    assert again.pitches.tolist() == melody.pitches.tolist()
    assert again.durations.tolist() == [1.0, 0.5, 0.5, 0.75]
    windows = encoding.windows(codes, 3)
    assert windows.shape == (5, 3, 2)
    assert windows[0].tolist() == [[0, 0], [0, 0], [4, 3]]
    assert windows[-1].tolist() == [[8, 1], [6, 2], [0, 0]]
    assert np.array_equal(encoding.sparse(windows).toarray(), encoding.one_hot(windows))
    with pytest.raises(ScoreError, match="within 58 and 70, got 60 to 71; transpose"):
        encoding.codes(Melody([60, 71], [1, 1]))
    with pytest.raises(ScoreError, match="has no notes"):
        encoding.codes(Melody([-1], [1]))
    with pytest.raises(ScoreError, match="have no notes"):
        MelodyEncoding.of([Melody([-1], [1])])


def test_the_next_note_is_normalised_over_the_free_energies_of_all(model):
    encoding, rbm = model.encoding_, model.rbm_
    rbm.weights[...] *= 3  # far from linear
    try:
        windows = encoding.windows(encoding.codes(tune(50, 6)), 4)[:4]
        log_p = next_note_log_probabilities(rbm, encoding, windows[:, :-1], chunk=3)
        double = ictus.RBM(**(rbm.config() | {"dtype": "float64"}), parameters=rbm.parameters)
        energies = np.full(log_p.shape, np.inf)
        for p, d in itertools.product(range(log_p.shape[1]), range(log_p.shape[2])):
            if (p == 0) == (d == 0):
                changed = windows.copy()
                changed[:, -1] = p, d
                energies[:, p, d] = double.free_energy(encoding.one_hot(changed, np.float64))
        expected = -energies - np.logaddexp.reduce(-energies.reshape(4, -1), 1)[:, None, None]
        there = np.isfinite(expected)
        assert np.array_equal(there, np.isfinite(log_p))
        np.testing.assert_allclose(log_p[there], expected[there], rtol=1e-9, atol=1e-9)
    finally:
        rbm.weights[...] /= 3


def test_training_makes_tunes_likelier_than_noise(model):
    held_out = [tune(seed, 25) for seed in range(100, 104)]
    generator = np.random.default_rng(0)
    noise = [Melody(generator.integers(58, 75, 25), generator.choice([0.5, 1], 25)) for _ in "abcd"]
    assert model.score(held_out) > model.score(noise) + 0.5
    uniform = -np.log((model.encoding_.pitch_count - 1) * (model.encoding_.duration_count - 1))
    assert model.score(held_out) > uniform + 0.3


def test_expectation_and_profiles(model):
    melody = tune(101, 20, Key(2))
    expected = model.expectation(melody)
    assert expected.shape == (21, 12)
    np.testing.assert_allclose(expected.sum(1), 1)
    profiles = expectation_profiles(model, [melody, Melody([60, 62], [1, 1])])
    assert list(profiles) == ["major"]
    np.testing.assert_allclose(profiles["major"], np.roll(expected, -2, axis=1).mean(0))
    assert {m: p.shape for m, p in probe_tone_profiles(model).items()} == {
        "major": (12,),
        "minor": (12,),
    }
    assert isinstance(find_key_by_expectation(model, melody), Key)
    assert hidden_features(model)(melody).shape == (40,)


def test_missing_notes_are_filled_in_and_nothing_else_changes(model):
    melody = tune(60, 20)
    made = model.complete(melody, [3, 4, 11], sweeps=10, chains=4, random_state=1)
    kept = np.delete(np.arange(20), [3, 4, 11])
    assert np.array_equal(made.pitches[kept], melody.pitches[kept])
    assert np.array_equal(made.durations, melody.durations)
    assert (made.pitches >= 0).all()
    mask = np.isin(np.arange(20), [3, 4, 11])
    again = model.complete(melody, mask, sweeps=10, chains=4, random_state=1)
    assert np.array_equal(made.pitches, again.pitches)
    rhythm = model.complete(melody, [19], keep_durations=False, sweeps=5, random_state=2)
    assert rhythm.durations[-1] in model.encoding_.durations


def test_completion_prefers_what_was_learned():
    scale = Melody([60, 62, 64, 65, 67] * 8, [1.0] * 40)
    options = {"n_iter": 500, "batch_size": 10, "learning_rate": 0.1, "random_state": 0}
    model = MelodyRBM(4, 30, transpositions=[0], **options).fit([scale])
    made = model.complete(scale, [6, 12, 21], sweeps=20, random_state=0)
    assert made.pitches[[6, 12, 21]].tolist() == [62, 64, 62]


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ([], ValueError, "at least one note"),
        ([20], ValueError, "notes from 0 to 19"),
        (np.zeros(3, bool), ValueError, r"shape \(20,\)"),
        (range(20), ScoreError, "all notes are missing"),
    ],
)
def test_wrong_gaps(model, missing, error, message):
    with pytest.raises(error, match=message):
        model.complete(tune(60, 20), missing)


def test_samples(model):
    made = model.sample(max_notes=30, random_state=3)
    assert 1 <= len(made) <= 30
    assert made.pitches[0] >= 0
    assert np.array_equal(made.pitches, model.sample(max_notes=30, random_state=3).pitches)
    start = tune(7, 5)
    longer = model.sample(start=start, max_notes=12, random_state=0)
    assert np.array_equal(longer.pitches[:5], start.pitches)
    with pytest.raises(ValueError, match="temperature must be positive"):
        model.sample(temperature=0)


def test_model_files(model, tmp_path):
    ictus.save(tmp_path / "tunes.ictus", model)
    loaded = ictus.load(tmp_path / "tunes.ictus")
    assert np.array_equal(loaded.surprise(tune(5)), model.surprise(tune(5)))
    assert loaded.get_params()["window"] == 4


def test_same_seed_same_bits_and_checkpoints(tmp_path):
    tunes = [tune(seed, 25) for seed in range(4)]
    options = {"window": 3, "n_components": 10, "transpositions": [0], "random_state": 5}
    whole = MelodyRBM(**options, n_iter=4).fit(tunes)
    again = MelodyRBM(**options, n_iter=4, checkpoint=tmp_path / "c").fit(tunes)
    assert np.array_equal(whole.rbm_.parameters, again.rbm_.parameters)


@pytest.mark.parametrize(
    ("options", "X", "message"),
    [
        ({"window": 1}, [tune(0)], "window must be"),
        ({}, [], "at least one"),
        ({}, tune(0), "list of melodies"),
    ],
)
def test_what_cannot_be_trained_on(options, X, message):
    with pytest.raises(ValueError, match=message):
        MelodyRBM(**options).fit(X)


def test_transpositions():
    moved = transpositions([tune(0, 5)], [-1, 2])
    assert [m.key for m in moved] == [Key(11), Key(2)]
    assert (moved[1].pitches - moved[0].pitches).tolist() == [3] * 5


# --- n-grams -------------------------------------------------------------------------------------


def test_an_n_gram_by_hand():
    model = NGram(2).fit(["ab", "aa"])
    # Counts: a 3, b 1, end 2. After a: a 1, b 1, end 1.
    bottom = 1 / 4
    a, b = (3 + 3 * bottom) / 9, (1 + 3 * bottom) / 9
    np.testing.assert_allclose(
        model.probabilities("ab"),
        [(2 + a) / 3, (1 + 3 * b) / 6, (1 + (2 + 3 * bottom) / 9) / 2],
    )


def test_n_grams_sum_to_one():
    model = NGram(3).fit(["abcab", "bca"])
    for context in ("", "a", "ab", "zz"):
        total = sum(model.probabilities(context + s)[len(context)] for s in "abc")
        total += model.probabilities(context)[-1]
        assert total <= 1 + 1e-12
        assert total > 0.9
    with pytest.raises(ValueError, match="order must be"):
        NGram(0)
    with pytest.raises(ValueError, match="at least one sequence"):
        NGram(2).fit([])


def test_notes_by_n_grams_learn():
    encoding = MelodyEncoding(55, 80, (0.5, 1.0))
    codes = [encoding.codes(tune(seed, 40)) for seed in range(20)]
    model = MelodyNGram((1, 2, 3)).fit(codes[:14], codes[14:17])
    unigram = MelodyNGram((1,)).fit(codes[:14], codes[14:17])
    cost = lambda m: np.concatenate([m.surprise(c) for c in codes[17:]]).mean()  # noqa: E731
    assert cost(model) < cost(unigram)
    assert 0 <= model.weight_ <= 1
