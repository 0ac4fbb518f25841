"""``ictus index``: recordings and rows of features, from files to answers."""

import json

import numpy as np
import pytest

from ictus.cli import main
from ictus.io.audio import write_audio

RATE = 22_050


def tone(frequency, seconds=1.5, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(int(RATE * seconds)) / RATE
    sound = sum(np.sin(2 * np.pi * frequency * h * t) / h for h in range(1, 6))
    return (0.1 * sound + 0.01 * rng.normal(size=len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for i, frequency in enumerate((110, 220, 440, 880, 1760)):
        for version in range(2):
            write_audio(folder / f"{i}_{version}.wav", tone(frequency, seed=version), RATE)
    return folder


@pytest.fixture(scope="module")
def built(songs, tmp_path_factory):
    index = tmp_path_factory.mktemp("built") / "index"
    files = [str(songs / f"{i}_0.wav") for i in range(5)]
    arguments = ["--bits", "32", "--hidden", "16", "--epochs", "5"]
    assert main(["index", "build", str(index), *files, *arguments]) == 0
    return index


def test_recordings(songs, built, capsys):
    assert main(["index", "query", str(built), str(songs / "3_0.wav"), "-k", "2", "--rerank"]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first.split("\t") == ["0", "3", str(songs / "3_0.wav")]
    queries = [str(songs / f"{i}_1.wav") for i in range(5)]
    assert main(["index", "query", str(built), *queries, "--rerank", "--json", "-k", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [found[q][0]["number"] for q in queries] == [0, 1, 2, 3, 4]
    assert all(len(found[q]) == 3 for q in queries)


def test_adding_recordings_and_a_folder(songs, tmp_path, capsys):
    index = str(tmp_path / "index")
    options = ["--bits", "16", "--hidden", "8", "--epochs", "2"]
    assert (
        main(["index", "build", index, str(songs / "0_0.wav"), str(songs / "1_0.wav"), *options])
        == 0
    )
    capsys.readouterr()
    assert main(["index", "add", index, str(songs), "-j", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{2 + i}\t{path}" for i, path in enumerate(sorted(songs.iterdir()))]
    assert main(["index", "info", index, "--verify", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["tracks"], facts["bits"], facts["of"]) == (12, 16, "recordings")
    assert main(["index", "info", index]) == 0
    assert "tracks    12\n" in capsys.readouterr().out


def test_rows_of_features(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.normal(size=(30, 6)))
    np.savez(tmp_path / "b.npz", x=rng.normal(size=(4, 6)))
    index, a, b = (str(tmp_path / name) for name in ("index", "a.npy", "b.npz"))
    options = ["--bits", "16", "--hidden", "8", "--epochs", "2"]
    assert main(["index", "build", index, a, *options]) == 0
    assert main(["index", "add", index, b]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"{30 + i}\t{b}:{i}" for i in range(4)]
    assert main(["index", "query", index, b, "-k", "1", "--rerank", "--candidates", "34"]) == 0
    expected = [f"{b}:{i}\t0\t{30 + i}\t{b}:{i}" for i in range(4)]
    assert capsys.readouterr().out.splitlines() == expected


def test_mistakes(songs, built, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "rows.npy", np.zeros((4, 7)))
    (tmp_path / "noise.wav").write_bytes(b"no audio")
    song, rows = str(songs / "0_0.wav"), str(tmp_path / "rows.npy")
    new, empty = str(tmp_path / "new"), str(tmp_path / "empty")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in built.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    data = bytearray((damaged / "codes").read_bytes())
    data[0] ^= 1
    (damaged / "codes").write_bytes(data)
    for arguments, message in [
        ([], "the word after index must be one of build, add, query, info, got nothing"),
        (["find", song], "must be one of build, add, query, info, got find"),
        (["build", new, empty], "empty: the folder has no audio files"),
        (["build", new, str(tmp_path / "no.wav")], "no such file or folder"),
        (["build", new, song, "--bits", "12"], "--bits must be a multiple of 8, got 12"),
        (["build", str(built), song], "needs a new or empty folder"),
        (["build", new, song, rows], "recordings or tables of features, got both"),
        (["build", new, str(tmp_path / "noise.wav")], "noise.wav"),
        (["query", empty, song], "not an index: the folder is empty"),
        (["query", str(songs), song], "has no file 'commits'"),
        (["query", new + "er", song], "no such index"),
        (["query", str(built), rows], "is an index of recordings"),
        (["add", str(built), rows], "is an index of recordings"),
        (["info", str(damaged), "--verify"], "codes: damaged"),
    ]:
        assert main(["index", *arguments]) == 2, arguments
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
