"""The types of the native module: _core.pyi names what the module has, no more and no less."""

from __future__ import annotations

import ast
from pathlib import Path

import ictus
from ictus import _core


def test_stub_names_the_whole_module() -> None:
    stub = Path(ictus.__file__).with_name("_core.pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    nodes = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef))
    declared = {n.name for n in nodes if not n.name.startswith("_")}  # _ : bases of the stub alone
    present = {name for name in dir(_core) if not name.startswith("_")}
    assert declared == present, "declare every name of ictus._core in python/ictus/_core.pyi"
