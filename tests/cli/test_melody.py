"""ictus melody on files of our own."""

import pytest

from ictus.cli import main
from ictus.cli.melody import parse_notes
from ictus.music.melody import Key, find_key, read_melody, read_scores, write_score
from tests.music.melody.tunes import ABC, tune


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("melodies")
    for seed in range(4):
        write_score(place / f"{seed}.mid", tune(seed, 24, Key(seed)))
    (place / "tunes.abc").write_text(ABC)
    options = ["--window", "3", "--hidden", "12", "--epochs", "3"]
    files = [str(place / f"{seed}.mid") for seed in range(4)]
    assert main(["melody", "train", *files, "--output", str(place / "m.ictus"), *options]) == 0
    return place


def test_keys_are_printed(folder, capsys):
    assert main(["melody", "key", str(folder / "tunes.abc"), str(folder / "2.mid")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[1:3] for line in lines[:2]] == [
        ["Up and down", str(find_key(read_scores(folder / "tunes.abc")[0]))],
        ["Flat", "G minor"],
    ]
    assert lines[2].split("\t")[0].endswith("2.mid")
    assert len(lines) == 3


def test_surprise_is_printed_for_each_note(folder, capsys):
    assert main(["melody", "surprise", str(folder / "1.mid"), "--model", f"{folder}/m.ictus"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 24 + 3
    assert lines[-1].startswith("mean")
    assert float(lines[1].split("\t")[3]) > 0


def test_gaps_are_filled_and_the_rest_is_kept(folder):
    output = folder / "whole.mid"
    arguments = ["--missing", "3,5-6", "--model", f"{folder}/m.ictus", "--output", str(output)]
    assert main(["melody", "complete", str(folder / "0.mid"), *arguments]) == 0
    before, after = read_melody(folder / "0.mid").pitches, read_melody(output).pitches
    assert len(before) == len(after)
    assert {i for i in range(24) if before[i] != after[i]} <= {2, 4, 5}


def test_new_melodies_are_written_and_heard(folder):
    pytest.importorskip("soundfile")
    files = [folder / "new.mid", folder / "new.ogg"]
    arguments = ["--notes", "6", "--seed", "2", "--model", f"{folder}/m.ictus"]
    named = ["--output", str(files[0]), "--audio", str(files[1])]
    assert main(["melody", "sample", *arguments, *named]) == 0
    assert 1 <= len(read_melody(files[0])) <= 6
    assert files[1].stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["key", "none.mid"], "none.mid: No such file"),
        (["key", "m.ictus"], "ending must be one of"),
        (["surprise", "0.mid", "--model", "0.mid"], "0.mid"),
        (["complete", "0.mid", "--missing", "x", "--model", "m.ictus", "--output", "o.mid"],
         "numbers from 1 on"),
        (["complete", "0.mid", "--missing", "90", "--model", "m.ictus", "--output", "o.mid"],
         "at most 24"),
        (["sample", "--model", "m.ictus", "--output", "o.pdf"], "must end in .mid"),
        (["surprise", "chord.abc", "--model", "m.ictus"], "not one melody"),
        (["train", "rest.abc", "--output", "n.ictus"], "has no notes"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    (folder / "chord.abc").write_text("X:1\nK:C\n[CE]4|")
    (folder / "rest.abc").write_text("X:1\nK:C\nz4|")
    assert main(["melody", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_numbers_of_notes():
    assert parse_notes("1, 3-5") == [0, 2, 3, 4]
    for wrong in ("0", "5-3", "", "a"):
        with pytest.raises(ValueError, match="numbers from 1 on"):
            parse_notes(wrong)
