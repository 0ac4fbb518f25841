"""``kill -9`` while rows are added loses nothing that was reported."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "tools" / "index_crash.py").is_file():
    pytest.skip("the tools are not beside the tests", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tools"))
import index_crash  # noqa: E402


def test_nothing_reported_is_lost(tmp_path):
    result = index_crash.run(tmp_path, kills=3, seed=1)
    assert result["kills"] == 3
    assert result["rows reported"] > 3


def test_a_loss_would_be_found(tmp_path):
    index, tables = index_crash.prepare(tmp_path)
    names = [f"{tables[1]}:{row}" for row in range(index_crash.ROWS)]
    reported = list(zip(range(40, 80), names, strict=True))
    with pytest.raises(AssertionError, match="40 rows are lost"):
        index_crash.check(index, tables, 40, reported)
    with index_crash.MusicIndex.open(index, writable=True) as opened:
        opened.add(names[:39], np.load(tables[1])[:39])
    with pytest.raises(AssertionError, match="1 rows are lost"):
        index_crash.check(index, tables, 40, reported)
