"""Sequences of chords, harmonisers and measures of their writing, on triads of our own."""

import itertools

import numpy as np
import pytest

import ictus
from ictus.music.melody import (
    ChordSequenceLSTM,
    ConditionalHarmonizer,
    DeepHarmonizer,
    Melody,
    RecurrentHarmonizer,
    ScoreError,
    VoiceStates,
    agreement,
    from_steps,
    soprano_of,
    writing_measures,
)

from .tunes import chorales

PIECES = [[[60, 64, 67], [60, 65, 69], [59, 62, 67], []] * 3 for _ in range(8)]
OPTIONS = {"transpositions": [0], "random_state": 0}


@pytest.fixture(scope="module")
def chords():
    return ChordSequenceLSTM(
        16,
        max_epochs=60,
        learning_rate=0.03,
        batch_size=2,
        dropout=0.2,
        input_dropout=0.0,
        learning_rate_decay=0.98,
        random_state=0,
    ).fit(PIECES)


def test_chords_of_a_small_keyboard_sum_to_one(chords):
    # All chords of up to two of 88 keys, and the rest by the probability of a third note.
    start = PIECES[0][:2]
    every = [[*start, list(c)] for n in (0, 1) for c in itertools.combinations(range(21, 109), n)]
    pairs = [[*start, [21, 22]], [*start, [108, 21]], [*start, [60, 64]]]
    p = np.exp([found[-1] for found in chords.log_likelihood(every + pairs)])
    assert 0 < p[:89].sum() < 1
    assert (p > 0).all()


def test_the_likelihood_is_that_of_the_network_note_by_note(chords):
    stream = chords.network_.stream()
    total, last = 0.0, 88
    for place, key in enumerate([67 - 21, 64 - 21, 60 - 21, 88]):
        p = stream(chords._frame(last, place, [], 0)).astype(float)
        open_keys = np.append(np.arange(88) < last, True)
        total += np.log(p[key] / p[open_keys].sum())
        last = key
    assert chords.log_likelihood([[[60, 64, 67]]])[0][0] == pytest.approx(total, rel=1e-4)
    assert chords.log_likelihood([[[67, 60, 64, 60]]])[0][0] == pytest.approx(total, rel=1e-4)


def test_chords_are_learned_and_drawn(chords):
    assert -chords.score(PIECES) < 1.0
    assert -chords.score([[[30, 31, 33]] * 12]) > 5.0
    drawn = chords.sample(8, start=PIECES[0][:4], temperature=0.3, random_state=0)
    assert [sorted(chord) for chord in drawn[:4]] == PIECES[0][:4]
    assert drawn == chords.sample(8, start=PIECES[0][:4], temperature=0.3, random_state=0)
    assert all(chord == sorted(chord, reverse=True) for chord in drawn)


def test_without_memory_chords_are_independent():
    model = ChordSequenceLSTM(0, memory=0, beats=1, max_epochs=2, random_state=0).fit(PIECES)
    found = model.log_likelihood([[[60, 64, 67], [60, 64, 67]], [[], [60, 64, 67]]])
    assert found[0][0] == pytest.approx(found[0][1], abs=1e-5)
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-5)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [([], "at least one piece"), ([[]], "none empty"), ([[[20]]], r"X\[0\]\[0\] must have MIDI")],
)
def test_what_are_no_chords(pieces, message):
    with pytest.raises(ValueError, match=message):
        ChordSequenceLSTM(4).fit(pieces)


@pytest.fixture(scope="module", params=["lstm", "conditional", "deep"])
def harmonizer(request):
    grids = chorales(30)
    return {
        "lstm": lambda: RecurrentHarmonizer(
            24, max_epochs=12, learning_rate=0.02, learning_rate_decay=0.95, **OPTIONS
        ),
        "conditional": lambda: ConditionalHarmonizer(40, n_iter=30, **OPTIONS),
        "deep": lambda: DeepHarmonizer(
            4, (60, 40), n_iter=150, learning_rate_decay=0.98, batch_size=20, **OPTIONS
        ),
    }[request.param]().fit(grids)


def test_a_soprano_gets_the_voices_of_its_style(harmonizer):
    test = chorales(4, seed=9)
    same = []
    for number, grid in enumerate(test):
        made = harmonizer.harmonize(grid[:, 0], random_state=number)
        assert made.shape == grid.shape
        assert np.array_equal(made[:, 0], grid[:, 0])
        same.append(agreement(made, grid)[1:].mean())
    # Each note of the soprano has one chord; by chance a third of them would be right.
    assert np.mean(same) > 0.6
    again = harmonizer.harmonize(test[-1][:, 0], random_state=3)
    assert np.array_equal(again, made)


