"""A full or failing disk: what was there before stays, and nothing is left lying about."""

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("limits of file sizes are set as Linux does it", allow_module_level=True)
import full_disk


@pytest.mark.parametrize("writer", full_disk.WRITERS, ids=lambda writer: writer.name)
def test_old_or_new(writer, tmp_path):
    outcomes = [full_disk.inject(writer, tmp_path, number) for number in range(500, 505)]
    assert set(outcomes) <= {"kept", "written"}
    assert "kept" in outcomes


def test_a_plain_write_would_be_found(tmp_path):
    writer = full_disk.Writer(
        "plain", lambda path, number: path.write_bytes(bytes([number]) * 5000), Path.read_bytes
    )
    outcomes = [full_disk.inject(writer, tmp_path, number) for number in range(10)]
    assert any(text.startswith("full: exit 3, but the file is new") for text in outcomes)
