"""Songs made of sections: what their annotations and their notes say about each other."""

from itertools import pairwise

import numpy as np
import pytest

from ictus.music.synthesis import compose_song, make_piece
from ictus.music.synthesis.orchestra import is_held_out
from ictus.music.synthesis.songs import FORMS, NAMES


def by_section(score):
    """Pitch classes (without drums) and programs that sound in each section."""
    grid = score.beat_times
    pitched, playing = [], []
    for begin, end, _ in score.section_times():
        pitches, programs = np.zeros(12), set()
        for part in score.parts:
            at = grid[np.minimum(part.notes["start"].astype(int), len(grid) - 1)]
            inside = part.notes[(at >= begin - 1e-6) & (at < end - 1e-6)]
            if len(inside):
                programs.add((part.role, part.program))
                if part.role != "drums":
                    np.add.at(pitches, inside["pitch"] % 12, 1)
        pitched.append(pitches)
        playing.append(frozenset(programs))
    return pitched, playing


@pytest.fixture(scope="module")
def songs():
    return [compose_song(seed, seconds=(60, 90), instruments="training") for seed in range(12)]


def test_sections_fill_the_song_and_return(songs):
    returning = 0
    for score in songs:
        sections = score.section_times()
        assert 50 < score.seconds < 120
        assert sections[0][0] == score.lead_in
        assert sections[-1][1] == pytest.approx(score.seconds)
        assert all(a[1] == b[0] for a, b in pairwise(sections))
        assert all(end - begin > 4 for begin, end, _ in sections)
        names = [name for _, _, name in sections]
        assert set(names) <= set(NAMES.values()) and len(names) >= 3
        returning += len(names) > len(set(names))
    assert returning >= 9


def test_letters_are_told_apart_by_harmony_players_or_both(songs):
    harmony = {True: [], False: []}
    players = {True: [], False: []}
    for score in songs:
        pitched, playing = by_section(score)
        names = [name for _, _, name in score.section_times()]
        for i in range(len(names)):
            for j in range(i):
                same = names[i] == names[j]
                if pitched[i].any() and pitched[j].any():
                    harmony[same].append(np.corrcoef(pitched[i], pitched[j])[0, 1])
                players[same].append(playing[i] == playing[j])
    print(
        {k: (len(v), np.mean(v)) for k, v in harmony.items()},
        {k: (len(v), np.mean(v)) for k, v in players.items()},
    )
    assert np.mean(harmony[True]) > 0.9 > 0.7 > np.mean(harmony[False])
    assert np.mean(players[True]) > 0.5 > 0.2 > np.mean(players[False])


def test_what_follows_itself_changes(songs):
    for score in [*songs, *(compose_song(seed, seconds=100.0) for seed in range(40, 60))]:
        _, playing = by_section(score)
        names = [name for _, _, name in score.section_times()]
        for i in range(1, len(names)):
            if names[i] == names[i - 1]:
                assert playing[i] != playing[i - 1]


def test_test_songs_have_instruments_and_forms_of_their_own():
    assert not set(FORMS["training"]) & set(FORMS["test"])
    assert set(FORMS["core"]) | set(FORMS["validation"]) == set(FORMS["training"])
    assert not set(FORMS["core"]) & set(FORMS["validation"])
    for seed in range(6):
        for instruments, wanted in (("training", False), ("test", True)):
            score = compose_song(seed, seconds=60.0, instruments=instruments)
            assert all(is_held_out(part.role, part.program) == wanted for part in score.parts)


def test_same_seed_same_song():
    first, second, other = (compose_song(seed, seconds=60.0) for seed in (3, 3, 4))
    for a, b in zip(first.parts, second.parts, strict=True):
        np.testing.assert_array_equal(a.notes, b.notes)
    assert first.sections == second.sections
    assert len(first.beat_seconds) != len(other.beat_seconds) or first.style != other.style


def test_a_song_of_the_corpus_has_its_sections():
    piece = make_piece(2, 9, songs=True, seconds=14.0, synthesizer="builtin", sample_rate=22050)
    assert piece.sections[-1][1] <= len(piece.audio) / 22050
    assert len(piece.sections) >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.0}, "seconds must be positive"),
        ({"seconds": (20.0, 10.0)}, "a range ascending"),
        ({"style": "noise"}, "style must be one of"),
        ({"instruments": "none"}, "instruments must be one of"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ValueError, match=message):
        compose_song(1, **options)