def test_harmonizers_survive_a_file(harmonizer, tmp_path):
    ictus.save(tmp_path / "model.ictus", harmonizer)
    loaded = ictus.load(tmp_path / "model.ictus")
    line = chorales(1, seed=5)[0][:, 0]
    assert np.array_equal(
        loaded.harmonize(line, random_state=1), harmonizer.harmonize(line, random_state=1)
    )


@pytest.mark.parametrize(
    ("soprano", "message"),
    [
        (np.zeros((3, 4), int), "vector of MIDI pitches"),
        (np.array([60.0, 62.0]), "vector of MIDI pitches"),
        (np.array([72, 110]), "got 110; transpose it"),
        (np.zeros(0, int), "vector of MIDI pitches"),
    ],
)
def test_what_is_no_soprano(harmonizer, soprano, message):
    with pytest.raises(ValueError, match=message):
        harmonizer.harmonize(soprano)


@pytest.mark.parametrize("cls", [RecurrentHarmonizer, ConditionalHarmonizer, DeepHarmonizer])
def test_what_are_no_chorales(cls):
    for wrong, message in (([], "at least one chorale"), ([np.zeros((9, 3), int)], "4 voices")):
        with pytest.raises(ValueError, match=message):
            cls().fit(wrong)
    with pytest.raises(ScoreError, match="voice 1 has no notes"):
        cls().fit([np.array([[70, -1, 60, 50]] * 9)])


def test_likelihood_of_the_lower_voices():
    grids = chorales(10)
    model = RecurrentHarmonizer(8, max_epochs=1, **OPTIONS).fit(grids)
    found = model.log_likelihood(grids[:2])
    assert [len(one) for one in found] == [12, 12]
    # Exact: the sum over all alto, tenor and bass states of the first step is 1.
    count = model.states_.count
    total = 0.0
    first = grids[0][:1].copy()
    every = np.array(list(itertools.product(range(count), repeat=3)))[:: max(count**3 // 400, 1)]
    for states in every:
        first[0, 1:] = model.states_.pitches(states[None], slice(1, 4))[0]
        total += np.exp(model.log_likelihood([first])[0][0])
    assert 0 < total < 1
    with pytest.raises(ValueError, match="outside of the ranges"):
        model.log_likelihood([np.full((3, 4), 100)])


def test_parallels_can_be_forbidden():
    model = RecurrentHarmonizer(8, max_epochs=1, **OPTIONS).fit(chorales(10))
    line = chorales(1, seed=4)[0][:, 0]
    free = [model.harmonize(line, temperature=2.0, tries=1, random_state=s) for s in range(5)]
    strict = [
        model.harmonize(line, temperature=1.0, tries=1, avoid_parallels=True, random_state=s)
        for s in range(5)
    ]
    count = lambda grids: sum(writing_measures(g)["parallels"] for g in grids)  # noqa: E731
    assert count(free) > 0
    assert count(strict) < 0.2 * count(free)


def test_measures_of_writing():
    fifths = writing_measures([[67, 60], [69, 62], [69, 57]])
    assert fifths["parallels"] == 50.0
    assert fifths["moves"] == 1.0
    assert fifths["leap"] == 3.5
    assert writing_measures([[60, 67], [60, 67]])["crossings"] == 1.0
    assert writing_measures([[72, 64, 67, 48], [70, 64, 61, 48]])["chords"] == 0.5
    assert writing_measures([[-1, 60], [67, 60], [-1, 62]])["parallels"] == 0.0
    with pytest.raises(ValueError, match="2 at least"):
        writing_measures([[60, 48]])
    with pytest.raises(ValueError, match="found must have shape"):
        agreement(np.zeros((2, 4)), np.zeros((3, 4)))


def test_states_and_sopranos():
    states = VoiceStates.of(chorales(3))
    grid = chorales(1)[0]
    assert np.array_equal(states.pitches(states.states(grid)), grid)
    assert not states.fits(grid + 40)
    score = from_steps(grid)
    assert np.array_equal(soprano_of(score), grid[:, 0])
    with pytest.raises(ScoreError, match="highest voice has no notes"):
        soprano_of(Melody([-1], [1.0]))
