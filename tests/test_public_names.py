"""Public names say what they are and what their parameters are; links of pages lead somewhere."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the pages are not beside the tests")
PACKAGES = ["ictus", *re.findall(r"^   (ictus[\w.]+)$", (DOCS / "api/index.md").read_text(), re.M)]
# A docstring may leave parameters to a function that has the same.
REFERS = re.compile(
    r"\b[Aa]rguments|[Pp]arameters (and|as|of)|\b[Ss]ee |\b[Aa]s (of|in|for|to|:func)\b"
)


def undescribed(function: Any) -> list[str]:
    """Parameters that the docstring neither names nor leaves to another."""
    text = inspect.getdoc(function) or ""
    try:
        names = [name for name in inspect.signature(function).parameters if name != "self"]
    except ValueError:  # native
        return []
    missing = [name for name in names if not re.search(rf"\b{name}\b", text)]
    return [] if REFERS.search(text) else missing


def is_protocol(value: Any) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def faults(owner: str, name: str) -> Iterator[str]:
    """What is missing in the docstrings of a public name."""
    value = getattr(importlib.import_module(owner), name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return
    if not inspect.getdoc(value):
        yield "has no docstring"
        return
    plain = inspect.isclass(value) and (issubclass(value, BaseException) or is_protocol(value))
    if not plain and undescribed(value):
        yield f"does not describe {', '.join(undescribed(value))}"
    for member, found in vars(value).items() if inspect.isclass(value) else ():
        native = value.__module__.startswith("ictus._core")
        if member.startswith("_") or native:
            continue
        if inspect.isfunction(found):
            described = found
        elif isinstance(found, classmethod | staticmethod | property):
            described = getattr(value, member)
        else:
            continue
        if not inspect.getdoc(described):
            yield f".{member} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_described(package):
    names = importlib.import_module(package).__all__
    found = [f"{name} {fault}" for name in names for fault in faults(package, name)]
    assert not found


def test_the_check_finds_what_is_missing():
    def described(x: int, y: int) -> None:
        """Do something with x."""

    assert undescribed(described) == ["y"]


# --- links ---------------------------------------------------------------------------------------

PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    if "generated" not in page.parts and "gallery" not in page.relative_to(ROOT).parts
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in links."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#{1,6} +(.*)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue  # another site
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if "gallery" in path or "generated" in path:  # made when the site is built
            continue
        wanted = anchor if file.suffix == ".md" else ""
        if not file.exists() or (wanted and wanted not in anchors(file)):
            broken.append(target)
    assert not broken


def test_there_are_links():
    assert sum(len(LINK.findall(page.read_text("utf-8"))) for page in PAGES) > 100
