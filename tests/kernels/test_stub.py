"""The types of the native module: _core.pyi says of every name what the module itself says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ictus
from ictus import _core

STUBS = [
    ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(Path(ictus.__file__).parent.glob("_core*.pyi"))
]
BODY = [node for stub in STUBS for node in stub.body]
FUNCTIONS = {node.name: node for node in BODY if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in BODY if isinstance(node, ast.ClassDef)}


def members(owner: ast.ClassDef) -> list[ast.stmt]:
    """What a class of the stub declares, with what its bases declare."""
    bases = [CLASSES[base.id] for base in owner.bases if isinstance(base, ast.Name)]
    return [*owner.body, *(member for base in bases for member in members(base))]


METHODS: dict[str, ast.FunctionDef] = {}
PROPERTIES: set[str] = set()
for owner in CLASSES.values():
    if owner.name.startswith("_"):
        continue  # a base that the stub alone has
    for member in members(owner):
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            PROPERTIES.add(f"{owner.name}.{member.target.id}")
        elif isinstance(member, ast.FunctionDef) and member.decorator_list:
            PROPERTIES.add(f"{owner.name}.{member.name}")
        elif isinstance(member, ast.FunctionDef):
            METHODS[f"{owner.name}.{member.name}"] = member
# How pybind11 writes what the stub calls int and float.
KINDS = {"typing.SupportsInt": "int", "typing.SupportsFloat": "float"}


def native(name: str) -> ast.FunctionDef:
    """The signature that pybind11 put into the docstring."""
    value = _core
    for part in name.split("."):
        value = getattr(value, part)
    (node,) = ast.parse(f"def {value.__doc__.splitlines()[0]}: ...").body
    assert isinstance(node, ast.FunctionDef)
    return node


def kind(annotation: ast.expr | None) -> str:
    """One word for a type: int, float, bool, str, None; what is checked by hand is an object."""
    text = ast.unparse(annotation) if annotation is not None else "None"
    text = KINDS.get(text.split(" | ")[0], text)
    return text if text in ("int", "float", "bool", "str", "None") else "object"


def shape(node: ast.FunctionDef, *, named: bool) -> dict[str, object]:
    """What two signatures have to have in common."""
    positional = [*node.args.posonlyargs, *node.args.args]
    if positional and positional[0].arg == "self":
        positional = positional[1:]
    return {
        "positional": [(a.arg if named else "", kind(a.annotation)) for a in positional],
        "defaults": len(node.args.defaults),
        "keywords": [(a.arg, kind(a.annotation)) for a in node.args.kwonlyargs],
        "keywords without default": sum(default is None for default in node.args.kw_defaults),
        "returns": kind(node.returns),
    }


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_signatures(name: str) -> None:
    module = native(name)
    stub = FUNCTIONS.get(name) or METHODS[name]
    arguments = [*module.args.posonlyargs, *module.args.args]
    named = not any(a.arg == "arg0" for a in arguments)
    if stub.args.vararg is not None:  # the stub sums up the rest as *arrays
        declared = len([*stub.args.posonlyargs, *stub.args.args])
        assert declared < len(arguments)
        module.args.args = arguments[:declared]
    assert shape(stub, named=named) == shape(module, named=named)
    # Arguments without a name in the module cannot be passed by name.
    if not named and name in FUNCTIONS:
        assert not stub.args.args, "write a / after arguments that have no name"


def test_stub_names_the_whole_module() -> None:
    declared = set(FUNCTIONS) | {name for name in CLASSES if not name.startswith("_")}
    present = {name for name in dir(_core) if not name.startswith("_")}
    assert declared == present, "declare every name of ictus._core in python/ictus/_core.pyi"


def test_stub_names_every_method_and_property() -> None:
    present = {
        f"{owner}.{name}"
        for owner in dir(_core)
        if isinstance(getattr(_core, owner), type)
        for name, value in vars(getattr(_core, owner)).items()
        if name == "__init__" or not name.startswith("_")
        if value is not None
    }
    assert set(METHODS) | PROPERTIES == present
