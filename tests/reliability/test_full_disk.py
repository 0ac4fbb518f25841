"""A full or failing disk: what was there before stays, and nothing is left lying about."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "reliability"
if not TOOLS.is_dir():
    pytest.skip("the tools are not beside the tests", allow_module_level=True)
if sys.platform != "linux":
    pytest.skip("limits of file sizes are set as Linux does it", allow_module_level=True)
sys.path.insert(0, str(TOOLS))
import full_disk  # noqa: E402


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
