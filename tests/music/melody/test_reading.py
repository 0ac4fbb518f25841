"""Scores read, in all formats, and what damaged or unfit ones say."""

import subprocess
import sys

import numpy as np
import pytest

from ictus.music.melody import (
    Key,
    ScoreError,
    read_abc,
    read_melodies,
    read_melody,
    read_score,
    read_scores,
    split_tunes,
)
from ictus.music.melody.abc_notation import parse_key, parse_tune

from .tunes import ABC, KERN


def test_repeats_and_endings_are_played():
    score = read_abc(ABC)[0]
    melody = score.melody()
    once = [62, 67, 69, 71, 72, 74]
    assert melody.pitches.tolist() == [*once, 76, *once, 74, 76, 78, 79]
    assert melody.durations.tolist()[:7] == [1, 1, 1, 1, 2, 1, 5]
    np.testing.assert_allclose(melody.durations[-4:], [2 / 3] * 3 + [2], atol=1 / 96)
    assert (score.key, score.metre, score.upbeat, score.title) == (Key(7), (3, 4), 1, "Up and down")


def test_repeats_can_be_left_out():
    melody = parse_tune(split_tunes(ABC)[0], repeats=False).melody()
    assert melody.pitches.tolist() == [62, 67, 69, 71, 72, 74, 76, 62, 74, 76, 78, 79]


def test_accidentals_broken_rhythm_and_chords():
    score = read_abc(ABC)[1]
    assert score.key == Key(7, "minor")
    notes = score.notes
    assert notes["pitch"].tolist() == [67, 69, 70, 72, 76, 78, 74, 70]
    assert notes["duration"].tolist() == [0.75, 0.25, 0.25, 0.75, 1, 1, 2, 2]
    with pytest.raises(ScoreError, match="at quarter 4 several notes sound"):
        score.melody()


def test_an_accidental_lasts_to_the_bar_line():
    notes = read_abc("X:1\nL:1/4\nK:C\n^F F|F =F _B,,|")[0].notes
    assert notes["pitch"].tolist() == [66, 66, 65, 65, 46]


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("A:|B:|", "AABB"),
        ("|:A:|:B:|", "AABB"),
        ("|:A::B:|", "AABB"),
        ("A|1 B:|2 C||D:|", "ABACDD"),
        ("A|:B|1 C:|2 D|E|", "ABCBDE"),
        ("A B|C|]", "ABC"),
    ],
)
def test_the_order_of_repeats(text, bars):
    pitches = read_abc(f"X:1\nM:1/4\nL:1/4\nK:C\n{text}")[0].melody().pitches
    names = dict(zip([69, 71, 60, 62, 64], "ABCDE", strict=True))
    assert "".join(names[int(p)] for p in pitches) == bars


@pytest.mark.parametrize(
    ("text", "key", "sharps"),
    [
        ("G", Key(7), 1),
        ("Am", Key(9, "minor"), 0),
        ("Edor", Key(4, "minor"), 2),
        ("D mix", Key(2), 1),
        ("F#m", Key(6, "minor"), 3),
        ("Bb", Key(10), -2),
        ("C#", Key(1), 7),
    ],
)
def test_keys_of_abc(text, key, sharps):
    assert parse_key(text) == (key, sharps, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no tune", "has no tune"),
        ("X:7\nK:C\n|||", "tune 7: it has no notes"),
        ("X:1\nK:C\nA B ? C", "cannot be read"),
        ("X:1\nK:H\nABC", "names no key"),
        ("X:1\nL:1/0\nK:C\nABC", "is no length"),
        ("X:1\nK:C\nA/0", "divided by 0"),
    ],
)
def test_mistakes_in_abc(text, message):
    with pytest.raises(ScoreError, match=message):
        read_abc(text)


def test_kern_has_key_and_voices(tmp_path):
    pytest.importorskip("partitura")
    path = tmp_path / "two.krn"
    path.write_text(KERN)
    score = read_score(path)
    assert (score.key, score.key_is_given, len(score.voices)) == (Key(0), True, 2)
    assert score.voice(0)["pitch"].tolist() == [64, 65, 67, 64]
    assert score.steps().tolist() == [
        [64, 48], [65, 48], [67, 55], [67, 55], [64, 48], [64, 48], [64, 48], [64, 48]
    ]  # fmt: skip
    assert read_melody(path, 1).pitches.tolist() == [48, 55, 48]
    with pytest.raises(ScoreError, match=r"two\.krn.*several notes sound"):
        read_melody(path)
    with pytest.raises(ScoreError, match="voice must be below 2, got 2"):
        read_melody(path, 2)


@pytest.mark.parametrize("ending", ["krn", "mei", "musicxml", "mxl", "mid", "abc"])
def test_damaged_files_are_named(tmp_path, ending):
    if ending not in ("mid", "abc"):
        pytest.importorskip("partitura")
    path = tmp_path / f"damaged.{ending}"
    for content in (b"", b"\x00\xff not a score \n\t<", ABC.encode()[:9] + b"\xfe\xff"):
        path.write_bytes(content)
        with pytest.raises(ScoreError, match=r"damaged"):
            read_scores(path)


def test_unknown_formats_and_missing_files(tmp_path):
    with pytest.raises(ScoreError, match=r"ending must be one of .*\.krn"):
        read_score(tmp_path / "score.pdf")
    with pytest.raises(FileNotFoundError):
        read_score(tmp_path / "none.mid")


def test_a_collection_leaves_out_what_is_no_melody(tmp_path):
    path = tmp_path / "two.abc"
    path.write_text(ABC)
    assert [m.title for m in read_melodies(path)] == ["Up and down"]
    path.write_text("X:1\nK:C\n[CE]2")
    with pytest.raises(ScoreError, match="not one melody"):
        read_melodies(path)


def test_partitura_is_loaded_only_when_needed():
    code = "import sys, ictus.music.melody as m; m.read_score; sys.exit('partitura' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
