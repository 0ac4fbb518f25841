"""The rules of the architecture that a machine can check, on the sources beside the tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "ictus"
CODE = ("*.py", "*.h", "*.cpp", "*.cu", "*.pyi")
# Imports point down this list only; io, plot and datasets stand beside it.
LEVELS = ["kernels", "nn", "optim", "train", "models", "music", "cli"]
# What the modules beside the levels may import, and who may import them.
BESIDE = {
    "_interpreters": set(),
    "io": {"kernels", "nn", "optim", "train", "models", "io"},
    "plot": set(),
    "datasets": {"io"},
}

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="the sources are not beside the tests")


def sources(*folders):
    return [
        path
        for folder in folders
        for pattern in CODE
        for path in sorted((ROOT / folder).rglob(pattern))
        if "build" not in path.parts
    ]


ALL = sources("cpp", "cuda", "python", "tests", "benchmarks", "examples", "tools")
FAMILIES = re.search(r"set\(ICTUS_FAMILIES ([^)]*)\)", (ROOT / "CMakeLists.txt").read_text())[
    1
].split()


def test_there_is_something_to_check():
    assert len(ALL) > 60
    assert len(FAMILIES) >= 6


@pytest.mark.parametrize("path", ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_named_for_what_they_hold(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, f"{path.name} has {text.count(chr(10))} lines"
    forbidden = {"utils", "util", "helpers", "helper", "misc", "common", "v2"}
    assert not forbidden & set(re.split(r"[_.\W]", path.stem.lower()))
    stripped = text.strip()
    if stripped and path.name != "__init__.py":
        assert stripped.startswith(('"""', "//", "#!")), "the first lines say what the file is"


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", sources("python"), ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_are_short(path):
    for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if not body or function.name == "__init__":
            continue
        length = body[-1].end_lineno - body[0].lineno + 1
        assert length <= 50, f"{function.name} has {length} lines"


def imported(path):
    """Modules of ictus that a file imports, as their names below ictus."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ictus"):
            below = node.module.split(".")[1:]
            names |= {below[0]} if below else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ictus.")}
    return names


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_point_down(path):
    place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = set(LEVELS[: LEVELS.index(place) + 1]) if place in LEVELS else BESIDE.get(place)
    if place in ("__init__", "__main__"):
        return
    assert allowed is not None, f"{place} has no place in the architecture"
    if place in LEVELS[LEVELS.index("models") :]:
        allowed |= {"io", "plot", "datasets"}
    names = imported(path) - {"_core", "_cuda", "__version__", place}
    if place == "cli":
        names = {n for n in names if (PACKAGE / n).is_dir() or (PACKAGE / f"{n}.py").is_file()}
    assert names <= allowed, f"{place} imports {sorted(names - allowed)}"


MODELS = PACKAGE / "models"
# Folders of models that others build on, and what of models they may import; the rest are leaves.
FOUNDATIONS = {
    "boltzmann": {"boltzmann", "estimator_state", "examples"},
    "pretraining": {"boltzmann", "pretraining", "examples"},
}


@pytest.mark.parametrize(
    "path", sorted(MODELS.glob("*/*.py")), ids=lambda p: str(p.relative_to(MODELS))
)
def test_folders_of_models_depend_one_way(path):
    folder = path.parent.name
    folders = {p.name for p in MODELS.iterdir() if (p / "__init__.py").is_file()}
    names = re.findall(r"(?:from|import) ictus\.models\.(\w+)", path.read_text(encoding="utf-8"))
    allowed = FOUNDATIONS.get(folder)
    if allowed is None:
        allowed = (set(names) - folders) | set(FOUNDATIONS) | {folder}
    assert set(names) <= allowed, f"{folder} imports {sorted(set(names) - allowed)}"


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_native_modules_are_imported_by_kernels_layers_and_optimisers_alone(path):
    place = path.relative_to(PACKAGE).parts[0]
    if place in ("kernels", "nn", "optim", "__init__.py"):
        return  # nn and optim make the raw calls of their hot paths themselves
    assert "_core" not in imported(path)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_in_every_place(family):
    for place in (
        f"cpp/include/ictus/{family}.h",
        f"cpp/kernels/{family}.cpp",
        f"cpp/bindings/{family}.cpp",
        f"python/ictus/kernels/{family}.py",
        f"tests/kernels/test_{family}.py",
        f"cpp/bench/{family}.cpp",
    ):
        assert (ROOT / place).is_file(), f"{place} is missing"
    assert f"X({family}, " in (ROOT / "cpp/core/tables.h").read_text()
    tests = (ROOT / f"tests/kernels/test_{family}.py").read_text()
    assert "each_level" in tests, "the family is not tested at every level"


CUDA_FAMILIES = re.search(
    r"set\(ICTUS_CUDA_FAMILIES([^)]*)\)", (ROOT / "cuda" / "CMakeLists.txt").read_text()
)[1].split()


@pytest.mark.parametrize("family", CUDA_FAMILIES)
def test_a_cuda_variant_is_in_every_place(family):
    assert (ROOT / "cuda" / f"{family}.cu").is_file()
    assert f"X({family}, " in (ROOT / "cuda" / "families.h").read_text()


def test_conditional_compilation_has_its_places():
    allowed = {"simd.h", "population_count.h", "launch.h", "philox.h"}
    for path in sources("cpp", "cuda"):
        if path.name in allowed or path.parent.name in ("core", "emulation"):
            continue
        for line in path.read_text().splitlines():
            assert not re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line), f"{path.name}: {line}"


@pytest.mark.parametrize("path", sources("cpp/kernels"), ids=lambda p: p.name)
def test_kernels_use_no_containers_and_no_allocation(path):
    text = re.sub(r"//.*", "", path.read_text())
    for word in ("std::vector", "<algorithm>", "std::min", "std::max", "malloc", "new ", "throw"):
        assert word not in text, f"{word} in a kernel"


def test_kernels_are_compiled_with_the_agreed_flags():
    text = (ROOT / "cmake" / "levels.cmake").read_text()
    assert "-ffast-math" not in re.sub(r"#.*", "", text)
    assert "-ffp-contract=fast" in text
    assert re.search(r"-O[23]", text)
