"""Scores by mir_eval over files and folders."""

import json

import numpy as np
import pytest

from ictus.cli import main
from ictus.io.annotations import Events, write_annotation
from ictus.music.evaluation import evaluate, evaluate_all, find_pairs

pytest.importorskip("mir_eval")

BEATS = np.arange(1.0, 31.0) * 0.5


def numbered(times, first=1):
    return Events(times, [str((i + first - 1) % 4 + 1) for i in range(len(times))])


def test_perfect_and_shifted_and_doubled_beats():
    reference = numbered(BEATS)
    perfect = evaluate(reference, numbered(BEATS))
    assert all(perfect[name] == 1.0 for name in ("F", "CMLc", "CMLt", "AMLc", "AMLt", "P-score"))
    late = evaluate(reference, numbered(BEATS + 0.1))
    assert late["F"] == 0.0 and late["CMLt"] == 0.0
    twice = evaluate(reference, Events(np.arange(2.0, 61.0) * 0.25))
    assert 0.6 < twice["F"] < 0.7 and twice["CMLt"] == 0.0 and twice["AMLt"] > 0.9
    half = evaluate(reference, Events(BEATS[:15]))
    assert half["F"] == pytest.approx(2 / 3)
    assert evaluate(reference, Events([]))["F"] == 0.0
    np.testing.assert_allclose(evaluate(reference, numbered(BEATS), skip=5.0)["F"], 1.0)


def test_downbeats_count_alone():
    assert evaluate(numbered(BEATS), numbered(BEATS), "downbeats") == {"F": 1.0}
    assert evaluate(numbered(BEATS), numbered(BEATS, 2), "downbeats")["F"] < 0.1
    with pytest.raises(ValueError, match="the estimate must have numbers"):
        evaluate(numbered(BEATS), Events(BEATS), "downbeats")


def test_onsets_and_segments():
    scores = evaluate(Events([1.0, 2.0, 3.0]), Events([1.02, 2.03, 3.0, 4.0]), "onsets")
    assert scores["precision"] == 0.5 and scores["recall"] == pytest.approx(2 / 3)
    reference = Events([0.0, 10.0, 20.0], ["A", "B", "A"], [10.0, 20.0, 30.0])
    same = evaluate(reference, reference, "segments")
    assert same["F 0.5s"] == same["pairwise F"] == same["entropy F"] == 1.0
    shifted = Events([0.0, 11.0, 20.0], ["x", "y", "x"], [11.0, 20.0, 30.0])
    scores = evaluate(reference, shifted, "segments")
    assert scores["F 0.5s"] == 0.75 and scores["F 3s"] == 1.0
    # Music that begins a little late; what was found begins with the recording.
    late = Events([0.5, 10.0, 20.0], ["A", "B", "A"], [10.0, 20.0, 29.0])
    scores = evaluate(late, reference, "segments")
    assert scores["F 0.5s"] == scores["pairwise F"] == 1.0


def test_folders_tables_and_the_command_line(tmp_path, capsys):
    for folder, shift in (("ref", 0.0), ("est", 0.02)):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            write_annotation(tmp_path / folder / f"{name}.beats", numbered(BEATS + shift))
    (tmp_path / "est" / "b.beats").write_text("1.0\t1\n")
    result = evaluate_all(find_pairs(tmp_path / "est", tmp_path / "ref"))
    assert result.mean["F"] == pytest.approx((1.0 + 2 / 31) / 2)
    assert result.table().splitlines()[-1].startswith("mean")
    paths = [str(tmp_path / "est"), str(tmp_path / "ref")]
    assert main(["evaluate", "beats", *paths, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["files"]["a"]["F"] == 1.0 and printed["settings"]["skip"] == 0.0
    assert main(["evaluate", "downbeats", *paths]) == 0
    assert "mean" in capsys.readouterr().out
    one = [str(tmp_path / folder / "a.beats") for folder in ("est", "ref")]
    assert main(["evaluate", "beats", *one, "--skip", "5"]) == 0
    (tmp_path / "est" / "a.beats").unlink()
    assert main(["evaluate", "beats", *paths]) == 2
    assert "has no estimate for a" in capsys.readouterr().err
    assert main(["evaluate", "beats", "nowhere", paths[1]]) == 2
    assert "nowhere" in capsys.readouterr().err
