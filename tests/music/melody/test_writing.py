"""Scores written and read again, spelled, rendered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictus.io.midi_file import format_notes, parse_midi
from ictus.music.melody import (
    Key,
    Melody,
    ScoreError,
    SymbolicScore,
    from_steps,
    make_notes,
    piano_roll,
    read_abc,
    read_score,
    render_score,
    write_score,
)
from ictus.music.melody.writing import spelled

from .tunes import ABC, chorales, tune


@pytest.mark.parametrize("ending", ["mid", "musicxml"])
def test_a_score_comes_back(tmp_path, ending):
    if ending == "musicxml":
        pytest.importorskip("partitura")
    for score in [
        *read_abc(ABC)[:1],
        tune(3, 20, Key(2)).score(),
        from_steps(chorales(1)[0], key=Key(0), held=True),
    ]:
        path = tmp_path / f"score.{ending}"
        write_score(path, score)
        again = read_score(path)
        assert (again.key, again.metre, again.upbeat) == (score.key, score.metre, score.upbeat)
        for name in ("start", "duration", "pitch", "voice"):
            np.testing.assert_allclose(again.notes[name], score.notes[name], atol=0.006)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 30))
def test_notes_survive_midi(seed, voices, count):
    generator = np.random.default_rng(seed)
    made = [
        make_notes(
            np.cumsum(generator.integers(1, 9, count)) / 4,
            np.full(count, 0.25),
            generator.integers(0, 128, count),
        )
        for _ in range(voices)
    ]
    sharps, mode = int(generator.integers(-7, 8)), str(generator.choice(["major", "minor"]))
    data = format_notes(made, tempo=90.0, metre=(6, 8), key=(sharps, mode), upbeat=0.5)
    midi = parse_midi(data)
    assert midi.keys == [(0.0, sharps, mode)]
    assert midi.metres == [(0.0, 1, 8), (0.5, 6, 8)]
    assert midi.tempi[0][1] == pytest.approx(60 / 90, abs=1e-6)
    for voice, notes in enumerate(made):
        own = midi.notes[midi.notes["track"] == voice + 1]
        assert sorted(zip(own["start"], own["pitch"], strict=True)) == sorted(
            zip(notes["start"], notes["pitch"], strict=True)
        )


@pytest.mark.parametrize(
    ("pitch", "key", "name"),
    [
        (66, Key(7), ("F", 1, 4)),
        (66, Key(1), ("G", -1, 4)),
        (61, Key(2, "minor"), ("C", 1, 4)),
        (70, Key(5), ("B", -1, 4)),
        (60, None, ("C", 0, 4)),
        (59, Key(6), ("B", 0, 3)),
        (72, Key(1, "minor"), ("B", 1, 4)),
    ],
)
def test_pitches_are_spelled_by_the_key(pitch, key, name):
    assert spelled(pitch, key) == name


@given(st.integers(0, 127), st.integers(0, 23))
def test_spelling_keeps_the_pitch(pitch, number):
    step, alteration, octave = spelled(pitch, Key.from_number(number))
    assert "C D EF G A B".index(step) + alteration + 12 * (octave + 1) == pitch
    assert abs(alteration) <= 2


def test_nothing_to_write_or_render(tmp_path):
    empty = SymbolicScore(make_notes([], 1, 60))
    with pytest.raises(ScoreError, match="no notes to write"):
        write_score(tmp_path / "empty.mid", empty)
    with pytest.raises(ScoreError, match="no notes to render"):
        render_score(empty)
    with pytest.raises(ScoreError, match="ending must be"):
        write_score(tmp_path / "score.pdf", tune(0))
    with pytest.raises(ScoreError, match="has no notes"):
        empty.melody()
    assert not list(tmp_path.iterdir())


def test_a_rendered_score_is_as_long_as_it_says():
    melody = Melody([60, 64, -1, 67], [1.0, 1.0, 1.0, 1.0])
    sound = render_score(melody, tempo=120, sample_rate=8000, seed=1)
    assert 2.0 < len(sound) / 8000 < 4.5
    assert np.abs(sound[: 8000 // 2]).max() > 0.05
    assert np.array_equal(sound, render_score(melody, tempo=120, sample_rate=8000, seed=1))


@pytest.mark.parametrize(
    ("pitches", "durations", "message"),
    [
        ([60, 200], [1, 1], "MIDI numbers"),
        ([60, 62], [1, 0], "positive and finite"),
        ([60], [1, 1], "of one length"),
    ],
)
def test_what_is_no_melody(pitches, durations, message):
    with pytest.raises(ValueError, match=message):
        Melody(pitches, durations)


def test_steps_hold_and_strike():
    grid = np.array([[72, 60], [72, 60], [-1, 62]])
    held = from_steps(grid, 0.5, voices=("A", "B"), held=True)
    struck = from_steps(grid, 0.5, voices=("A", "B"))
    assert (len(held.notes), len(struck.notes)) == (3, 5)
    for score in (held, struck):
        assert np.array_equal(score.steps(0.5), grid)


def test_piano_rolls(tmp_path):
    pytest.importorskip("matplotlib")
    melody = Melody([60, -1, 67], [1.0, 1.0, 2.0])
    figure = piano_roll(melody, marked=[False, False, True], title="Two notes")
    bars = figure.axes[0].collections
    assert len(bars) == 2
    assert not np.allclose(bars[0].get_facecolor(), bars[1].get_facecolor())
    figure.savefig(tmp_path / "roll.png")
    with pytest.raises(ValueError, match="each of 2 notes"):
        piano_roll(melody.score(), marked=[True])
    with pytest.raises(ScoreError, match="no notes to draw"):
        piano_roll(SymbolicScore(make_notes([], 1, 60)))
