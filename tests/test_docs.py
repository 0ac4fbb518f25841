"""The code in the pages of docs: blocks that are marked runnable run, in order, page by page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```python runnable\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages():
    return [page for page in sorted(DOCS.rglob("*.md")) if BLOCK.search(page.read_text("utf-8"))]


pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are not beside the tests")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_runnable_blocks_run(page):
    text = page.read_text("utf-8")
    namespace = {}
    for block in BLOCK.finditer(text):
        # Empty lines before it, so that an error names the line of the page.
        source = "\n" * (text.count("\n", 0, block.start()) + 1) + block[1]
        exec(compile(source, str(page), "exec"), namespace)


def test_there_are_blocks_to_run():
    assert any(page.name == "boltzmann.md" for page in pages())
