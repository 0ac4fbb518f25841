"""Inputs that fuzzing found to lead readers along ways of their own, read again."""

from pathlib import Path

import pytest

if not (CORPUS := Path(__file__).with_name("corpus")).is_dir():
    pytest.skip("the inputs are not beside the tests", allow_module_level=True)
import campaign

FOLDERS = sorted(folder for folder in CORPUS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.filterwarnings("ignore")
def test_read_or_refused(folder, tmp_path):
    parser = next(p for p in campaign.PARSERS if p.name.replace(" ", "_") == folder.name)
    path = tmp_path / f"input{parser.ending}"
    answers = set()
    for file in sorted(folder.iterdir()):
        path.write_bytes(file.read_bytes())
        answers.add(campaign.answer(parser, path))
    assert answers <= {"read", "refused"}
    assert "refused" in answers
