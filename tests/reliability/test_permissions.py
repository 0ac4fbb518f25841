"""What may not be read or written: one line that names it, and the rest is done."""

import contextlib
import os
import sys

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("a superuser gives up privileges as Linux does it", allow_module_level=True)
import full_disk

from ictus.cli import main
from ictus.io.audio import write_audio
from tests.music.sounds import clicks


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two recordings, of which one may not be read, a folder that may not be written to, data."""
    monkeypatch.chdir(tmp_path)
    for name in ("good.wav", "secret.wav"):
        write_audio(name, clicks(2.0, 0.3)[0])
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(size=(40, 3)), rng.integers(0, 2, 40)]
    np.savetxt("rows.csv", rows, delimiter=",")
    (tmp_path / "secret.wav").chmod(0)
    (tmp_path / "closed").mkdir(0o555)
    (tmp_path / "secret.ictus").touch(0)
    return tmp_path


def run(folder, *words):
    """Exit status and messages of a command without a superuser's privileges."""
    if (child := os.fork()) == 0:
        status = 99
        try:
            with open("messages", "w") as file, contextlib.redirect_stderr(file):
                full_disk.give_up_privileges()
                status = main(list(words))
        except SystemExit as end:
            status = end.code
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, (folder / "messages").read_text().splitlines()


def test_one_recording_that_may_not_be_read(folder):
    status, lines = run(folder, "onsets", "secret.wav", "good.wav", "-o", "out")
    assert status == 1
    assert lines == ["ictus: secret.wav: Permission denied", "ictus: 1 of 2 files failed"]
    assert [path.name for path in (folder / "out").iterdir()] == ["good.onsets"]


def test_a_folder_that_may_not_be_written_to(folder):
    status, lines = run(folder, "onsets", "good.wav", "-o", "closed")
    assert status == 1
    (line,) = lines
    assert line.startswith("ictus: good.wav: ")
    assert line.endswith("closed/good.onsets: Permission denied")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["train", "rows.csv", "--output", "closed/m.ictus"], "--output"),
        (["train", "rows.csv", "--output", "m.ictus", "--checkpoint", "closed/c"], "--checkpoint"),
        (["predict", "secret.ictus", "rows.csv"], "secret.ictus: Permission denied"),
        (["beats", "secret.wav"], "secret.wav: Permission denied"),
        (["beats", "good.wav", "--report", "closed/page.html"], "--report"),
    ],
)
def test_it_is_named(folder, words, named):
    status, lines = run(folder, *words)
    assert status in (1, 2)
    assert len(lines) == 1
    assert named in lines[0]
    assert not (folder / "m.ictus").exists()
